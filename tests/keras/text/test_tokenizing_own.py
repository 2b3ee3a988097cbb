"""Texts for models with a preprocessor of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from eli5.keras.text.tokenize import tokenize
from helpers.raw_texts import shown, task


class Words:
    """A tokenizer of one's own: cuts at blanks; can have words changed."""

    pad_token_id = 0
    start_token_id = 1

    def __init__(self, change: Callable[[str], str] = str) -> None:
        self.names = ["[PAD]", "[GO]"]
        self.change = change

    def __call__(self, text: str) -> list[int]:
        words = [self.change(word) for word in text.split()]
        self.names += [word for word in words if word not in self.names]
        return [self.names.index(word) for word in words]

    def id_to_token(self, number: int) -> str:
        return self.names[number]


class Preprocessor:
    """A preprocessor of one's own: puts a start in front, and pads or cuts off."""

    def __init__(self, tokenizer: Any, length: int = 6, form: Callable[[Any], Any] = np.array):
        self.tokenizer, self.length, self.form = tokenizer, length, form

    def __call__(self, texts: list[str]) -> Any:
        rows = [[1, *self.tokenizer(text)][: self.length] for text in texts]
        return self.form([row + [0] * (self.length - len(row)) for row in rows])


@pytest.mark.parametrize("change", [str, str.upper])
@pytest.mark.parametrize("text", ["Not a good movie", "a  b\tc d e f g", "##x ▁a ##", ""])
def test_objects_of_ones_own_are_read(change: Callable[[str], str], text: str) -> None:
    found = tokenize(task(Preprocessor(Words(change))), text)
    n_words = min(len(text.split()), 5)
    words = [[word] for word in text.split()[:5]]
    assert shown(found) == [[], *words, *[[]] * (5 - n_words)]
    assert (found.input, found.doc.shape, found.is_original) == (None, (1, 6), True)
    assert found.tokens[:2] == ["[GO]", change(text.split()[0]) if text else "[PAD]"]
    assert found.is_padding.tolist() == [False] * (n_words + 1) + [True] * (5 - n_words)


class FewWords(Words):
    """Takes the first two words only, and does not say so."""

    def __call__(self, text: str) -> list[int]:
        return super().__call__(text)[:2]


def test_tokens_that_leave_a_part_of_the_text_are_not_placed_there() -> None:
    assert tokenize(task(Preprocessor(FewWords())), "a good").is_original
    assert not tokenize(task(Preprocessor(FewWords())), "a good movie").is_original


def test_changed_words_lie_where_they_came_from() -> None:
    found = tokenize(task(Preprocessor(Words(lambda word: word[::-1]))), "Not a good movie")
    assert found.is_original
    assert found.tokens[1:5] == ["toN", "a", "doog", "eivom"]
    assert shown(found) == [[], ["Not"], ["a"], ["good"], ["movie"], []]


class Backwards(Words):
    """Gives the words in another order than the text has them."""

    def __call__(self, text: str) -> list[int]:
        return super().__call__(text)[::-1]


def test_words_in_another_order_are_shown_as_a_text_of_their_own() -> None:
    found = tokenize(task(Preprocessor(Backwards())), "Not a good movie")
    assert not found.is_original
    assert found.text == "movie good a Not"
    assert shown(found) == [[], ["movie"], ["good"], ["a"], ["Not"], []]


class Synonyms(Words):
    """Gives two words for one."""

    def __call__(self, text: str) -> list[int]:
        return super().__call__(text.replace("can't", "can not"))


def test_several_words_for_one_lie_in_the_whole_of_it() -> None:
    found = tokenize(task(Preprocessor(Synonyms())), "I can't go")
    assert found.tokens[1:5] == ["I", "can", "not", "go"]
    assert shown(found)[1:5] == [["I"], ["can't"], ["can't"], ["go"]]


def test_what_is_cut_off_in_front_has_no_place() -> None:
    def keep_the_end(rows: list[list[int]]) -> Any:
        return np.array([[5, 6, 4, 3, 7, 0]])  # no part of the text's ids in their order

    found = tokenize(task(Preprocessor(Words(), form=keep_the_end)), "a b c d e f g")
    assert not found.is_original


def test_a_tokenizer_that_tells_its_offsets_is_believed() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    vocabulary = {"[PAD]": 0, "a": 1, "good": 2, "?": 3, "[CLS]": 4}
    other = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="?"))
    other.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    other.normalizer = tokenizers.normalizers.BertNormalizer()
    other.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 4)]
    )
    assert not callable(other)

    def preprocess(texts: list[str]) -> Any:
        ids = other.encode(texts[0]).ids[:5]
        masks = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        return {name: np.array([[*row, 0]]) for name, row in masks.items()}

    preprocess.tokenizer = other  # type: ignore[attr-defined]
    found = tokenize(task(preprocess), "a  GÓOD xyz good")
    assert (found.input, found.is_original) == ("input_ids", True)
    assert found.tokens == ["[CLS]", "a", "good", "?", "good", "[PAD]"]
    assert shown(found) == [[], ["a"], ["GÓOD"], ["xyz"], ["good"], []]
    assert found.is_padding.tolist() == [False] * 5 + [True]
    assert found.mask_id is None
    assert len(tokenize(task(preprocess), "a good " * 4).offsets) == 6


def test_a_tokenizer_that_is_not_called_leaves_the_ids_to_be_read() -> None:
    class Fixed:
        mask_token_id, pad_token_id = None, np.int64(0)

        def id_to_token(self, number: int) -> str:
            return ["[PAD]", "a", "good"][number]

    def preprocess(texts: list[str]) -> Any:
        ids = [{"a": 1, "good": 2}[word] for word in texts[0].split()]
        return {
            "input_ids": np.array([[*ids, 0]]),
            "attention_mask": np.array([[*[1] * len(ids), 0]]),
        }

    preprocess.tokenizer = Fixed()  # type: ignore[attr-defined]
    found = tokenize(task(preprocess), "a good  good")
    assert (found.input, found.is_original) == ("input_ids", True)
    assert found.offsets == [[(0, 1)], [(2, 6)], [(8, 12)], []]
    assert found.is_padding.tolist() == [False, False, False, True]
    assert found.mask_id == 0
    assert type(found.mask_id) is int


def test_an_unknown_token_that_cannot_be_checked_has_no_place() -> None:
    class Fixed:
        pad_token_id = 0

        def id_to_token(self, number: int) -> str:
            return ["[PAD]", "a", "[UNK]"][number]

    def preprocess(texts: list[str]) -> Any:
        return np.array([[1, 2, 0]])

    preprocess.tokenizer = Fixed()  # type: ignore[attr-defined]
    found = tokenize(task(preprocess), "a xyz")
    assert (found.is_original, found.text) == (False, "a [UNK]")
    assert tokenize(task(preprocess), "a").is_original is False


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda rows: np.array(rows)[0], r"a batch of 1 .* Received: shape \(6,\)"),
        (lambda rows: np.array(rows * 2), r"Received: shape \(2, 6\), int64"),
        (lambda rows: {"ids": np.array([["a", "b"]])}, r"Received: shape \(1, 2\), <U1"),
        (
            lambda rows: {"one": np.full((1, 6), 9), "two": np.full((1, 6), 8)},
            r"or the token ids as 'token_ids'. Received: \['one', 'two'\]",
        ),
    ],
)
def test_what_is_no_row_of_ids_is_refused(form: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        tokenize(task(Preprocessor(Words(), form=form)), "a b")
    assert "Give the token ids as `doc` and their texts as `tokens`" in str(caught.value)


def test_the_ids_are_found_among_arrays_without_a_known_name() -> None:
    def form(rows: Any) -> Any:
        return {"kinds": np.zeros((1, 6)), "words": np.array(rows), "scale": np.ones((1, 6))}

    found = tokenize(task(Preprocessor(Words(), form=form)), "a good movie")
    assert found.input == "words"
    assert shown(found) == [[], ["a"], ["good"], ["movie"], [], []]


def test_a_preprocessor_of_pictures_takes_no_text() -> None:
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.preprocessor = keras.layers.Rescaling(1 / 255)
    with pytest.raises(ValueError, match="or with a `preprocessor` that has a `tokenizer`"):
        tokenize(model, "a good movie")
