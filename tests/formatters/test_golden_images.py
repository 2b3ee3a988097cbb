"""Pictures that were looked at and kept; see `golden_images.py`.

Versions of Pillow, FreeType and matplotlib's font may round otherwise. So one pixel in a hundred of
the pictures may be any other, and all may be three levels of 255 off. Letters, which may move by
fractions of a pixel, are to stand in the same rows, and to take the same ink to a tenth; what they
say is tested in `test_sheet.py`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.formatters import sheet
from helpers import golden_images
from helpers.golden_images import GOLDEN, PICTURES

LEVELS, SHARE, INK = 3, 0.01, 0.1


def differs(one: Image.Image, other: Image.Image) -> bool:
    if (one.size, one.mode) != (other.size, other.mode):
        return True
    first, second = (np.asarray(image)[..., :3].astype(int) for image in (one, other))
    # The pictures have colours, and what is written has none.
    is_picture = np.ptp(first, axis=-1).astype(bool) | np.ptp(second, axis=-1).astype(bool)
    is_off = np.abs(first - second).max(axis=-1) > LEVELS
    if is_off[is_picture].mean() > SHARE:
        return True
    return writing_differs(
        *(np.where(is_picture, 0, 255 - image[..., 0]) for image in (first, second))
    )


def writing_differs(first: Any, second: Any) -> bool:
    lines, other_lines = (np.flatnonzero(np.diff((ink > 0).any(axis=1))) for ink in (first, second))
    if len(lines) != len(other_lines) or (abs(lines - other_lines) > 1).any():
        return True
    return bool(abs(first.sum() - second.sum()) > INK * second.sum())


def golden(name: str) -> Image.Image:
    with Image.open(GOLDEN / f"{name}.png") as image:
        return image.copy()


@pytest.mark.parametrize("name", PICTURES)
def test_looks_as_it_did(name: str) -> None:
    assert not differs(PICTURES[name](), golden(name))


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(
    "change",
    [{"alpha_limit": 0.6}, {"colormap": "plasma"}, {"percentile": 95}, {"resampling_filter": 0}],
    ids=str,
)
def test_a_small_change_is_noticed(name: str, change: dict[str, Any]) -> None:
    assert differs(PICTURES[name](**change), golden(name))


@pytest.mark.parametrize("name", PICTURES)
def test_a_shift_by_one_pixel_is_noticed(name: str) -> None:
    image = PICTURES[name]()
    assert differs(image.transform(image.size, Image.Transform.AFFINE, (1, 0, 1, 0, 1, 0)), image)


@pytest.mark.parametrize("name", ["sheet", "methods"])
def test_what_is_written_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = sheet._caption
    monkeypatch.setattr(sheet, "_caption", lambda lines, *rest: draw(lines[::-1], *rest))
    assert differs(PICTURES[name](), golden(name))
    monkeypatch.setattr(sheet, "_caption", lambda lines, *rest: draw([], *rest))
    assert differs(PICTURES[name](), golden(name))


def test_a_name_in_another_row_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    target = golden_images.target
    monkeypatch.setattr(golden_images, "target", lambda name, *rest: target(name[:6], *rest))
    assert differs(PICTURES["sheet"](), golden("sheet"))


def test_nothing_else_is_kept() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(PICTURES)
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) < 200_000


def test_the_pictures_of_the_docs_come_from_the_script() -> None:
    root = Path(__file__).parents[2]
    script = root / "benchmarks" / "pictures.py"
    if not script.exists():
        pytest.skip("the benchmarks are no part of the source distribution")
    drawn = set(re.findall(r'^    "(docs/.+)": draw_', script.read_text("utf-8"), re.MULTILINE))
    pages = [root / "README.md", *root.glob("docs/*.md")]
    shown = {
        (page.parent / name).relative_to(root).as_posix()
        for page in pages
        for name in re.findall(r"!\[[^]]*\]\((?!http)([^)]+)\)", page.read_text("utf-8"))
    }
    assert drawn == shown == {f"docs/{path.name}" for path in root.glob("docs/*.png")}
