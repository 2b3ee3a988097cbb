"""Several overlays on one sheet: where they stand, how large they are, and what is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters import caption
from eli5.formatters import sheet as sheets
from eli5.formatters.image import format_as_image
from helpers.strict_html import HOSTILE

# No grey, so that no pixel of a black letter has one of these colours.
COLD, HOT = (100, 100, 40), (200, 185, 38)  # HOT is viridis(1.0) over COLD with the alpha 0.65
Box = tuple[int, int, int, int]


def explanation(
    *heats: float, size: tuple[int, int] = (200, 150), names: Any = None, **fields: Any
) -> Explanation:
    """Make an explanation of a plain picture, each target all of one heat."""
    given = names or [f"name {i}" for i in range(len(heats))]
    targets = [
        TargetExplanation(i, score=0.5, heatmap=np.full((2, 2), heat), class_name=name)
        for i, (heat, name) in enumerate(zip(heats, given, strict=True))
    ]
    return Explanation("net", image=Image.new("RGB", size, COLD), targets=targets, **fields)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image.convert("RGB")).astype(int)


def boxes(sheet: Image.Image, colour: tuple[int, ...]) -> list[Box]:
    """Find the filled rectangles of a colour, row by row: left, top, width and height."""
    left_over = (pixels(sheet) == colour).all(axis=-1)
    found = []
    while left_over.any():
        top, left = (int(k) for k in np.argwhere(left_over)[0])
        width = int(np.argmin(np.append(left_over[top, left:], False)))
        height = int(np.argmin(np.append(left_over[top:, left], False)))
        assert left_over[top : top + height, left : left + width].all()
        left_over[top : top + height, left : left + width] = False
        found.append((left, top, width, height))
    return found


def is_ink(sheet: Image.Image) -> np.ndarray[Any, Any]:
    """Tell where something dark and grey stands: letters, and no picture."""
    colours = pixels(sheet)
    return (colours.max(axis=-1) < 128) & (np.ptp(colours, axis=-1) < 20)


# --- where the pictures stand --------------------------------------------------------------------


@pytest.mark.parametrize("size", [(300, 200), (129, 150), (200, 600)])
def test_pictures_keep_their_size(size: tuple[int, int]) -> None:
    sheet = format_as_image(explanation(0, 1, size=size))
    assert sheet.mode == "RGBA"
    (cold,), (hot,) = boxes(sheet, COLD), boxes(sheet, HOT)
    assert cold[2:] == hot[2:] == size
    assert cold[1] == hot[1]
    assert hot[0] >= cold[0] + size[0]
    ink = is_ink(sheet)
    assert ink[: cold[1], : hot[0]].any()
    assert ink[: cold[1], hot[0] :].any()
    assert not ink[cold[1] :].any()


def test_an_overlay_on_a_sheet_is_the_overlay_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    expl = explanation(0, 0)
    expl.image = Image.fromarray(noise)
    for target in expl.targets:
        target.heatmap = np.random.default_rng(target.target).random((5, 7))
    sheet = pixels(format_as_image(expl))
    for column, target in enumerate(expl.targets):
        alone = pixels(format_as_image(Explanation("net", image=expl.image, targets=[target])))
        # The font of 13 pixels has a gap of 9; two lines of text are 38 high.
        left = 9 + column * (200 + 9)
        np.testing.assert_array_equal(sheet[9 + 38 : -9, left : left + 200], alone)


@pytest.mark.parametrize(
    ("count", "columns", "rows"),
    [(2, 2, 1), (4, 4, 1), (5, 3, 2), (8, 4, 2), (10, 4, 3), (16, 4, 4), (17, 5, 4), (30, 6, 5)],
)
@pytest.mark.parametrize("one_each", [False, True], ids=["targets", "explanations"])
def test_many_pictures_take_several_rows(
    count: int, columns: int, rows: int, one_each: bool
) -> None:
    several = [explanation(0) for _ in range(count)]
    found = boxes(format_as_image(several if one_each else explanation(*[0] * count)), COLD)
    assert len(found) == count
    assert {box[2:] for box in found} == {(200, 150)}
    assert len({left for left, *_ in found}) == columns
    assert len({top for _, top, *_ in found}) == rows


def test_several_explanations_of_several_targets_begin_a_row_each() -> None:
    sheet = format_as_image([explanation(0, 1), explanation(1, 1, 0), explanation(1)])
    found = sorted(
        [(*box[1::-1], "cold") for box in boxes(sheet, COLD)]
        + [(*box[1::-1], "hot") for box in boxes(sheet, HOT)]
    )
    tops = sorted({top for top, *_ in found})
    rows = [[heat for top, _, heat in found if top == one] for one in tops]
    assert rows == [["cold", "hot"], ["hot", "hot", "cold"], ["hot"]]


@pytest.mark.parametrize(
    ("size", "below"),
    [((400, 100), True), ((402, 200), True), ((400, 200), False), ((100, 200), False)],
)
def test_wide_pictures_stand_below_each_other(size: tuple[int, int], below: bool) -> None:
    sheet = format_as_image(explanation(0, 1, size=size))
    ((left, top, *cold_size),), ((hot_left, hot_top, *hot_size),) = (
        boxes(sheet, COLD),
        boxes(sheet, HOT),
    )
    assert tuple(cold_size) == tuple(hot_size) == size
    assert (hot_left == left, hot_top == top) == (below, not below)
    if below:
        assert size[1] < hot_top - top < size[1] + 60  # a line of text


# --- how large the pictures are ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "factor"),
    [
        ((1, 1), 128),
        ((8, 8), 16),
        ((28, 28), 4),
        ((32, 24), 5),
        ((64, 64), 2),
        ((65, 70), 1),
        ((96, 16), 8),
        ((600, 4), 1),  # a wide one does not become wider than a page
    ],
)
def test_small_pictures_are_enlarged_by_a_whole_number(size: tuple[int, int], factor: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), np.uint8)
    expl = explanation(0, 1, size=size)
    expl.image = Image.fromarray(noise)
    sheet = pixels(format_as_image(expl))
    enlarged = np.kron(noise, np.ones((factor, factor, 1), int))
    height, width = enlarged.shape[:2]
    left = np.flatnonzero((sheet != 255).any(axis=(0, 2)))[0]
    windows = (
        sheet[top : top + height, left : left + width] for top in range(sheet.shape[0] - height)
    )
    assert any(np.array_equal(window, enlarged) for window in windows)


def test_large_pictures_are_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_LARGEST_AREA", 400_000)
    sheet = format_as_image(explanation(*[0] * 3, size=(1400, 800)))
    found = boxes(sheet, COLD)
    assert len(found) == 3
    assert [box[2] / box[3] for box in found] == pytest.approx([1.75] * 3, abs=0.01)
    assert sum(width * height for *_, width, height in found) == pytest.approx(4e5, rel=0.01)


def test_strips_made_smaller_keep_their_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their width is not divisible by the number of slices any more."""
    monkeypatch.setattr(sheets, "_LARGEST_AREA", 2 * 500 * 100)
    heatmap = np.zeros((3, 2, 2))
    heatmap[1] = 1
    expl = explanation(0, 0, size=(900, 180))
    for target in expl.targets:
        target.heatmap = heatmap
    sheet = pixels(format_as_image(expl))
    is_cold, is_hot = (np.abs(sheet - colour).max(axis=-1) < 4 for colour in (COLD, HOT))
    left, width = np.flatnonzero(is_cold.any(axis=0))[0], 500
    columns = np.flatnonzero(is_hot.any(axis=0))
    assert [columns[0] - left, columns[-1] - left] == pytest.approx(
        [width / 3, 2 * width / 3], abs=3
    )


def test_pictures_of_different_sizes_get_that_of_the_middle_one() -> None:
    sizes = [(300, 200), (20, 20), (1000, 2000), (150, 300), (240, 240)]
    found = boxes(format_as_image([explanation(0, size=size) for size in sizes]), COLD)
    assert [box[2:] for box in found] == [
        (300, 200),
        (300, 300),
        (150, 300),
        (150, 300),
        (300, 300),
    ]


# --- what is written -----------------------------------------------------------------------------


def written(expl: Any, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the lines above each picture of a sheet, in their order."""
    captions: list[list[str]] = []
    draw = sheets._caption

    def record(lines: Any, *rest: Any) -> Any:
        captions.append(list(lines))
        return draw(lines, *rest)

    monkeypatch.setattr(sheets, "_caption", record)
    format_as_image(expl)
    monkeypatch.undo()
    return captions


def test_name_and_score(monkeypatch: pytest.MonkeyPatch) -> None:
    expl = explanation(0, 0, 0, names=["tabby", "tiger cat", ""], method="Grad-CAM", layer="conv")
    expl.targets[1].score, expl.targets[2].score = None, -12.3456
    assert written(expl, monkeypatch) == [["tabby", "0.5000"], ["tiger cat"], ["2", "-12.35"]]


def test_what_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    one = explanation(0, names=["a"], method="Grad-CAM", layer="conv")
    other = explanation(0, names=["b"], method="LayerCAM", layer="conv")

    def headings() -> list[str]:
        return [lines[0] for lines in written([one, other], monkeypatch)]

    assert written([one, other], monkeypatch) == [
        ["Grad-CAM", "a", "0.5000"],
        ["LayerCAM", "b", "0.5000"],
    ]
    other.layer = "conv_2"
    assert headings() == ["Grad-CAM · conv", "LayerCAM · conv_2"]
    other.method = "Grad-CAM"
    assert headings() == ["conv", "conv_2"]
    other.layer, other.estimator = "conv", "other_net"
    assert headings() == ["net", "other_net"]
    other.estimator = "net"
    assert headings() == ["a", "b"]


def test_each_picture_has_the_heading_of_its_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (explanation(0, 0, 0, 0, 0, method=method) for method in ("A", None))
    lines = written([one, other], monkeypatch)
    assert [len(each) for each in lines] == [3] * 5 + [2] * 5
    assert {each[0] for each in lines[:5]} == {"A"}


def test_text_is_drawn_where_it_belongs() -> None:
    """Each name above its own picture: changing one changes no other."""
    plain, changed = (
        format_as_image(explanation(0, 1, names=["tabby", name])) for name in ("x", "y")
    )
    ((left, top, *_),) = boxes(plain, HOT)
    differs = (pixels(plain) != pixels(changed)).any(axis=-1)
    assert differs[:top, left:].any()
    assert not differs[:, :left].any()
    assert not differs[top:].any()


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=60) | st.sampled_from([*HOSTILE, "W" * 5000, "a " * 200]))
def test_any_name_stays_in_its_tile(name: str) -> None:
    plain, sheet = (
        format_as_image(explanation(0, 1, names=[one, "b"], size=(150, 80))) for one in ("a", name)
    )
    ((left, *_),) = boxes(plain, HOT)
    assert boxes(sheet, HOT)[0][2:] == (150, 80)
    extra = sheet.height - plain.height  # another line
    assert extra in (0, 17)
    np.testing.assert_array_equal(pixels(sheet)[extra:, left - 3 :], pixels(plain)[:, left - 3 :])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tabby", ["tabby"]),
        ("American Staffordshire terrier", ["American Staffordshire", "terrier"]),
        ("American Staffordshire", ["American Staffordshire"]),
        ("W" * 5000, ["W" * 14, "W" * 13 + "…"]),
        (
            "a very long name of many words that needs far more than two lines",
            ["a very long name of many", "words that needs far more…"],
        ),
    ],
)
def test_long_names_take_two_lines(name: str, expected: list[str]) -> None:
    lines = caption.caption_lines("", TargetExplanation(0, class_name=name, score=0.5), 13, 190)
    assert lines == [*expected, "0.5000"]
    assert max(caption.text_width(line, 13) for line in lines) <= 190


@pytest.mark.parametrize(
    ("explained", "expected"),
    [
        ({}, "0.5000"),
        ({"explained": 0.5, "explained_name": "score"}, "0.5000"),
        ({"explained": 3.4761, "explained_name": "log-odds"}, "0.5000 · log-odds 3.476"),
        ({"explained": 3.4761}, "0.5000 · explained 3.476"),
    ],
)
def test_captions_name_the_number_that_is_explained(
    explained: dict[str, Any], expected: str
) -> None:
    target = TargetExplanation(0, class_name="tabby", score=0.5, **explained)
    assert caption.caption_lines("", target, 13, 190) == ["tabby", expected]


def test_captions_of_low_strips_are_small() -> None:
    strips = explanation(0, 0, size=(16 * 64, 64))
    assert format_as_image(strips).height < 3 * 64 + 40
