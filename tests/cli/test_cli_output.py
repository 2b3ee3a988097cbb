"""``eli5 explain --out``: whole files of several formats, or none."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.cli_helpers import BLUE, RED, SIZE, colour_model, fails, run, saved, two_colours

Capsys = pytest.CaptureFixture[str]


def opened(path: Path) -> Image.Image:
    with Image.open(path) as file:
        file.load()
    return file


def changed(overlay: Image.Image, picture: Image.Image) -> np.ndarray[tuple[int, int], np.dtype]:
    """Tell for each pixel whether the overlay covers the picture there."""
    assert overlay.size == picture.size
    pixels, original = (np.asarray(one.convert("RGB"), int) for one in (overlay, picture))
    return np.abs(pixels - original).max(axis=-1) > 10


# ---- where it is written -------------------------------------------------------------------------


def test_png_is_the_picture_covered_where_the_heatmap_is(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    ended = run(capsys, "explain", model_path, image_path, "--class", RED, "--out", out)
    assert ended.fact("Overlay") == str(out)
    overlay = opened(out)
    assert (overlay.format, overlay.mode) == ("PNG", "RGBA")
    covered = changed(overlay, two_colours())
    assert covered[:, :17].all()
    assert not covered[:, 23:].any()  # the heatmap is a little blurred at the edge


def test_several_methods_stand_side_by_side(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    methods = ("--method", "grad-cam", "--method", "Saliency", "--method", "GradCAM")
    ended = run(capsys, "explain", model_path, image_path, *methods, "--out", out)
    assert ended.code == 0
    assert ended.out.count("Method ") == 2  # each once, in whatever spelling
    width, height = opened(out).size
    assert width > 2 * 60
    assert height > 40


def test_several_classes_stand_side_by_side(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    run(capsys, "explain", model_path, image_path, "--top", "2", "--out", out)
    width, height = opened(out).size
    assert width > 2 * 60
    assert height > 40


@pytest.mark.parametrize(("ending", "kind"), [("jpg", "JPEG"), ("JPEG", "JPEG"), ("webp", "WEBP")])
def test_other_picture_formats(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path, ending: str, kind: str
) -> None:
    out = tmp_path / f"out.{ending}"
    assert run(capsys, "explain", model_path, image_path, "--out", out).code == 0
    overlay = opened(out)
    assert (overlay.format, overlay.size) == (kind, (60, 40))


def test_jpeg_shows_white_where_the_picture_is_transparent(capsys: Capsys, tmp_path: Path) -> None:
    image, out = tmp_path / "clear.png", tmp_path / "out.jpg"
    Image.new("RGBA", (SIZE, SIZE), (255, 0, 0, 0)).save(image)
    model = saved(colour_model(), tmp_path)
    assert run(capsys, "explain", model, image, "--class", BLUE, "--out", out).code == 0
    assert np.asarray(opened(out)).min() >= 250


def test_html_is_a_page_with_the_pictures_inside(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    out, labels = tmp_path / "out.html", tmp_path / "labels.txt"
    labels.write_text("<script>\ngreen\nblue\n", encoding="utf-8")
    ended = run(
        capsys, "explain", model_path, image_path, "--top", "2", "--labels", labels, "--out", out
    )
    assert ended.code == 0
    page = out.read_text(encoding="utf-8")
    assert "<title>What colour_model looked at in two colours.png</title>" in page
    assert page.count('class="eli5-layer"') == 2
    assert "&lt;script&gt;" in page
    assert page.count("<script") == 1  # the page's own


def test_picture_is_turned_upright_as_its_exif_says(
    capsys: Capsys, model_path: str, tmp_path: Path
) -> None:
    image, out = tmp_path / "turned.jpg", tmp_path / "out.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # shown upright after a quarter turn clockwise
    upright = two_colours()
    upright.transpose(Image.Transpose.ROTATE_90).save(image, exif=exif, quality=100, subsampling=0)
    ended = run(capsys, "explain", model_path, image, "--class", RED, "--out", out)
    assert "(60x40)" in ended.fact("Input")
    covered = changed(opened(out), upright)
    assert covered[:, :17].all()
    assert not covered[:, 23:].any()


def test_an_old_file_is_replaced_and_a_link_to_it_kept(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    old, link = tmp_path / "old.png", tmp_path / "link.png"
    old.write_text("old", encoding="utf-8")
    link.symlink_to(old)
    before = set(tmp_path.iterdir())
    assert run(capsys, "explain", model_path, image_path, "--out", link).code == 0
    assert link.is_symlink()
    assert opened(old).size == (60, 40)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("error", "code"),
    [(OSError(errno.ENOSPC, "No space left on device"), 2), (KeyboardInterrupt(), 130)],
)
def test_nothing_half_written_is_left(
    capsys: Capsys,
    model_path: str,
    image_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    def fail(descriptor: int) -> None:
        os.ftruncate(descriptor, 10)
        raise error

    out = tmp_path / "out.png"
    out.write_text("old", encoding="utf-8")
    before = set(tmp_path.iterdir())
    monkeypatch.setattr("eli5.saving.atomic_write.os.fsync", fail)
    ended = run(capsys, "explain", model_path, image_path, "--out", out)
    assert ended.code == code
    assert ended.out == ""
    if code == 2:
        assert ended.err == (
            "eli5: error: Expected --out to be a file that can be written. Received: "
            f"--out={out}: [Errno {errno.ENOSPC}] No space left on device: '{out}'\n"
        )
    else:
        assert ended.err == ""
    assert out.read_text(encoding="utf-8") == "old"
    assert set(tmp_path.iterdir()) == before


def test_a_format_that_cannot_hold_the_picture(
    capsys: Capsys, tmp_path: Path, model_path: str
) -> None:
    image, out = tmp_path / "wide.png", tmp_path / "out.webp"
    Image.new("RGB", (17_000, 2), "red").save(image)
    message = fails(capsys, "explain", model_path, image, "--out", out)
    assert "Expected --out to be of a format that can hold 17000x2 pixels." in message
    assert "Received: WEBP: " in message
    assert message.endswith("Try a .png file.")
    assert not out.exists()


# ---- the file to write ---------------------------------------------------------------------------


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("out.txt", "a file that ends in one of .png, .jpg, .jpeg, .webp, .html. Received: {}"),
        ("no/out.png", "a file in a folder that exists. Received: {}. Make the folder {folder}"),
        ("two colours.png", "another file than those that are read. Received: {}, which would be"),
    ],
)
def test_out_that_cannot_be(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path, out: str, expected: str
) -> None:
    path = tmp_path / out
    message = fails(capsys, "explain", model_path, image_path, "--out", path)
    said = expected.format(f"--out={path}", folder=path.parent)
    assert message.startswith(f"Expected --out to be {said}")


@pytest.mark.usefixtures("no_keras")
def test_out_in_a_folder_that_may_not_be_written_to(
    capsys: Capsys,
    model_path: str,
    image_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    out = tmp_path / "out.png"
    assert fails(capsys, "explain", model_path, image_path, "--out", out) == (
        "Expected --out to be a file in a folder that may be written to. Received: "
        f"--out={out} (permission denied)"
    )
