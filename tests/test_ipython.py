from __future__ import annotations

import copy
import inspect
import io
import pickle
import sys
from base64 import b64decode
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import eli5
from eli5 import ipython
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.image import format_as_image
from eli5.formatters.notebook import mimebundle
from helpers.texts import review

MODEL, DOC = object(), np.zeros((1, 4, 4, 3))


@pytest.fixture
def expl() -> Explanation:
    image = Image.new("RGB", (5, 4), "blue")
    return Explanation("net", image=image, targets=[TargetExplanation(0, heatmap=np.eye(2))])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, expl: Explanation) -> list[Any]:
    """Put a recorder in the place of explain_prediction."""
    seen: list[Any] = []

    def explain_prediction(estimator: Any, doc: Any, **kwargs: Any) -> Explanation:
        seen.append((estimator, doc, kwargs))
        return expl

    monkeypatch.setattr(ipython, "explain_prediction", explain_prediction)
    return seen


def test_gives_what_format_as_image_gives(expl: Explanation, calls: list[Any]) -> None:
    assert eli5.show_prediction(MODEL, DOC) == format_as_image(expl)
    assert calls == [(MODEL, DOC, {})]


def test_a_notebook_shows_the_interactive_view(expl: Explanation, calls: list[Any]) -> None:
    shown: Any = eli5.show_prediction(MODEL, DOC)
    assert shown._repr_mimebundle_() == mimebundle(expl)
    assert copy.copy(shown) == pickle.loads(pickle.dumps(shown)) == format_as_image(expl)


@pytest.mark.parametrize(
    "look",
    [
        {"colormap": "jet"},
        {"signed": True, "alpha_limit": None},
        {"percentile": 90, "resampling_filter": Image.Resampling.NEAREST},
    ],
)
def test_so_it_does_with_options_of_the_picture(
    look: dict[str, Any], expl: Explanation, calls: list[Any]
) -> None:
    expl.targets[0].attribution = np.array([[1, 0], [-3, 2]])
    expl.targets[0].explained, expl.targets[0].explained_name = 3.1, "log-odds"
    bundle = vars(eli5.show_prediction(MODEL, DOC, **look))["_repr_mimebundle_"](include=None)
    assert bundle["text/html"] == eli5.format_as_html(expl, **look) != eli5.format_as_html(expl)
    drawn = Image.open(io.BytesIO(b64decode(bundle["image/png"])))
    assert drawn.convert("RGBA") == format_as_image(expl, **look)
    for shown in ("Log-odds (explained) 3.1", "eli5-legend", "eli5-slider"):
        assert shown in bundle["text/html"]


def test_format_and_explain_options_may_be_mixed(expl: Explanation, calls: list[Any]) -> None:
    options: dict[str, Any] = {"colormap": "jet", "alpha_limit": 0.9, "resampling_filter": 0}
    shown = eli5.show_prediction(MODEL, DOC, layer="conv", targets=[1], image=None, **options)
    assert shown == format_as_image(expl, **options)
    assert shown != format_as_image(expl)
    assert calls == [(MODEL, DOC, {"layer": "conv", "targets": [1], "image": None})]


def test_several_methods_are_one_sheet(expl: Explanation, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [replace(expl, method=method) for method in ("Grad-CAM", "LayerCAM")]
    asked: list[Any] = []

    def explain_prediction(estimator: Any, doc: Any, **kwargs: Any) -> list[Explanation]:
        asked.append(kwargs)
        return several

    monkeypatch.setattr(ipython, "explain_prediction", explain_prediction)
    methods = ["Grad-CAM", "LayerCAM"]
    shown = eli5.show_prediction(MODEL, DOC, methods=methods, colormap="jet")
    assert asked == [{"methods": methods}]
    assert shown == format_as_image(several, colormap="jet")
    assert shown != format_as_image(several[0], colormap="jet")
    several[1].image = None
    assert eli5.show_prediction(MODEL, DOC, methods=methods) is several


def test_several_methods_of_a_model(model: keras.Model, doc: Any) -> None:
    methods = ["Grad-CAM", "Saliency"]
    shown = eli5.show_prediction(model, doc, methods=methods)
    assert shown == format_as_image(eli5.explain_prediction(model, doc, methods=methods))


def test_knows_every_option_of_format_as_image() -> None:
    _, *options = inspect.signature(format_as_image).parameters
    assert list(ipython._FORMAT_OPTIONS) == options


@pytest.mark.parametrize("change", [{"error": "not supported"}, {"image": None}])
def test_without_a_picture_gives_the_explanation(
    change: dict[str, Any], expl: Explanation, calls: list[Any]
) -> None:
    for name, value in change.items():
        setattr(expl, name, value)
    assert eli5.show_prediction(MODEL, DOC, alpha_limit=0.5) is expl


@pytest.mark.parametrize("missing", [None, "PIL", "matplotlib"])
def test_a_text_shows_itself_without_any_picture_library(
    missing: str | None, expl: Explanation, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expl.image, expl.targets = None, review().targets
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    assert eli5.show_prediction(MODEL, DOC, tokens=["a"], alpha_limit=0.5) is expl
    assert calls == [(MODEL, DOC, {"tokens": ["a"]})]
    assert "great" in expl._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("modules", "named"),
    [
        (["PIL"], "missing dependencies: Pillow"),
        (["matplotlib"], "missing dependencies: matplotlib"),
        (["PIL", "matplotlib"], "missing dependencies: Pillow, matplotlib"),
    ],
)
def test_warns_of_missing_libraries(
    modules: list[str],
    named: str,
    expl: Explanation,
    calls: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.warns(UserWarning, match=named) as warned:
        assert eli5.show_prediction(MODEL, DOC, colormap="jet", layer="conv") is expl
    assert [warning.filename for warning in warned] == [__file__]
    assert calls == [(MODEL, DOC, {"layer": "conv"})]


def test_an_import_error_of_the_explanation_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def explain_prediction(*_: Any) -> Explanation:
        raise ImportError("no backend")

    monkeypatch.setattr(ipython, "explain_prediction", explain_prediction)
    with pytest.raises(ImportError, match="no backend"):
        eli5.show_prediction(MODEL, DOC)


def test_unsupported_estimators_show_their_error() -> None:
    shown = eli5.show_prediction(MODEL, DOC)
    assert isinstance(shown, Explanation)
    assert "not supported" in str(shown.error)
