"""Models for the oracles: chains of layers, so that plain PyTorch can run them part by part.

Each is built twice with the same weights: in float32 for eli5, in float64 for the oracle.
Run with ``make test-oracles``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import torch
from keras import layers

import eli5

Array = np.ndarray[Any, Any]
N_CLASSES = 5
SIZE = (12, 20, 3)

if keras.backend.backend() != "torch":
    raise pytest.UsageError(
        "Expected PyTorch as the backend of the oracles. Received: KERAS_BACKEND="
        f"{keras.backend.backend()}. Run them with: make test-oracles"
    )

# The nets are tiny: on a busy machine, threads that wait for each other cost a hundredfold.
torch.set_num_threads(1)


class Net(NamedTuple):
    """A model for eli5 and its float64 twin, cut into layers."""

    model: keras.Model
    chain: Sequence[keras.layers.Layer]

    def run(self, x: Any, start: int = 0, stop: int | None = None, score: str = "logit") -> Any:
        """Run layers `start` to `stop`; at the end, stop short of the softmax for the logits."""
        stop = len(self.chain) if stop is None else stop
        for layer in self.chain[start:stop]:
            is_last = layer is self.chain[-1]
            x = _logits(layer, x) if is_last and score == "logit" else layer(x, training=False)
        return x

    def cut(self, name: str) -> int:
        """Return the index of the first layer behind the one of this name."""
        return [layer.name for layer in self.chain].index(name) + 1


def _logits(layer: keras.layers.Layer, x: Any) -> Any:
    if isinstance(layer, layers.Dense):
        return x @ layer.kernel.value + layer.bias.value
    return x  # a Softmax layer: its input are the logits


@cache
def make_net(kind: str) -> Net:
    """Return a net of this kind; `KINDS` lists them."""
    single = keras.Sequential([keras.Input(SIZE), *KINDS[kind]()], name=kind)
    _give_weights(single)
    with _double():
        double = keras.Sequential([keras.Input(SIZE), *KINDS[kind]()], name=kind)
    double.set_weights([weight.astype("float64") for weight in single.get_weights()])
    return Net(single, double.layers)


def _give_weights(model: keras.Model) -> None:
    """Draw weights; with this seed no rectified map that is compared is empty."""
    rng = np.random.default_rng(10)
    for weight in model.weights:
        fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 25
        values = rng.normal(0, 1.4 / np.sqrt(fan_in), weight.shape)
        is_scale = "gamma" in weight.path or "variance" in weight.path
        weight.assign(1 + values if is_scale else values)


@contextmanager
def _double() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _body() -> list[Any]:
    """Return two convolutions: `early` may be negative, `late` is not."""
    return [
        layers.Conv2D(6, 3, padding="same", activation="gelu", name="early"),
        layers.AveragePooling2D(2, name="pool"),
        layers.Conv2D(7, 3, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="late"),
    ]


def _pooled() -> list[Any]:
    head = layers.Dense(N_CLASSES, activation="softmax", name="head")
    return [*_body(), layers.GlobalAveragePooling2D(name="gap"), head]


def _flattened() -> list[Any]:
    return [
        *_body(),
        layers.MaxPooling2D(2, name="shrink"),
        layers.Dropout(0.5, name="drop"),
        layers.Flatten(name="flat"),
        layers.Dense(9, activation="tanh", name="hidden"),
        layers.Dense(N_CLASSES, name="logits"),
        layers.Softmax(name="probabilities"),
    ]


def _branched() -> list[Any]:
    """Return a head of two kinds of pooling, nested, with a normalisation and a bend behind."""
    x = keras.Input((4, 8, 7))
    pooled = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    both = keras.Model(x, layers.Concatenate()(pooled), name="both")
    return [
        *_body(),
        both,
        layers.LayerNormalization(name="normed"),
        layers.Dense(9, activation="softplus", name="hidden"),
        layers.Dense(N_CLASSES, activation="softmax", name="head"),
    ]


def _rectified() -> list[Any]:
    """Return a head that is piecewise linear: its second derivatives are 0."""
    return [
        *_body(),
        layers.Conv2D(4, 3, strides=2, activation="relu", name="more"),
        layers.Flatten(name="flat"),
        layers.Dense(9, activation="relu", name="hidden"),
        layers.Dense(N_CLASSES, activation="softmax", name="head"),
    ]


KINDS: dict[str, Callable[[], list[Any]]] = {
    "pooled": _pooled,
    "flattened": _flattened,
    "branched": _branched,
    "rectified": _rectified,
}

each_net = pytest.mark.parametrize("net", [make_net(kind) for kind in KINDS], ids=list(KINDS))


def attribution(net: Net, doc: Array, target: int, method: str, **options: Any) -> Array:
    """Return eli5's attribution; one that is negative everywhere may be compared, too.

    Of the logit, as the papers have it, unless told otherwise.
    """
    options = {"score": "logit"} | options
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The heatmap of target .* is empty", UserWarning)
        expl = eli5.explain_prediction(net.model, doc, targets=[target], method=method, **options)
    return expl.targets[0].attribution


def tensor(array: Array) -> torch.Tensor:
    return torch.as_tensor(np.asarray(array, "float64"))


def assert_close(found: Array, expected: Any, tolerance: float = 1e-4) -> None:
    """Compare, relative to the largest value of the oracle, which must not be empty."""
    expected = np.asarray(expected.detach() if torch.is_tensor(expected) else expected)
    assert found.shape == expected.shape
    largest = np.abs(expected).max()
    assert largest > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest)
