"""Explain what a Keras 3 model looked at.

The public names are loaded on first use (PEP 562): ``import eli5`` alone loads neither Keras nor a
backend, NumPy, Pillow or matplotlib. Where Keras could only fail, as TensorFlow is missing and
nobody chose another backend, it chooses one that is installed.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from eli5.backend import replace_missing_default

if TYPE_CHECKING:
    from eli5.base import (
        DocWeightedSpans,
        Explanation,
        Explanations,
        Grade,
        Series,
        TargetExplanation,
        WeightedSpans,
    )
    from eli5.explain import explain_prediction, explain_predictions, warm_up
    from eli5.formatters.as_dataframe import format_as_dataframe
    from eli5.formatters.as_dict import format_as_dict
    from eli5.formatters.html import format_as_html, format_as_page
    from eli5.formatters.image import format_as_image
    from eli5.formatters.plot import plot
    from eli5.formatters.text import format_as_text
    from eli5.ground_truth.benchmark import benchmark
    from eli5.ipython import show_prediction
    from eli5.metrics.comparison.side_by_side import compare
    from eli5.metrics.sanity import sanity_check
    from eli5.saving.explanation_file import load, save

__version__ = "0.1.0"

replace_missing_default()

# Silent, unless the program that uses it says otherwise: docs/serving.md tells what is logged.
logging.getLogger("eli5").addHandler(logging.NullHandler())

__all__ = [
    "DocWeightedSpans",
    "Explanation",
    "Explanations",
    "Grade",
    "Series",
    "TargetExplanation",
    "WeightedSpans",
    "benchmark",
    "compare",
    "explain_prediction",
    "explain_predictions",
    "format_as_dataframe",
    "format_as_dict",
    "format_as_html",
    "format_as_image",
    "format_as_page",
    "format_as_text",
    "load",
    "plot",
    "sanity_check",
    "save",
    "show_prediction",
    "warm_up",
]

_HOME = {
    "DocWeightedSpans": "eli5.base",
    "Explanation": "eli5.base",
    "Explanations": "eli5.base",
    "Grade": "eli5.base",
    "Series": "eli5.base",
    "TargetExplanation": "eli5.base",
    "WeightedSpans": "eli5.base",
    "benchmark": "eli5.ground_truth.benchmark",
    "compare": "eli5.metrics.comparison.side_by_side",
    "explain_prediction": "eli5.explain",
    "explain_predictions": "eli5.explain",
    "format_as_dataframe": "eli5.formatters.as_dataframe",
    "format_as_dict": "eli5.formatters.as_dict",
    "format_as_html": "eli5.formatters.html",
    "format_as_image": "eli5.formatters.image",
    "format_as_page": "eli5.formatters.html",
    "format_as_text": "eli5.formatters.text",
    "load": "eli5.saving.explanation_file",
    "plot": "eli5.formatters.plot",
    "sanity_check": "eli5.metrics.sanity",
    "save": "eli5.saving.explanation_file",
    "show_prediction": "eli5.ipython",
    "warm_up": "eli5.explain",
}


_SUBMODULES = (
    "base",
    "bulk",
    "callbacks",
    "demo",
    "formatters",
    "keras",
    "metrics",
    "targets",
    "testing",
)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"eli5.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'eli5' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*(name for name in globals() if name.startswith("__")), *__all__, *_SUBMODULES]
