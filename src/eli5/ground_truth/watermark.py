"""A planted watermark that the model uses by a known share, beside a patch that it ignores.

The score is made of an object and of a watermark, the class says how much of each: its share of the
watermark goes from none to all. The patch is as bright, and the last layer with maps answers to it;
but no class takes that answer.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from eli5.ground_truth.problem import (
    PLUS,
    T_SHAPE,
    Z_SHAPE,
    Array,
    Problem,
    of_places,
    set_weights,
    stroke_kernel,
)

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_SIDE = 12
_SHAPES = (T_SHAPE, Z_SHAPE, PLUS)  # object, watermark, patch: one colour each


def make_watermark(seed: int, n_docs: int) -> list[Problem]:
    """Return the problem with `n_docs` docs, each explained for each share."""
    random = np.random.default_rng([seed, 30])
    drawn = [_draw(random) for _ in range(n_docs)]
    strokes = np.stack([picture for picture, _ in drawn])
    windows = np.stack([masks for _, masks in drawn])
    weights = np.array([[1 - share, share] for share in SHARES]) / T_SHAPE.sum()
    n = len(SHARES)
    return [
        Problem(
            "watermark",
            f"a watermark with a share of {', '.join(f'{one:.0%}' for one in SHARES)} of the score",
            _make_model(),
            strokes.astype("float32"),
            [list(range(n))] * n_docs,
            np.einsum("kc,nhwc->nkhw", weights, strokes[..., :2]),
            blind=np.repeat(windows[:, None, 2], n, axis=1),
            part=np.repeat(windows[:, None, 1], n, axis=1),
            options=of_places((_SIDE, _SIDE)),
        )
    ]


def _draw(random: np.random.Generator) -> tuple[Array, Array]:
    """Return a picture (12, 12, 3) of three strokes, and the window of each, (3, 12, 12)."""
    picture, windows = np.zeros((_SIDE, _SIDE, 3)), np.zeros((3, _SIDE, _SIDE), bool)
    quarters, half = random.permutation(4), _SIDE // 2
    for k, (shape, quarter) in enumerate(zip(_SHAPES, quarters, strict=False)):
        top, left = half * np.array(divmod(int(quarter), 2)) + random.integers(0, 4, 2)
        picture[top : top + 3, left : left + 3, k] = shape
        windows[k, top : top + 3, left : left + 3] = True
    return picture, windows


def _make_model() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((_SIDE, _SIDE, 3)),
            layers.Conv2D(3, 3, padding="same", activation="relu", name="maps"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(SHARES), use_bias=False, name="classes"),
        ],
        name="watermark",
    )
    kernel = np.zeros((3, 3, 3, 3))
    for k, shape in enumerate(_SHAPES):
        kernel[:, :, k, k] = stroke_kernel(shape)
    bias = [1 - shape.sum() for shape in _SHAPES]
    classes = np.stack([1 - np.array(SHARES), SHARES, np.zeros(len(SHARES))])
    return set_weights(model, maps=[kernel, bias], classes=_SIDE**2 * classes)
