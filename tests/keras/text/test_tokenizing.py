"""Texts for models with a TextVectorization: their ids, and the places of their words."""

from __future__ import annotations

import re
import string
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eli5.keras.text.tokenize import is_string, tokenize
from helpers.raw_texts import as_the_tutorials_do, on_strings, random_text, shown
from helpers.string_models import VOCABULARY, behind, sequential, vectorizer

pytest.importorskip("tensorflow", reason="TextVectorization needs it")


PAD: list[str] = []


@pytest.mark.parametrize(
    ("options", "text", "tokens", "places"),
    [
        (
            {},
            "Good,  movie: I DON'T!",
            ["good", "movie", "[UNK]", "dont", "", ""],
            [["Good"], ["movie"], ["I"], ["DON'T"], PAD, PAD],
        ),
        (
            {},
            "not good 'not' a good good movie",
            ["not", "good", "not", "[UNK]", "good", "good"],
            [["not"], ["good"], ["not"], ["a"], ["good"], ["good"]],
        ),
        (
            {"output_sequence_length": None},
            "İstanbul Straße e\u0301 中国 😀👍🏽",
            ["İstanbul", "straße", "[UNK]", "中国", "[UNK]"],
            [["İstanbul"], ["Straße"], ["e\u0301"], ["中国"], ["😀👍🏽"]],
        ),
        (
            {"standardize": None, "output_sequence_length": None},
            "good Good good,",
            ["good", "[UNK]", "[UNK]"],
            [["good"], ["Good"], ["good,"]],
        ),
        (
            {"standardize": "lower", "output_sequence_length": None},
            "Good, MOVIE - ",
            ["[UNK]", "movie", "[UNK]"],
            [["Good,"], ["MOVIE"], ["-"]],
        ),
        (
            {"standardize": "strip_punctuation", "output_sequence_length": None},
            "g.o.o.d Good - (bad)",
            ["good", "[UNK]", "bad"],
            [["g.o.o.d"], ["Good"], ["bad"]],
        ),
        (
            {"split": "character", "vocabulary": ["n", "o", " "]},
            "N-O e\u0301ß",
            ["n", "o", " ", "[UNK]", "[UNK]", "[UNK]"],
            [["N"], ["O"], [" "], ["e"], ["\u0301"], ["ß"]],
        ),
        (
            {"split": None, "vocabulary": ["not good"]},
            " Not good.",
            ["[UNK]", *[""] * 5],
            [[" Not good"], PAD, PAD, PAD, PAD, PAD],
        ),
        ({}, "", [""] * 6, [PAD] * 6),
        ({}, "?! ...", [""] * 6, [PAD] * 6),
        ({"split": None}, "!", [""] * 6, [PAD] * 6),
    ],
)
def test_words_lie_where_the_layer_finds_them(
    options: dict[str, Any], text: str, tokens: list[str], places: list[list[str]]
) -> None:
    model = sequential(**options)
    found = tokenize(model, text)
    assert (found.tokens, shown(found), found.text) == (tokens, places, text)
    assert found.is_original
    assert found.input is None
    own = keras.ops.convert_to_numpy(model.layers[0](np.array([[text]])))
    np.testing.assert_array_equal(found.doc, own)
    np.testing.assert_array_equal(found.is_padding, [token == "" for token in tokens])


def places_by_hand(text: str) -> list[tuple[int, int]]:
    """Return what lies between ASCII blanks, without the ASCII punctuation around it."""
    parts = re.finditer(r"[^ \t\n\r\f\v]+", text)
    bare = [
        (match.start(), match.group(), match.group().strip(string.punctuation)) for match in parts
    ]
    return [
        (start + part.index(word), start + part.index(word) + len(word))
        for start, part, word in bare
        if word
    ]


@pytest.mark.parametrize("own", [False, True])
def test_places_of_random_texts_are_those_by_hand(own: bool) -> None:
    options = {"standardize": on_strings(as_the_tutorials_do)} if own else {}
    model = sequential(output_sequence_length=None, **options)
    for seed in range(25):
        text = random_text(seed)
        assert tokenize(model, text).offsets == [[place] for place in places_by_hand(text)], text


def test_a_long_text_is_cut_off_as_the_layer_cuts_it() -> None:
    text = " ".join(f"word{k % 97}," for k in range(3000))
    found = tokenize(sequential(output_sequence_length=2000), text)
    assert [word for [word] in shown(found)] == [f"word{k % 97}" for k in range(2000)]
    assert found.offsets[-1][0][1] < len(text) // 3 * 2 + 10


def test_functions_of_ones_own_are_followed() -> None:
    model = sequential(standardize=on_strings(as_the_tutorials_do))
    found = tokenize(model, "Was <br />GOOD.<br /><br />The <b>movie</b>, not")
    assert found.tokens == ["[UNK]", "good", "[UNK]", "[UNK]", "not", ""]
    assert shown(found) == [["Was"], ["GOOD"], ["The"], ["b>movie</b"], ["not"], PAD]


def test_a_function_may_drop_all_words() -> None:
    found = tokenize(sequential(standardize=on_strings(lambda text: "")), "good bad")
    assert found.tokens == [""] * 6
    assert shown(found) == [PAD] * 6
    assert found.is_padding.all()


@pytest.mark.parametrize("text", ["Wait … what…", "good\u00a0 bad\u00a0,", "中，国 ½ ´"])
def test_characters_that_unicode_takes_apart_stay_in_their_words(text: str) -> None:
    model = sequential(output_sequence_length=None)
    assert shown(tokenize(model, text)) == [[word.strip(",")] for word in text.split(" ")]
    characters = sequential(output_sequence_length=None, split="character")
    assert shown(tokenize(characters, text)) == [[one] for one in text if one != ","]


def test_tags_that_a_function_drops_hold_no_words() -> None:
    model = sequential(standardize=on_strings(lambda text: re.sub("<[^>]*>", " ", text)))
    found = tokenize(model, "br <a href=good>good</a><br />movie <b>br</b>")
    assert shown(found)[:4] == [["br"], ["good"], ["movie"], ["br"]]
    start = found.text.index(">good") + 1
    assert found.offsets[1] == [(start, start + 4)]


def backwards(text: str) -> str:
    return " ".join(word[::-1] for word in text.lower().split(" "))


@pytest.mark.parametrize(
    ("change", "place"),
    [(backwards, "stuff,"), (lambda text: backwards(text.replace(",", "")), "stuff")],
)
def test_words_that_change_lie_where_they_came_from(change: Any, place: str) -> None:
    model = sequential(standardize=on_strings(change), vocabulary=["doog", "eivom"])
    found = tokenize(model, "Good stuff, MOVIE")
    assert found.tokens[:3] == ["doog", "[UNK]", "eivom"]
    assert shown(found)[:3] == [["Good"], [place], ["MOVIE"]]


def by_dashes(text: Any) -> Any:
    import tensorflow as tf

    return tf.strings.split(text, "-")


def test_a_split_of_ones_own_may_give_empty_words() -> None:
    model = sequential(split=by_dashes, standardize=None)
    found = tokenize(model, "good--bad-")
    assert found.tokens == ["good", "", "bad", "", "", ""]
    assert shown(found)[:3] == [["good"], [], ["bad"]]
    assert found.is_padding.tolist() == [False, True, False, True, True, True]


def reverse_all(text: str) -> str:
    return text[::-1]


class Backwards(layers.TextVectorization):  # type: ignore[misc]
    """Gives ids in another order than its rules say."""

    def call(self, inputs: Any) -> Any:
        return keras.ops.flip(super().call(inputs), axis=-1)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: vectorizer(standardize=on_strings(reverse_all)),
        lambda: Backwards(vocabulary=VOCABULARY),
        lambda: vectorizer(ngrams=2),
    ],
)
def test_places_that_cannot_be_proven_are_not_shown(layer: Any) -> None:
    model = keras.Sequential([keras.Input((1,), dtype="string"), layer(), *behind()])
    with pytest.raises(ValueError, match=r"whose tokens can be found.*Give the token ids as `doc`"):
        tokenize(model, "good bad movie")


@pytest.mark.parametrize(
    ("doc", "is_one"),
    [
        ("a text", True),
        (b"bytes", True),
        (np.array(["a text"]), True),
        (np.array([["a text"]]), True),
        (np.array("a text"), True),
        (np.array([b"bytes"]), True),
        (np.array(["a text"], dtype=object), True),
        (np.array(["two", "texts"]), False),
        (np.array([[["a text"]]]), False),
        (np.array([1.0]), False),
        (np.array([None]), False),
        (np.zeros((1, 3), int), False),
        (["a text"], False),
        (None, False),
    ],
)
def test_what_a_text_is(doc: Any, is_one: bool) -> None:
    if is_one:
        assert is_string(doc)
        assert tokenize(sequential(), doc).text in ("a text", "bytes")
    else:
        with pytest.raises(TypeError, match="Expected `doc` to be one text: a string"):
            tokenize(sequential(), doc)


@pytest.mark.parametrize(
    ("doc", "is_text"),
    [
        ("a text", True),
        (b"bytes", True),
        (np.array(["two", "texts"]), True),
        (np.array(["a text"], dtype=object), True),
        (np.full((1, 3), None), False),
        (np.zeros((1, 3)), False),
        (["a text"], False),
    ],
)
def test_what_a_string_is(doc: Any, is_text: bool) -> None:
    assert is_string(doc) is is_text


@pytest.mark.parametrize(
    "doc", ["中国 good", "中国 good".encode(), np.array([["中国 good".encode()]], dtype=object)]
)
def test_each_form_of_a_text_is_read_alike(doc: Any) -> None:
    found = tokenize(sequential(), doc)
    assert (found.text, found.tokens[:2]) == ("中国 good", ["中国", "good"])


@pytest.mark.parametrize("doc", [b"\xff", "\ud800"])
def test_what_utf8_cannot_write_is_refused(doc: Any) -> None:
    with pytest.raises(ValueError, match=r"a text that UTF-8 can write. Received: doc="):
        tokenize(sequential(), doc)


def test_padding_stands_for_what_was_left_out() -> None:
    assert tokenize(sequential(), "good").mask_id == 0
