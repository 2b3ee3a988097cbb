"""Planted tokens in texts, and a planted motif in series; exact as the hand-set networks are."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

from eli5.ground_truth.problem import Array, Problem, set_weights, stroke_kernel

_TOKENS, _WORDS = 12, 20
_GOOD, _BAD, _NOT, _LOUD = 3, 4, 5, 6  # ids; those from _LOUD on are loud, and do not count
_STEPS = 24
_MOTIF = np.array([1, 0, 1, 1, 0])  # the other one is the same backwards
_CLASSES = np.array([[1, -0.5], [-0.5, 1]])
# Against zeros, as the truth is: of texts of their embedding.
_FROM_ZERO = {name: {"baseline": 0.0} for name in ("Occlusion", "KernelSHAP", "LIME")}


def make_sequences(seed: int, n_docs: int) -> list[Problem]:
    """Return two problems of texts and one of series, with `n_docs` docs each."""
    return [
        _tokens(np.random.default_rng([seed, 40]), n_docs),
        _negation(np.random.default_rng([seed, 41]), n_docs),
        _motif(np.random.default_rng([seed, 42]), n_docs),
    ]


# ---- texts ---------------------------------------------------------------------------------------


def _embedding() -> Array:
    """Return what each id is: good, bad, not, and how loud, (words, 4)."""
    table = np.zeros((_WORDS, 4))
    table[_GOOD, 0] = table[_BAD, 1] = table[_NOT, 2] = 1
    table[_LOUD:, 3] = np.linspace(0.5, 2, _WORDS - _LOUD)
    return table


def _reader(n_maps: int, width: int, n_classes: int) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((_TOKENS,), dtype="int32"),
            layers.Embedding(_WORDS, 4, name="words"),
            layers.Conv1D(n_maps, width, padding="same", activation="relu", name="maps"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(n_classes, use_bias=False, name="classes"),
        ],
        name="reader",
    )


def _tokens(random: np.random.Generator, n: int) -> Problem:
    docs = random.integers(_LOUD, _WORDS, (n, _TOKENS))
    for doc in docs:
        doc[random.choice(_TOKENS, 3, replace=False)] = _GOOD, _GOOD, _BAD
    targets = [[k % 2] for k in range(n)]
    kernel = np.concatenate([_CLASSES, np.zeros((2, 2))])
    truths = [[(_embedding() @ kernel)[doc, k]] for doc, (k,) in zip(docs, targets, strict=True)]
    model = set_weights(
        _reader(4, 1, 2),
        words=_embedding(),
        maps=[np.eye(4)[None], np.zeros(4)],
        classes=_TOKENS * kernel,
    )
    return Problem(
        "token",
        "a word raises the score, another one lowers it, all others are loud and do nothing",
        model,
        docs.astype("int32"),
        targets,
        np.array(truths),
        options=_FROM_ZERO,
    )


def _negation(random: np.random.Generator, n: int) -> Problem:
    """Return texts with "not good" in them, where the score has ``good - 2 not good``."""
    docs, truths, targets = random.integers(_LOUD, _WORDS, (n, _TOKENS)), [], []
    for number, doc in enumerate(docs):
        pair, alone, idle = 3 * random.permutation(4)[:3] + random.integers(0, 2, 3)
        doc[[pair, pair + 1, alone, idle]] = _NOT, _GOOD, _GOOD, _NOT
        sign = 1 - 2 * (number % 2)
        # The product of two words is shared equally: a half of -2 each.
        truth = np.zeros(_TOKENS)
        truth[[pair, alone]] = -sign, sign
        truths.append([truth])
        targets.append([number % 2])
    kernel = np.zeros((3, 4, 2))  # step, what a word is, map
    kernel[1, 0, :] = kernel[0, 2, 1] = 1
    model = set_weights(
        _reader(2, 3, 2),
        words=_embedding(),
        maps=[kernel, np.array([0, -1])],
        classes=_TOKENS * np.array([[1, -1], [-2, 2]]),
    )
    return Problem(
        "negation",
        'a word raises the score, and lowers it behind a "not", which does nothing by itself',
        model,
        docs.astype("int32"),
        targets,
        np.array(truths),
        options=_FROM_ZERO,
    )


# ---- series --------------------------------------------------------------------------------------


def _motif(random: np.random.Generator, n: int) -> Problem:
    drawn = [_draw_series(random) for _ in range(n)]
    targets = [[k % 2] for k in range(n)]
    lit = int(_MOTIF.sum())
    truths = [
        [_CLASSES[:, k] @ masks / lit] for (_, masks), (k,) in zip(drawn, targets, strict=True)
    ]
    kernel = np.zeros((len(_MOTIF), 2, 2))
    for k, motif in enumerate(_motifs()):
        kernel[:, 0, k] = stroke_kernel(motif)
    model = keras.Sequential(
        [
            keras.Input((_STEPS, 2)),
            layers.Conv1D(2, len(_MOTIF), padding="same", activation="relu", name="maps"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, use_bias=False, name="classes"),
        ],
        name="motif",
    )
    return Problem(
        "motif",
        "a motif of one channel raises the score; the other channel is as busy and not seen",
        set_weights(model, maps=[kernel, [1 - lit] * 2], classes=_STEPS * _CLASSES),
        np.stack([series for series, _ in drawn]),
        targets,
        np.array(truths),
        options=_FROM_ZERO,
    )


def _motifs() -> tuple[Array, Array]:
    return _MOTIF, _MOTIF[::-1]


def _draw_series(random: np.random.Generator) -> tuple[Array, Array]:
    """Return a series (24, 2), and where its two motifs are, (2, 24)."""
    while True:
        masks = np.zeros((2, _STEPS))
        starts = 8 * random.permutation(3)[:2] + random.integers(0, 4, 2)
        for mask, start, motif in zip(masks, starts, _motifs(), strict=True):
            mask[start : start + len(motif)] = motif
        series = np.stack([masks.any(axis=0), random.random(_STEPS) < 0.5], axis=-1)
        windows = sliding_window_view(series[:, 0], len(_MOTIF))
        if [windows[:, motif > 0].all(axis=-1).sum() for motif in _motifs()] == [1, 1]:
            return series.astype("float32"), masks
