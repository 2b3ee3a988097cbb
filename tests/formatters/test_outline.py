"""The border of a target's region: where it is drawn, and what it is called, in each format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.overlay.outline import draw_outline
from eli5.placement import stretch
from eli5.saving.document import from_record
from eli5.targets import Box, Missing, Objects, Pixel, Region

WHITE, BLACK = [255, 255, 255, 255], [0, 0, 0, 255]


def mask_of(rows: slice, columns: slice, shape: tuple[int, int] = (10, 12)) -> Any:
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


def target_of(region: Any, **fields: Any) -> TargetExplanation:
    heatmap = np.zeros((2, 3), "float32")
    placement = stretch((2, 3), (10, 12))
    given: dict[str, Any] = {"heatmap": heatmap, "placement": placement} | fields
    return TargetExplanation(3, class_name="dog", score=0.5, region=region, **given)


def explanation(*regions: Any) -> Explanation:
    image = Image.new("RGB", (24, 20), (200, 10, 10))
    return Explanation("net", method="Grad-CAM", targets=[*map(target_of, regions)], image=image)


def drawn(target: TargetExplanation, size: tuple[int, int]) -> Any:
    outline = draw_outline(target, size)
    assert outline is not None
    assert outline.size == size
    return np.asarray(outline)


def test_a_mask_has_a_white_border_within_and_a_black_one_around() -> None:
    pixels = drawn(target_of(Region(3, mask_of(slice(2, 6), slice(3, 9)))), (12, 10))
    inner = mask_of(slice(2, 6), slice(3, 9)) & ~mask_of(slice(3, 5), slice(4, 8))
    outer = mask_of(slice(1, 7), slice(2, 10)) & ~mask_of(slice(2, 6), slice(3, 9))
    assert (pixels[inner] == WHITE).all()
    assert (pixels[outer] == BLACK).all()
    assert (pixels[~(inner | outer)] == 0).all()


def test_a_coarse_mask_covers_its_part_of_the_picture_up_to_the_edge() -> None:
    pixels = drawn(target_of(Region(3, mask_of(slice(0, 5), slice(6, 12)))), (24, 20))
    white = (pixels == WHITE).all(axis=-1)
    expected = np.zeros((20, 24), bool)
    expected[:10, 12:] = True
    expected[1:9, 13:23] = False
    assert (white == expected).all()


def test_the_lines_grow_with_the_picture() -> None:
    pixels = drawn(target_of(Region(3, mask_of(slice(2, 6), slice(3, 9)))), (1200, 1000))
    column = (pixels[:, 600] == WHITE).all(axis=-1)
    assert column.sum() == 2 * 5


def test_a_pixel_has_a_cross_at_its_place_in_the_input() -> None:
    pixels = drawn(target_of(Pixel(2, 9, 3)), (240, 200))
    white = np.argwhere((pixels == WHITE).all(axis=-1))
    middle = white.mean(axis=0)
    np.testing.assert_allclose(middle, [2.5 * 20 - 0.5, 9.5 * 20 - 0.5], atol=0.5)
    assert (pixels == BLACK).all(axis=-1).any()
    # Of the picture's own pixels where the input's size is not known.
    alone = drawn(target_of(Pixel(2, 9, 3), placement=None), (240, 200))
    white = np.argwhere((alone == WHITE).all(axis=-1))
    assert (2, 9) in set(map(tuple, white.tolist()))


@pytest.mark.parametrize("region", [None, Region(3), Region(3, np.ones((2, 2, 2), bool))], ids=str)
def test_nothing_is_drawn_without_a_place_in_a_picture(region: Any) -> None:
    assert draw_outline(target_of(region), (12, 10)) is None


REGION = Region(3, mask_of(slice(2, 6), slice(3, 9)))


def test_overlays_show_it() -> None:
    expl = explanation(REGION)
    overlay = np.asarray(eli5.format_as_image(expl))
    outline = drawn(expl.targets[0], (24, 20))
    is_line = outline[..., 3] > 0
    assert (overlay[is_line] == outline[is_line]).all()
    assert (overlay[~is_line][:, :3] == (200, 10, 10)).all()
    expl.targets[0].heatmap = None
    assert (np.asarray(eli5.format_as_image(expl))[is_line] == outline[is_line]).all()


def test_plots_show_it() -> None:
    matplotlib.use("agg")
    with_line, without = (
        eli5.plot(explanation(region), title=False, colorbar=False) for region in (REGION, None)
    )
    assert len(with_line.images) == len(without.images) + 1
    shown = np.asarray(with_line.images[-1].get_array())
    assert (shown == drawn(explanation(REGION).targets[0], (24, 20))).all()
    for ax in (with_line, without):
        matplotlib.pyplot.close(ax.figure)


def test_it_is_named_in_text_and_page_and_title() -> None:
    expl = explanation(REGION, Pixel(2, 9, 3))
    text = eli5.format_as_text(expl)
    assert "dog (3) over 24 pixels" in text
    assert "dog (3) at row 2, column 9" in text
    page = eli5.format_as_html(expl)
    for words in ("over 24 pixels", "at row 2, column 9"):
        assert f"<span>{words}</span>" in page
        assert f'alt="What is asked about: {words}"' in page
    assert page.count("eli5-outline") >= 2
    (ax, _) = eli5.plot(expl)
    assert ax.get_title().startswith("dog over 24 pixels")
    matplotlib.pyplot.close(ax.figure)


def test_a_page_without_heat_shows_where_it_would_be() -> None:
    page = eli5.format_as_html(explanation(REGION))
    assert "The heatmap is empty" in page
    assert "eli5-layer eli5-outline" in page


def test_the_name_of_a_class_without_one() -> None:
    expl = explanation(REGION)
    expl.targets[0].class_name = None
    ax = eli5.plot(expl)
    assert ax.get_title().startswith("Class 3 over 24 pixels")
    matplotlib.pyplot.close(ax.figure)


@pytest.mark.parametrize("region", [REGION, Region("dog"), Pixel(2, 9, 3), Pixel(0, 0)], ids=repr)
@pytest.mark.parametrize("ending", ["npz", "json"])
def test_it_is_saved_and_loaded(region: Any, ending: str, tmp_path: Path) -> None:
    expl = explanation(region)
    path = tmp_path / f"a.{ending}"
    expl.save(path)
    assert eli5.load(path) == expl


def test_records_have_it() -> None:
    expl = explanation(REGION, Pixel(2, 9, 3))
    record = json.loads(json.dumps(eli5.format_as_dict(expl)))
    region, pixel = (one["region"] for one in record["targets"])
    assert region == {"kind": "region", "class_id": 3, "mask": REGION.mask.tolist()}  # type: ignore[union-attr]
    assert pixel == {"kind": "pixel", "row": 2, "column": 9, "class_id": 3}
    assert [one.region for one in from_record(record).targets] == [REGION, Pixel(2, 9, 3)]


def test_anything_else_is_no_region() -> None:
    expl = explanation("here")
    with pytest.raises(TypeError, match=r"targets\[0\].region` to be None or one of eli5.targets"):
        eli5.format_as_image(expl)


@pytest.mark.parametrize(
    "region",
    [
        Box((3, 2, 9, 6), 3),
        Box((2, 3, 6, 9), 3, format="yxyx"),
        Box((3, 2, 6, 4), 3, format="xywh"),
        Box((3 / 12, 0.2, 9 / 12, 0.6), 3, format="rel_xyxy"),
        Missing((3, 2, 9, 6), 3),
        Objects(3, np.array([[3, 2, 9, 6]])),
    ],
    ids=["xyxy", "yxyx", "xywh", "rel_xyxy", "missing", "objects"],
)
def test_a_box_is_drawn_as_the_mask_of_its_pixels(region: Any) -> None:
    right = drawn(target_of(Region(3, mask_of(slice(2, 6), slice(3, 9)))), (24, 20))
    assert (drawn(target_of(region), (24, 20)) == right).all()


def test_each_of_several_boxes_has_its_border() -> None:
    boxes = [(1, 1, 6, 6), (4, 3, 11, 9)]
    pixels = drawn(target_of(Objects(3, np.array(boxes))), (12, 10))
    white = (pixels == WHITE).all(axis=-1)
    assert white[1, 1:6].all()
    assert white[3, 4:11].all()
    assert draw_outline(target_of(Objects(3)), (12, 10)) is None


def test_a_box_that_leaves_the_picture_ends_at_its_edge() -> None:
    pixels = drawn(target_of(Box((-5, 2, 9, 60), 3)), (12, 10))
    right = drawn(target_of(Region(3, mask_of(slice(2, 10), slice(0, 9)))), (12, 10))
    assert (pixels == right).all()


def test_boxes_are_named_saved_and_loaded(tmp_path: Path) -> None:
    regions = [
        Box((10, 20, 60, 80), 3, objective="both"),
        Missing((1, 2, 3, 4.5), 3),
        Objects(3, np.array([[1, 2, 3, 4], [5, 6, 7, 8]])),
    ]
    expl = explanation(*regions)
    assert "dog (3) in, and for the place of, the box (10, 20, 60, 80)" in eli5.format_as_text(expl)
    assert "missing in the box (1, 2, 3, 4)" in eli5.format_as_text(expl)
    assert "in 2 boxes" in eli5.format_as_html(expl)
    for name in ("expl.npz", "expl.json"):
        expl.save(tmp_path / name)
        again = eli5.load(tmp_path / name)
        assert [one.region for one in again.targets] == regions
    record = json.loads(json.dumps(eli5.format_as_dict(expl)))
    assert [one.region for one in from_record(record).targets] == regions
    assert record["targets"][0]["region"]["kind"] == "box"
