"""Pictures with several frames: the first is taken and it is said, or the one that is named."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import pytest
from PIL import Image

from eli5.loading.errors import UserError
from eli5.loading.files import decode_picture, has_frames, read_picture

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def several(path: Path, ending: str) -> Path:
    """Write a red, a green and a blue frame into one file."""
    path = path / f"frames{ending}"
    first, *rest = (Image.new("RGB", (8, 6), colour) for colour in COLOURS)
    first.save(path, save_all=True, append_images=rest, lossless=True)
    return path


def colour(picture: Image.Image) -> object:
    return picture.convert("RGB").getpixel((3, 3))


@pytest.mark.parametrize("ending", [".gif", ".tif", ".webp", ".png"])
def test_the_first_is_taken_and_it_is_said(ending: str, tmp_path: Path) -> None:
    path = several(tmp_path, ending)
    with pytest.warns(UserWarning, match=r"several frames: the first is explained\. `frame` names"):
        assert colour(read_picture(path)) == COLOURS[0]
    for number, expected in enumerate(COLOURS):
        assert colour(read_picture(path, number)) == expected


def test_of_one_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "one.tif"
    Image.new("RGB", (8, 6), COLOURS[1]).save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert colour(read_picture(path)) == colour(read_picture(path, 0)) == COLOURS[1]
    with pytest.raises(UserError, match=r"cannot be read: it has no frame 2, counted from 0"):
        read_picture(path, 2)


def test_a_preview_in_a_photo_is_no_frame() -> None:
    photo, preview = Image.new("RGB", (8, 6), COLOURS[0]), Image.new("RGB", (4, 3), COLOURS[0])
    content = io.BytesIO()
    photo.save(content, "MPO", save_all=True, append_images=[preview])
    assert not has_frames(decode_picture(content.getvalue(), "photo.jpg"))


@pytest.mark.parametrize("ending", [".gif", ".tif"])
def test_a_frame_that_is_not_there(ending: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"it has no frame 3, counted from 0"):
        read_picture(several(tmp_path, ending), 3)


def test_frames_of_16_bits_are_said_too(tmp_path: Path) -> None:
    pages = [Image.new("I;16", (8, 6), value) for value in (0, 65535)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.warns(UserWarning, match="several frames"):
        assert read_picture(tmp_path / "a.tif").getpixel((0, 0)) == 0
    assert read_picture(tmp_path / "a.tif", 1).getpixel((0, 0)) == 255
