"""Where cells lie: maps laid out on the input, at other cells, turned back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eli5.base import Explanation, TargetExplanation
from eli5.placement import Placement, at_cells, lay_out, stretch, turn_back

CROPPED = Placement((8,), (0,), (2.5,), (4.5,), ((1.5, 5.5),))


def test_a_plain_stretch_is_bilinear_with_the_edge_going_on() -> None:
    placement = stretch((2,), (8,))
    assert (placement.first, placement.last, placement.seen) == ((1.5,), (5.5,), ((-0.5, 7.5),))
    assert placement.is_stretch((2,))
    expected = [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]
    np.testing.assert_allclose(lay_out(np.array([0.0, 1.0]), placement), expected)


def test_what_is_not_seen_is_zero() -> None:
    assert not CROPPED.is_stretch((2,))
    expected = [0, 0, 1, 1.25, 1.75, 2, 0, 0]
    np.testing.assert_allclose(lay_out(np.array([1.0, 2.0]), CROPPED), expected)


def test_what_is_mirrored_runs_backwards() -> None:
    placement = replace(stretch((4,), (4,)), first=(3.0,), last=(0.0,))
    np.testing.assert_array_equal(lay_out(np.arange(4.0), placement), [3, 2, 1, 0])


def test_axes_are_put_in_the_inputs_order() -> None:
    maps = np.arange(6.0).reshape(2, 3)
    placement = Placement((3, 2), (1, 0), (0.0, 0.0), (1.0, 2.0), ((-0.5, 1.5), (-0.5, 2.5)))
    np.testing.assert_array_equal(lay_out(maps, placement), maps.T)
    batch = np.stack([maps, 2 * maps])
    np.testing.assert_array_equal(lay_out(batch, placement), np.stack([maps.T, 2 * maps.T]))


def test_one_cell_says_the_same_of_all_that_it_sees() -> None:
    placement = Placement((4,), (0,), (1.0,), (1.0,), ((-0.5, 2.5),))
    np.testing.assert_array_equal(lay_out(np.array([0.5]), placement), [0.5, 0.5, 0.5, 0])


def test_a_map_of_some_axes_says_the_same_along_the_others() -> None:
    placement = replace(stretch((2, 2), (2, 2)), size=(3, 2, 2), axes=(1, 2))
    maps = np.arange(4.0).reshape(2, 2)
    np.testing.assert_array_equal(lay_out(maps, placement), np.stack([maps] * 3))


def test_a_picture_of_another_size() -> None:
    np.testing.assert_allclose(
        lay_out(np.array([1.0, 1.0]), CROPPED, size=(16,)), [0] * 4 + [1] * 8 + [0] * 4
    )


def test_maps_at_the_cells_of_another_layer() -> None:
    wanted = stretch((8,), (8,))
    maps = np.array([1.0, 2.0])
    np.testing.assert_allclose(at_cells(maps, CROPPED, wanted, (8,)), lay_out(maps, CROPPED))
    turned = Placement((3, 2), (1, 0), (0.0, 0.0), (1.0, 2.0), ((-0.5, 1.5), (-0.5, 2.5)))
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(at_cells(values, turned, turned, (2, 3)), values)
    plain = stretch((3, 2), (3, 2))
    np.testing.assert_array_equal(at_cells(values, turned, plain, (3, 2)), values.T)


def test_maps_of_a_mirrored_doc_are_turned_back() -> None:
    maps = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(turn_back(maps, stretch((2, 3), (4, 6))), maps[:, ::-1])
    swapped = replace(stretch((2, 3), (3, 2)), size=(3, 2), axes=(1, 0), first=(0.0, 0.0),
                      last=(1.0, 2.0), seen=((-0.5, 1.5), (-0.5, 2.5)))  # fmt: skip
    np.testing.assert_array_equal(turn_back(maps, swapped), maps[::-1])
    # The cells of a mirrored doc are those at 4 and 5, of which none lies where the others do.
    np.testing.assert_allclose(turn_back(np.array([1.0, 2.0]), CROPPED), [2, 1])


def test_the_heatmap_of_a_target_on_the_input() -> None:
    target = TargetExplanation(0, heatmap=np.array([[0.5, 1.0]], "float32"))
    expl = Explanation("model", targets=[target])
    np.testing.assert_array_equal(expl.heatmap_on_input(), [[0.5, 1.0]])  # nothing else is known
    target.placement = stretch((1, 2), (2, 2))
    np.testing.assert_array_equal(expl.heatmap_on_input(0), [[0.5, 1.0], [0.5, 1.0]])
    np.testing.assert_array_equal(expl.heatmap_on_input(-1), expl.heatmap_on_input())


def test_the_heatmap_of_no_target() -> None:
    expl = Explanation("model", targets=[TargetExplanation(0)])
    with pytest.raises(ValueError, match=r"Expected a target with a heatmap. Received: targets\[0"):
        expl.heatmap_on_input()
    with pytest.raises(ValueError, match="Expected `k` to be one of 1 targets"):
        expl.heatmap_on_input(1)
    with pytest.raises(TypeError, match="Expected `k` to be an integer"):
        expl.heatmap_on_input("0")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one of 0 targets"):
        Explanation("model", error="none").heatmap_on_input()


def test_cells_that_are_finer_than_the_input_are_averaged() -> None:
    heat = np.zeros(60)
    heat[40:45] = 1
    np.testing.assert_allclose(lay_out(heat, stretch((60,), (3,))), [0, 0, 0.25], atol=1e-6)
    maps = np.zeros((6, 4))
    maps[1, 2] = 1
    expected = np.array([[0, 0.25], [0, 0], [0, 0]])
    np.testing.assert_allclose(lay_out(maps, stretch((6, 4), (3, 2))), expected, atol=1e-6)


def test_numbers_that_no_float32_holds_warn_of_nothing() -> None:
    laid_out = lay_out(np.array([1e301, 0.5, 0.5]), stretch((3,), (6,)))
    np.testing.assert_array_equal(np.isfinite(laid_out), [0, 0, 0, 1, 1, 1])
