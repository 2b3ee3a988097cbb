"""``eli5 explain`` on many pictures: all that can be explained is, and the rest is told of."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from helpers.cli_helpers import GREEN, colour_model, fails, records, run, saved, two_colours

Capsys = pytest.CaptureFixture[str]

# ---- printed -------------------------------------------------------------------------------------


def test_a_row_per_picture_and_a_summary(
    capsys: Capsys, model_path: str, colour_photos: Path
) -> None:
    ended = run(capsys, "explain", model_path, colour_photos)
    rows, summary = ended.out.split("\n\n")
    # Each colour alone: softmax(10 * [0, 0, 1]); CSS's "green" is half as bright.
    assert rows.splitlines() == [
        f"{colour_photos}/green.png: 1 0.9870",
        f"{colour_photos}/red.png: 0 0.9999",
        f"{colour_photos}/sub/blue.png: 2 0.9999",
    ]
    assert ended.fact("Images") == "3 explained, 1 skipped"
    assert ended.fact("Model") == "colour_model"
    assert ended.fact("Method") == "Grad-CAM"
    assert ended.fact("Layer") == "colours"
    assert ended.fact("Input").startswith("32x32 RGB, 0 to 255")
    assert f" s on {keras.backend.backend()} (" in ended.fact("Time")
    assert "Written" not in summary


def test_a_broken_picture_is_told_of_in_one_line(
    capsys: Capsys, model_path: str, colour_photos: Path
) -> None:
    ended = run(capsys, "explain", model_path, colour_photos)
    assert ended.code == 1
    assert ended.err == (
        "eli5: error: Expected IMAGE to be a picture that Pillow can read. Received: "
        f"IMAGE={colour_photos}/broken.png, which cannot be read: cannot identify image file\n"
    )


def test_a_pipe_is_told_of_and_the_others_are_explained(
    capsys: Capsys, model_path: str, colour_photos: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("broken.png", "green.png"):
        (colour_photos / name).unlink()
    os.mkfifo(colour_photos / "broken.png")
    (colour_photos / "green.png").symlink_to(tmp_path / "pipe")
    ended = run(capsys, "explain", model_path, colour_photos)
    assert (ended.code, ended.fact("Images")) == (1, "2 explained, 2 skipped")
    assert ended.err.splitlines() == [
        "eli5: error: Expected IMAGE to be a file. Received: "
        f"IMAGE={colour_photos / name}, which is a pipe or a device"
        for name in ("broken.png", "green.png")
    ]


@pytest.mark.parametrize(("size", "is_one"), [((60, 40), False), ((61, 61), True)])
def test_a_picture_too_large_to_be_meant_is_skipped(
    capsys: Capsys,
    model_path: str,
    colour_photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    is_one: bool,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1400)  # which 2,800 exceed too far
    Image.new("RGB", size).save(colour_photos / "broken.png")
    ended = run(capsys, "explain", model_path, colour_photos)
    assert ended.code == is_one
    assert ended.err.count("exceeds limit of 2800 pixels") == is_one


def test_exit_code_is_0_if_nothing_is_amiss(
    capsys: Capsys, model_path: str, colour_photos: Path
) -> None:
    ended = run(capsys, "explain", model_path, colour_photos / "red.png", colour_photos / "sub")
    assert (ended.code, ended.err) == (0, "")
    assert ended.fact("Images") == "2 explained, 0 skipped"


def test_all_broken(capsys: Capsys, model_path: str, colour_photos: Path, tmp_path: Path) -> None:
    pair = colour_photos / "broken.png", colour_photos / ".." / "photos" / "sub" / "also.png"
    pair[1].touch()
    ended = run(capsys, "explain", model_path, *pair, "--out", tmp_path / "out")
    assert ended.code == 1
    assert ended.err.count("\n") == 2
    assert ended.fact("Images") == "0 explained, 2 skipped"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["explanations.jsonl"]


def test_a_folder_that_cannot_be_read_counts(
    capsys: Capsys, model_path: str, colour_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def forbidden(path: str) -> object:
        if os.path.basename(path) == "sub":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    (colour_photos / "broken.png").unlink()
    ended = run(capsys, "explain", model_path, colour_photos)
    assert ended.code == 1
    assert ended.fact("Images") == "2 explained, 0 skipped"
    assert ended.err.startswith("eli5: error: Expected IMAGE to be a folder that can be read.")


def test_names_that_would_drive_the_terminal(
    capsys: Capsys, model_path: str, tmp_path: Path
) -> None:
    for name in ("line\nbreak 🦊.png", "[red]'\"\x1b[31m.png"):
        two_colours().save(tmp_path / name)
    (tmp_path / "x\ny.png").touch()
    ended = run(capsys, "explain", model_path, f"{tmp_path}/*.png")
    assert ended.out.splitlines()[:2] == [
        f"{tmp_path}/[red]'\"\ufffd[31m.png: 2 0.9641",
        f"{tmp_path}/line break 🦊.png: 2 0.9641",
    ]
    assert ended.err.count("\n") == 1


def test_a_name_with_a_dash(
    capsys: Capsys, model_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    two_colours().save("-x.png")
    message = fails(capsys, "explain", model_path, "-x.png")
    assert message.endswith("To name a file that starts with a dash, write it as ./-x.png")
    for arguments in (["./-x.png"], ["--", "-x.png"], ["*.png"]):
        assert run(capsys, "explain", model_path, *arguments).code == 0


def test_warnings_are_counted(capsys: Capsys, model_path: str, colour_photos: Path) -> None:
    ended = run(capsys, "explain", model_path, colour_photos, "--class", GREEN)
    warning = ended.fact("Warning")
    assert warning.startswith("The heatmap of target 1 at layer 'colours' is empty: ")
    assert warning.endswith(" (2 times)")


# ---- JSON ----------------------------------------------------------------------------------------


def test_json_is_a_line_per_picture_and_method_and_nothing_else(
    capsys: Capsys, model_path: str, colour_photos: Path
) -> None:
    methods = ("--method", "gradcam", "--method", "Saliency")
    ended = run(capsys, "explain", model_path, colour_photos, *methods, "--json")
    assert ended.code == 1
    assert ended.err.splitlines()[1:] == ["eli5: 3 explained, 1 skipped."]
    rows = records(ended.out)
    assert [(row["path"], row.get("method")) for row in rows] == [
        (f"{colour_photos}/broken.png", None),  # in the order of the pictures
        (f"{colour_photos}/green.png", "Grad-CAM"),
        (f"{colour_photos}/green.png", "Saliency"),
        (f"{colour_photos}/red.png", "Grad-CAM"),
        (f"{colour_photos}/red.png", "Saliency"),
        (f"{colour_photos}/sub/blue.png", "Grad-CAM"),
        (f"{colour_photos}/sub/blue.png", "Saliency"),
    ]
    assert rows[0]["error"].startswith("Expected IMAGE to be a picture that Pillow can read.")
    assert rows[1]["error"] == ""
    (target,) = rows[1]["targets"]
    assert target["target"] == GREEN
    np.testing.assert_allclose(target["heatmap"], np.ones((32, 32)), atol=1e-6)
    assert rows[1]["image"] == {"mode": "RGB", "width": 20, "height": 30}


def test_json_of_one_picture(capsys: Capsys, model_path: str, image_path: str) -> None:
    ended = run(capsys, "explain", model_path, image_path, "--json", "--class", GREEN)
    assert ended.code == 0
    (row,) = records(ended.out)
    assert (row["path"], row["targets"][0]["target"]) == (image_path, GREEN)
    assert "is empty" in row["description"]  # and so not on standard error


def test_json_tells_warnings_on_standard_error(
    capsys: Capsys, image_path: str, colour_photos: Path, tmp_path: Path
) -> None:
    model = saved(colour_model(layers.Rescaling(2.0)), tmp_path)
    for arguments in ([image_path], [colour_photos / "red.png", colour_photos / "green.png"]):
        ended = run(capsys, "explain", model, *arguments, "--json")
        assert len(records(ended.out)) == len(arguments)
        assert ended.err.startswith("eli5: The model's first layer, 'rescaling")
        assert ended.err.count("\n") == 1
