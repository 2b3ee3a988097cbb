"""Pictures, volumes and videos: docs with height and width, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5.base import Explanation, missing_picture_libraries
from eli5.keras.engine import Trace
from eli5.keras.inputs.kind import Kind, Words
from eli5.keras.inputs.pixel_range import unprepared
from eli5.keras.layers.candidate_layers import candidate_calls
from eli5.keras.layers.conditions import View
from eli5.placement import Placement

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.keras.inputs.sample import DocOptions, Sample

Array = np.ndarray[Any, Any]

_MEANS = (103.939, 116.779, 123.68)  # of ImageNet's blue, green and red
_WHOLE = 0.01  # off by less is a whole number but for rounding
# Values of a picture without its means reach below this, and over so much.
_LEAST_BELOW, _LEAST_RANGE = -16, 64


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

    def unprepared(self, sample: Sample) -> str:
        if sample.stand_in is not None:
            return ""
        return unprepared(
            sample.model, sample.values, sample.trace, channels_first=sample.channels_first
        )

    def image(self, sample: Sample) -> Image | None:
        if sample.image is not None:
            return sample.image
        if sample.values.ndim > 4 or missing_picture_libraries():
            return None  # how many slices a volume shows depends on its map
        return to_picture(sample.values, channels_first=sample.channels_first)

    def finish(self, expl: Explanation, sample: Sample, cells: Sequence[int]) -> Explanation:
        if expl.image is None and "Pillow" not in missing_picture_libraries():
            placement = expl.targets[0].placement
            expl.image = to_picture(
                sample.values,
                channels_first=sample.channels_first,
                slices=_slices(placement, cells),
            )
        if sample.image is None and expl.image is not None and _lost_colours(sample, expl.image):
            expl.description = f"{expl.description} {_GREY}"
        return expl


IMAGE = _ImageKind()

_GREY = (
    "The picture is drawn in grey: ImageNet's means seem to have been taken off the doc, and the "
    "order of its colours, RGB or BGR, is not known. Give `image` to see it in colour."
)


def _lost_colours(sample: Sample, image: Image) -> bool:
    """Tell whether a doc with three channels is shown in grey."""
    values = sample.values
    n_channels = values.shape[1 if sample.channels_first else -1]
    return values.ndim > 3 and n_channels == 3 and image.mode == "L"


def check_image(image: Any) -> None:
    """Raise TypeError if `image` is no Pillow image, layer's name or None, ValueError if empty."""
    if image is None or isinstance(image, str):
        return
    from PIL.Image import Image  # only where a picture is used

    if not isinstance(image, Image):
        raise TypeError(
            "Expected `image` to be a Pillow image. Received: image of type "
            f"{type(image).__name__}. Convert an array with `PIL.Image.fromarray(array)`."
        )
    if 0 in image.size:
        raise ValueError(f"Expected `image` to have pixels. Received: image.size={image.size}")


def _slices(placement: Placement, cells: Sequence[int]) -> tuple[int, Array | None]:
    """Return which slices of a volume lie under a map: along which of its axes, and where."""
    length = placement.size
    if len(placement.axes) == 3:
        at = placement.first[0] + placement.strides(cells)[0] * np.arange(cells[0])
        axis = placement.axes[0]
        return axis, np.floor(at + 0.5).astype(int).clip(0, length[axis] - 1)
    (axis,) = set(range(3)) - set(placement.axes)
    # A frame of a video stands for all; the depth of another volume, such as bands, is averaged.
    return axis, np.array([length[0] // 2]) if axis == 0 else None


def to_picture(
    doc: Array,
    *,
    channels_first: bool = False,
    n_slices: int | None = None,
    slices: tuple[int, Array | None] | None = None,
) -> Image:
    """Return a picture of one sample.

    Parameters
    ----------
    doc : numpy.ndarray, shape (1, H, W), (1, H, W, C) or (1, D, H, W, C)
        Values in [0, 255], [0, 1] or [-1, 1] are shown as such, others from their least to their
        greatest. With 1, 3 or 4 channels it is grey, RGB or RGBA; otherwise the mean is shown.
        From which ImageNet's means were taken off is shown as it was before; in grey if that does
        not tell in which order its colours are.
    channels_first : bool
        Whether the channels are the first axis behind the batch axis.
    n_slices : int, optional
        For volumes and videos: how many slices, evenly spaced, are shown side by side.
    slices : (int, numpy.ndarray or None), optional
        For volumes and videos: along which axis of ``(D, H, W)``, and where, those slices lie that
        are shown. None: their mean.

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
        n = n_slices or len(pixels)
        axis, at = slices or (0, ((np.arange(n) + 0.5) * len(pixels) / n).astype(int))
        shown = pixels.mean(axis, keepdims=True) if at is None else pixels.take(at, axis)
        pixels = np.concatenate(list(np.moveaxis(shown, axis, 0)), axis=1)
    if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4):
        pixels = pixels.mean(axis=-1)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    return Image.fromarray(_to_bytes(pixels))


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
    elif (restored := _with_means(values, low, high)) is not None:
        scaled = restored
    else:
        scaled = values - low
        scaled /= (high - low) or 1
        scaled *= 255
    # In place, and without a clip, which no range above needs: this is done for each doc.
    return np.rint(scaled, out=scaled).astype("uint8")


def _with_means(values: Array, low: float, high: float) -> Array | None:
    """Return a picture from which ImageNet's means were taken off, the ``caffe`` way, as it was.

    Whole numbers that come out tell the order of the colours, in which the means differ. Where they
    do not tell, it is grey; None if the values are not in such a range.
    """
    if values.shape[-1] != 3 or values.ndim != 3 or low > _LEAST_BELOW or high - low < _LEAST_RANGE:
        return None
    is_in_range = False
    for means, order in ((_MEANS, -1), (_MEANS[::-1], 1)):
        restored = values + np.asarray(means, values.dtype)
        if restored.min() > -0.5 and restored.max() < 255.5:
            is_in_range = True
            whole = np.rint(restored)
            if np.abs(restored - whole).max() < _WHOLE:
                return np.ascontiguousarray(whole[..., ::order])
    if not is_in_range:
        return None
    return np.asarray((values + np.float32(np.mean(_MEANS))).mean(axis=-1).clip(0, 255))
