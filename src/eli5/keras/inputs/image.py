"""Pictures, volumes and videos: docs with height and width, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5.base import Explanation, missing_picture_libraries
from eli5.keras.engine import Trace
from eli5.keras.inputs.kind import Axes, Kind, Words
from eli5.keras.layers.candidate_layers import candidate_calls
from eli5.keras.layers.conditions import View

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.keras.inputs.sample import DocOptions, Sample

Array = np.ndarray[Any, Any]


class _ImageKind(Kind):
    """Docs ``(1, H, W)``, ``(1, H, W, C)``, ``(1, D, H, W, C)``, or with their channels first."""

    name = "image"
    words = Words("picture", "the picture", "region", "pixel")
    options = ("image",)
    input_ranks = ((4, 5), (3,))
    can_mirror = True

    def check_options(self, about: DocOptions) -> None:
        check_image(about.image)

    def recognises(self, values: Array, trace: Trace) -> bool:
        # (1, T, F) is a picture without channels if the model makes maps of height and width of it.
        if values.ndim != 3:
            return values.ndim > 3
        calls = candidate_calls(View(trace, values.shape, values.shape[1:]))
        return any(len(call.shape) == 4 for call, _ in calls)

    def size(self, values: Array, channels_first: bool) -> tuple[int, ...]:
        if values.ndim < 4:
            return values.shape[1:]
        return values.shape[2:] if channels_first else values.shape[1:-1]

    def image(self, sample: Sample) -> Image | None:
        if sample.image is not None:
            return sample.image
        if sample.values.ndim > 4 or missing_picture_libraries():
            return None  # how many slices a volume shows depends on its map
        return to_picture(sample.values, channels_first=sample.channels_first)

    def finish(
        self, expl: Explanation, sample: Sample, cells: Sequence[int], axes: Axes = ()
    ) -> Explanation:
        if expl.image is None and "Pillow" not in missing_picture_libraries():
            values, n_slices = sample.values, cells[0] if len(cells) == 3 else 1
            if axes and 0 in axes:  # the map is over the slices: each shows their mean along it
                gone = next(axis for axis in range(3) if axis not in axes)
                values = values.mean(axis=1 + gone + sample.channels_first)
            expl.image = to_picture(values, channels_first=sample.channels_first, n_slices=n_slices)
        return expl


IMAGE = _ImageKind()


def check_image(image: Any) -> None:
    """Raise TypeError if `image` is no Pillow image, layer's name or None, ValueError if empty."""
    if image is None or isinstance(image, str):
        return
    from PIL.Image import Image  # only where a picture is used

    if not isinstance(image, Image):
        raise TypeError(
            "Expected `image` to be a Pillow image, or the name of a layer. Received: image of "
            f"type {type(image).__name__}. Convert an array with `PIL.Image.fromarray(array)`."
        )
    if 0 in image.size:
        raise ValueError(f"Expected `image` to have pixels. Received: image.size={image.size}")


def to_picture(doc: Array, *, channels_first: bool = False, n_slices: int | None = None) -> Image:
    """Return a picture of one sample.

    Parameters
    ----------
    doc : numpy.ndarray, shape (1, H, W), (1, H, W, C) or (1, D, H, W, C)
        Values in [0, 255], [0, 1] or [-1, 1] are shown as such, others from their least to their
        greatest. With 1, 3 or 4 channels it is grey, RGB or RGBA; otherwise the mean is shown.
    channels_first : bool
        Whether the channels are the first axis behind the batch axis.
    n_slices : int, optional
        For volumes and videos: how many slices, evenly spaced, are shown side by side.

    Returns
    -------
    PIL.Image.Image
        8 bit, mode ``L``, ``RGB`` or ``RGBA``.
    """
    from PIL import Image  # only where a picture is made

    pixels = doc[0]
    if channels_first and pixels.ndim > 2:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 4:
        pixels = _strip(pixels, n_slices or len(pixels))
    if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4):
        pixels = pixels.mean(axis=-1)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    return Image.fromarray(_to_bytes(pixels))


def _strip(volume: Array, n_slices: int) -> Array:
    """Return slices from the middle of `n_slices` equal parts, side by side."""
    middles = (np.arange(n_slices) + 0.5) * len(volume) / n_slices
    return np.concatenate(list(volume[middles.astype(int)]), axis=1)


def _to_bytes(pixels: Array) -> Array:
    if pixels.dtype == np.uint8:
        return pixels
    # 32 bits are enough for 8; wider ones cost more than all else that surrounds a prediction.
    values = pixels if pixels.dtype == np.float32 else pixels.astype("float64")
    low, high = values.min(), values.max()
    if not np.isfinite(high - low):
        values = np.nan_to_num(values.astype("float64"), posinf=0.0, neginf=0.0)
        low, high = values.min(), values.max()
    if low >= 0 and high <= 1:
        scaled = values * 255
    elif low >= -1 and high <= 1:
        scaled = values + 1
        scaled *= 127.5
    elif low >= 0 and high <= 255:
        scaled = values.copy()
    else:
        scaled = values - low
        scaled /= (high - low) or 1
        scaled *= 255
    # In place, and without a clip, which no range above needs: this is done for each doc.
    return np.rint(scaled, out=scaled).astype("uint8")
