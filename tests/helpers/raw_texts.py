"""What tests of texts share: how tokens lie in their text, functions on strings, random texts."""

from __future__ import annotations

import random
import re
import string
import types
from collections.abc import Callable
from typing import Any

import numpy as np

# Letters that change in number when they are folded, that have accents, or that are none.
WORDS = [
    *("good", "Bad", "movie", "NOT", "don't", "x-y", "İstanbul", "Straße", "ﬁx", "ünïcödé"),
    *(
        "e\u0301a",
        "中国",
        "😀👍🏽",
        "👨\u200d👩\u200d👧",
        "Ωmega",
        "...",
        "!",
        "(the",
        "fox)",
        "##x",
    ),
]
BLANKS = [" ", "  ", "\t", "\n"]


def shown(tokenized: Any) -> list[list[str]]:
    """Return what lies at the places of each token."""
    return [[tokenized.text[start:end] for start, end in spans] for spans in tokenized.offsets]


def random_text(seed: int, n_words: int = 12) -> str:
    """Return words of which some stand next to each other without a blank."""
    random_ = random.Random(seed)
    words = [random_.choice(WORDS) for _ in range(n_words)]
    return "".join(word + random_.choice([*BLANKS, *BLANKS, ""]) for word in words)


def on_strings(change: Callable[[str], str]) -> Callable[[Any], Any]:
    """Return `change` for arrays of strings and for TensorFlow's tensors of them."""

    def changed(values: Any) -> Any:
        if isinstance(values, np.ndarray):
            return np.vectorize(change, otypes="U")(values)
        import tensorflow as tf

        decoded = np.vectorize(lambda value: change(value.decode()), otypes=[object])
        return tf.constant(decoded(values.numpy()), dtype=tf.string)

    return changed


def as_the_tutorials_do(text: str) -> str:
    """Lower, drop line breaks in HTML, then punctuation."""
    return re.sub(f"[{re.escape(string.punctuation)}]", "", text.lower().replace("<br />", " "))


def task(preprocessor: Any) -> Any:
    """Return what has a preprocessor: for places alone, no model is asked."""
    return types.SimpleNamespace(preprocessor=preprocessor)
