"""Train the bundled segmenter, a small U-Net, on synthetic scenes whose masks are known.

    python tools/train_demo_segmenter.py [--out FOLDER] [--epochs N] [--seed N]

Writes the model into ``src/eli5/demo``; `demo_training.py` says with which Keras.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

import demo_training
from demo_scenes import KINDS, SIZE, draw_scenes
from demo_training import draw_by_number, read_options
from eli5.demo import SEGMENTER, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_N_SCENES = {1: 800, 2: 1200}  # training scenes by number of objects
_N_HELD_OUT = 200
_BATCH = 16
_FILTERS = (12, 20, 28)  # of the blocks on the way down, from fine to coarse
_BOTTLENECK = 32


def main(argv: Sequence[str] | None = None) -> None:
    """Train, report the overlap with the true masks on held-out scenes, and save."""
    options = read_options("segmenter", SEGMENTER.parent, argv, epochs=8)
    keras.utils.set_random_seed(options.seed)
    model = train(options.seed, options.epochs)
    overlap = evaluate(model, draw_scenes(options.seed + 1000, _N_HELD_OUT, n_objects=2))
    print(f"mean overlap with the objects of {_N_HELD_OUT} held-out scenes: {overlap:.4f}")
    model.save(options.out / SEGMENTER.name)
    print(f"saved {SEGMENTER.name} in {options.out}")


def train(seed: int, epochs: int) -> keras.Model:
    """Train a new model on scenes drawn from `seed`; return it without an optimizer."""
    scenes = draw_by_number(seed, _N_SCENES)
    labels = np.stack([labels_of(scene) for scene in scenes])
    loss = keras.losses.SparseCategoricalCrossentropy()
    return demo_training.train(
        build_segmenter, scenes, labels, loss, rate=4e-3, batch_size=_BATCH, epochs=epochs
    )


def labels_of(scene: Scene) -> NDArray[np.uint8]:
    """Return the class of each pixel: 1 + its kind in an object, 0 elsewhere."""
    labels = np.zeros((SIZE, SIZE), np.uint8)
    for kind, mask in zip(scene.kinds, scene.masks, strict=True):
        labels[mask] = 1 + kind
    return labels


def build_segmenter() -> keras.Model:
    """Build a U-Net of raw pictures (0 to 255), with half their resolution at its finest."""
    inputs = keras.Input((SIZE, SIZE, 3), name="picture")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(inputs)
    skips = []
    for level, filters in enumerate(_FILTERS):
        # A stride of 2 goes with an even kernel, or the maps would be shifted against the picture.
        x = _block(x, filters, 4, 2, f"down_{level}")
        skips.append(x)
    x = _block(x, _BOTTLENECK, 3, 1, "bottleneck")
    for level in reversed(range(len(_FILTERS) - 1)):
        x = layers.UpSampling2D(name=f"enlarge_{level}")(x)
        x = layers.Concatenate(name=f"skip_{level}")([x, skips[level]])
        x = _block(x, _FILTERS[level], 3, 1, f"up_{level}")
    x = layers.Conv2D(1 + len(KINDS), 1, name="logits")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="resize")(x)
    return keras.Model(inputs, layers.Softmax(name="classes")(x), name="segmenter")


def _block(x: Any, filters: int, size: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=name)(x)


def evaluate(model: keras.Model, scenes: Sequence[Scene]) -> float:
    """Return the mean overlap (intersection over union) with the objects' true masks."""
    outputs = model.predict(np.stack([scene.image for scene in scenes]), verbose=0).argmax(axis=-1)
    overlaps = [
        (mask & (labels == 1 + kind)).sum() / (mask | (labels == 1 + kind)).sum()
        for scene, labels in zip(scenes, outputs, strict=True)
        for kind, mask in zip(scene.kinds, scene.masks, strict=True)
    ]
    return float(np.mean(overlaps))


if __name__ == "__main__":
    main()
