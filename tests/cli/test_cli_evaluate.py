"""``eli5 evaluate``: photos, lists, masks and boxes in; a folder with a page out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eli5.loading.errors import UserError
from eli5.loading.masks import open_masks, resized
from eli5.metrics import Comparison
from helpers.cli_helpers import fails, run, two_colours

Capsys = pytest.CaptureFixture[str]
FAST = ("--methods", "Grad-CAM", "Saliency", "--metrics", "energy inside", "complexity")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        two_colours().save(folder / name)
    return folder


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Return a folder with masks of the left third, which is red, one of another size."""
    folder = tmp_path / "masks"
    folder.mkdir()
    for name, size in {"a": (60, 40), "b": (15, 10)}.items():
        mask = Image.new("L", size)
        mask.paste(1, (0, 0, size[0] // 3, size[1]))
        mask.save(folder / f"{name}.png")
    return folder


def values(out: Path, method: str = "Grad-CAM", metric: str = "Energy inside") -> list[float]:
    return Comparison.load(out / "comparison.json").results[method, metric].values.tolist()


def test_a_folder_of_photos_with_masks(
    capsys: Capsys, model_path: str, photos: Path, masks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("evaluate", model_path, photos, *FAST, "--masks", masks, "--out", out)
    ended = run(capsys, *arguments)
    assert ended.code == 0
    assert ended.fact("Photos") == "2 measured, 0 failed"
    assert ended.out.splitlines()[0].split()[:3] == ["method", "metric", "mean"]
    assert {path.name for path in out.iterdir()} == {
        "chunks.jsonl", "comparison.json", "index.html", "table.csv",
    }  # fmt: skip
    assert (out / "table.csv").read_text().count("\n") == 5
    assert "deep/b.png" in (out / "index.html").read_text()
    # The likeliest class is blue, whose map is the two thirds outside of the mask.
    assert values(out) == pytest.approx([0, 0], abs=0.05)
    before = (out / "chunks.jsonl").read_text()
    assert run(capsys, *arguments).code == 0  # goes on, and there is nothing to do
    assert (out / "chunks.jsonl").read_text() == before
    assert "Received: seed=1, where it has seed=0" in fails(capsys, *arguments, "--seed", "1")


def test_a_list_with_true_classes_and_boxes(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path
) -> None:
    table, names, boxes = (tmp_path / name for name in ("list.csv", "names.txt", "boxes.json"))
    table.write_text("path,kind\nphotos/a.png,red\nphotos/deep/b.png,0\nphotos/gone.png,1\n")
    names.write_text("red\ngreen\nblue\n")
    boxes.write_text(json.dumps({"a.png": [0, 0, 20, 40], "b": [{"box": [0, 0, 20, 40]}]}))
    arguments = (
        "evaluate", model_path, table, *FAST, "--labels-column", "kind", "--labels", names,
        "--masks", boxes,
    )  # fmt: skip
    ended = run(capsys, *arguments, "--out", tmp_path / "out")
    assert ended.code == 1
    assert "gone.png, which does not exist" in ended.err
    assert ended.fact("Photos") == "2 measured, 1 failed"
    assert values(tmp_path / "out") == pytest.approx([1, 1], abs=0.05)
    page = (tmp_path / "out" / "index.html").read_text()
    assert ">red<" in page
    assert "· photos/deep/b.png<" in page  # as it stands in the list
    more = ("--allow-failed", "1", "--out", tmp_path / "other")
    assert run(capsys, *arguments, *more).code == 0


@pytest.mark.usefixtures("no_keras")
def test_what_is_wrong_is_said_before_the_model_is_loaded(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path
) -> None:
    start = ("evaluate", model_path)
    out = ("--out", tmp_path / "out")
    message = fails(capsys, *start, photos, "--labels-column", "kind", *out)
    assert message.startswith("Expected a .csv or .tsv list of photos for --labels-column")
    (tmp_path / "list.txt").write_text("a.png\n")
    message = fails(capsys, *start, tmp_path / "list.txt", "--labels-column", "kind", *out)
    assert "which has columns, for --labels-column" in message
    (tmp_path / "list.csv").write_text("path,kind\n")
    message = fails(capsys, *start, tmp_path / "list.csv", "--labels-column", "sort", *out)
    assert "Expected --labels-column to be a column of" in message
    assert "Received: --labels-column=sort" in message
    assert "which names none" in fails(capsys, *start, tmp_path / "list.csv", *out)
    assert "which holds other files" in fails(capsys, *start, photos, "--out", photos)


def test_a_class_that_there_is_not(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_text("path,kind\nphotos/a.png,mauve\n")
    ended = run(
        capsys, "evaluate", model_path, tmp_path / "list.csv", "--labels-column", "kind", "--out",
        tmp_path / "out",
    )  # fmt: skip
    assert ended.code == 2
    assert "Expected a class id or name in --labels-column. Received: 'mauve'" in ended.err
    message = fails(capsys, "evaluate", model_path, photos, "--metrics", "SRGG", "--out", "x")
    assert "Did you mean 'SRG'" in message


# ---- masks ---------------------------------------------------------------------------------------


def test_masks_are_found_by_the_longest_name(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    (folder / "deep").mkdir(parents=True)
    for name, column in {"b.png": 0, "deep/b.tif": 1, "a.png": 2}.items():
        pixels = np.zeros((4, 6), "uint8")
        pixels[:, column] = 1
        Image.fromarray(pixels).save(folder / name)
    find = open_masks(folder, photos)

    def column_of(path: str) -> int:
        mask = find(str(photos / path), (60, 40), (6, 4))
        assert mask is not None
        return int(mask.any(axis=0).argmax())

    assert [column_of(one) for one in ("deep/b.png", "b.jpg", "a.png")] == [1, 0, 2]
    assert find(str(photos / "c.png"), (60, 40), (6, 4)) is None


def test_what_is_not_0_in_any_colour_is_the_object(tmp_path: Path) -> None:
    colours = np.zeros((2, 3, 4), "uint8")
    colours[..., 3] = 255  # opaque
    colours[0, 1, 2] = 7
    Image.fromarray(colours).save(tmp_path / "a.png")
    palette = Image.new("P", (3, 2))
    palette.putpalette([0, 0, 0, 0, 0, 0])  # index 1 is black, too
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "b.png")
    find = open_masks(tmp_path, tmp_path)
    for name in ("a", "b"):
        mask = find(f"{tmp_path}/{name}.jpg", (3, 2), (3, 2))
        np.testing.assert_array_equal(mask, [[False, True, False], [False, False, False]])


def test_a_mask_is_stretched() -> None:
    mask = np.zeros((8, 8), bool)
    mask[:, :5] = True
    assert resized(mask, (4, 4)).any(axis=0).tolist() == [True, True, True, False]
    # What is smaller than half a place is not lost.
    mask[:], mask[3, 3] = False, True
    assert np.argwhere(resized(mask, (2, 2))).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "which cannot be read"),
        ('{"a": 3}', "which cannot be read"),
        ('{"a": [[1, 2], 5]}', "which cannot be read"),
        ('{"a": [0, 0, 70, 9]}', r"box within the picture, 60x40\. Received: \[0, 0, 70, 9\] of a"),
        ('{"a": [5, 0, 5, 9]}', "box within the picture"),
    ],
)
def test_what_are_no_boxes(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        open_masks(path, tmp_path)(str(tmp_path / "a.png"), (60, 40), (6, 4))


def test_what_is_no_source_of_masks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a folder with masks.*in which no picture is"):
        open_masks(tmp_path, tmp_path)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(UserError, match=r"a folder of masks, or a \.json file of boxes"):
        open_masks(tmp_path / "a.csv", tmp_path)
    with pytest.raises(UserError, match="which does not exist"):
        open_masks(tmp_path / "gone", tmp_path)
