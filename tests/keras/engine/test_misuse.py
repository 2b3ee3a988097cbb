"""Calls that could never return: within a model's own call, and in a forked process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import keras
import pytest
from keras import layers

import eli5
from helpers.models import make_classifier, sample

DOC = sample((12, 20, 3))


class ExplainsItself(keras.Model):  # type: ignore[misc]
    """A model that explains `explained`, or itself, when it is called."""

    def __init__(self, explained: Any = None) -> None:
        super().__init__()
        self.conv = layers.Conv2D(4, 3)
        self.pool, self.head = layers.GlobalAveragePooling2D(), layers.Dense(3)
        self.others = [explained]
        self.is_on = False

    def call(self, x: Any) -> Any:
        if self.is_on:
            eli5.explain_prediction(self.others[0] or self, DOC)
        return self.head(self.pool(self.conv(x)))


@pytest.mark.parametrize("explained", [None, make_classifier()])
def test_a_model_that_explains_when_it_is_called(explained: Any) -> None:
    model = ExplainsItself(explained)
    expected = eli5.explain_prediction(model, DOC)
    model.is_on = True
    with pytest.raises(RuntimeError, match="within a model's own `call`"):
        eli5.explain_prediction(model, DOC)
    model.is_on = False
    assert eli5.explain_prediction(model, DOC) == expected


FORKED = """
import os, warnings
warnings.simplefilter("ignore")  # of JAX, about the fork
import eli5
from helpers.models import make_classifier, sample
model, doc = make_classifier(), sample((12, 20, 3))
eli5.explain_prediction(model, doc)
child = os.fork()
if child == 0:
    try:
        eli5.explain_prediction(model, doc)
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
eli5.explain_prediction(model, doc)
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="there are no forks here")
def test_a_forked_process_is_told_how_to_start_another() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FORKED],
        capture_output=True, text=True, timeout=300, check=True, cwd="tests",
    )  # fmt: skip
    assert "Received: a process that was forked" in ran.stdout
    assert 'multiprocessing.get_context("spawn")' in ran.stdout
