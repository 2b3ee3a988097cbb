"""Which pictures are read, and where it ends: formats, bytes, pixels, pipes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, features
from PIL.PngImagePlugin import PngInfo

from eli5 import limits
from eli5.loading.errors import UserError
from eli5.loading.files import decode_picture, read_lines, read_picture

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"


def encoded(picture: Image.Image, name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", limits.PICTURE_FORMATS)
def test_each_format_is_read(name: str) -> None:
    if name == "AVIF" and "avif" not in features.get_supported():
        pytest.skip("this Pillow has no AVIF")
    content = encoded(Image.new("RGB", (12, 9), (200, 30, 40)), name)
    assert decode_picture(content, "a.jpg").size == (12, 9)


def test_a_picture_with_another_in_it_is_a_jpeg() -> None:
    picture = Image.new("RGB", (8, 6))
    content = encoded(picture, "MPO", save_all=True, append_images=[picture])
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.format == "MPO"
    assert decode_picture(content, "phone.jpg").size == (8, 6)


@pytest.mark.parametrize("name", ["EPS", "ICO", "PCX"])
def test_other_formats_are_not_read_whatever_they_are_called(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("It was run"))
    content = EPS if name == "EPS" else encoded(Image.new("RGB", (16, 16)), name)
    with Image.open(io.BytesIO(content)) as opened:  # as it would be without a word of formats
        assert opened.format == name
    with pytest.raises(UserError, match=r"image=a\.jpg, which cannot be read: cannot identify"):
        decode_picture(content, "a.jpg")


def test_a_pillow_that_lacks_a_format_reads_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)
    assert decode_picture(encoded(Image.new("L", (3, 2)), "TGA"), "a.tga").size == (3, 2)


def test_pixels_have_a_limit_before_they_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(limits, "PICTURE_PIXELS", 12)
    assert decode_picture(encoded(Image.new("L", (4, 3)), "PNG"), "a.png").size == (4, 3)
    cut_off = encoded(Image.new("L", (13, 1)), "PNG")[:-14]
    with pytest.raises(UserError, match="it has 13x1 pixels, and at most 12 are read"):
        decode_picture(cut_off, "a.png")


def test_a_picture_of_billions_of_pixels() -> None:
    # What Pillow says of it by itself; only its head is there.
    head = b"P5\n60000 60000\n255\n"
    with pytest.raises(UserError, match="exceeds limit of 178956970 pixels"):
        decode_picture(head, "a.pgm")


@pytest.mark.parametrize("kind", ["Comment", "XML:com.adobe.xmp", "colour profile"])
def test_what_stands_beside_the_pixels_has_a_limit(kind: str) -> None:
    info, profile = PngInfo(), None
    if kind == "colour profile":
        profile = bytes(2**22)
    else:
        info.add_text(kind, "a" * 2**22, zip=True)
    content = encoded(Image.new("RGB", (4, 4)), "PNG", pnginfo=info, icc_profile=profile)
    assert len(content) < 2**14
    with pytest.raises(UserError, match="Decompressed data too large"):
        decode_picture(content, "a.png")


def test_a_file_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(Image.new("L", (3, 2)), "PNG")
    (tmp_path / "a.png").write_bytes(content)
    monkeypatch.setattr(limits, "PICTURE_BYTES", len(content))
    assert read_picture(tmp_path / "a.png").size == (3, 2)
    monkeypatch.setattr(limits, "PICTURE_BYTES", len(content) - 1)
    match = rf"a\.png, which cannot be read: it is larger than {len(content) - 1} bytes"
    with pytest.raises(UserError, match=match):
        read_picture(tmp_path / "a.png")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("pipe.png")
    for name in ("pipe.png", "link.png"):
        with pytest.raises(UserError, match=rf"{name}, which is a pipe or a device$"):
            read_picture(tmp_path / name)


def test_sixteen_bits_are_rounded_to_eight() -> None:
    values = np.arange(2**16, dtype="uint16").reshape(256, 256)
    picture = decode_picture(encoded(Image.fromarray(values), "PNG"), "a.png")
    assert picture.mode == "L"
    assert (np.asarray(picture) == np.rint(values / 257)).all()


# ---- texts ---------------------------------------------------------------------------------------


def test_lines_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "names"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n\n")
    assert read_lines(path, "labels") == ["a", "b", "c"]
    monkeypatch.setattr(limits, "TEXT_LINES", 3)
    monkeypatch.setattr(limits, "TEXT_BYTES", path.stat().st_size)
    assert read_lines(path, "labels") == ["a", "b", "c"]
    monkeypatch.setattr(limits, "TEXT_LINES", 2)
    with pytest.raises(UserError, match=r"labels=.*names, .* read: it has more than 2 lines"):
        read_lines(path, "labels")
    monkeypatch.setattr(limits, "TEXT_BYTES", path.stat().st_size - 1)
    with pytest.raises(UserError, match=r"labels=.*names, .* read: it is larger than 10 bytes"):
        read_lines(path, "labels")


def test_a_device_of_no_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TEXT_BYTES", 2**20)
    with pytest.raises(UserError, match="/dev/zero, which cannot be read: it is larger than 1 MiB"):
        read_lines("/dev/zero", "labels")
