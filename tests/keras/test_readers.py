"""Trained classifiers of sentences: the word that decides must weigh the most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eli5
from helpers.backend_limits import ONCE
from helpers.trained_readers import BAD, BODIES, GOOD, ids_of, reader, sentences

pytestmark = ONCE  # what a method finds in a text, not how it runs

# What a recurrent layer or attention gives at a step knows of the others: their maps are no maps of
# single words. What comes from the input itself is.
ON_INPUT = ["Gradient × Input", "Integrated Gradients", "Occlusion", "LIME"]
# Of attention, those that ask for a class. Rollout does not, and finds the word in every other.
ON_ATTENTION = ["Transformer Attribution", "LeGrad"]
CASES = [
    (kind, method)
    for kind in BODIES
    for method in ON_INPUT
    if (kind, method) != ("lstm", "Gradient × Input")  # its gates are saturated there
] + [
    ("conv", "Grad-CAM"),
    ("conv", "HiResCAM"),
    ("conv", "LayerCAM"),
    ("embedding", "Grad-CAM"),
    ("embedding", "Score-CAM"),
    *(("transformer", method) for method in ON_ATTENTION),
]


@pytest.mark.parametrize(("kind", "method"), CASES)
def test_the_word_that_decides_weighs_the_most(kind: str, method: str) -> None:
    model = reader(kind)
    texts, labels = sentences(12, seed=5)
    options: Any = {"n_samples": 300} if method == "LIME" else {}
    hits = 0
    for text, label in zip(texts, labels, strict=True):
        expl = eli5.explain_prediction(
            model, ids_of(text), tokens=text + [""] * (12 - len(text)), pad_token="",
            method=method, **options,
        )  # fmt: skip
        (target,) = expl.targets
        assert target.target == label
        (spans,) = target.weighted_spans.docs_weighted_spans
        token, _, weight = spans.spans[int(np.argmax(target.heatmap))]
        assert weight == max(weight for _, _, weight in spans.spans) > 0
        # A convolution's step sees three words: its map may peak beside the one that decides.
        near = spans.spans[max(int(np.argmax(target.heatmap)) - 1, 0) :][:3]
        is_sharp = method in ON_INPUT + ON_ATTENTION or kind == "embedding"
        found = [token] if is_sharp else [t for t, _, _ in near]
        hits += bool(set(found) & {*GOOD, *BAD})
        assert spans.document == " ".join(text)
    assert hits >= 10


@pytest.mark.parametrize("kind", ["conv", "transformer"])
def test_not_turns_the_word_behind_it(kind: str) -> None:
    model = reader(kind, has_not=True)
    for word, opposite in (("good", 0), ("awful", 1)):
        text = ["the", "film", "was", "not", word, "and", "it", "is", "the", "plot"]
        expl = eli5.explain_prediction(
            model, ids_of(text), tokens=[*text, "", ""], pad_token="", method="Occlusion"
        )
        (target,) = expl.targets
        assert target.target == opposite
        weights = target.attribution
        # Without "not" the sentence says the opposite; what is left of it without the word that is
        # turned was never seen in training, and may weigh as much.
        without = model.predict(ids_of([*text[:3], "<pad>", *text[4:]]), verbose=0)
        assert np.argmax(without) != target.target
        assert weights[text.index("not")] > 2 * np.abs(np.delete(weights, [3, 4])).max()
