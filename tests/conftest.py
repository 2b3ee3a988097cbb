"""What every test gets: quiet backends, a seed, one model, one doc and one explanation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# JAX compiles quickly: to make programs of such small models fast takes longer than to run them.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

# And what many tests need alike, it compiles once for all processes of a run.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import keras
import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from helpers.models import make_classifier, sample

if keras.backend.backend() == "torch":
    import torch

    # The models are so small that threads cost more than they gain, most of all on a busy machine.
    torch.set_num_threads(1)


def pytest_xdist_auto_num_workers() -> int | None:
    """Return how many cores the tests may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture
def model() -> keras.Model:
    """Return a classifier of 12x20 RGB images with 4 classes, not square, with a softmax."""
    return make_classifier()


@pytest.fixture
def doc() -> np.ndarray[Any, Any]:
    """Return one sample for `model`."""
    return sample((12, 20, 3))


@pytest.fixture(scope="module")
def classifier() -> keras.Model:
    """Return a model whose programs are shared by the tests."""
    return make_classifier()


@pytest.fixture
def expl() -> Explanation:
    """Return an explanation of a picture for two classes, the second without a name."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8))
    targets = [
        TargetExplanation(
            281, proba=0.88124, score=12.34567, heatmap=rng.random((3, 4)), class_name="tabby cat"
        ),
        TargetExplanation(3, proba=0.01, score=-1.5, heatmap=rng.random((3, 4))),
    ]
    return Explanation(
        "my_net",
        description="What raised the score.\nBefore softmax.",
        method="Grad-CAM",
        targets=targets,
        image=image,
        layer="conv_9",
    )


# ---- for the command line; see cli_helpers -------------------------------------------------------


@pytest.fixture
def model_path(tmp_path: Path) -> str:
    """Return a saved classifier of colours."""
    from helpers.cli_helpers import colour_model, saved

    return saved(colour_model(), tmp_path)


@pytest.fixture
def image_path(tmp_path: Path) -> str:
    """Return a picture for it; its name has a space."""
    from helpers.cli_helpers import two_colours

    path = str(tmp_path / "two colours.png")
    two_colours().save(path)
    return path


@pytest.fixture
def no_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line fail if it starts Keras, for what must be said before that."""

    def start() -> None:
        raise AssertionError("Keras was started before the arguments were checked")

    monkeypatch.setattr("eli5.cli.run.start_keras", start)


@pytest.fixture
def colour_photos(tmp_path: Path) -> Path:
    """Return a folder with a picture of each colour, of different sizes, and a broken one."""
    from PIL import Image

    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name, size in {"red": (60, 40), "green": (20, 30), "sub/blue": (33, 33)}.items():
        Image.new("RGB", size, os.path.basename(name)).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


# ---- for the web app; what it needs may be missing ---------------------------------------------


@pytest.fixture(scope="session")
def served_models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the demo's classifier, segmenter and detector as they are served."""
    from eli5.demo import DETECTOR, MODEL, SEGMENTER, class_names, segment_names
    from eli5.server.models import ModelSource, load_models

    folder = tmp_path_factory.mktemp("labels")
    names = {"model": class_names, "segmenter": segment_names, "detector": class_names}
    for name, labels in names.items():
        (folder / name).write_text("\n".join(labels), encoding="utf-8")
    files = {"model": MODEL, "segmenter": SEGMENTER, "detector": DETECTOR}
    return load_models([ModelSource(str(path), folder / name) for name, path in files.items()])


@pytest.fixture(scope="session")
def server(served_models: Any) -> Iterator[Any]:
    """Run a server with them."""
    from helpers.serving import make_site, serving

    with serving(make_site(served_models)) as running:
        yield running
