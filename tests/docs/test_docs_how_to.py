"""The pages that say how to begin, and how to explain each kind of model, tell the truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from helpers.models import make_classifier, sample

DOCS = Path(__file__).resolve().parents[2] / "docs"
BACKEND = keras.backend.backend()

pytestmark = pytest.mark.filterwarnings("ignore:.*heatmap of target")


def of_pictures() -> dict[str, Any]:
    return {
        "model": make_classifier(),
        "doc": sample((12, 20, 3)),
        "image": Image.new("RGB", (60, 36), "teal"),
    }


def of_keras_hub() -> dict[str, Any]:
    keras_hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(32, 48, 3),
        name="backbone",
    )
    converter = keras_hub.layers.ResNetImageConverter(image_size=(32, 48), scale=1 / 255)
    preprocessor = keras_hub.models.ResNetImageClassifierPreprocessor(converter)
    model = keras_hub.models.ResNetImageClassifier(
        backbone, num_classes=4, preprocessor=preprocessor
    )
    photo = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype("float32")
    return {"model": model, "photo": photo, "keras": keras}


def of_nothing() -> dict[str, Any]:
    return {}


PAGES: dict[str, Callable[[], dict[str, Any]]] = {
    "index.md": of_nothing,
    "how-to/pictures.md": of_pictures,
    "how-to/volumes.md": of_nothing,
    "how-to/nested-models.md": of_nothing,
    "how-to/keras-hub.md": of_keras_hub,
    "how-to/torch-modules.md": of_nothing,
    "how-to/several-inputs.md": of_nothing,
    "detectors.md": of_nothing,
    "targets.md": of_nothing,
}
# Whose examples run elsewhere.
OTHERS = {"how-to/texts.md", "how-to/series.md"}


def examples(page: str) -> list[str]:
    """Return the code blocks of a page, in their order; each may use what the ones before made."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder but for a picture, as the current one; no weights are downloaded."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (320, 240), "teal").save("cat.jpg")
    make = keras.applications.MobileNetV2
    monkeypatch.setattr(
        keras.applications,
        "MobileNetV2",
        lambda **given: make(**{"weights": None, "alpha": 0.35} | given),
    )
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page: str, folder: Path) -> None:
    if "torch" in page and BACKEND != "torch":
        pytest.skip("a module of PyTorch runs on PyTorch alone")
    names = PAGES[page]()
    blocks = examples(page)
    assert blocks
    for block in blocks:
        exec(block, names)
    saved = set(re.findall(r'\.save\("(.*?)"\)', "\n".join(blocks)))
    assert saved <= {one.name for one in folder.iterdir()}


def test_no_page_is_left_out() -> None:
    pages = {f"how-to/{path.name}" for path in (DOCS / "how-to").glob("*.md")}
    with_examples = {page for page in pages if examples(page)}
    assert with_examples == {page for page in PAGES if page.startswith("how-to")} | OTHERS
