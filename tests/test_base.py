from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation, missing_picture_libraries


def explanation(**changes: Any) -> Explanation:
    target = TargetExplanation(
        281, score=float("nan"), heatmap=np.array([[0.0, np.nan]]), class_name="tabby"
    )
    given: dict[str, Any] = {
        "estimator": "net",
        "method": "Grad-CAM",
        "targets": [target],
        "image": Image.new("RGB", (4, 3), "red"),
        "feature_importances": {"weights": (np.arange(3), 1.5)},
    }
    return Explanation(**given | changes)


def test_documented_fields() -> None:
    assert [f.name for f in fields(Explanation)] == [
        "estimator",
        "description",
        "error",
        "method",
        "is_regression",
        "targets",
        "feature_importances",
        "decision_tree",
        "highlight_spaces",
        "transition_features",
        "image",
        "layer",
        "series",
        "source",
    ]
    assert [f.name for f in fields(TargetExplanation)] == [
        "target",
        "feature_weights",
        "proba",
        "score",
        "weighted_spans",
        "heatmap",
        "class_name",
        "attribution",
        "details",
        "placement",
        "explained",
        "explained_name",
        "sign",
        "region",
        "grade",
    ]


def test_every_field_is_writable() -> None:
    for container in (Explanation("net"), TargetExplanation(0)):
        for field in fields(container):
            setattr(container, field.name, "changed")
            assert getattr(container, field.name) == "changed"


def test_equal_field_by_field() -> None:
    assert explanation() == explanation()


@pytest.mark.parametrize(
    "changes",
    [
        {"estimator": "another"},
        {"targets": None},
        {"targets": []},
        {"targets": [TargetExplanation(281)]},
        {"image": Image.new("RGB", (4, 3), "blue")},
        {"image": None},
        {"feature_importances": {"weights": (np.arange(4), 1.5)}},
        {"feature_importances": {"weights": (np.arange(3), 2.5)}},
        {"feature_importances": {"weights": [np.arange(3), 1.5]}},
        {"feature_importances": {"others": (np.arange(3), 1.5)}},
        {"is_regression": True},
    ],
)
def test_unequal_in_one_field(changes: dict[str, Any]) -> None:
    assert explanation() != explanation(**changes)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), True),
        (np.zeros((2, 2)), np.zeros((2, 3)), False),
        (np.zeros((2, 2)), np.ones((2, 2)), False),
        (np.array([np.nan]), np.array([np.nan]), True),
        (np.array(["a"]), np.array(["a"]), True),
        (np.zeros(2), [0.0, 0.0], False),
        (np.zeros(1), None, False),
        (np.float32("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        ((1, np.ones(2)), (1, np.ones(2)), True),
        ([1], [1, 2], False),
    ],
)
def test_equality_of_values(one: Any, other: Any, equal: bool) -> None:
    left, right = TargetExplanation(0), TargetExplanation(0)
    left.heatmap, right.heatmap = one, other
    assert (left == right) is equal
    assert (right == left) is equal


def test_never_equal_to_something_else() -> None:
    assert Explanation("net") != "net"
    assert Explanation("net").__eq__("net") is NotImplemented
    assert TargetExplanation(0) != 0
    assert TargetExplanation(0).__eq__(Explanation("net")) is NotImplemented


def test_mutable_and_so_not_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable type: 'Explanation'"):
        hash(Explanation("net"))


@pytest.mark.parametrize(
    "copied", [lambda expl: pickle.loads(pickle.dumps(expl)), copy.deepcopy], ids=["pickle", "copy"]
)
def test_copies_are_equal_and_apart(copied: Any) -> None:
    original = explanation()
    twin = copied(original)
    assert twin == original
    twin.targets[0].heatmap[0, 0] = 1
    assert twin != original


def test_repr_is_short() -> None:
    assert repr(Explanation("net")) == "Explanation(estimator='net')"
    assert repr(explanation(feature_importances=None)) == (
        "Explanation(estimator='net', method='Grad-CAM', targets=[TargetExplanation(target=281, "
        "score=nan, heatmap=<array (1, 2) float64>, class_name='tabby')], image=<image RGB 4x3>)"
    )


def test_shows_itself_in_a_notebook() -> None:
    expl = explanation(targets=[TargetExplanation(281, heatmap=np.eye(2), class_name="tabby")])
    html, png = expl._repr_html_(), expl._repr_png_()
    assert html is not None
    assert "tabby" in html
    assert "data:image/png" in html
    assert png is not None
    assert png.startswith(b"\x89PNG")


def test_shows_its_error_in_a_notebook() -> None:
    expl = Explanation("net", error="not supported")
    assert "not supported" in str(expl._repr_html_())
    assert expl._repr_png_() is None


@pytest.mark.parametrize(("module", "name"), [("PIL", "Pillow"), ("matplotlib", "matplotlib")])
def test_leaves_the_notebook_to_repr_without_picture_libraries(
    module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expl = explanation(targets=[TargetExplanation(281, heatmap=np.eye(2))])
    assert missing_picture_libraries() == []
    monkeypatch.setitem(sys.modules, module, None)
    assert missing_picture_libraries() == [name]
    assert expl._repr_html_() is None
    assert expl._repr_png_() is None
