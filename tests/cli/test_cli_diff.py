"""``eli5 diff``: which pictures come first, what is written, and the exit codes."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from xml.etree import ElementTree

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from eli5.cli.commands.diff import diff_models
from eli5.testing import TOLERANCE
from helpers.cli_helpers import Ended, colour_model, fails, records, run, saved
from helpers.strict_html import Page

Capsys = pytest.CaptureFixture[str]

WIDTH, HEIGHT = 48, 32
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def stripes(*colours: str) -> Image.Image:
    """Return a picture of stripes side by side, as wide as each other."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    step = WIDTH // len(colours)
    for k, colour in enumerate(colours):
        picture.paste(COLOURS[colour], (k * step, 0, (k + 1) * step, HEIGHT))
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two models and three pictures.

    The new model has another input size, and takes green for red, too.
    """
    folder = tmp_path_factory.mktemp("diff")
    saved(colour_model(), folder, "old.keras")
    new = colour_model(layers.Rescaling(1 / 255), size=(24, 24, 3))
    new.name = "new_model"
    kernel = np.eye(3)
    kernel[1] = [1, 0.5, 0]  # of the channel green, for each class
    new.get_layer("classes").set_weights([10 * kernel])
    saved(new, folder, "new.keras")
    saved(
        keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)]),
        folder,
        "two.keras",
    )
    photos = folder / "photos"
    photos.mkdir()
    stripes("red", "red", "red", "blue").save(photos / "a.png")
    stripes("red", "red", "blue", "green", "green", "blue").save(photos / "b.png")
    stripes("blue", "blue", "red").save(photos / "c.png")
    (folder / "names.txt").write_text("red\ngreen\nblue\n")
    return folder


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def diff(capsys: Capsys, *options: object, images: str = "photos") -> Ended:
    return run(capsys, "diff", "old.keras", "new.keras", images, *options)


def test_what_has_moved_most_comes_first_and_the_exit_code_is_3(
    capsys: Capsys, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    ended = diff(capsys, "--labels", "names.txt", "--class", "red", "--out", out)
    assert ended.code == 3
    head, counts, first, *_ = ended.out.splitlines()
    assert head.startswith("evidence of 3 docs by Grad-CAM, from old.keras to new.keras: moved by")
    assert counts == "beyond the tolerance of 0.1: 1; predicted otherwise: 1; not explained: 0"
    assert first.startswith("  photos/b.png: moved by 0.")
    assert "class red (0)" in first
    assert ended.fact("Written") == ", ".join(
        str(out / name) for name in ("index.html", "diff.json", "junit.xml")
    )
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    assert page.is_harmless()
    assert page.text.index("photos/b.png") < page.text.index("photos/a.png")
    assert len(page.pictures("eli5-picture")) == 6
    document = json.loads((out / "diff.json").read_text(encoding="utf-8"))
    assert document["docs"][0]["name"] == "photos/b.png"
    suite = ElementTree.parse(out / "junit.xml").getroot()[0]
    assert [case.get("name") for case in suite.findall("testcase[failure]")] == ["photos/b.png"]
    # A second run may replace them.
    assert diff(capsys, "--class", 0, "--tolerance", "0.9", "--out", out).code == 0


def test_none_beyond_is_0(capsys: Capsys) -> None:
    assert diff(capsys, "--class", 0, "--tolerance", "0.9").code == 0
    assert diff(capsys, "--class", 0, "--allow-beyond", "1").code == 0


def test_the_same_model_has_not_moved(capsys: Capsys) -> None:
    ended = run(capsys, "diff", "old.keras", "old.keras", "photos", "--tolerance", "0")
    assert ended.code == 0
    assert "moved by 0.000 on average, 0.000 at most" in ended.out


def test_lines_of_json_are_all_there_is(capsys: Capsys) -> None:
    ended = diff(capsys, "--json", "--class", 0, "--method", "LayerCAM")
    rows = records(ended.out)
    assert rows[0]["name"] == "photos/b.png"
    assert [row["is_beyond"] for row in rows] == [True, False, False]
    assert [row["distance"] for row in rows] == sorted(row["distance"] for row in rows)[::-1]
    assert {row["target"] for row in rows} == {0}


def test_a_list_says_the_class_of_each_picture(capsys: Capsys, folder: Path) -> None:
    (folder / "list.csv").write_text("path,label\nphotos/a.png,blue\nphotos/c.png,0\n")
    ended = diff(
        capsys, "--class-column", "label", "--labels", "names.txt", "--json", images="list.csv"
    )
    rows = {Path(row["name"]).name: row for row in records(ended.out)}
    assert {name: row["target"] for name, row in rows.items()} == {"a.png": 2, "c.png": 0}
    (folder / "list.csv").write_text("path,label\nphotos/a.png,pink\n")
    ended = diff(capsys, "--class-column", "label", "--labels", "names.txt", images="list.csv")
    assert ended.code == 1
    assert "Expected a class id or name in the column 'label' (--class-column)" in ended.err


def test_a_picture_that_cannot_be_read_is_told_of(capsys: Capsys, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no picture")
    images = "photos", tmp_path / "broken.png"
    out = tmp_path / "junit.xml"
    command = ("diff", "old.keras", "old.keras", *images, "--out", out)
    ended = run(capsys, *command)
    assert ended.code == 1
    assert "broken.png" in ended.err
    assert ElementTree.parse(out).getroot()[0].get("errors") == "1"
    assert run(capsys, *command, "--allow-failed", "1").code == 0


def test_the_new_model_may_have_a_layer_and_a_preprocessing_of_its_own(capsys: Capsys) -> None:
    layers_of_both = ("--layer", "colours", "--new-layer", "rescaling_of_its_own")
    said = fails(capsys, "diff", "old.keras", "new.keras", "photos", *layers_of_both)
    assert "rescaling_of_its_own" in said
    # Scaled twice, the new model sees next to nothing, and predicts as by chance.
    ended = diff(capsys, "--new-preprocess", "unit", "--json", "--class", 0)
    assert "scaled twice" in ended.err
    assert all(row["new_score"] == pytest.approx(1 / 3, abs=0.02) for row in records(ended.out))
    assert any(abs(row["old_score"] - 1 / 3) > 0.2 for row in records(ended.out))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--top", "2"), "Expected one method and one class"),
        (("--method", "LayerCAM", "--method", "Grad-CAM"), "--method ['LayerCAM', 'Grad-CAM']"),
        (("--class", "0", "--class", "1"), "Expected one method and one class"),
        (("--class", "0", "--class-column", "x"), "Expected either --class or"),
        (("--class", "pink"), "pink"),
        (("--out", "moved.png"), "ends in one of .html, .json, .xml"),
        (("--out", "photos"), "which holds other files"),
        (("--out", "new.keras"), "ends in one of"),
        (("--signed",), "only where something is drawn"),
        (("--class-column", "label"), "Expected IMAGE to be a .csv or .tsv list"),
        (("--layer", "nowhere"), "nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    capsys: Capsys, options: tuple[str, ...], said: str, folder: Path
) -> None:
    images = "names.txt" if "--class-column" in options and len(options) == 2 else "photos"
    assert said in fails(capsys, "diff", "old.keras", "new.keras", images, *options)


def test_several_lists_are_refused(capsys: Capsys) -> None:
    said = fails(capsys, "diff", "old.keras", "new.keras", "a", "b", "--class-column", "label")
    assert said.startswith("Expected one list for --class-column")


def test_an_empty_list_is_refused(capsys: Capsys, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,label\n")
    said = fails(
        capsys, "diff", "old.keras", "new.keras", tmp_path / "list.csv", "--class-column", "label"
    )
    assert "which is empty" in said


def test_models_of_other_classes_are_refused(capsys: Capsys) -> None:
    said = fails(capsys, "diff", "old.keras", "two.keras", "photos")
    assert said == (
        "Expected two models of the same classes. Received: OLD with 3 outputs and NEW with 2"
    )


def test_a_class_of_a_model_with_several_outputs_is_refused(
    capsys: Capsys, folder: Path, tmp_path: Path
) -> None:
    one = keras.saving.load_model(folder / "old.keras")
    inputs = keras.Input(one.inputs[0].shape[1:])
    first = one(inputs)
    for name in ("old.keras", "new.keras"):
        saved(keras.Model(inputs, [first, layers.Dense(2)(first)]), tmp_path, name)
    paths = [tmp_path / name for name in ("old.keras", "new.keras")]
    said = fails(capsys, "diff", *paths, folder / "photos", "--class", "1")
    assert said.startswith("Expected a model with one output for --class or --class-column")


def test_a_folder_that_cannot_be_made_is_told_of(capsys: Capsys) -> None:
    assert "names.txt is a file" in fails(
        capsys, "diff", "old.keras", "new.keras", "photos", "--out", "names.txt/report"
    )


def test_the_tolerance_is_that_of_the_package() -> None:
    # Which the command does not import before it has checked its arguments, as it loads Keras.
    assert inspect.signature(diff_models).parameters["tolerance"].default == TOLERANCE
