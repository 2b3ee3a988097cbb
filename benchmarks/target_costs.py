"""What targets of segmenters and detectors cost, beside the same gradients written by hand."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from networks import SIZE, docs, lively
from rows import Row
from timing import Cost, compare
from yardsticks import forward_and_layer_gradients

import eli5
from eli5.demo import load_scene, load_segmenter
from eli5.targets import Box, Region

Array = np.ndarray[Any, Any]

N_TARGETS = 10
_CELL = 32  # pixels of MobileNetV2's last maps
_N_CLASSES = 21


class Case(NamedTuple):
    """A model with targets, and what a gradient by hand needs to know of it.

    Attributes
    ----------
    what : str
    model : keras.Model
    doc : numpy.ndarray
    targets : list
        Of one class; the first alone, too.
    cut : tuple of str
        The target layer, and the others that feed what is behind it.
    logits : str
        The layer that gives them, ``(1, *places, classes)``.
    class_id : int
    masks : list of numpy.ndarray, shape (*places,)
        The places of each target.
    """

    what: str
    model: keras.Model
    doc: Array
    targets: list[Any]
    cut: tuple[str, ...]
    logits: str
    class_id: int
    masks: list[Array]


def targets(pairs: int) -> Iterator[Row]:
    """Measure one target, and ten of one picture, of two segmenters and a detector."""
    for make in (segmenter, mobile_segmenter, mobile_detector):
        case = make()
        one, ten = (_explain(case, case.targets[:n]) for n in (1, N_TARGETS))
        by_hand, ten_by_hand = (_by_hand(case, case.masks[:n]) for n in (1, N_TARGETS))
        few = max(pairs // 2, 5)
        yield _row(case.what, compare(one, by_hand, pairs=pairs), 1.3, "× forward and gradient")
        yield _row(f"ten of {case.what}", compare(ten, one, pairs=few), 1.2, "× one")
        by_itself = compare(ten_by_hand, by_hand, pairs=few)
        yield _row(f"ten of {case.what}, gradients by hand", by_itself, None, "× one by hand")


def _row(what: str, cost: Cost, goal: float | None, unit: str) -> Row:
    return Row(what, cost.ratio, cost.low, cost.high, goal, unit)


def _explain(case: Case, asked: list[Any]) -> Callable[[], Any]:
    def run() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is empty
            return eli5.explain_prediction(case.model, case.doc, target=asked)

    return run


def _by_hand(case: Case, masks: Sequence[Array]) -> Callable[[], Any]:
    model = case.model
    at_cut = [model.get_layer(name).output for name in case.cut]
    trunk = keras.Model(model.inputs, at_cut)
    outputs = keras.tree.flatten(model.output)
    tail = keras.Model(at_cut, [model.get_layer(case.logits).output, *outputs])
    return functools.partial(
        forward_and_layer_gradients(trunk, tail, case.class_id, masks), case.doc
    )


def segmenter() -> Case:
    """Return the bundled U-Net, which is small: an explanation's fixed costs show most."""
    model, scene = load_segmenter(), load_scene()
    class_id = 1 + scene.kinds[0]
    masks = [np.roll(scene.masks[0], 5 * k, axis=1) for k in range(N_TARGETS)]
    regions = [Region(class_id, mask) for mask in masks]
    cut = ("bottleneck", "down_0", "down_1")
    doc = scene.image[None].astype("float32")
    return Case("region, bundled U-Net", model, doc, regions, cut, "resize", class_id, masks)


def mobile_segmenter() -> Case:
    """Return MobileNetV2 with classes per cell that are enlarged to the picture."""
    backbone = keras.applications.MobileNetV2((SIZE, SIZE, 3), include_top=False, weights=None)
    x = layers.Conv2D(_N_CLASSES, 1, name="classes")(backbone.output)
    x = layers.UpSampling2D(_CELL, interpolation="bilinear", name="resize")(x)
    model = lively(keras.Model(backbone.input, layers.Softmax()(x)))
    masks = [np.zeros((SIZE, SIZE), bool) for _ in range(N_TARGETS)]
    for k, mask in enumerate(masks):
        mask[8 * k : 8 * k + 96, 12 * k : 12 * k + 96] = True
    regions = [Region(0, mask) for mask in masks]
    cut = ("out_relu",)
    return Case("region, MobileNetV2", model, docs(1), regions, cut, "resize", 0, masks)


def mobile_detector() -> Case:
    """Return MobileNetV2 with a box of 64 pixels, and six classes, per cell."""
    backbone = keras.applications.MobileNetV2((SIZE, SIZE, 3), include_top=False, weights=None)
    x = layers.Conv2D(128, 3, padding="same", activation="relu", name="neck")(backbone.output)
    scores = layers.Conv2D(6, 3, padding="same", bias_initializer="ones", name="classes")(x)
    sizes = layers.Conv2D(4, 3, padding="same", name="sizes")(x)
    model = lively(keras.Model(backbone.input, {"sizes": sizes, "scores": scores}))
    model.get_layer("sizes").set_weights([0 * w for w in model.get_layer("sizes").get_weights()])
    places = (np.arange(SIZE // _CELL) + 0.5) * _CELL
    y, x = (one.ravel()[:, None] for one in np.meshgrid(places, places, indexing="ij"))
    corners = np.concatenate([x - 32, y - 32, x + 32, y + 32], axis=1).astype("float32")
    boxes = layers.Reshape((-1, 4))(sizes) + corners[None]
    flat = layers.Reshape((-1, 6), name="flat")(scores)
    outputs = {"boxes": boxes, "scores": layers.Activation("sigmoid")(flat)}
    model = keras.Model(backbone.input, outputs)
    chosen = range(N_TARGETS)
    asked = [Box(tuple(map(float, np.clip(corners[k], 0, SIZE))), 0) for k in chosen]
    masks = [np.arange(len(corners)) == k for k in chosen]
    return Case("box, MobileNetV2", model, docs(1), asked, ("neck",), "flat", 0, masks)
