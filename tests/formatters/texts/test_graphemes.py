"""No character, as a reader sees it, is torn apart."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eli5.formatters.texts.weighted_text import grapheme_edges, widen

# Each of these is one character to a reader.
ONE = {
    "a letter": "a",
    "an accent behind its letter": "e\u0301",
    "two accents": "e\u0323\u0302",
    "a vowel sign of Hebrew": "ש\u05b8",
    "a family": "👩‍👩‍👧",
    "a thumb with its skin colour": "👍🏽",
    "a heart as emoji": "❤\ufe0f",
    "a heart that is joined": "❤\ufe0f‍🔥",
    "a flag": "🇩🇪",
    "a flag of tags": "🏴\U000e0067\U000e0062\U000e007f",
    "a cluster of Devanagari": "क्षि",
    "a Korean syllable, letter by letter": "\u1112\u1161\u11ab",
    "a Korean syllable with a letter behind it": "가\u11a8",
    "am of Thai": "กำ",
    "a line break of Windows": "\r\n",
    "a key": "1\ufe0f\u20e3",
}
APART = ["ab", "नक", "🇩🇪🇫🇷", "👩👩", "각가", "\n\u0301", "\n\r", "ab\u0301"]


@pytest.mark.parametrize("text", ONE.values(), ids=list(ONE))
def test_what_is_one_character_stays_whole(text: str) -> None:
    assert tuple(grapheme_edges(text)) == (0, len(text))
    edges = grapheme_edges(f"x {text} y")
    for k in range(len(text)):
        assert widen(2 + k, 3 + k, edges) == (2, 2 + len(text))


@pytest.mark.parametrize("text", APART)
def test_neighbours_are_apart(text: str) -> None:
    assert len(grapheme_edges(text)) == 3


def test_flags_in_a_row_are_counted_from_the_first() -> None:
    assert grapheme_edges("🇩🇪🇫🇷🇯🇵") == (0, 2, 4, 6)


@pytest.mark.parametrize("one", ["🇩🇪", "👩\u200d", "क\u094d", "e\u0301", "\u1112\u1161"])
def test_a_row_of_one_character_takes_no_longer_than_another_text(one: str) -> None:
    started = time.process_time()
    assert len(grapheme_edges(one * 30_000)) > 1
    assert time.process_time() - started < 5  # 0.05 s; where each looks back at all others, 20 s


@given(st.text(st.sampled_from(list("a \n") + [c for one in ONE.values() for c in one])), st.data())
def test_a_span_grows_to_the_nearest_cuts(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    cuts = grapheme_edges(text)
    expected = max(k for k in cuts if k <= start), min(k for k in cuts if k >= end)
    assert widen(start, end, cuts) == expected
