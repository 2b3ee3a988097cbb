"""The folder of a training: its pictures and its page, read back."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.callbacks.loggers import folder, make_epoch
from eli5.callbacks.loggers.folder import FolderLogger
from eli5.formatters.image import format_as_image
from eli5.saving.atomic_write import write_atomically
from helpers.logged_epochs import epoch, explanation, pixels
from helpers.strict_html import HOSTILE, Page


@pytest.fixture
def logger(tmp_path: Path) -> FolderLogger:
    return FolderLogger(tmp_path / "logs")


def read(logger: FolderLogger) -> Page:
    """Read the page, and check that it can be opened as it lies there."""
    assert logger.page is not None
    page = Page(logger.page.read_text(encoding="utf-8"))
    for image in page.attributes_of("img"):
        with Image.open(logger.page.parent / str(image["src"])) as picture:
            picture.load()
            assert [str(picture.width), str(picture.height)] == [image["width"], image["height"]]
    return page


def test_the_page_shows_all_epochs(logger: FolderLogger) -> None:
    for step in (0, 4):
        logger.log(epoch(step))
    page = read(logger)
    for shown in ("Epoch 1", "Epoch 5", "loss0.2000", "val_loss2.000", "“net”", "latest: epoch 5"):
        assert shown in page.text
    heads = page.attributes_of("th")
    assert [head.get("id") for head in heads if head["scope"] == "col"] == [
        None, "epoch-1", "epoch-5",
    ]  # fmt: skip
    assert page.attributes_of("a") == [{"href": "#epoch-5"}]
    assert len(page.attributes_of("tr")) == 1 + 2 * 2
    assert len(page.attributes_of("td")) == 2 * 2 * 2
    for row in ("Image 1Grad-CAM", "Image 1Gradient × Input", "Image 2Grad-CAM"):
        assert row in page.text
    assert page.text.count("class 00.2500") == 2 * 2 * 2


def test_the_pictures_are_the_overlays(logger: FolderLogger) -> None:
    logged = epoch(2, n_targets=2, colormap="magma", alpha_limit=0.3)
    logger.log(logged)
    assert logger.page is not None
    assert sorted(path.name for path in logger.page.parent.iterdir()) == [
        "epoch-0003", "image-1.png", "image-2.png", "index.html",
    ]  # fmt: skip
    for image, per_method in enumerate(logged.fitted, 1):
        plain = logger.page.parent / f"image-{image}.png"
        np.testing.assert_array_equal(pixels(plain.read_bytes()), pixels(per_method[0].image))
        for tag, expl in zip(("grad-cam", "gradient-x-input"), per_method, strict=True):
            for rank, target in enumerate(expl.targets, 1):
                path = logger.page.parent / "epoch-0003" / f"{image}-{tag}-{rank}.png"
                alone = replace(expl, targets=[target])
                expected = format_as_image(alone, colormap="magma", alpha_limit=0.3)
                np.testing.assert_array_equal(pixels(path.read_bytes()), pixels(expected))
    alts = [image["alt"] for image in read(logger).attributes_of("img")]
    assert alts[:3] == [
        "",
        "Image 1 at epoch 3: Grad-CAM heatmap of class 0 (0), laid over the picture",
        "",
    ]


def test_an_empty_heatmap_is_called_so(logger: FolderLogger, tmp_path: Path) -> None:
    expl = explanation(0)
    expl.targets[0].heatmap[:] = 0
    expl.description = "It is empty: nothing speaks for the class."
    logger.log(make_epoch(0, {}, [[expl]], {}))
    page = read(logger)
    assert "0.2500empty heatmap" in page.text
    (note,) = [one for one in page.attributes_of("span") if one.get("class") == "note"]
    assert note["title"] == expl.description
    other = FolderLogger(tmp_path / "other")
    other.log(epoch(0))
    assert "empty heatmap" not in read(other).text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_page_escapes_everything(hostile: str, logger: FolderLogger) -> None:
    expl = explanation(0)
    expl.estimator = expl.method = expl.layer = expl.targets[0].class_name = hostile
    logger.log(make_epoch(0, {hostile: 0.5}, [[expl]], {}))
    page = read(logger)
    assert page.text.count(hostile) == 6  # the title twice
    assert hostile in str(page.attributes_of("img")[1]["alt"])
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "style", "body", "header", "main", "h1", "p", "b", "bdi",
        "a", "table", "thead", "tbody", "tr", "th", "td", "span", "dl", "dt", "dd", "img",
    }  # fmt: skip
    assert all(re.fullmatch("[a-z0-9/.-]+", str(i["src"])) for i in page.attributes_of("img"))


def test_the_page_forbids_scripts_and_requests(logger: FolderLogger) -> None:
    logger.log(epoch(0))
    policy = read(logger).attributes_of("meta")[1]["content"]
    assert policy == "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'"


def test_an_interrupt_leaves_a_page_that_can_be_opened(
    logger: FolderLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger.log(epoch(0))
    left = [0]

    def write_and_count(path: Path, content: bytes) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write_atomically(path, content)

    monkeypatch.setattr(folder, "write_atomically", write_and_count)
    for n_files in range(5):
        left[0] = n_files
        with pytest.raises(KeyboardInterrupt):
            logger.log(epoch(1))
        assert "latest: epoch 1" in read(logger).text
    left[0] = 5
    logger.log(epoch(1))
    assert read(logger).text.count("Epoch 2") == 1  # though it was tried before


def test_a_killed_training_leaves_a_page_that_can_be_opened(tmp_path: Path) -> None:
    """Kill a process that writes without a pause, at any moment."""
    here = Path(__file__).parent
    code = (
        f"import sys; sys.path[:0] = [{str(here)!r}, {str(here.parent)!r}]\n"
        "from pathlib import Path\n"
        "from test_callbacks_folder import FolderLogger, epoch\n"
        f"logger = FolderLogger(Path({str(tmp_path)!r}))\n"
        "logged = [epoch(k) for k in range(3)]\n"
        "while True:\n"
        "    for one in logged:\n"
        "        logger.log(one)\n"
        "        print('logged', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(8):
            assert process.stdout.readline() == b"logged\n"
        process.kill()
    logger = FolderLogger(tmp_path)
    logger.page = tmp_path / "run-1" / "index.html"
    assert len(read(logger).attributes_of("td")) == 3 * 4


def test_small_pictures_are_enlarged_and_large_ones_shrunk(logger: FolderLogger) -> None:
    sizes = {(28, 28): (140, 140), (600, 300): (256, 128), (200, 150): (200, 150)}
    explanations = []
    for size in sizes:
        expl = explanation(0)
        expl.image = expl.image.resize(size)
        explanations.append([expl])
    logged = make_epoch(0, {}, explanations, {})
    assert [cell.overlay.size for cell in logged.cells] == list(sizes.values())
    pixel = pixels(logged.cells[0].expl.image)[5, 5]
    np.testing.assert_array_equal(pixel[:3], pixels(explanations[0][0].image)[1, 1])
    logger.log(logged)
    read(logger)


@pytest.mark.parametrize(("width", "expected"), [(9, (387, 129)), (3000, (768, 256))])
def test_the_slices_of_a_strip_stay_of_one_size(
    width: int, expected: tuple[int, int], logger: FolderLogger
) -> None:
    expl = explanation(0)
    expl.image = expl.image.resize((width, width // 3))
    expl.targets[0].heatmap = np.random.default_rng(0).random((3, 4, 4))
    logged = make_epoch(0, {}, [[expl]], {})
    assert logged.cells[0].overlay.size == expected
    logger.log(logged)
    (_, strip) = read(logger).attributes_of("img")
    assert strip["class"] == "wide"


def test_methods_have_names_that_files_can_have() -> None:
    names = ["Grad-CAM++", "Grad-CAM", "Gradient × Input", "<lambda>", "<lambda>", "猫"]
    logged = make_epoch(0, {}, [[explanation(0, name) for name in names]], {})
    assert logged.methods == [
        "grad-cam-plus-plus", "grad-cam", "gradient-x-input", "lambda-4", "lambda-5", "method",
    ]  # fmt: skip


def test_only_numbers_are_taken_from_the_logs() -> None:
    given: dict[Any, Any] = {
        "a": np.float32(1.5),
        "b": [1, 2],
        "c": "text",
        "d": None,
        "e": np.ones((1,)),
        3: 4,
    }
    assert make_epoch(0, given, [[explanation(0)]], {}).logs == {"a": 1.5, "3": 4.0}
