"""Scores that are made one by one: the gradients are the same, and each goes back alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from eli5.keras import engine
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]
N_COLUMNS = 3
DOC = sample((5, 6, 3))


@dataclass(frozen=True)
class Select:
    """Gives K scores that have nothing in common behind the output, as a list or a tensor."""

    in_a_list: bool

    def __call__(self, outputs: Any, activation_of: Any, targets: Any, score: Any) -> Any:
        columns = [
            ops.mean(ops.tanh(outputs * (1.0 + k)), axis=(1, 2, 3)) for k in range(N_COLUMNS)
        ]
        return columns if self.in_a_list else ops.stack(columns, axis=1), {}


def gradient_times_input(activations: Any, gradients: list[Any], _: Any) -> Any:
    return ops.stack([ops.sum(one * activations, axis=(1, 2, 3)) for one in gradients], axis=1)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    inputs = keras.Input((5, 6, 3))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    return with_weights(keras.Model(inputs, layers.Conv2D(2, 1)(x)), seed=1)


def ask(model: keras.Model, select: Select, *, differentiated: bool = True) -> Array:
    conv = model.get_layer("conv")
    site = engine.Site(conv, 0, "conv", shape=(1, *conv.output.shape[1:]), dtype="float32")
    sites, formulas = ((site,), (gradient_times_input,)) if differentiated else ((), ())
    query = engine.Query("columns", select, sites, formulas)
    results, _ = engine.evaluate(model, DOC, np.zeros((1, N_COLUMNS), "int32"), query)
    return np.asarray(results[0] if differentiated else results)


def test_a_list_of_columns_is_as_good_as_a_tensor(model: keras.Model) -> None:
    found = ask(model, Select(True))
    assert found.shape == (1, N_COLUMNS)
    assert len(np.unique(found)) == N_COLUMNS
    np.testing.assert_allclose(found, ask(model, Select(False)), rtol=1e-5)
    plain, stacked = (ask(model, Select(one), differentiated=False) for one in (True, False))
    np.testing.assert_allclose(plain, stacked, rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="counts what PyTorch runs")
@pytest.mark.parametrize(("in_a_list", "n"), [(True, N_COLUMNS), (False, N_COLUMNS**2)])
def test_each_column_goes_back_through_its_own_making(
    model: keras.Model, in_a_list: bool, n: int
) -> None:
    from torch.profiler import ProfilerActivity, profile

    ask(model, Select(in_a_list))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        ask(model, Select(in_a_list))
    assert sum(event.name == "TanhBackward0" for event in profiler.events()) == n
