"""``eli5 explain`` of a segmenter: regions, masks and pixels, in the picture's own pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.cli_helpers import (
    BLUE,
    RED,
    SIZE,
    colour_detector,
    colour_segmenter,
    fails,
    records,
    run,
    saved,
    two_colours,
)

Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(colour_segmenter(), tmp_path_factory.mktemp("models"))


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    two_colours(60, 40).save(path)
    return str(path)


def regions(capsys: Capsys, *argv: object) -> list[dict[str, Any]]:
    ended = run(capsys, "explain", *argv, "--json")
    (record,) = records(ended.out)
    return [target["region"] for target in record["targets"]]


def test_classes_over_their_pixels(capsys: Capsys, segmenter: str, photo: str) -> None:
    red, blue = regions(capsys, segmenter, photo, "--region", RED, "--region", BLUE)
    assert (red["kind"], red["class_id"], blue["class_id"]) == ("region", RED, BLUE)
    assert np.array(red["mask"]).mean() == pytest.approx(1 / 3, abs=0.04)
    assert (np.array(red["mask"]) != np.array(blue["mask"])).all()


def test_a_page_and_many_pictures(
    capsys: Capsys, segmenter: str, photo: str, tmp_path: Path
) -> None:
    page, folder = tmp_path / "page.html", tmp_path / "out"
    run(capsys, "explain", segmenter, photo, "--region", RED, "--out", page)
    text = page.read_text(encoding="utf-8")
    assert 'class="eli5-layer eli5-outline"' in text
    other = tmp_path / "other.png"
    two_colours(90, 30).save(other)
    asked = ("--pixel", "20,50", "--out", folder)
    assert run(capsys, "explain", segmenter, photo, other, *asked).code == 0
    rows = records((folder / "explanations.jsonl").read_text())
    found = [(row["targets"][0]["region"]["row"], row["targets"][0]["target"]) for row in rows]
    assert found == [(20 * SIZE // 40, BLUE), (20 * SIZE // 30, BLUE)]


def test_a_pixel_of_the_picture(capsys: Capsys, segmenter: str, photo: str) -> None:
    first, second = regions(capsys, segmenter, photo, "--pixel", "39,5", "--pixel", "0, 59")
    assert first == {"kind": "pixel", "row": 31, "column": 2, "class_id": RED}
    assert second == {"kind": "pixel", "row": 0, "column": 31, "class_id": BLUE}
    (other,) = regions(capsys, segmenter, photo, "--pixel", "0,59", "--class", RED)
    assert other["class_id"] == RED


def test_a_mask_of_the_picture(capsys: Capsys, segmenter: str, photo: str, tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 30:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    options = ("--region", RED, "--mask", tmp_path / "mask.png")
    (region,) = regions(capsys, segmenter, photo, *options)
    expected = np.zeros((SIZE, SIZE), bool)
    expected[8:24, 16:] = True
    assert (np.array(region["mask"]) == expected).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--mask", "photo.png"), "Expected one --region beside --mask. Received: none"),
        (("--region", 1, "--top", 2), "Expected no --top beside --region, --pixel"),
        (("--region", 1, "--class", 2), "Expected no --class beside --region"),
        (("--pixel", "1,1", "--class", 0, "--class", 1), "and one at most beside --pixel"),
        (("--pixel", "1;1"), "Expected --pixel to be ROW,COLUMN, such as 120,64. Received"),
        (("--pixel", "40,0"), "with row < 40 and column < 60. Received: --pixel=40,0"),
        (("--region", 7), "Expected a class id in [0, 3)"),
        (("--region=-1",), "Expected --region to be a class, by its number from 0 or its name"),
        (("--pixel", "1,1", "--class=-2"), "Expected --class to be a class, by its number from 0"),
        (("--region", "1.5"), "Received: class_id='1.5'"),  # and not rounded to another class
        (("--region", 1, "--mask", "none.png"), "--mask to be a picture's file. Received: --mask="),
    ],
    ids=range(11),
)
def test_what_does_not_fit(
    options: tuple[Any, ...], message: str, capsys: Capsys, segmenter: str, photo: str
) -> None:
    assert message in fails(capsys, "explain", segmenter, photo, *options)


def test_masks_that_do_not_fit(capsys: Capsys, segmenter: str, photo: str, tmp_path: Path) -> None:
    options = ("--region", RED, "--mask", tmp_path / "mask.png")
    Image.new("L", (9, 9), 255).save(tmp_path / "mask.png")
    message = fails(capsys, "explain", segmenter, photo, *options)
    assert "Expected --mask of the picture's size, 60x40. Received" in message
    Image.new("L", (60, 40)).save(tmp_path / "mask.png")
    message = fails(capsys, "explain", segmenter, photo, *options)
    assert "Expected --mask to be a picture that is not black everywhere" in message


# ---- detectors -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(colour_detector(), tmp_path_factory.mktemp("models"))


def test_boxes_of_the_picture(capsys: Capsys, detector: str, photo: str) -> None:
    """The picture is 60 x 40, and the model takes it as 32 x 32."""
    (own,) = regions(capsys, detector, photo, "--box", "0,10,15,20")
    assert (own["kind"], own["class_id"]) == ("box", RED)
    np.testing.assert_allclose(own["xyxy"], [0, 8, 8, 16], atol=1e-4)
    asked = ("--missing", "30, 20, 45, 30", "--class", RED)
    (missing,) = regions(capsys, detector, photo, *asked)
    assert (missing["kind"], missing["class_id"]) == ("missing", RED)
    np.testing.assert_allclose(missing["xyxy"], [16, 16, 24, 24], atol=1e-4)
    first, second = regions(capsys, detector, photo, "--detection", 0, "--detection", 1)
    assert first["kind"] == second["kind"] == "box"
    assert first["xyxy"] != second["xyxy"]


def test_the_method_is_that_of_boxes(capsys: Capsys, detector: str, photo: str) -> None:
    asked = ("explain", detector, photo, "--detection", 0)
    found = {}
    for options in ((), ("--method", "HiResCAM"), ("--method", "d-rise:n_masks=8")):
        (record,) = records(run(capsys, *asked, *options, "--json").out)
        found[options] = record["method"]
    assert list(found.values()) == ["LayerCAM", "HiResCAM", "D-RISE"]
    message = fails(capsys, *asked, "--method", "D-RISE:n_masks=8", "--score", "output")
    assert "and D-RISE's own score of it" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--box", "1,2,3"), "--box to be LEFT,TOP,RIGHT,BOTTOM in pixels, such as 10,20,60,80"),
        (("--box", "9,2,3,4"), "--box to be LEFT,TOP,RIGHT,BOTTOM"),
        (("--box", "9,2,70,40"), "--box within a picture of 60x40. Received: --box=9,2,70,40"),
        (("--missing", "1,2,30,40"), "--class beside --missing: which class"),
        (("--detection", "0", "--class", "1"), "no --class beside --region or --detection"),
        (("--detection", "0", "--region", "1"), "what a segmenter has, --region and --pixel"),
        (("--detection", "0", "--top", "2"), "no --top beside --region"),
        (("--detection=-1",), "--detection to be a number from 0. Received: --detection=-1"),
    ],
    ids=range(8),
)
def test_boxes_that_do_not_fit(
    options: tuple[Any, ...], message: str, capsys: Capsys, detector: str, photo: str
) -> None:
    assert message in fails(capsys, "explain", detector, photo, *options)
