"""Whatever is wrong with what is asked for is said in one line, with exit code 2."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation
from eli5.cli.console import as_typed, print_error, shortened
from eli5.cli.report import as_row
from helpers.cli_helpers import fails, two_colours

Capsys = pytest.CaptureFixture[str]

NO_MODEL = "Expected MODEL to be a .keras or .h5 file, or the name of a keras.applications model."


# ---- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["explian"], 'Unknown command "explian".'),
        (["explain"], 'Command "explain" parameter MODEL requires an argument.'),
        (["explain", "m.keras"], 'Command "explain" parameter IMAGES requires an argument.'),
        (["layers", "m.keras", "i.png"], "Unused Tokens: ['i.png']."),
        (["layers"], 'Command "layers" parameter MODEL requires an argument.'),
        (["explain", "m.keras", "i.png", "--batch-size", "0"], 'Invalid value "0" for --batch-'),
        (["explain", "m.keras", "i.png", "--clas", "3"], "Unknown option: --clas."),
        (
            ["explain", "m.keras", "i.png", "--task", "rank"],
            'Invalid value "rank" for --task. Choo',
        ),
        (["explain", "m.keras", "i.png", "--top", "0"], 'Invalid value "0" for --top. Must be >='),
        (["explain", "m.keras", "i.png", "--score", "p"], 'Invalid value "p" for --score. Choose'),
        (["explain", "m.keras", "i.png", "--preprocess", "vgg"], 'Invalid value "vgg" for --pre'),
        (["explain", "m.keras", "i.png", "--out"], 'Command "explain" parameter --out requires'),
    ],
)
def test_wrong_usage(capsys: Capsys, argv: list[str], message: str) -> None:
    error = fails(capsys, *argv)
    assert error.startswith(message)
    assert error.endswith("Try: eli5 --help")


def test_class_and_top_exclude_each_other(capsys: Capsys, model_path: str, image_path: str) -> None:
    assert fails(capsys, "explain", model_path, image_path, "--class", 1, "--top", 2) == (
        "Expected either --class or --top. Received: both, --class=[1] and --top=2"
    )


# ---- the files: all of this is said before Keras is asked ----------------------------------------


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize("name", ["MODEL", "--labels", "--weights"])
@pytest.mark.parametrize("reason", ["missing", "folder", "forbidden"])
def test_files_that_cannot_be_read(
    capsys: Capsys,
    model_path: str,
    image_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    reason: str,
) -> None:
    bad = tmp_path / "bad.keras"
    if reason == "folder":
        bad.mkdir()
    elif reason == "forbidden":
        bad.write_text("secret", encoding="utf-8")
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: path != type(path)(bad))
        assert access(bad, os.R_OK)
    arguments: dict[str, tuple[object, ...]] = {
        "MODEL": (bad, image_path),
        "--labels": (model_path, image_path, "--labels", bad),
        "--weights": ("MobileNet", image_path, "--weights", bad),
    }
    said = {
        "missing": "which does not exist",
        "folder": "which is a folder",
        "forbidden": "which may not be read (permission denied)",
    }
    assert fails(capsys, "explain", *arguments[name]) == (
        f"Expected {name} to be a file. Received: {name}={bad}, {said[reason]}"
    )


@pytest.mark.usefixtures("no_keras")
def test_a_name_too_long_for_a_file_does_not_exist(capsys: Capsys, model_path: str) -> None:
    assert fails(capsys, "explain", model_path, f"{'a' * 5000}.png").endswith(
        "which does not exist"
    )


@pytest.mark.usefixtures("no_keras")
def test_a_model_of_another_kind(capsys: Capsys, image_path: str) -> None:
    assert (
        fails(capsys, "explain", image_path, image_path)
        == f"{NO_MODEL} Received: MODEL={image_path}"
    )


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_keras_file_that_is_none(
    capsys: Capsys, image_path: str, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.keras"
    path.write_bytes(content)
    assert fails(capsys, "explain", path, image_path) == (
        f"Expected MODEL to be a file as Keras saves it. Received: MODEL={path}, which is no "
        ".keras file, or damaged. Save the model again with model.save(...)."
    )


@pytest.mark.usefixtures("no_keras")
def test_weights_of_a_file(capsys: Capsys, model_path: str, image_path: str) -> None:
    message = fails(capsys, "explain", model_path, image_path, "--weights", model_path)
    assert message.startswith("Expected --weights only with the name of a keras.applications model")
    assert f"Received: --weights={model_path} with MODEL={model_path}" in message


@pytest.mark.usefixtures("no_keras")
def test_labels_that_are_no_text(capsys: Capsys, model_path: str, image_path: str) -> None:
    message = fails(capsys, "explain", model_path, image_path, "--labels", image_path)
    assert message.startswith("Expected --labels to be a text file in UTF-8 with one class name")
    assert f"--labels={image_path}, which cannot be read: 'utf-8' codec can't decode" in message


def png(**options: Any) -> bytes:
    import io

    buffer = io.BytesIO()
    two_colours().save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", png()[:60], png()[:-30], png().replace(b"IDAT", b"IDXX")],
    ids=["empty", "text", "head", "cut", "damaged"],
)
def test_a_broken_picture(capsys: Capsys, model_path: str, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    message = fails(capsys, "explain", model_path, path)
    assert message.startswith("Expected IMAGE to be a picture that Pillow can read. Received: ")
    assert f"IMAGE={path}, which cannot be read: " in message


@pytest.mark.usefixtures("no_keras")
def test_a_picture_too_large_to_be_meant(
    capsys: Capsys, model_path: str, image_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert "exceeds limit of 200 pixels" in fails(capsys, "explain", model_path, image_path)


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize("mode", ["I", "F"])
def test_a_picture_of_unknown_range(
    capsys: Capsys, model_path: str, tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "picture.tif"
    Image.new(mode, (8, 8), 70_000).save(path)
    assert fails(capsys, "explain", model_path, path) == (
        "Expected IMAGE to be a picture with 8 or 16 bits per channel. Received: "
        f"IMAGE={path} with 32 bits, of unknown range. Convert it first."
    )


# ---- how it is said ------------------------------------------------------------------------------


def test_long_messages_end_after_what_matters() -> None:
    message = f"Expected a layer. Received: none. Layers: {', '.join(map(str, np.arange(999)))}"
    assert shortened(message).startswith("Expected a layer. Received: none. Layers: 0, 1, 2, ")
    assert len(shortened(message)) <= 500
    assert shortened(message).endswith("[…]")


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        (
            "Expected `labels` to be a file. Received: labels=a.txt",
            "Expected --labels to be a file. Received: --labels=a.txt",
        ),
        (
            "Received: model=/model=3/m.keras (model=x) with `layer`",
            "Received: MODEL=/model=3/m.keras (MODEL=x) with `layer`",
        ),
        ("preprocess='unit': scaled to [0, 1]", "--preprocess unit: scaled to [0, 1]"),
        ("Expected `shard_size` >= 1", "Expected --shard-size >= 1"),
    ],
)
def test_parameters_are_named_as_they_are_typed(message: str, typed: str) -> None:
    assert as_typed(message) == typed


def test_no_name_turns_a_line_of_the_terminal_around(capsys: Capsys) -> None:
    print_error("no file \u202egnp.evil", "nor \u2066שלום\u2069")
    said = capsys.readouterr().err
    assert "no file \ufffdgnp.evil" in said
    assert "nor \ufffdשלום\ufffd" in said
    assert as_row("\u202egnp.evil", Explanation("net", targets=[])) == "\ufffdgnp.evil: "
