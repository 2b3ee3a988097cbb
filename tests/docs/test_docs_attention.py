"""The examples of docs/attention.md run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
import eli5.keras
from helpers.models import sample, with_weights
from helpers.transformers import SIZE, transformer

PAGE = (Path(__file__).parents[2] / "docs" / "attention.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="whole explanations compare the backends"
)


def language_model() -> keras.Model:
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(50, 8)(inputs)
    y = layers.MultiHeadAttention(2, 4, name="mha")(x, x, use_causal_mask=True)
    return with_weights(keras.Model(inputs, layers.Dense(50)(layers.Add()([x, y]))))


@pytest.mark.parametrize("number", range(3))
def test_an_example_runs(number: int) -> None:
    assert len(EXAMPLES) == 3
    names: dict[str, Any] = {
        "eli5": eli5,
        "model": transformer(1, pooled=False),
        "doc": sample(SIZE),
        "language_model": language_model(),
        "ids": np.array([[4, 8, 1, 9, 3]]),
        "words": ["a", "b", "c", "d", "e"],
    }
    exec(EXAMPLES[number], names)
    found = names.get("explanations") or [names["explanation"]]
    assert all(one.targets[0].attribution.any() for one in found)


def test_the_table_has_the_methods_on_attention() -> None:
    rows = re.findall(r"^\| ([A-Z][\w ]+?) \(\[arXiv", PAGE, re.MULTILINE)
    assert rows == [m.name for m in eli5.keras.METHODS.values() if m.at == "attention"]
