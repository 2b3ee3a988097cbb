"""Train the bundled detector, one box per cell of a grid, on synthetic scenes of known boxes.

    python tools/train_demo_detector.py [--out FOLDER] [--epochs N] [--seed N]

Writes the model into ``src/eli5/demo``; `demo_training.py` says with which Keras.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

import demo_training
from demo_scenes import KINDS, SIZE, draw_scenes
from demo_training import draw_by_number, read_options
from eli5.demo import DETECTOR, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_N_SCENES = {0: 100, 1: 700, 2: 1200}  # training scenes by number of objects
_N_HELD_OUT = 200
_BATCH = 16
STRIDE = 8  # pixels of a cell
CELLS = SIZE // STRIDE
# Filters, kernel size and stride of each block; a stride of 2 goes with an even kernel, or the maps
# would be shifted against the picture.
_BLOCKS = ((16, 4, 2), (24, 4, 2), (32, 3, 1), (40, 4, 2), (48, 3, 1), (48, 3, 1))
_MIDDLE = 0.35  # of an object's half width and height: its cells there are to find it
_RARE = -4.0  # the logit that a class begins with: most cells have no object


def main(argv: Sequence[str] | None = None) -> None:
    """Train, report how many objects are found on held-out scenes, and save."""
    options = read_options("detector", DETECTOR.parent, argv, epochs=8)
    keras.utils.set_random_seed(options.seed)
    model = train(options.seed, options.epochs)
    found = evaluate(model, draw_scenes(options.seed + 1000, _N_HELD_OUT, n_objects=2))
    print(f"objects found on {_N_HELD_OUT} held-out scenes: {found:.4f}")
    model.save(options.out / DETECTOR.name)
    print(f"saved {DETECTOR.name} in {options.out}")


def train(seed: int, epochs: int) -> keras.Model:
    """Train a new model on scenes drawn from `seed`; return it without an optimizer."""
    scenes = draw_by_number(seed, _N_SCENES)
    truth = np.stack([truth_of(scene) for scene in scenes])
    head = demo_training.train(
        build_head, scenes, truth, _loss, rate=4e-3, batch_size=_BATCH, epochs=epochs
    )
    return build_detector(head)


def truth_of(scene: Scene) -> NDArray[np.float32]:
    """Return per cell what is to be said, ``(CELLS, CELLS, 4 + classes)``.

    Distances to the left, top, right and bottom of the object's box, in cells, as logarithms, and
    1 at the class of the object whose middle the cell is in.
    """
    truth = np.zeros((CELLS, CELLS, 4 + len(KINDS)), np.float32)
    for kind, (left, top, right, bottom) in zip(scene.kinds, boxes_of(scene), strict=True):
        x, y = _centres()
        half = (right - left) / 2, (bottom - top) / 2
        is_near = (abs(x - (left + right) / 2) <= max(_MIDDLE * half[0], STRIDE / 2)) & (
            abs(y - (top + bottom) / 2) <= max(_MIDDLE * half[1], STRIDE / 2)
        )
        distances = np.stack([x - left, y - top, right - x, bottom - y], axis=-1) / STRIDE
        truth[is_near, :4] = np.log(np.maximum(distances, 0.1))[is_near]
        truth[is_near, 4 + kind] = 1
    return truth


def boxes_of(scene: Scene) -> list[tuple[float, float, float, float]]:
    """Return the box of each object, ``xyxy`` in pixels."""
    boxes = []
    for mask in scene.masks:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    return [tuple(map(float, box)) for box in boxes]  # type: ignore[misc]


def _centres() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the horizontal and the vertical place of the middle of each cell, in pixels."""
    places = (np.arange(CELLS, dtype=np.float32) + 0.5) * STRIDE
    x, y = np.meshgrid(places, places)
    return x, y


def build_head() -> keras.Model:
    """Build what says of each cell of raw pictures (0 to 255) what `truth_of` does, as logits."""
    inputs = keras.Input((SIZE, SIZE, 3), name="picture")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(inputs)
    for number, (filters, size, stride) in enumerate(_BLOCKS):
        x = layers.Conv2D(
            filters, size, stride, padding="same", use_bias=False, name=f"conv_{number}"
        )(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    rare = keras.initializers.Constant(_RARE)
    distances = layers.Conv2D(4, 3, padding="same", name="distances")(x)
    logits = layers.Conv2D(len(KINDS), 3, padding="same", bias_initializer=rare, name="logits")(x)
    return keras.Model(inputs, layers.Concatenate()([distances, logits]))


def build_detector(head: keras.Model) -> keras.Model:
    """Return the detector: boxes, ``xyxy`` in pixels, and probabilities, of all cells."""
    distances, logits = (head.get_layer(name).output for name in ("distances", "logits"))
    left, top, right, bottom = (STRIDE * ops.exp(distances[..., k]) for k in range(4))
    x, y = _centres()
    corners = [-(left - x), -(top - y), right + x, bottom + y]  # the tensor first: it is symbolic
    boxes = layers.Reshape((-1, 4), name="boxes")(ops.stack(corners, axis=-1))
    flat = layers.Reshape((-1, len(KINDS)), name="flat")(logits)
    scores = layers.Activation("sigmoid", name="scores")(flat)
    return keras.Model(head.input, {"boxes": boxes, "scores": scores}, name="detector")


def _loss(truth: Any, said: Any) -> Any:
    """Return the focal loss (arXiv:1708.02002) of the classes, and the distance of the boxes."""
    classes, logits = truth[..., 4:], said[..., 4:]
    n_objects = ops.maximum(ops.sum(classes), 1.0)
    p = ops.sigmoid(logits)
    wrong = classes * (1 - p) + (1 - classes) * p
    entropy = ops.relu(logits) - logits * classes + ops.log1p(ops.exp(-ops.abs(logits)))
    focal = ops.sum((classes * 0.75 + (1 - classes) * 0.25) * ops.square(wrong) * entropy)
    is_object = ops.max(classes, axis=-1, keepdims=True)
    apart = ops.sum(is_object * ops.abs(truth[..., :4] - said[..., :4]))
    return (4 * focal + apart) / n_objects


def evaluate(model: keras.Model, scenes: Sequence[Scene]) -> float:
    """Return the share of objects for which the best box of their class overlaps them by half."""
    outputs = model.predict(np.stack([scene.image for scene in scenes]), verbose=0)
    found = []
    for scene, boxes, scores in zip(scenes, outputs["boxes"], outputs["scores"], strict=True):
        for kind, box in zip(scene.kinds, boxes_of(scene), strict=True):
            best = int(scores[:, kind].argmax())
            found.append(scores[best, kind] > 0.5 and _overlap(boxes[best], box) > 0.5)
    return float(np.mean(found))


def _overlap(a: Any, b: Any) -> float:
    sides = [max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in (0, 1)]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(sides[0] * sides[1] / (sum(areas) - sides[0] * sides[1]))


if __name__ == "__main__":
    main()
