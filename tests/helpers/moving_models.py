"""Random models that move what they see: that crop, pad, mirror, turn, resize, slide, and reshape.

All weights are positive, so that the place of an object in the input is that of the heat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

Array = np.ndarray[Any, Any]
Step = Callable[[Any, np.random.Generator], Any]


def moving_model(seed: int, n_axes: int) -> keras.Model:
    """Return a model of an input with `n_axes` axes and one channel; its target layer is "conv"."""
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(*_SIZES[n_axes], n_axes))
    inputs = keras.Input((*size, 1))
    x = inputs
    for _ in range(rng.integers(1, 4)):
        step = _STEPS[n_axes][rng.integers(len(_STEPS[n_axes]))]
        x = step(x, rng)
    x = _layer("Conv", n_axes)(1, 1, kernel_initializer="ones", name="conv")(x)
    x = _layer("GlobalAveragePooling", n_axes)()(x)
    x = layers.Dense(2, kernel_initializer="ones")(x)
    return keras.Model(inputs, x, name=f"moving_{n_axes}d_{seed}")


def object_at(size: tuple[int, ...], place: tuple[int, ...], side: int) -> Array:
    """Return a dark doc, shape (1, *size, 1), with a bright object whose middle is at a place."""
    doc = np.full((1, *size, 1), 0.01, "float32")
    window = [slice(at - side // 2, at - side // 2 + side) for at in place]
    doc[0][tuple(window)] = 1
    return doc


_SIZES = {1: (24, 40), 2: (20, 32), 3: (10, 14)}


def _layer(kind: str, n_axes: int) -> Any:
    return getattr(layers, f"{kind}{n_axes}D")


def _n_axes(x: Any) -> int:
    return len(x.shape) - 2


def _places(x: Any) -> list[int]:
    return [int(n) for n in x.shape[1:-1]]


def _crop(x: Any, rng: np.random.Generator) -> Any:
    pairs = [tuple(int(k) for k in rng.integers(0, max(n // 4, 1), 2)) for n in _places(x)]
    return _layer("Cropping", _n_axes(x))(pairs if _n_axes(x) > 1 else pairs[0])(x)


def _crop_by_slices(x: Any, rng: np.random.Generator) -> Any:
    starts = [int(rng.integers(0, max(n // 4, 1))) for n in _places(x)]
    return x[(slice(None), *(slice(start, None) for start in starts))]


def _crop_in_a_lambda(x: Any, rng: np.random.Generator) -> Any:
    starts = [int(rng.integers(0, max(n // 4, 1))) for n in _places(x)]
    key = (slice(None), *(slice(start, None) for start in starts))
    return layers.Lambda(lambda y: y[key])(x)


def _pad(x: Any, rng: np.random.Generator) -> Any:
    pairs = [tuple(int(k) for k in rng.integers(0, 6, 2)) for _ in _places(x)]
    return _layer("ZeroPadding", _n_axes(x))(pairs if _n_axes(x) > 1 else pairs[0])(x)


def _mirror(x: Any, rng: np.random.Generator) -> Any:
    return ops.flip(x, axis=int(rng.integers(1, _n_axes(x) + 1)))


def _mirror_in_a_lambda(x: Any, rng: np.random.Generator) -> Any:
    axis = int(rng.integers(1, _n_axes(x) + 1))
    return layers.Lambda(lambda y: ops.flip(y, axis=axis))(x)


def _turn(x: Any, rng: np.random.Generator) -> Any:
    axes = 1 + rng.permutation(_n_axes(x))
    return ops.transpose(x, (0, *map(int, axes), _n_axes(x) + 1))


def _resize(x: Any, rng: np.random.Generator) -> Any:
    how: dict[str, bool] = [
        {}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}
    ][rng.integers(3)]  # fmt: skip
    height, width = (int(n * rng.uniform(0.6, 1.5)) for n in _places(x))
    return layers.Resizing(height, width, **how)(x)


def _crop_the_centre(x: Any, rng: np.random.Generator) -> Any:
    return layers.CenterCrop(*(int(n * rng.uniform(0.6, 1)) for n in _places(x)))(x)


def _enlarge(x: Any, rng: np.random.Generator) -> Any:
    return _layer("UpSampling", _n_axes(x))(2)(x)


def _convolve(x: Any, rng: np.random.Generator) -> Any:
    padding, stride = ["valid", "same"][rng.integers(2)], int(rng.integers(1, 3))
    size = int(rng.integers(1, 4))
    return _layer("Conv", _n_axes(x))(
        2, size, stride, padding, kernel_initializer="ones", use_bias=False
    )(x)


def _pool(x: Any, rng: np.random.Generator) -> Any:
    kind, padding = ["MaxPooling", "AveragePooling"][rng.integers(2)], ["valid", "same"]
    return _layer(kind, _n_axes(x))(2, padding=padding[rng.integers(2)])(x)


def _reshape(x: Any, rng: np.random.Generator) -> Any:
    """Return what was two tensors in between: the places in one axis, then as they were."""
    places, channels = _places(x), int(x.shape[-1])
    flat = ops.reshape(x, (-1, int(np.prod(places)), channels))
    return layers.Reshape((*places, channels))(layers.ReLU()(flat))


def _backwards(x: Any, rng: np.random.Generator) -> Any:
    return layers.SimpleRNN(
        2,
        activation="linear",
        kernel_initializer="ones",
        recurrent_initializer="zeros",
        return_sequences=True,
        go_backwards=True,
    )(x)


_COMMON: list[Step] = [
    _crop, _crop_by_slices, _crop_in_a_lambda, _pad, _mirror, _mirror_in_a_lambda, _turn,
    _enlarge, _convolve, _pool, _reshape,
]  # fmt: skip
_STEPS: dict[int, list[Step]] = {
    1: [*_COMMON, _backwards],
    2: [*_COMMON, _resize, _crop_the_centre],
    3: _COMMON,
}
