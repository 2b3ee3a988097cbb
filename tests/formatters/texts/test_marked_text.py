"""Texts in a terminal: strong words in brackets, and a table of the heaviest tokens."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings

import eli5
from eli5.base import DocWeightedSpans, WeightedSpans
from eli5.formatters.labels import printable_part
from eli5.formatters.text import marked_texts
from helpers.explanations import weighted_texts
from helpers.texts import of_texts, review, weighted


def block(text: DocWeightedSpans, *, ansi: bool = False) -> str:
    """Return the text with its marks."""
    _, _, *rest = eli5.format_as_text(of_texts(text), ansi=ansi).split("\n\n")
    assert rest[0] == "What speaks for positive (0):"
    return "\n\n".join(rest[1:]).partition("\n\nToken")[0]


def test_all_of_it() -> None:
    assert (
        eli5.format_as_text(review())
        == """\
Model   net
Method  Occlusion
Layer   embedding

Class         Score  Probability
positive (0)  2.500       0.5000
negative (1)  1.500       0.5000

What speaks for positive (0):

This was [not +0.2500] [boring -0.5000]:
\ta [great +1.000] cast.

Token      Weight  Place
great      +1.000  24-29
boring    -0.5000  13-19
not       +0.2500  9-12
[CLS]     +0.1250  not in the text
cast    +0.001000  30-34

What speaks for negative (1):

This was [not -0.2500] [boring +0.5000]:
\ta [great -1.000] cast.

Token      Weight  Place
great      -1.000  24-29
boring    +0.5000  13-19
not       -0.2500  9-12
[CLS]     -0.1250  not in the text
cast    -0.001000  30-34"""
    )


def test_only_strong_words_are_marked() -> None:
    text = weighted("a b c d", {"a": 1.0, "b": 0.25, "c": 0.24, "d": -0.25})
    assert block(text) == "[a +1.000] [b +0.2500] c [d -0.2500]"
    assert block(weighted("a b", {})) == "a b"


def test_colours_only_where_they_are_asked_for() -> None:
    text = weighted("a\x1b b", {"a": 1.0, "b": -0.5})
    assert block(text, ansi=True) == (
        "\x1b[1;31m[a +1.000]\x1b[0m\ufffd \x1b[4;94m[b -0.5000]\x1b[0m"  #
    )
    assert "\x1b" not in block(text)
    assert re.sub(r"\x1b\[[\d;]+m", "", block(text, ansi=True)) == block(text)


def test_no_name_turns_the_row_of_a_terminal_around() -> None:
    turning = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
    hebrew = "\u200fשלום\u200e عالم\u061c"  # from right to left by itself
    spans: list[Any] = [(f"{c}live", [], 1.0 + k) for k, c in enumerate(turning)]
    expl = of_texts(DocWeightedSpans(f"{''.join(turning)} {hebrew}", spans, vec_name="\u202ea"))
    expl.estimator = expl.layer = expl.error = expl.description = f"\u202eevil\u202c {hebrew}"
    expl.targets[0].class_name = "\u2067class\u2069"
    for ansi in (False, True):
        shown = eli5.format_as_text(expl, ansi=ansi)
        assert not set(turning) & set(shown)
        assert shown.count(hebrew) == 5
        assert shown.count(f"\ufffdevil\ufffd {hebrew}") == 4
        assert shown.count("\ufffdclass\ufffd (0)") == 2
        assert "\ufffda: " + 9 * "\ufffd" + f" {hebrew}" in shown
        assert shown.count("\ufffdlive") == 9


def test_space_of_a_token_is_outside_of_its_brackets() -> None:
    spans = [("Ġgood", [(1, 6)], 1.0), ("\n", [(6, 7)], -1.0), ("  ", [(8, 10)], 0.5)]
    assert block(DocWeightedSpans("A good\nx  y", spans)) == (
        "A [good +1.000][⏎ -1.000]\nx[␣␣ +0.5000]  y"  #
    )


def test_what_is_far_from_every_mark_is_left_out() -> None:
    many = " ".join(f"w{k}" for k in range(500))
    shown = block(weighted(many, {"w100": 1.0, "w400": -1.0}))
    assert shown.split().count("[...]") == 3
    assert shown.startswith("[...] w")
    assert re.search(r" w99 \[w100 \+1\.000\] w101 .* \[\.\.\.\] w\d+ .* w399 \[w400", shown)
    assert shown.endswith("w414 w415 [...]")
    assert all(re.fullmatch(r"\[\.\.\.\]|\[w\d+|[+-]1\.000\]|w\d+", word) for word in shown.split())
    assert len(shown) < 450
    nothing = block(weighted(many, {}))
    assert nothing.startswith("w0 w1 ")
    assert nothing.endswith(" [...]")
    assert len(nothing) < 320


def test_a_text_of_many_strong_words_has_thirty_marks() -> None:
    weights = {f"w{k}": 1 + k / 1000 for k in range(200)}
    text = weighted(" ".join(weights), weights)
    shown = block(text)
    assert re.findall(r"\[w(\d+) ", shown) == [str(k) for k in range(170, 200)]
    table = eli5.format_as_text(of_texts(text)).partition("\nToken")[2].splitlines()[1:]
    assert [row.split()[0] for row in table] == [f"w{k}" for k in range(199, 189, -1)]


def test_of_equally_strong_words_the_first_are_marked() -> None:
    shown = block(weighted("a " * 100, {"a": -1.0}))
    assert shown.count("[a -1.000]") == 30
    assert shown.startswith(" ".join(["[a -1.000]"] * 30 + ["a"] * 2))


def test_several_texts_have_their_names() -> None:
    expl = of_texts(weighted("a", {"a": 1.0}))
    texts = [weighted("a", {"a": 1.0}, "title"), weighted("b", {"b": -1.0}, "bo\ndy")]
    expl.targets[0].weighted_spans = WeightedSpans(texts)
    shown = eli5.format_as_text(expl)
    assert "\n\ntitle: [a +1.000]\n\n" in shown
    assert "\n\nbo dy: [b -1.000]\n\n" in shown


def unmarked(mark: re.Match[str]) -> str:
    """Return the word of a mark; white space stands behind signs for it."""
    is_blank = re.fullmatch(r"[⏎⇥␣]+|(U\+[0-9A-F]{4})+", mark[1])
    return "" if is_blank else mark[1]


@settings(deadline=None)
@given(weighted_texts())
def test_without_its_marks_a_short_text_is_the_text(text: DocWeightedSpans) -> None:
    document, text.vec_name = printable_part(text.document).rstrip(), None
    assume(document)
    expl = of_texts(text)
    shown = marked_texts(expl, expl.targets[0], ansi=True)[0]
    mark = r"\x1b\[(?:1;31|4;94)m\[(.*?) [+-][^ ]+\]\x1b\[0m"
    assert re.sub(mark, unmarked, shown, flags=re.DOTALL) == document


@pytest.mark.parametrize("n_tokens", [0, 1])
def test_texts_without_tokens_have_no_table(n_tokens: int) -> None:
    text = DocWeightedSpans("abc", [("abc", [(0, 3)], np.nan)][:n_tokens])
    shown = eli5.format_as_text(of_texts(text))
    assert shown.endswith("What speaks for positive (0):\n\nabc")
