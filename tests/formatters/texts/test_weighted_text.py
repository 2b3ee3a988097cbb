"""How a text is cut into parts of one weight."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from eli5.base import DocWeightedSpans, Explanation, TargetExplanation, WeightedSpans
from eli5.formatters.html import format_as_html
from eli5.formatters.labels import signed_number
from eli5.formatters.texts.weighted_text import (
    Token,
    grapheme_edges,
    heaviest,
    largest_weight,
    parts_of,
    texts_of,
    token_name,
    tokens_of,
    widen,
)
from helpers.explanations import weighted_texts
from helpers.texts import REVIEW, of_texts, review, weighted


def parts(text: DocWeightedSpans) -> list[tuple[str, float]]:
    return [(part.text, part.weight) for part in parts_of(text, tokens_of(text))]


@given(weighted_texts())
def test_parts_are_the_text_with_the_weights_of_a_slow_twin(text: DocWeightedSpans) -> None:
    tokens, edges = tokens_of(text), grapheme_edges(text.document)
    expected = np.zeros(len(text.document))
    for token in tokens:
        covered = np.zeros(len(expected), bool)  # a token weighs once, however often it is there
        for place in token.offsets:
            covered[slice(*widen(*place, edges))] = True
        expected += np.where(covered, token.weight, 0)
    found = np.zeros(len(text.document))
    reached = 0
    for part in parts_of(text, tokens):
        assert part.start == reached
        assert part.start in edges
        assert part.text
        reached += len(part.text)
        found[part.start : reached] = part.weight
    assert reached == len(text.document)
    np.testing.assert_allclose(
        found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max(initial=1)
    )


def test_neighbours_without_weight_make_one_part() -> None:
    assert parts(weighted(REVIEW, {"great": 1.0})) == [
        ("This was not boring:\n\ta ", 0.0),
        ("great", 1.0),
        (" cast.", 0.0),
    ]


def test_pieces_of_one_emoji_are_added() -> None:
    text = DocWeightedSpans(
        "I 👩‍👧!", [("a", [(2, 3)], 0.5), ("b", [(3, 5)], -0.125), ("!", [(5, 6)], 1)]
    )
    assert parts(text) == [("I ", 0.0), ("👩‍👧", 0.375), ("!", 1.0)]


def test_places_are_cut_off_at_the_text() -> None:
    places = [(-3, 1), (2, 99), (1, 1), (2, 1), (50, 60), (-5, -2)]
    (token,) = tokens_of(DocWeightedSpans("abc", [("x", places, 1.0)]))
    assert token.offsets == [(0, 1), (2, 3)]


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_not_finite_counts_as_nothing(weight: float) -> None:
    text = DocWeightedSpans("ab", [("a", [(0, 1)], weight), ("b", [(1, 2)], -0.5)])
    assert parts(text) == [("a", 0.0), ("b", -0.5)]
    assert largest_weight(of_texts(text)) == 0.5


def test_what_is_too_large_to_be_added_is_as_large_as_can_be() -> None:
    spans = [("a", [(0, 1)], 1.5e308), ("b", [(0, 1)], 1.5e308), ("c", [(1, 2)], -1e308)]
    expl = of_texts(DocWeightedSpans("ab", spans))
    assert largest_weight(expl) == sys.float_info.max
    assert '--w:0.56" title="c -1.000e+308"' in format_as_html(expl)


def test_the_largest_weight_is_that_of_all_targets_and_of_what_is_not_in_the_text() -> None:
    assert largest_weight(review()) == 1.0
    expl = of_texts(weighted("a b", {"a": 0.5}), DocWeightedSpans("c", [("[CLS]", [], -2.0)]))
    assert largest_weight(expl) == 2.0
    assert largest_weight(Explanation("net")) == 0.0


@pytest.mark.parametrize(
    "span", [("a",), ("a", [(0, 1)], "heavy"), ("a", [(0,)], 1.0), ("a", [0, 1], 1.0), None, 7]
)
def test_what_is_no_span_is_named(span: Any) -> None:
    with pytest.raises(TypeError, match=r"each span of a DocWeightedSpans to be \(token, .*Receiv"):
        tokens_of(DocWeightedSpans("a", [span]))


@pytest.mark.parametrize("value", [None, 1, "text", [DocWeightedSpans("a", [])]])
def test_what_holds_no_texts_has_none(value: Any) -> None:
    assert texts_of(TargetExplanation(0, weighted_spans=value)) == []
    assert texts_of(TargetExplanation(0, weighted_spans=WeightedSpans([]))) == []


def test_heaviest_first() -> None:
    tokens = [Token(name, [], w) for name, w in zip("abcd", (0.5, -1.0, 0.0, 0.5), strict=True)]
    assert [token.name for token in heaviest(tokens, 9)] == ["b", "a", "d"]
    assert [token.name for token in heaviest(tokens, 1)] == ["b"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("##ing", "##ing"),
        ("▁the", "▁the"),
        ("Ġthe", "Ġthe"),
        (" the", "the"),
        ("    ", "␣␣␣␣"),
        ("\r\n\t", "⏎⏎⇥"),
        ("\u200d", "U+200D"),
        ("\u0301", "U+0301"),
        ("", "(empty)"),
        ("a\x1b[31m\nb", "a\ufffd[31m b"),
    ],
)
def test_every_token_can_be_seen(name: str, shown: str) -> None:
    assert token_name(Token(name, [], 1.0)) == shown


@pytest.mark.parametrize(("weight", "shown"), [(0.12, "+0.1200"), (-3, "-3.000"), (0, "+0.000")])
def test_numbers_have_their_sign(weight: float, shown: str) -> None:
    assert signed_number(weight) == shown
