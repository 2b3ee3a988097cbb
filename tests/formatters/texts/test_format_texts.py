"""Texts as HTML: coloured words, tooltips, tabs, and nothing that a browser could stumble over."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from eli5.base import DocWeightedSpans, Explanation, TargetExplanation, WeightedSpans
from eli5.formatters.html import format_as_html, format_as_page
from helpers.strict_html import HOSTILE, Page
from helpers.texts import REVIEW, negated, of_texts, review, weighted

MARK = re.compile(r'<([bi]) style="--w:([\d.]+)" title="([^"]*)">([^<]*)</\1>')


def words(html: str, place: int = 0) -> str:
    """Return the inside of the element that holds a text."""
    return re.findall(r'<div class="eli5-words" dir="auto">(.*?)</div>', html, re.DOTALL)[place]


def marks(html: str, place: int = 0) -> list[tuple[str, ...]]:
    return MARK.findall(words(html, place))


def test_words_are_coloured_by_their_weights() -> None:
    html = format_as_html(review())
    assert Page(html).is_harmless()
    assert words(html) == (
        'This was <b style="--w:0.25" title="not +0.2500">not</b> '
        '<i style="--w:0.5" title="boring -0.5000">boring</i>:\n\t'
        'a <b style="--w:1" title="great +1.000">great</b> cast.'  # too light to be seen
    )
    assert [(tag, word) for tag, _, _, word in marks(html, 1)] == [
        ("i", "not"),
        ("b", "boring"),
        ("i", "great"),
    ]


def test_the_scale_is_that_of_the_whole_explanation() -> None:
    html = format_as_html(of_texts(weighted("a b", {"a": 4.0}), weighted("a b", {"a": -1.0})))
    assert [marks(html, k)[0][:2] for k in (0, 1)] == [("b", "1"), ("i", "0.25")]
    assert "strongest: 4.000" in Page(html).text


def test_several_targets_are_tabs() -> None:
    page = Page(format_as_html(review()))
    radios = [found for found in page.attributes_of("input") if found["type"] == "radio"]
    assert [("checked" in found, found["aria-label"]) for found in radios] == [
        (True, "positive (0), score 2.500, probability 0.5000"),
        (False, "negative (1), score 1.500, probability 0.5000"),
    ]
    # The style sheet shows the text behind the row of the checked button.
    html = format_as_html(review())
    assert len(re.findall(r"</label>\n<div class=\"eli5-text\">", html)) == 2
    one = Page(format_as_html(of_texts(weighted(REVIEW, {"great": 1.0}))))
    assert one.attributes_of("input") == []
    assert len(one.attributes_of("div", "eli5-text")) == 1


def test_what_is_not_in_the_text_is_listed() -> None:
    page = Page(format_as_html(review()))
    assert "Not in the text: [CLS]\xa0+0.1250\n" in page.text
    assert "[SEP]" not in page.text  # it weighs nothing
    many = DocWeightedSpans("", [(f"[{k}]", [], k / 10) for k in range(30)])
    assert "[10]\xa0+1.000, and 9 more" in Page(format_as_html(of_texts(many))).text


def test_the_strongest_words_are_listed_once() -> None:
    text = weighted("a b a c d e", {"a": -1, "b": 0.5, "c": 0.25, "d": 0.2, "e": 0.1})
    text.spans[0] = ("a", [(0, 1)], -0.75)
    shown = Page(format_as_html(of_texts(text))).text
    assert (
        "Strongest: a\xa0-1.000, b\xa0+0.5000, c\xa0+0.2500, d\xa0+0.2000, e\xa0+0.1000\n" in shown
    )


def test_nothing_has_a_weight() -> None:
    for text in (weighted(REVIEW, {}), weighted(REVIEW, {"great": np.nan}), weighted("", {})):
        html = format_as_html(of_texts(text))
        assert words(html) == text.document
        assert "No word has a weight" in Page(html).text
    empty = Explanation("net", targets=[TargetExplanation(0, weighted_spans=WeightedSpans([]))])
    assert "eli5-text" not in format_as_html(empty)
    expl = review()
    expl.targets[1].weighted_spans = None
    assert "No text" in Page(format_as_html(expl)).text


def test_the_legend_names_against_only_where_something_is() -> None:
    text = weighted(REVIEW, {"great": 1.0})
    legend = r'<span class="eli5-legend">.*?</p>|<span class="eli5-legend">.*'
    assert "against" not in re.findall(legend, format_as_html(of_texts(text)))[0]
    assert "against" in re.findall(legend, format_as_html(of_texts(negated(text))))[0]


def test_the_tooltip_names_the_token_as_the_model_sees_it() -> None:
    spans = [("Un", 0, 2), ("##believ", 2, 8), ("▁the", 8, 12), ("Ġ", 12, 13), ("\t", 13, 14)]
    text = DocWeightedSpans("Unbeliev the \t!", [(t, [(a, b)], 1.0) for t, a, b in spans])
    found = [(title, word) for _, _, title, word in marks(format_as_html(of_texts(text)))]
    assert found == [
        ("Un +1.000", "Un"),
        ("##believ +1.000", "believ"),
        ("▁the +1.000", " the"),
        ("Ġ +1.000", " "),
        ("⇥ +1.000", "\t"),
    ]


def test_one_emoji_of_many_tokens_has_one_mark() -> None:
    spans = [(f"byte{k}", [(2, 3)], 0.25) for k in range(6)]
    html = format_as_html(of_texts(DocWeightedSpans("I 👩‍👩‍👧 it", spans)))
    tooltip = "byte0 +0.2500, byte1 +0.2500, byte2 +0.2500, byte3 +0.2500, 2 more"
    assert marks(html) == [("b", "1", tooltip, "👩‍👩‍👧")]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_escapes_everything(hostile: str) -> None:
    spans = [(hostile, [(0, len(hostile) // 2)], 1.0), (hostile, [], -1.0)]
    text = DocWeightedSpans(hostile, spans, vec_name=hostile)
    expl = of_texts(text)
    for n_cards, html in enumerate((format_as_html(expl), format_as_page([expl, expl])), start=1):
        page = Page(html)
        assert page.is_harmless()
        # The name of the text, the text, the strongest words, and what is not in the text.
        assert page.text.count(hostile) == 4 * n_cards
        titles = [str(found["title"]) for _, found in page.tags if "title" in found]
        assert titles
        assert all(title.startswith(hostile) for title in titles)


def test_has_no_character_that_html_forbids() -> None:
    text = DocWeightedSpans("a\x00\x1b\ud800\r\nb\r", [("\x00\ud800", [(1, 4)], 1.0)])
    html = format_as_html(of_texts(text))
    assert (
        words(html) == 'a<b style="--w:1" title="\ufffd\ufffd +1.000">\ufffd\ufffd\ufffd</b>\nb\n'
    )
    html.encode("utf-8")


def test_several_texts_of_one_target_have_their_names() -> None:
    expl = of_texts(weighted("a", {"a": 1.0}))
    texts = [weighted("a", {"a": 1.0}, "title"), weighted("b", {"b": 0.5}, "<body>")]
    expl.targets[0].weighted_spans = WeightedSpans(texts)
    page = Page(format_as_html(expl))
    assert page.text.index("title") < page.text.index("<body>")
    assert [marks(format_as_html(expl), k)[0][1] for k in (0, 1)] == ["1", "0.5"]


def test_a_gallery_has_one_legend_and_one_style() -> None:
    page = Page(format_as_page([review(), of_texts(weighted("a", {"a": 1.0}))]))
    assert len(page.attributes_of("span", "eli5-legend")) == 1
    assert len(page.attributes_of("style")) == 1
    assert len(page.attributes_of("form", "eli5-read")) == 2
    assert "2 explanations" in page.text
    assert [found for found in page.attributes_of("input") if found["type"] == "range"] == []


def test_styles_of_texts_are_scoped_and_there_for_texts_only() -> None:
    plain = Explanation("net", targets=[TargetExplanation(0)])
    assert "eli5-words" not in format_as_html(plain)
    styles = format_as_html(review()).partition("</style>")[0].removeprefix("<style>\n")
    rules = re.findall(r"(?:^|[{}])\s*([^{}@]+?)\s*\{", styles)
    selectors = [one.strip() for rule in rules for one in rule.split(",\n")]
    assert all(one.startswith((".eli5-explanation", ".eli5-live .eli5-")) for one in selectors)
    assert "url(" not in styles


def long_text(n_tokens: int, share: float) -> Explanation:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 9, n_tokens)
    ends = np.cumsum(lengths + 1) - 1
    weights = rng.normal(size=n_tokens) * (rng.random(n_tokens) < share)
    names = ["".join(rng.choice(list("abcdefgh"), size)) for size in lengths]
    spans: Any = [
        (name, [(int(end) - len(name), int(end))], float(weight))
        for name, end, weight in zip(names, ends, weights, strict=True)
    ]
    return of_texts(DocWeightedSpans(" ".join(names), spans))


@pytest.mark.parametrize(("share", "most"), [(1.0, 60), (0.1, 15), (0.0, 7)])
def test_a_long_text_stays_small_and_quick(share: float, most: float) -> None:
    expl = long_text(10_000, share)
    started = time.process_time()
    html = format_as_html(expl, include_styles=False)
    assert time.process_time() - started < 2  # 0.4 s
    assert len(html.encode()) < most * 10_000 + 2000
    assert len(marks(html)) <= share * 11_000


@pytest.mark.parametrize("missing", ["PIL", "matplotlib"])
def test_texts_need_no_picture_library(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.path.insert(0, 'tests')\n"
        "import eli5\n"
        "from helpers.texts import review\n"
        "from eli5.formatters.html import format_as_page\n"
        "expl = review()\n"
        "assert 'great' in format_as_page([expl, expl])\n"
        "bundle = expl._repr_mimebundle_()\n"
        "assert list(bundle) == ['text/html', 'text/plain'], list(bundle)\n"
        "assert bundle['text/html'] == expl._repr_html_() == eli5.format_as_html(expl)\n"
        "print(*{'PIL', 'matplotlib', 'keras'} & {k for k, v in sys.modules.items() if v})"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr
