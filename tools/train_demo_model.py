"""Train the bundled model on synthetic scenes.

    python tools/train_demo_model.py [--out FOLDER] [--epochs N] [--seed N]

Writes the model, the demo picture and the picture's masks into ``src/eli5/demo``. A run takes about
five minutes on four CPU cores with TensorFlow, the fastest backend for it; `demo_training.py` says
with which Keras.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from PIL import Image

import demo_training
from demo_scenes import KINDS, SIZE, draw_scenes
from demo_training import draw_by_number, read_options
from eli5.demo import MODEL, SCENE, SCENE_MASKS, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SCENE_SEED = 10014
"""The seed of the demo picture, a two-object scene."""

_N_SCENES = {0: 1000, 1: 4000, 2: 3000}  # training scenes by number of objects
_N_HELD_OUT = 1000
_BATCH = 32

# Filters, kernel size and stride of each block. A stride of 2 goes with an even kernel, so that
# "same" padding is symmetric and the maps, enlarged to the picture, are not shifted against it.
_BLOCKS = ((16, 4, 2), (24, 3, 1), (32, 4, 2), (40, 3, 1), (48, 3, 1), (64, 1, 1))


def main(argv: Sequence[str] | None = None) -> None:
    """Train, report the accuracy on held-out scenes, and save the bundle."""
    options = read_options("model", MODEL.parent, argv, epochs=12)
    keras.utils.set_random_seed(options.seed)
    model = train(options.seed, options.epochs)
    accuracy = evaluate(model, draw_scenes(options.seed + 1000, _N_HELD_OUT))
    print(f"accuracy on {_N_HELD_OUT} held-out scenes: {accuracy:.4f}")
    model.save(options.out / MODEL.name)
    save_scene(draw_scenes(SCENE_SEED, 1, n_objects=2)[0], options.out)
    print(f"saved {MODEL.name}, {SCENE.name} and {SCENE_MASKS.name} in {options.out}")


def train(seed: int, epochs: int) -> keras.Model:
    """Train a new model on scenes drawn from `seed`; return it without an optimizer."""
    scenes = draw_by_number(seed, _N_SCENES)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model = demo_training.train(
        build_model, scenes, targets_of(scenes), loss, rate=3e-3, batch_size=_BATCH, epochs=epochs
    )
    centre_head(model)
    return model


def targets_of(scenes: Sequence[Scene]) -> NDArray[np.float32]:
    """Return the target of each scene, shared evenly by the kinds in it.

    A scene without objects has the same target for every kind: the background is evidence for
    none of them.
    """
    targets = np.zeros((len(scenes), len(KINDS)), np.float32)
    for target, scene in zip(targets, scenes, strict=True):
        kinds = list(scene.kinds) or slice(None)
        target[kinds] = 1
    return targets / targets.sum(axis=1, keepdims=True)


def build_model() -> keras.Model:
    """Build a convolutional classifier of raw pictures (0 to 255).

    Its last maps are 32 x 32 and each of their points sees 30 x 30 pixels, about one object, so
    heatmaps are fine and do not spill far.
    """
    layers: list[Any] = [
        keras.Input((SIZE, SIZE, 3), name="picture"),
        keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling"),
    ]
    for block, (filters, size, stride) in enumerate(_BLOCKS):
        layers += [
            keras.layers.Conv2D(
                filters, size, stride, padding="same", use_bias=False, name=f"conv_{block}"
            ),
            keras.layers.BatchNormalization(name=f"norm_{block}"),
            keras.layers.ReLU(name=f"relu_{block}"),
        ]
    layers += [
        keras.layers.GlobalAveragePooling2D(name="pool"),
        keras.layers.Dense(len(KINDS), activation="softmax", name="kinds"),
    ]
    return keras.Sequential(layers, name="demo")


def centre_head(model: keras.Model) -> None:
    """Take from each class's weights what all classes share.

    The softmax cannot see that part, so no prediction changes; a heatmap would show it as evidence.
    """
    head = model.layers[-1]
    head.set_weights([w - w.mean(axis=-1, keepdims=True) for w in head.get_weights()])


def evaluate(model: keras.Model, scenes: Sequence[Scene]) -> float:
    """Return the share of one-object scenes that the model classifies correctly."""
    outputs = model.predict(np.stack([scene.image for scene in scenes]), verbose=0)
    return float(np.mean(outputs.argmax(axis=1) == [scene.kinds[0] for scene in scenes]))


def save_scene(scene: Scene, folder: Path) -> None:
    """Save the picture, and its masks as one picture: 1 + class id in an object, 0 elsewhere."""
    labels = np.zeros(scene.image.shape[:2], np.uint8)
    for kind, mask in zip(scene.kinds, scene.masks, strict=True):
        labels[mask] = 1 + kind
    Image.fromarray(scene.image).save(folder / SCENE.name, optimize=True)
    Image.fromarray(labels).save(folder / SCENE_MASKS.name, optimize=True)


if __name__ == "__main__":
    main()
