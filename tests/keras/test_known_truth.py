"""On models whose truth is known, methods that are exact there are so on each backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eli5
from eli5.ground_truth.closed_form import make_hand_set
from eli5.ground_truth.grid import make_grid
from eli5.ground_truth.problem import Problem
from eli5.metrics.maps import input_map

PROBLEMS = {one.name: one for one in [*make_hand_set(0, 2), make_grid(0, 2)[0]]}


def explained(problem: Problem, method: str, **options: Any) -> np.ndarray[Any, Any]:
    found = eli5.explain_predictions(
        problem.model, problem.docs, targets=problem.targets, method=method, **options
    )
    return np.stack([input_map(one.targets[0]) for one in found])


@pytest.mark.parametrize("name", ["sum", "places"])
@pytest.mark.parametrize("method", ["Gradient × Input", "Integrated Gradients"])
def test_of_a_linear_model_they_are_the_truth(name: str, method: str) -> None:
    problem = PROBLEMS[name]
    options = {"steps": 4} if method == "Integrated Gradients" else {}
    found = explained(problem, method, **options)
    np.testing.assert_allclose(found, problem.truths[:, 0], atol=1e-5)


def test_what_one_unit_adds_is_found_at_the_layer() -> None:
    for name in ("sum", "places"):
        found = explained(PROBLEMS[name], "HiResCAM", layer="maps")
        np.testing.assert_allclose(found, PROBLEMS[name].truths[:, 0], atol=1e-5)


@pytest.mark.parametrize("name", ["product", "or", "not"])
def test_the_path_shares_a_product_equally(name: str) -> None:
    found = explained(PROBLEMS[name], "Integrated Gradients", steps=4)
    np.testing.assert_allclose(found, PROBLEMS[name].truths[:, 0], atol=1e-5)


@pytest.mark.parametrize("method", ["HiResCAM", "LayerCAM", "Element-wise Grad-CAM"])
def test_cells_that_are_not_seen_have_no_heat_where_places_are_weighed(method: str) -> None:
    problem = PROBLEMS["cells"]
    assert problem.blind is not None
    found = explained(problem, method, layer="maps")
    assert found.any(axis=(1, 2)).all()
    assert not found[problem.blind[:, 0]].any()


def test_weights_of_whole_maps_light_cells_that_are_not_seen() -> None:
    problem = PROBLEMS["cells"]
    assert problem.blind is not None
    assert explained(problem, "Grad-CAM", layer="maps")[problem.blind[:, 0]].any()
