"""The evidence of pictures, texts and series moves by the same on TensorFlow, JAX and PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eli5.testing import assert_looks_at, assert_same_evidence, compare_evidence
from helpers.models import make_classifier, sample, with_weights
from helpers.strict_html import Page
from helpers.word_models import BAD, GOOD, WORDS, ids_model

Array = np.ndarray[Any, Any]


def words(text: str) -> Array:
    return np.array([[WORDS.index(word) for word in text.split()]])


def test_pictures_move_by_what_is_stored() -> None:
    old, new = make_classifier(), with_weights(make_classifier(), 5)
    docs = np.concatenate([sample((12, 20, 3), seed) for seed in (0, 1, 2)])
    diff = compare_evidence(old, new, docs)
    assert diff.distances == pytest.approx([0.1547, 0.0929, 0.1592], abs=1e-3)
    assert [
        (one.before.top, one.after.top) for one in diff.changes if one.before and one.after
    ] == [(0, 3)] * 3
    assert_same_evidence(old, old, docs, 1e-6)


def test_a_text_is_compared_word_by_word(tmp_path: Path) -> None:
    old, new = ids_model(), ids_model()
    vectors = np.array(keras.ops.convert_to_numpy(old.get_layer("words").embeddings))
    film, good = WORDS.index("film"), WORDS.index("good")
    vectors[[film, good]] = vectors[[good, film]]
    new.get_layer("words").set_weights([vectors])
    docs = [words("the film was good the film"), words("the bad was not bad [UNK]")]
    tokens = [[WORDS[k] for k in doc[0]] for doc in docs]
    diff = compare_evidence(old, new, iter(docs), tokens=tokens, targets=[GOOD, BAD])
    assert diff.distances == pytest.approx([1, 0], abs=1e-6)
    diff.save(tmp_path / "moved.html")
    page = Page((tmp_path / "moved.html").read_text(encoding="utf-8"))
    assert page.is_harmless()
    assert "film" in page.text
    assert_looks_at(old, docs[:1], [(3, 4)], 0.99, targets=[GOOD])  # the fourth of its tokens


def test_a_series_is_compared_in_time(tmp_path: Path) -> None:
    def model(channel: int) -> keras.Model:
        conv = layers.Conv1D(2, 1, use_bias=False, name="conv")
        parts = [conv, layers.GlobalAveragePooling1D(), layers.Dense(2, use_bias=False)]
        series = keras.Sequential([keras.Input((20, 2)), *parts, layers.Softmax()], name="series")
        conv.set_weights([np.eye(2)[None]])
        series.layers[2].set_weights([np.eye(2)[:, [channel, 1 - channel]]])
        return series

    doc = np.zeros((1, 20, 2), "float32")
    doc[0, 2:4, 0] = doc[0, 15:17, 1] = 1
    names = ["first", "second"]
    diff = compare_evidence(model(0), model(1), doc, targets=[0], channel_names=names)
    assert diff.distances == pytest.approx([13 / 20], abs=0.01)
    diff.save(tmp_path / "moved.html")
    assert Page((tmp_path / "moved.html").read_text(encoding="utf-8")).is_harmless()
