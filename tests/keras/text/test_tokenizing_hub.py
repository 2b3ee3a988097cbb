"""Texts for models with a preprocessor: KerasHub's tasks, and objects of one's own."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.keras.text.tokenize import tokenize
from helpers.raw_texts import random_text, shown, task

keras_hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
sentencepiece = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = ["the", "qu", "##ick", "##er", "fox", "good", "mo", "##vie", "中", "stras", "##se"]
WORDPIECES = [*SPECIAL, *PIECES, ",", ".", "x", "##x", "ist", "##an", "##bul", "i̇st"]


def bert(length: int = 16, **options: Any) -> Any:
    tokenizer = keras_hub.models.BertTokenizer(WORDPIECES, **{"lowercase": True, **options})
    return keras_hub.models.BertTextClassifierPreprocessor(tokenizer, sequence_length=length)


@functools.cache
def byte_characters() -> list[str]:
    return sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def roberta(length: int = 16, **options: Any) -> Any:
    merged = ["Ġt", "Ġth", "Ġthe", "fo", "fox", "Ġg", "Ġgo", "Ġgoo", "Ġgood"]
    names = ["<s>", "<pad>", "</s>", "<unk>", *byte_characters(), *merged, "<mask>"]
    merges = ["Ġ t", "Ġt h", "Ġth e", "f o", "fo x", "Ġ g", "Ġg o", "Ġgo o", "Ġgoo d"]
    vocabulary = {name: k for k, name in enumerate(names)}
    tokenizer = keras_hub.models.RobertaTokenizer(vocabulary, merges, **options)
    return keras_hub.models.RobertaTextClassifierPreprocessor(tokenizer, sequence_length=length)


@functools.cache
def sentence_pieces(**options: Any) -> bytes:
    """Train on a few sentences, which takes a moment."""
    proto = io.BytesIO()
    sentences = [
        "the quick brown fox jumped over the good movie",
        "Bad is the Straße, not good.",
        "the fox and the good movie: the the fox",
    ]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences * 5),
        model_writer=proto,
        minloglevel=3,
        **{"vocab_size": 55, "model_type": "bpe", **options},
    )
    return proto.getvalue()


def albert(length: int = 16, rule: str = "nmt_nfkc") -> Any:
    proto = sentence_pieces(
        normalization_rule_name=rule,
        unk_id=1,
        pad_id=0,
        bos_id=-1,
        eos_id=-1,
        user_defined_symbols="[CLS],[SEP],[MASK]",
    )
    tokenizer = keras_hub.models.AlbertTokenizer(proto)
    return keras_hub.models.AlbertTextClassifierPreprocessor(tokenizer, sequence_length=length)


def xlm_roberta(length: int = 16) -> Any:
    proto = sentence_pieces(unk_id=0, bos_id=1, eos_id=2)
    tokenizer = keras_hub.models.XLMRobertaTokenizer(proto)
    return keras_hub.models.XLMRobertaTextClassifierPreprocessor(tokenizer, sequence_length=length)


def inner(tokenized: Any) -> tuple[list[str], list[list[str]]]:
    """Return the tokens that are of the text, and what lies at their places."""
    named = ("[CLS]", "[SEP]", "[PAD]", "<s>", "</s>", "<pad>")
    kept = [k for k, token in enumerate(tokenized.tokens) if token not in named]
    places = shown(tokenized)
    assert not any(place for k, place in enumerate(places) if k not in kept)
    return [tokenized.tokens[k] for k in kept], [places[k] for k in kept]


# ---- the places of pieces ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preprocessor", "text", "tokens", "places"),
    [
        (
            bert,
            "The QUICKER, fóx...",
            ["the", "qu", "##ick", "##er", ",", "[UNK]", ".", ".", "."],
            ["The", "QU", "ICK", "ER", ",", "fóx", ".", ".", "."],
        ),
        (lambda: bert(strip_accents=True), "fo\u0301x quíck", ["fox", "qu", "##ick"], None),
        (bert, "中国Straße", ["中", "[UNK]", "stras", "##se"], ["中", "国", "Straß", "ße"]),
        (bert, "İstanbul", ["i̇st", "##an", "##bul"], ["İst", "an", "bul"]),
        (bert, "x xx [UNK]", ["x", "x", "##x", *["[UNK]"] * 3], ["x", "x", "x", "[", "UNK", "]"]),
        (bert, "xyz.fox, (zyx", ["[UNK]", ".", "fox", ",", *["[UNK]"] * 2], None),
        (bert, "the\u00a0fox \u200dthe", ["[UNK]", "the"], ["the\u00a0fox", "the"]),
        (
            roberta,
            "fox the ó😀",
            ["fox", " the", " ", "\\xc3", "\\xb3", "\\xf0", "\\x9f", "\\x98", "\\x80"],
            ["fox", "the", "", "ó", "ó", "😀", "😀", "😀", "😀"],
        ),
        (lambda: roberta(add_prefix_space=True), "the ##", [" the", " ", "#", "#"], None),
        (
            albert,
            "the ﬁΩΨx Ω",
            ["▁the", "▁", "f", "i", "<unk>", "x", "▁", "<unk>"],
            ["the", "", "ﬁ", "ﬁ", "ΩΨ", "x", "", "Ω"],
        ),
        (albert, "\U0001f468\u200d\U0001f469 x", ["▁", "<unk>", "▁", "x"], None),
        (albert, "the\u0007 f\u0007ox", ["▁the", "▁fox"], ["the", "f\u0007ox"]),
        (lambda: bert(strip_accents=True), "quick\u0301\u0302 x\u0301", ["qu", "##ick", "x"], None),
        (lambda: albert(rule="nmt_nfkc_cf"), "THE fox", ["▁the", "▁fox"], None),
    ],
)
def test_pieces_lie_where_the_tokenizer_found_them(
    preprocessor: Callable[[], Any], text: str, tokens: list[str], places: list[str] | None
) -> None:
    found = tokenize(task(preprocessor()), text)
    assert found.is_original
    assert found.text == text
    names, lie = inner(found)
    assert names == tokens
    if places is None:  # the same but for accents, case and marks
        joined = "".join(place for at in lie for place in at)
        places = [place for place in ["".join(at) for at in lie] if place]
        assert joined.replace(" ", "") == text.replace(" ", "")
    assert ["".join(at) for at in lie if at] == [place for place in places if place]


def offsets_of_word_pieces(text: str) -> list[tuple[int, int]]:
    """Return the places that another implementation of the same rules tells."""
    vocabulary = {name: k for k, name in enumerate(WORDPIECES)}
    other = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    other.normalizer = tokenizers.normalizers.BertNormalizer(
        clean_text=False, strip_accents=False, lowercase=False
    )
    other.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return [tuple(offset) for offset in other.encode(text).offsets]


def offsets_of_bytes(text: str) -> list[tuple[int, int]]:
    pieces = roberta().tokenizer
    merges = [tuple(merge.split(" ")) for merge in pieces.merges]
    other = tokenizers.Tokenizer(tokenizers.models.BPE(dict(pieces.vocabulary), merges))
    other.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False, trim_offsets=False
    )
    return [tuple(offset) for offset in other.encode(text).offsets]


def offsets_of_sentence_pieces(text: str) -> list[tuple[int, int]]:
    other = sentencepiece.SentencePieceProcessor(model_proto=albert().tokenizer.proto)
    pieces = other.encode(text, return_type="proto").pieces
    bounds = [(piece.begin, piece.end) for piece in pieces]  # in bytes
    count = [len(text.encode()[:k].decode(errors="ignore")) for k in range(len(text.encode()) + 1)]
    return [(count[start], count[end]) for start, end in bounds]


def without_blanks(text: str, offsets: list[tuple[int, int]]) -> list[str]:
    return [text[start:end].strip() for start, end in offsets]


@pytest.mark.parametrize(
    ("preprocessor", "offsets"),
    [
        (lambda: bert(400, lowercase=False), offsets_of_word_pieces),
        (lambda: roberta(400), offsets_of_bytes),
        (lambda: albert(400), offsets_of_sentence_pieces),
    ],
)
def test_places_in_random_texts_are_those_that_others_tell(
    preprocessor: Callable[[], Any], offsets: Callable[[str], list[tuple[int, int]]]
) -> None:
    made = preprocessor()
    for seed in range(40):
        # They differ about characters that are dropped, and those that become several.
        text = random_text(seed).replace("\u200d", "").replace("ﬁ", "fi")
        found = tokenize(task(made), text)
        assert found.is_original, text
        places = ["".join(at).strip() for at in inner(found)[1]]
        assert places == without_blanks(text, offsets(text)), text


@pytest.mark.parametrize("make", [bert, roberta, albert, xlm_roberta])
def test_what_is_put_around_a_text_has_no_place(make: Callable[[int], Any]) -> None:
    preprocessor = make(12)
    tokenizer = preprocessor.tokenizer
    short, long, empty = (
        tokenize(task(preprocessor), text) for text in ("the x.", "the x. " * 9, "")
    )
    first, last = tokenizer.id_to_token(tokenizer.start_token_id), tokenizer.end_token_id
    for found, n_pads in ((long, 0), (empty, 10)):
        assert found.tokens[0] == first
        assert found.is_padding.sum() == n_pads
        assert found.is_original
        assert found.offsets[0] == found.offsets[11 - n_pads] == []
        assert found.tokens[11 - n_pads] == tokenizer.id_to_token(last)
    lie = ["".join(place for at in shown(found) for place in at) for found in (long, short)]
    assert lie[0].replace(" ", "").startswith("thex.th")
    assert lie[1].replace(" ", "") == "thex."
    assert not any(empty.offsets)
    np.testing.assert_array_equal(short.is_padding, ~short.doc["padding_mask"][0])


# ---- the task itself -----------------------------------------------------------------------------


def test_a_task_gives_for_the_ids_what_it_predicts_for_the_text() -> None:
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(WORDPIECES),
        num_layers=1,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        max_sequence_length=16,
    )
    model = keras_hub.models.BertTextClassifier(backbone, num_classes=3, preprocessor=bert())
    found = tokenize(model, np.array(["The quick fox"]))
    assert found.model is model
    assert (found.input, sorted(found.doc)) == (
        "token_ids",
        ["padding_mask", "segment_ids", "token_ids"],
    )
    assert found.doc["token_ids"].dtype.kind == "i"
    expected = model.predict(["The quick fox"], verbose=0)
    model.preprocessor = None  # or it takes texts only
    np.testing.assert_allclose(model.predict(found.doc, verbose=0), expected, rtol=1e-5)


def test_the_mask_stands_for_what_was_left_out() -> None:
    assert tokenize(task(bert()), "the").mask_id == SPECIAL.index("[MASK]")
    preprocessor = roberta()
    expected = preprocessor.tokenizer.token_to_id("<mask>")
    assert tokenize(task(preprocessor), "the").mask_id == expected


def test_unknown_words_that_are_merged_lie_in_one_place() -> None:
    proto = sentence_pieces(model_type="word", vocab_size=15, unk_id=0, bos_id=1, eos_id=2)
    tokenizer = keras_hub.models.XLMRobertaTokenizer(proto)
    preprocessor = keras_hub.models.XLMRobertaTextClassifierPreprocessor(
        tokenizer, sequence_length=8
    )
    found = tokenize(task(preprocessor), "xyz zyx the fox")
    assert found.is_original
    assert found.tokens[:5] == ["<s>", "<unk>", "▁the", "▁fox", "</s>"]
    assert shown(found) == [[], ["xyz zyx"], ["the"], ["fox"], *[[]] * 4]


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the same on each")
def test_a_causal_language_model_is_explained_by_the_text_that_it_goes_on_from() -> None:
    vocabulary = {
        name: k for k, name in enumerate(["<|endoftext|>", *byte_characters(), "no", "not"])
    }
    tokenizer = keras_hub.models.GPT2Tokenizer(vocabulary, ["n o", "no t"])
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=8)
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=len(vocabulary), num_layers=2, num_heads=2, hidden_dim=8,
        intermediate_dim=16, max_sequence_length=8,
    )  # fmt: skip
    model = keras_hub.models.GPT2CausalLM(backbone, preprocessor)
    found = eli5.explain_prediction(model, "not so", method="rollout", score=after_the_third)
    (spans,) = found.targets[0].weighted_spans.docs_weighted_spans
    assert spans.document == "not so"
    assert [token for token, _, _ in spans.spans] == ["<|endoftext|>", "not", " ", "s", "o"]
    weights = [weight for *_, weight in spans.spans]
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert weights[3:] == [0, 0]  # behind the token whose next one is asked for


def after_the_third(logits: Any) -> Any:
    return logits[:, 2, 5]
