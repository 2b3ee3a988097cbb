"""The options of `ExplainCallback`, checked as far as that goes without a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import keras
from eli5.base import Explanation, TargetExplanation, missing_picture_libraries
from eli5.checks import expect_integer, expect_type, listed, wrong_type
from eli5.keras.inputs.image import check_image
from eli5.keras.pipeline.request import make_request
from eli5.keras.targets.classes import as_class_ids

if TYPE_CHECKING:
    from PIL.Image import Image


class Options(NamedTuple):
    """What is explained, when, and how.

    `images` are a copy, `targets` and `pictures` one per image; `explaining` are options of
    `eli5.explain_predictions`, `drawing` of `eli5.format_as_image`.
    """

    images: Any
    every: int
    targets: list[Any] | None
    pictures: list[Image] | None
    explaining: Mapping[str, Any]
    drawing: Mapping[str, Any]


def check_options(
    images: Any, *, every: Any, targets: Any, pictures: Any, others: Mapping[str, Any]
) -> Options:
    """Check the options of an `ExplainCallback`; see there for them and for the errors."""
    if missing := missing_picture_libraries():
        raise ImportError(
            "Expected Pillow and matplotlib, to draw pictures. Received: no "
            f"{' and no '.join(missing)}. Install with: pip install {' '.join(missing)}"
        )
    every = expect_integer("every", every, least=1, expected="an integer, in epochs")
    drawing = _check_drawing(others)
    explaining = {name: value for name, value in others.items() if name not in drawing}
    make_request(targets=targets, **explaining)
    copied = _copy_of(images)
    pictures = _per_image("pictures", pictures, copied, check_image)
    targets = _per_image("targets", targets, copied, as_class_ids)
    return Options(copied, every, targets, pictures, explaining, drawing)


def _check_drawing(others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `eli5.format_as_image`; one pixel tells whether they will do."""
    from PIL import Image

    from eli5.formatters.image import format_as_image

    names = list(inspect.signature(format_as_image).parameters)[1:]
    drawing = {name: value for name, value in others.items() if name in names}
    empty = np.zeros((1, 1), np.float32)
    target = TargetExplanation(0, heatmap=empty, attribution=empty)
    format_as_image(Explanation("", targets=[target], image=Image.new("RGB", (1, 1))), **drawing)
    return drawing


def _per_image(
    name: str, values: Any, images: Any, check: Callable[[Any], Any]
) -> list[Any] | None:
    """Return one entry per image as a list, which can be read at each epoch."""
    if values is None:
        return None
    entries = listed(values)
    if entries is None:
        raise wrong_type(name, values, "None or to hold one entry per image")
    # A list may hold one array per image, or one per input of the model.
    n_images = None if isinstance(images, list | tuple) else len(keras.tree.flatten(images)[0])
    if n_images is not None and len(entries) != n_images:
        raise ValueError(
            f"Expected one entry in `{name}` per image, {n_images} of them. Received: "
            f"{len(entries)}"
        )
    for entry in entries:
        check(entry)
    return entries


def _copy_of(images: Any) -> Any:
    """Return the images as NumPy arrays of our own, which nobody changes during the training."""
    if not hasattr(images, "shape"):
        # A dataset may shuffle, and draw from the random numbers that the training needs.
        advice = "Take the docs that are to be shown out of it first"
        kinds = (list, tuple, dict)
        expect_type("images", images, kinds, "an array, or a list or dict of arrays", advice)
    arrays = keras.tree.map_structure(_array_of, images)
    leaves = keras.tree.flatten(arrays)
    if not leaves or not all(map(len, leaves)):
        raise ValueError("Expected `images` to hold at least one image. Received: none")
    return arrays


def _array_of(leaf: Any) -> Any:
    if hasattr(leaf, "detach"):  # PyTorch, on any device
        leaf = leaf.detach().cpu()
    if not hasattr(leaf, "shape") or np.ndim(leaf) == 0:
        raise wrong_type("images", leaf, "one array or several", "Convert it with `np.asarray`")
    return np.array(leaf)
