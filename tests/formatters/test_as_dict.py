"""`format_as_dict`: plain values under documented keys, whatever an explanation holds."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import eli5
from eli5.base import Explanation


def test_dict(expl: Explanation) -> None:
    assert expl.targets is not None
    expl.targets[0].heatmap = np.array([[0, 0.5], [1, np.nan]], np.float32)
    expl.targets[1].heatmap = None
    result = eli5.format_as_dict(expl)
    assert result == {
        "version": 5,
        "estimator": "my_net",
        "description": "What raised the score.\nBefore softmax.",
        "method": "Grad-CAM",
        "is_regression": False,
        "targets": [
            {
                "target": 281,
                "proba": 0.88124,
                "score": 12.34567,
                "heatmap": [[0.0, 0.5], [1.0, None]],
                "class_name": "tabby cat",
                "sign": "positive",
            },
            {"target": 3, "proba": 0.01, "score": -1.5, "sign": "positive"},
        ],
        "image": {"mode": "RGB", "width": 30, "height": 20},
        "layer": "conv_9",
    }
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@dataclass
class Weights:
    bias: float
    terms: Any = None


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (False, False),
        (math.inf, None),
        (np.float64("nan"), None),
        (np.longdouble(2), 2.0),
        (np.longdouble("nan"), None),
        (np.array(2.5), 2.5),
        (np.array([1, 2]), [1, 2]),
        (np.array([True]), [True]),
        (np.array([1.5], np.longdouble), [1.5]),
        (np.array(["2026-03-01", "NaT"], "M8[D]"), ["2026-03-01", None]),
        (np.array(["2026-03-01"], "M8[ns]"), ["2026-03-01T00:00:00.000000000"]),
        (np.array(["NaT"], "M8"), [None]),
        (np.array([None, {"a": np.nan}]), [None, {"a": None}]),
        ((1, "a", [None, -math.inf]), [1, "a", [None, None]]),
        ({1: {2.5: math.nan}, None: "b"}, {"1": {"2.5": None}, "None": "b"}),
        (frozenset([7]), [7]),
        (Weights(math.nan, (np.float32(1),)), {"bias": None, "terms": [1.0]}),
        (Weights(1.0), {"bias": 1.0}),
        (1j, "1j"),
        (b"x", "b'x'"),
        (Weights, str(Weights)),
        (np.datetime64("2020-01-02"), "2020-01-02"),
        ("a\ud800", "a\ud800"),
        ([10**600, -(2**20_000)], [10**600, "-0x1" + "0" * 5_000]),
    ],
)
def test_dict_of_any_value_is_json(value: Any, plain: Any) -> None:
    result = eli5.format_as_dict(Explanation("net", decision_tree=value))["decision_tree"]
    assert result == plain
    assert type(result) is type(plain)
    json.dumps(result, allow_nan=False)


def test_dict_of_what_holds_itself_is_json() -> None:
    endless: list[Any] = [1]
    endless.append({"again": endless})
    result = eli5.format_as_dict(Explanation("net", decision_tree=endless))
    assert result["decision_tree"][:1] == [1]
    json.dumps(result, allow_nan=False)


def test_dict_of_what_holds_itself_often_is_made_at_once() -> None:
    endless: list[Any] = []
    endless += [[endless] * 3, {"a": endless}, endless]
    result = eli5.format_as_dict(Explanation("net", decision_tree=endless))["decision_tree"]
    assert [len(one) for one in result[0]] == [len(result[2])] * 3
    json.dumps(result, allow_nan=False)


def test_dict_of_one_value_in_two_places_has_it_twice() -> None:
    shared = [1.0]
    result = eli5.format_as_dict(Explanation("net", decision_tree=[shared, {"a": shared}]))
    assert result["decision_tree"] == [[1.0], {"a": [1.0]}]


def test_dict_of_an_array_of_many_axes_is_whole() -> None:
    array = np.arange(2.0).reshape((1,) * 40 + (2,))
    result = eli5.format_as_dict(Explanation("net", decision_tree=array))["decision_tree"]
    assert np.array_equal(result, array)
