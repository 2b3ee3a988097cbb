"""Memory that grows neither with explanations nor with models, also beside `fit` and `predict`."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import psutil
import pytest
from keras import layers

import eli5
from helpers.models import make_classifier, sample, with_weights

# `make test-endurance` takes 2,000 explanations and 150 models.
N_EXPLANATIONS = int(os.environ.get("ELI5_EXPLANATIONS", "200"))
N_MODELS = int(os.environ.get("ELI5_MODELS", "8"))
LIMIT = 10 * 2**20  # bytes

DOC = sample((12, 20, 3))


def growth(work: Callable[[int], Any], n: int, n_before: int) -> int:
    """Return by how many bytes the process grows in `n` pieces of work, after some others."""
    for k in range(n_before):
        work(k)
    gc.collect()
    before = psutil.Process().memory_info().rss
    for k in range(n):
        work(n_before + k)
    gc.collect()
    after = psutil.Process().memory_info().rss
    print(f"\n{keras.backend.backend()}: {n} pieces of work, {after - before:,} bytes more")
    return int(after - before)


def test_explanations_leave_nothing_behind() -> None:
    model = make_classifier()
    docs = [sample((12, 20, 3), seed) for seed in range(7)]

    def explain(k: int) -> None:
        eli5.explain_prediction(model, docs[k % 7], top_targets=1 + k % 3)

    assert growth(explain, N_EXPLANATIONS, 100) < LIMIT


def test_models_leave_nothing_behind() -> None:
    def explain(k: int) -> None:
        steps = [layers.Conv2D(4, 3, name="conv"), layers.GlobalAveragePooling2D()]
        net = keras.Sequential([keras.Input((12, 20, 3)), *steps, layers.Dense(4)])
        eli5.explain_prediction(with_weights(net), DOC, targets=[0])
        del net
        keras.utils.clear_session(free_memory=False)  # what Keras itself keeps of a name
        gc.collect()

    assert growth(explain, N_MODELS, 10) < LIMIT


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_threads_agree_beside_training_and_prediction() -> None:
    model, trained = make_classifier(), make_classifier()
    trained.compile("sgd", "sparse_categorical_crossentropy")
    inputs = np.concatenate([sample((12, 20, 3), seed) for seed in range(8)])
    expected = [eli5.explain_prediction(model, inputs[k : k + 1], targets=[1]) for k in range(8)]
    done = threading.Event()
    errors: list[BaseException] = []
    wrong: list[Any] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    def explain() -> None:
        for turn in range(50):
            k = turn % 8
            one = eli5.explain_prediction(model, inputs[k : k + 1], targets=[1]).targets[0]
            if np.abs(one.heatmap - expected[k].targets[0].heatmap).max() > 1e-5:
                wrong.append(one)

    def train() -> None:
        while not done.is_set():
            trained.fit(inputs, np.arange(8) % 4, verbose=0)

    def predict() -> None:
        while not done.is_set():
            model.predict(inputs, verbose=0)

    beside = [threading.Thread(target=guarded, args=(work,)) for work in (train, predict)]
    threads = [threading.Thread(target=guarded, args=(explain,)) for _ in range(8)]
    for thread in (*beside, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    for thread in beside:
        thread.join()
    assert not errors
    assert not wrong
