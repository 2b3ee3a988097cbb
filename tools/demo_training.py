"""What the scripts that train the bundled models have in common: options, scenes and the training.

A saved model opens in the Keras that saved it and in newer ones, so the bundled ones are made with
the oldest Keras that this package supports; tests/demo looks into the files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from demo_scenes import draw_scenes
from eli5.demo import Scene


def read_options(
    what: str, folder: Path, argv: Sequence[str] | None, *, epochs: int
) -> argparse.Namespace:
    """Return the options of a script that trains a model: ``out``, ``epochs`` and ``seed``."""
    parser = argparse.ArgumentParser(description=f"Train the bundled {what}.")
    parser.add_argument("--out", type=Path, default=folder, help="folder to save into")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def draw_by_number(seed: int, n_scenes: Mapping[int, int]) -> list[Scene]:
    """Return so many scenes of each number of objects."""
    return [
        scene
        for n_objects, n in n_scenes.items()
        for scene in draw_scenes(seed + n_objects, n, n_objects)
    ]


def train(
    build: Callable[[], keras.Model],
    scenes: Sequence[Scene],
    truth: Any,
    loss: Any,
    *,
    rate: float,
    batch_size: int,
    epochs: int,
) -> keras.Model:
    """Train what `build` makes on pictures of scenes; return it without an optimizer.

    The rate falls as a cosine does, after a twentieth of the steps in which it rises.
    """
    model = build()
    steps = epochs * -(-len(scenes) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=rate, warmup_steps=steps // 20
    )
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss=loss)
    images = np.stack([scene.image for scene in scenes])
    model.fit(images, truth, batch_size=batch_size, epochs=epochs, verbose=2)
    trained = build()  # never compiled: saved without the optimizer, a third of the size
    trained.set_weights(model.get_weights())
    return trained
