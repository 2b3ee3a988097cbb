"""One row per target, for one explanation or many, with types that stay."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import eli5
from eli5.base import DocWeightedSpans, Explanation, Grade, TargetExplanation
from helpers.explanations import full_explanation
from helpers.texts import of_texts, review, weighted

pd = pytest.importorskip("pandas")


def of_heatmap(heatmap: Any) -> Any:
    """Return the row of a target with this heatmap."""
    expl = Explanation("net", targets=[TargetExplanation(0, heatmap=heatmap)])
    return eli5.format_as_dataframe(expl).iloc[0]


def test_one_row_per_target() -> None:
    expl = full_explanation()
    frame = eli5.format_as_dataframe(expl)
    assert frame["explanation"].tolist() == [0, 0, 0]
    assert frame["estimator"].tolist() == ["my_net"] * 3
    assert frame["method"].tolist() == ["Integrated Gradients"] * 3
    assert frame["layer"].tolist() == ["conv_9"] * 3
    assert frame["error"].isna().all()
    for name in ("target", "class_name", "score", "proba"):
        assert frame[name].tolist() == [getattr(target, name) for target in expl.targets]


def test_what_is_not_known_is_missing() -> None:
    row = eli5.format_as_dataframe(Explanation("net", targets=[TargetExplanation(7)])).iloc[0]
    assert row["target"] == 7
    missing = {"method", "layer", "class_name", "score", "proba", "peak_x", "peak_y", "area"}
    missing |= {"explained", "explained_name", "grade", "verdict"}
    assert {name for name in row.index if pd.isna(row[name])} == missing | {"error"}


def test_a_grade_is_a_number_and_a_word() -> None:
    grades = [Grade(0.75, "supported"), Grade(reason="It is empty."), None]
    targets = [TargetExplanation(k, grade=grade) for k, grade in enumerate(grades)]
    frame = eli5.format_as_dataframe(Explanation("net", targets=targets))
    assert frame["grade"].tolist()[0] == 0.75
    assert frame["grade"].isna().tolist() == [False, True, True]
    assert frame["verdict"].tolist()[:2] == ["supported", "not gradable"]
    assert pd.isna(frame["verdict"][2])


def several() -> list[Any]:
    failed, empty = Explanation("net", error="not supported"), Explanation("net", targets=[])
    return [full_explanation(), [full_explanation(), failed], empty]


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_explanations_are_counted_and_none_gets_lost(kind: Any) -> None:
    frame = eli5.format_as_dataframe(kind(several()))
    assert frame["explanation"].tolist() == [0, 0, 0, 1, 1, 1, 2, 3]
    assert frame["target"].isna().tolist() == [False] * 6 + [True] * 2
    assert frame["error"].isna().tolist() == [True] * 6 + [False, True]
    assert frame["error"][6] == "not supported"
    assert frame.index.tolist() == list(range(8))


NUMPY_NUMBERS: Any = np.int64(3), None, np.float32(0.5), np.float64(1.5)


@pytest.mark.parametrize(
    "expl",
    [
        [],
        full_explanation(),
        several(),
        Explanation("net", targets=[TargetExplanation(*NUMPY_NUMBERS)]),
        Explanation("net", error="not supported"),
    ],
)
def test_types_do_not_depend_on_what_is_missing(expl: Any) -> None:
    dtypes = {name: str(dtype) for name, dtype in eli5.format_as_dataframe(expl).dtypes.items()}
    texts = (
        "estimator",
        "method",
        "layer",
        "class_name",
        "explained_name",
        "sign",
        "verdict",
        "error",
    )
    numbers = ("score", "proba", "explained", "peak_x", "peak_y", "area", "grade")
    assert dtypes == {
        "explanation": "int64",
        "target": "Int64",
        **dict.fromkeys(texts, "string"),
        **dict.fromkeys(numbers, "float64"),
    }


def test_a_target_may_be_a_name() -> None:
    targets = [TargetExplanation("contrast"), TargetExplanation(3)]
    frame = eli5.format_as_dataframe([Explanation("net", targets=targets), Explanation("net")])
    assert frame["target"].dtype == object
    assert frame["target"].tolist()[:2] == ["contrast", 3]
    assert frame["target"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("target", [2**70, -(2**63) - 1, "contrast"])
def test_a_target_of_another_kind_stays_what_it_is(target: Any) -> None:
    frame = eli5.format_as_dataframe(Explanation("net", targets=[TargetExplanation(target)]))
    assert frame["target"].dtype == object
    assert frame["target"][0] == target
    assert type(frame["target"][0]) is type(target)


@pytest.mark.parametrize("target", [2**63 - 1, -(2**63), np.uint8(3)])
def test_a_target_that_fits_is_an_integer(target: Any) -> None:
    frame = eli5.format_as_dataframe(Explanation("net", targets=[TargetExplanation(target)]))
    assert (frame["target"].dtype, int(frame["target"][0])) == ("Int64", int(target))


@pytest.mark.parametrize("score", [10**400, -(10**400), np.nan])
def test_a_score_that_is_no_float_is_missing_and_stops_nothing(score: Any) -> None:
    targets = [TargetExplanation(0, score=score, proba=score), TargetExplanation(1, score=2.5)]
    frame = eli5.format_as_dataframe(Explanation("net", targets=targets))
    assert frame["score"].isna().tolist() == [True, False]
    assert frame["proba"].isna().all()
    assert frame["score"][1] == 2.5


@pytest.mark.parametrize(
    ("shape", "highest", "x", "y"),
    [
        ((3, 4), (0, 0), 1 / 8, 1 / 6),
        ((3, 4), (1, 3), 7 / 8, 1 / 2),
        ((1, 1), (0, 0), 1 / 2, 1 / 2),
        ((2, 3, 4), (1, 2, 0), 9 / 16, 5 / 6),  # in the second slice, which is on the right
    ],
)
def test_where_the_heatmap_is_highest(
    shape: tuple[int, ...], highest: tuple[int, ...], x: float, y: float
) -> None:
    heatmap = np.full(shape, 0.1, np.float32)
    heatmap[highest] = 0.9
    row = of_heatmap(heatmap)
    assert (row["peak_x"], row["peak_y"]) == (pytest.approx(x), pytest.approx(y))
    assert row["area"] == pytest.approx(1 / heatmap.size)


def test_area_counts_what_is_at_least_half_as_high() -> None:
    assert of_heatmap(np.array([[0.8, 0.4, 0.39, 0.0]]))["area"] == 0.5
    assert of_heatmap(np.ones((3, 4)))["area"] == 1


def test_an_empty_heatmap_has_an_area_of_zero_and_no_peak() -> None:
    row = of_heatmap(np.zeros((3, 4), np.float32))
    assert row["area"] == 0
    assert pd.isna(row["peak_x"])
    assert pd.isna(row["peak_y"])


@pytest.mark.parametrize("heatmap", [None, np.zeros(3), np.zeros((0, 3)), np.full((2, 2), np.nan)])
def test_what_is_no_heatmap_has_no_area(heatmap: Any) -> None:
    assert of_heatmap(heatmap)[["peak_x", "peak_y", "area"]].isna().all()


def test_a_table_of_odd_names_can_be_written() -> None:
    targets = [TargetExplanation("a\ud800", class_name="b\udcff👩‍👩‍👧")]
    frame = eli5.format_as_dataframe(Explanation("c\ud800", targets=targets))
    assert "a?,b?👩‍👩‍👧" in frame.to_csv().encode().decode()


@pytest.mark.parametrize("given", [1, None, "net", {"a": 1}, np.zeros(3), [1], ["net"]])
def test_only_explanations_make_a_table(given: Any) -> None:
    with pytest.raises(
        TypeError, match=r"Expected `expl` to be an Explanation, or several of them\. Received"
    ):
        eli5.format_as_dataframe(given)


def test_one_row_per_token() -> None:
    frame = eli5.format_as_dataframe([full_explanation(), review()], rows="tokens")
    assert set(frame["explanation"]) == {1}  # what is no text has no row
    for target, (_, rows) in zip(review().targets, frame.groupby("target"), strict=True):
        spans = target.weighted_spans.docs_weighted_spans[0].spans
        assert rows["position"].tolist() == list(range(len(spans)))
        assert rows["token"].tolist() == [token for token, _, _ in spans]
        assert rows["weight"].tolist() == [weight for _, _, weight in spans]
        places = [place for _, found, _ in spans for place in found]
        known = rows.dropna(subset="start")
        assert list(zip(known["start"], known["end"], strict=True)) == places
        assert rows["token"][rows["start"].isna()].tolist() == ["[CLS]", "[SEP]"]
        assert set(rows["class_name"]) == {target.class_name}
    assert set(frame["method"]) == {"Occlusion"}
    shown = review().targets[0].weighted_spans.docs_weighted_spans[0].document
    named = frame.dropna(subset="start")
    assert all(shown[row.start : row.end] == row.token for row in named.itertuples())


def test_the_texts_of_a_target_are_counted_and_the_first_place_is_given() -> None:
    expl = of_texts(weighted("a", {"a": 1.0}))
    twice = DocWeightedSpans("b b", [("b", [(0, 1), (2, 3)], 0.5)])
    expl.targets[0].weighted_spans.docs_weighted_spans.append(twice)
    expl.targets[0].target = "contrast"
    frame = eli5.format_as_dataframe(expl, rows="tokens")
    assert frame[["text", "position", "token", "start", "end", "weight"]].values.tolist() == [
        [0, 0, "a", 0, 1, 1.0],
        [1, 0, "b", 0, 1, 0.5],
    ]
    assert frame["target"].tolist() == ["contrast"] * 2


def test_types_of_token_rows_do_not_depend_on_what_is_missing() -> None:
    one, other = (
        eli5.format_as_dataframe(expl, rows="tokens") for expl in (review(), full_explanation())
    )
    assert len(other) == 0
    assert one.dtypes.equals(other.dtypes)


def test_unknown_rows_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"Expected `rows` to be one of \('targets', 'tokens'\)\. .*rows='words'"
    ):
        eli5.format_as_dataframe(review(), rows="words")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Expected `rows` to be one of .* Received: rows=None"):
        eli5.format_as_dataframe(review(), rows=None)  # type: ignore[arg-type]


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        ModuleNotFoundError, match=r'pandas .* pip install "eli5-keras\[dataframe\]"'
    ):
        eli5.format_as_dataframe(full_explanation())
