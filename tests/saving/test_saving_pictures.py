"""Pictures that are saved: of every mode, with all that shows and nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import Explanation
from helpers.explanations import MODES, noise


@pytest.fixture(params=[".json", ".npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"saved{request.param}"


def through(expl: Explanation, path: Path) -> Explanation:
    expl.save(path)
    return eli5.load(path)


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_any_mode_comes_back(path: Path, mode: str) -> None:
    picture = noise(mode)
    assert through(Explanation("net", image=picture), path).image == picture


def with_alpha(**info: Any) -> Image.Image:
    picture = noise("P")
    picture.putpalette(bytes(range(64)) * 16, "RGBA")
    picture.info.update(info)
    return picture


def transparent(mode: str, transparency: Any) -> Image.Image:
    picture = noise(mode)
    picture.info["transparency"] = transparency
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        with_alpha(),
        with_alpha(transparency=3),
        transparent("P", b"\x00\x80"),
        transparent("P", 3),
        transparent("L", 7),
        transparent("RGB", (1, 2, 3)),
        noise("RGB", (300, 1)),
    ],
)
def test_palette_and_transparency_come_back(path: Path, picture: Image.Image) -> None:
    loaded = through(Explanation("net", image=picture), path).image
    assert loaded == picture
    assert loaded.getpalette() == picture.getpalette()
    assert loaded.convert("RGBA") == picture.convert("RGBA")  # which changes the palette in Pillow
    expl = Explanation("net", image=picture)
    assert through(expl, path) == Explanation("net", image=loaded) == expl


def photo() -> Image.Image:
    """Return a picture as it is opened from a file, with the place where it was taken."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x010E] = "taken at home"
    noise("RGB").save(buffer, "JPEG", exif=exif, icc_profile=b"profile", comment=b"secret")
    return Image.open(buffer)


def test_only_what_shows_is_kept_of_a_photo(path: Path) -> None:
    expl = Explanation("net", image=photo())
    assert expl.image.info["exif"]
    loaded = through(expl, path)
    assert loaded == expl
    assert loaded.image.info == {"icc_profile": b"profile"}
    unpacked = "".join(map(str, np.load(path).values())) if path.suffix == ".npz" else ""
    saved = path.read_bytes() + unpacked.encode()
    assert b"home" not in saved
    assert b"secret" not in saved


def test_pictures_are_equal_if_they_look_the_same() -> None:
    jpeg, plain = photo(), photo().copy()
    plain.info = {"icc_profile": b"profile"}
    assert Explanation("net", image=jpeg) == Explanation("net", image=plain)
    clear, foreign = plain.copy(), plain.copy()
    clear.info = plain.info | {"transparency": (1, 2, 3)}
    foreign.info = {"icc_profile": b"another"}
    for other in (clear, foreign, noise("RGB"), plain.resize((5, 7)), plain.convert("YCbCr")):
        assert Explanation("net", image=plain) != Explanation("net", image=other)
    assert Explanation("net", image=with_alpha()) != Explanation("net", image=noise("P"))


def test_a_large_picture_comes_back_without_a_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # of what Pillow opens from a file
    assert through(Explanation("net", image=noise("RGB")), path).image == noise("RGB")


@pytest.mark.parametrize("picture", [Image.new("RGB", (0, 3)), Image.new("L", (3, 0))])
def test_a_picture_without_pixels_is_refused(path: Path, picture: Image.Image) -> None:
    with pytest.raises(ValueError, match=r"Expected `image.size` to be of a picture with p"):
        Explanation("net", image=picture).save(path)


def test_metadata_of_a_type_that_pillow_does_not_have_is_left_out(path: Path) -> None:
    picture = transparent("P", np.zeros(3))
    loaded = through(Explanation("net", image=picture), path).image
    assert loaded.info == {}
