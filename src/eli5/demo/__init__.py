"""The bundled model and picture, which make a first explanation possible without any download.

Importing this package loads neither Keras nor Pillow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MODEL = Path(__file__).with_name("model.keras")
"""The trained classifier; it takes raw RGB pictures (0 to 255) and ends in a softmax."""

SEGMENTER = Path(__file__).with_name("segmenter.keras")
"""A trained segmenter of the same pictures: a softmax over `segment_names` at each pixel."""

DETECTOR = Path(__file__).with_name("detector.keras")
"""A trained detector of the same pictures: boxes ``xyxy`` in pixels, and a probability of each of
`class_names`, per cell of a grid."""

SCENE = Path(__file__).with_name("scene.png")
"""The demo picture, with two objects."""

SCENE_MASKS = Path(__file__).with_name("scene_masks.png")
"""Where the objects are: 1 + class id in an object, 0 elsewhere."""

class_names = ("disc", "square", "triangle", "star", "ring", "cross")
"""The name of each class, by class id."""

segment_names = ("background", *class_names)
"""The name of each class of the segmenter, by class id."""


class Scene(NamedTuple):
    """A picture and what is in it.

    Parameters
    ----------
    image : numpy.ndarray
        RGB picture, ``(128, 128, 3)``, uint8.
    kinds : tuple of int
        The class id of each object.
    masks : numpy.ndarray
        The pixels of each object, ``(n, 128, 128)``, bool; they do not overlap.
    """

    image: np.ndarray[Any, Any]
    kinds: tuple[int, ...]
    masks: np.ndarray[Any, Any]


def load_model() -> Any:
    """Load the bundled classifier, a `keras.Model`."""
    import keras

    return keras.saving.load_model(MODEL, compile=False)


def load_segmenter() -> Any:
    """Load the bundled segmenter, a `keras.Model`."""
    import keras

    return keras.saving.load_model(SEGMENTER, compile=False)


def load_detector() -> Any:
    """Load the bundled detector, a `keras.Model`."""
    import keras

    return keras.saving.load_model(DETECTOR, compile=False)


def load_scene() -> Scene:
    """Load the demo picture with the class ids and masks of its objects."""
    from PIL import Image

    scene, scene_masks = (Image.open(path, formats=("PNG",)) for path in (SCENE, SCENE_MASKS))
    with scene as image, scene_masks as masks:
        labels = np.asarray(masks)
        present = [int(label) for label in np.unique(labels) if label]
        pixels = np.stack([labels == label for label in present])
        return Scene(np.array(image), tuple(label - 1 for label in present), pixels)
