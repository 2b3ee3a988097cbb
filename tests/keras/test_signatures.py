"""The public functions show their real parameters, and their docstrings describe each of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import eli5
from eli5.keras import explain_prediction as documented
from eli5.keras.gradcam import gradcam, gradcam_backend
from eli5.keras.pipeline.request import make_request
from eli5.keras.pipeline.target_layers import target_layers
from eli5.metrics import METRICS

FUNCTIONS: list[Callable[..., Any]] = [
    eli5.explain_prediction,
    eli5.explain_predictions,
    documented.explain_prediction_keras,
    documented.explain_prediction_keras_image,
    documented.explain_prediction_keras_text,
    documented.explain_prediction_keras_series,
    gradcam,
    gradcam_backend,
    target_layers,
    eli5.compare,
    eli5.sanity_check,
    *(row.function for row in METRICS.values() if row.function is not None),
]


def described(function: Callable[..., Any]) -> list[str]:
    """Return the names in the section "Parameters" of a docstring, in their order."""
    text = inspect.cleandoc(function.__doc__ or "")
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", text, re.DOTALL | re.MULTILINE
    )
    assert section is not None
    heads = re.findall(r"^[\w*][^\n]*(?:\\\n[^\n]*)?$", section[1], re.MULTILINE)
    names = [re.split(r" : ", head)[0] for head in heads]
    return [name.strip(" *\\\n") for line in names for name in line.split(",")]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_docstring_describes_just_the_parameters(function: Callable[..., Any]) -> None:
    parameters = list(inspect.signature(function).parameters)
    assert sorted(described(function)) == sorted(parameters)


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize("function", [eli5.explain_prediction, eli5.explain_predictions])
def test_defaults_are_those_that_the_options_are_checked_with(
    function: Callable[..., Any],
) -> None:
    checked, shown = defaults(make_request), defaults(function)
    assert (shown["grade"], checked.pop("grader")) == (False, None)  # which it becomes
    assert checked.keys() - {"method_options"} <= shown.keys()
    assert {name: shown[name] for name in checked} == checked
