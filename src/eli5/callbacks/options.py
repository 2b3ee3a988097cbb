"""What the caller of `ExplainCallback` asks for, checked as far as that goes without a model."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import keras
from eli5.base import Explanation, TargetExplanation, missing_picture_libraries
from eli5.keras.explain_predictions import target_list
from eli5.keras.inputs.model_inputs import check_image
from eli5.keras.pipeline.request import make_request
from eli5.keras.targets.classes import is_integer

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Wishes", "check_wishes"]


class Wishes(NamedTuple):
    """What is explained, when, and how.

    Attributes
    ----------
    images : numpy.ndarray, or a list or dict
        A copy.
    every : int
    targets : list, optional
        Per image.
    pictures : list of PIL.Image.Image, optional
        Per image.
    options : dict
        Of `eli5.explain_predictions`.
    drawing : dict
        Of `eli5.format_as_image`.
    """

    images: Any
    every: int
    targets: list[Any] | None
    pictures: list[Image] | None
    options: Mapping[str, Any]
    drawing: Mapping[str, Any]


def check_wishes(
    images: Any, *, every: Any, targets: Any, pictures: Any, options: Mapping[str, Any]
) -> Wishes:
    """Check the options of an `ExplainCallback`; see there for them and for the errors."""
    if missing := missing_picture_libraries():
        raise ImportError(
            "Expected Pillow and matplotlib, to draw pictures. Received: no "
            f"{' and no '.join(missing)}. Install with: pip install {' '.join(missing)}"
        )
    _check_every(every)
    drawing, explaining = _split(options)
    _check_drawing(drawing)
    make_request(targets=targets, **explaining)
    own = _own(images)
    listed_pictures = _per_image("pictures", pictures, own)
    for picture in listed_pictures or ():
        check_image(picture)
    listed_targets = _per_image("targets", targets, own)
    for target in listed_targets or ():
        target_list(target)
    return Wishes(own, every, listed_targets, listed_pictures, explaining, drawing)


def _check_every(every: Any) -> None:
    if not is_integer(every):
        raise TypeError(
            f"Expected `every` to be an integer, in epochs. Received: every={every!r} (of type "
            f"{type(every).__name__})"
        )
    if every < 1:
        raise ValueError(f"Expected `every` >= 1, in epochs. Received: every={every}")


def _split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of `eli5.format_as_image`, and those of `eli5.explain_predictions`."""
    from eli5.formatters.image import format_as_image

    of_image = list(inspect.signature(format_as_image).parameters)[1:]
    drawing = {name: value for name, value in options.items() if name in of_image}
    return drawing, {name: value for name, value in options.items() if name not in of_image}


def _check_drawing(drawing: Mapping[str, Any]) -> None:
    """Draw one pixel, which tells whether the options will do."""
    from PIL import Image

    from eli5.formatters.image import format_as_image

    empty = np.zeros((1, 1), np.float32)
    target = TargetExplanation(0, heatmap=empty, attribution=empty)
    format_as_image(Explanation("", targets=[target], image=Image.new("RGB", (1, 1))), **drawing)


def _per_image(name: str, values: Any, images: Any) -> list[Any] | None:
    """Return one entry per image as a list, which can be read at each epoch."""
    if values is None:
        return None
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise TypeError(
            f"Expected `{name}` to be None or to hold one entry per image. Received: "
            f"{name}={values!r} (of type {type(values).__name__})"
        )
    listed = list(values)
    # A list may hold one array per image, or one per input of the model.
    n_images = None if isinstance(images, list | tuple) else len(keras.tree.flatten(images)[0])
    if n_images is not None and len(listed) != n_images:
        raise ValueError(
            f"Expected one entry in `{name}` per image, {n_images} of them. Received: {len(listed)}"
        )
    return listed


def _own(images: Any) -> Any:
    """Return a copy of the images as NumPy arrays, which nobody changes while the model is trained.

    A dataset is refused: it may shuffle, and draw from the random numbers that the training needs.
    """
    if not (hasattr(images, "shape") or isinstance(images, list | tuple | dict)):
        raise TypeError(
            "Expected `images` to be an array, or a list or dict of arrays. Received: images of "
            f"type {type(images).__name__}. Take the docs that are to be shown out of it first."
        )
    arrays = keras.tree.map_structure(_own_array, images)
    leaves = keras.tree.flatten(arrays)
    if not leaves or not all(map(len, leaves)):
        raise ValueError("Expected `images` to hold at least one image. Received: none")
    return arrays


def _own_array(leaf: Any) -> Any:
    if hasattr(leaf, "detach"):  # PyTorch, on any device
        leaf = leaf.detach().cpu()
    array = np.array(leaf) if hasattr(leaf, "shape") else None
    if array is None or array.ndim == 0:
        raise TypeError(
            "Expected `images` to hold arrays. Received: an entry of type "
            f"{type(leaf).__name__}. Convert it with `np.asarray`."
        )
    return array
