"""What docs/how-to tells of texts and series is true: its examples run."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from helpers.models import with_weights
from helpers.string_models import sequential

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "how-to"
PAGE = "".join((FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in ("texts", "series"))
EXAMPLES = re.findall(r"^```python\n(import eli5\n.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
VOCABULARY = ["", "[UNK]", "not", "good", "was", "here"]


def heading_of(example: str) -> str:
    return re.findall(r"^#+ (.*)$", PAGE[: PAGE.index(example)], flags=re.MULTILINE)[-1]


def classifier(shape: tuple[int, ...], *first: layers.Layer) -> keras.Model:
    body = [layers.Conv1D(6, 3, padding="same", activation="relu"), layers.GlobalMaxPooling1D()]
    dtype = "float32" if len(shape) > 1 else "int32"
    top = layers.Dense(2, activation="softmax")
    return with_weights(
        keras.Sequential([keras.Input(shape, dtype=dtype), *first, *body, top]), seed=1
    )


@functools.cache
def names() -> dict[str, Any]:
    pytest.importorskip("tensorflow")  # which TextVectorization needs
    return {
        "model": classifier((8,), layers.Embedding(len(VOCABULARY), 4, name="embedding")),
        "vocabulary": VOCABULARY,
        "raw_model": with_weights(sequential(), seed=1),
        "machine": classifier((40, 3)),
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=heading_of)
def test_an_example_runs(example: str) -> None:
    exec(example, names())


def test_every_python_block_is_an_example() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") == 4
