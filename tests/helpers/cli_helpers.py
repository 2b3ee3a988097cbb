"""A classifier of colours whose heatmaps are known, pictures for it, and the command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from eli5.cli import main

SIZE = 32
RED, GREEN, BLUE = range(3)
TIMEOUT = 240  # seconds; a process that hangs is an error and not a test run that never ends


def colour_model(*first: layers.Layer, size: tuple[Any, ...] = (SIZE, SIZE, 3)) -> keras.Model:
    """Classify by the most frequent colour: class k is channel k, whose map is channel k itself."""
    model = keras.Sequential(
        [
            keras.Input(size),
            *(first or [layers.Rescaling(1 / 255, name="rescale")]),
            layers.Conv2D(3, 1, use_bias=False, name="colours"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, use_bias=False, activation="softmax", name="classes"),
        ],
        name="colour_model",
    )
    for name, factor in (("colours", 1), ("classes", 10)):
        layer = model.get_layer(name)
        shape = layer.kernel.shape
        layer.set_weights([factor * np.eye(*shape[-2:]).reshape(shape)])
    return model


def colour_segmenter() -> keras.Model:
    """Class k is where channel k is the highest, at half the picture's resolution."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Conv2D(3, 1, use_bias=False, name="colours")(x)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    model = keras.Model(inputs, layers.Softmax()(x), name="colour_segmenter")
    model.get_layer("colours").set_weights([9 * np.eye(3).reshape(1, 1, 3, 3)])
    return model


def colour_detector() -> keras.Model:
    """Return boxes of 4 x 4 cells, each of the class of its highest channel."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(3, 3, padding="same", use_bias=False, name="colours")(x)
    x = layers.AveragePooling2D(SIZE // 4)(x)
    scores = layers.Reshape((16, 3))(layers.Conv2D(3, 1, use_bias=False, name="classes")(x))
    zeros = layers.Conv2D(4, 1, use_bias=False, kernel_initializer="zeros")(x)
    places = np.arange(4) * SIZE / 4
    top, left = (one.ravel() for one in np.meshgrid(places, places, indexing="ij"))
    corners = np.stack([left, top, left + SIZE / 4, top + SIZE / 4], axis=1).astype("float32")
    boxes = layers.Reshape((16, 4))(zeros) + corners[None]
    outputs = {"boxes": boxes, "scores": layers.Activation("sigmoid")(scores)}
    model = keras.Model(inputs, outputs, name="colour_detector")
    kernel = np.zeros((3, 3, 3, 3))
    kernel[:, :] = np.eye(3) / 9
    model.get_layer("colours").set_weights([kernel])
    model.get_layer("classes").set_weights([9 * (np.eye(3) - 0.3).reshape(1, 1, 3, 3)])
    return model


def saved(model: keras.Model, folder: Path, name: str = "model.keras") -> str:
    path = str(folder / name)
    model.save(path)
    return path


def two_colours(width: int = 60, height: int = 40) -> Image.Image:
    """Return a picture whose left third is red, and the rest blue."""
    picture = Image.new("RGB", (width, height), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, width // 3, height))
    return picture


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    def fact(self, name: str) -> str:
        """Return what the output says behind a name at the start of a line."""
        (line,) = (line for line in self.out.splitlines() if line.startswith(f"{name} "))
        return line.removeprefix(name).strip()

    def rows(self) -> list[list[str]]:
        """Return the table of classes: its label, probability and log-odds."""
        table = self.out.split("\n\n")[1].splitlines()[1:]
        return [line.rsplit(maxsplit=2) for line in table]


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> Ended:
    """Run the command line in this process."""
    capsys.readouterr()
    code = main([str(argument) for argument in argv])
    return Ended(code, *capsys.readouterr())


def fails(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Run the command line, which must fail with one line, and return that line."""
    ended = run(capsys, *argv)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    start, _, message = ended.err.rstrip("\n").partition("eli5: error: ")
    assert start == ""
    return message


def run_process(*argv: object, **variables: str) -> Ended:
    """Run the command line in a process of its own, as users do."""
    done = subprocess.run(
        [sys.executable, "-m", "eli5", *map(str, argv)],
        capture_output=True,
        env={**os.environ, **variables},
        encoding="utf-8",
        check=False,
        timeout=TIMEOUT,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def open_for(process: subprocess.Popen[bytes], pipe: Path) -> int:
    """Wait until a process reads a pipe, and keep it waiting for what is never written."""
    while process.poll() is None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # no reader yet
            time.sleep(0.02)
    raise AssertionError("the command ended before it read the pipe")


def interrupt(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Press Ctrl-C until a process ends; return what it said.

    Python sees a signal that comes just before a read only after it, and this read never ends.
    """
    for _ in range(TIMEOUT):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=1)
    raise AssertionError("the command did not end on Ctrl-C")


def records(text: str) -> list[dict[str, Any]]:
    """Read lines of JSON."""
    return [json.loads(line) for line in text.splitlines()]
