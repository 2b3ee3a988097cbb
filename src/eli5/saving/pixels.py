"""Turn a Pillow image of any mode into an array and what else makes it, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from eli5.base import LOOKS, palette
from eli5.saving import limits
from eli5.saving.values import decode, encode

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["decode_image", "encode_image"]

Array = np.ndarray[Any, Any]
PutPixels = Callable[[Array], dict[str, Any]]
GetPixels = Callable[[dict[str, Any], np.dtype[Any], tuple[int, ...]], Array]

_BANDS = {
    1: ("1", "L", "P", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"),
    2: ("LA", "La", "PA"),
    3: ("RGB", "YCbCr", "HSV", "LAB"),
    4: ("RGBA", "RGBa", "RGBX", "CMYK"),
}
_N_BANDS = {mode: n for n, modes in _BANDS.items() for mode in modes}
_DTYPES = {"1": "?", "I": "=i4", "F": "=f4"}
_DTYPES |= {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2"}


def encode_image(image: Image, put_pixels: PutPixels) -> dict[str, Any]:
    """Encode a picture.

    Parameters
    ----------
    image : PIL.Image.Image
    put_pixels : callable ``array -> dict``
        Keeps the pixels, ``(H, W)`` or ``(H, W, bands)``, and returns what stands for them.

    Returns
    -------
    dict
        What JSON can hold: mode, size, pixels; palette, transparency and colour profile where the
        picture has them. Other metadata, such as the place where a photo was taken, is not kept.

    Raises
    ------
    ValueError
        If the picture has no pixels, too many, or a mode that this version does not know.
    """
    if image.mode not in _N_BANDS or not image.width * image.height:
        raise ValueError(
            f"Expected image to have pixels, and one of the modes {', '.join(_N_BANDS)}, to be "
            f"saved. Received: image of mode {image.mode} and size {image.size}. Convert it first."
        )
    pixels = np.asarray(image)
    limits.check_size("image", pixels.nbytes, limits.LARGEST, " Make it smaller.")
    document = {
        "$": "image",
        "mode": image.mode,
        "width": image.width,
        "height": image.height,
        **put_pixels(pixels),
        **_palette(image),
        **{name: _info(image, name) for name in LOOKS},
    }
    return {name: value for name, value in document.items() if value is not None}


def _palette(image: Image) -> dict[str, Any]:
    found = palette(image)
    return {} if found is None else {"palette": found[1], "palette_mode": found[0]}


def _info(image: Image, name: str) -> Any:
    return encode(image.info.get(name), f"image.info[{name!r}]", _refuse_array)


def _refuse_array(where: str, array: Array) -> NoReturn:
    raise TypeError(
        f"Expected {where} to be a number, bytes or a tuple, to be saved. Received: an array of "
        f"shape {array.shape}. Set it to one of these."
    )


def decode_image(document: dict[str, Any], get_pixels: GetPixels) -> Image:
    """Make a picture of what `encode_image` gave.

    Parameters
    ----------
    document : dict
        See `encode_image`.
    get_pixels : callable ``(dict, dtype, shape) -> array``
        Gives back the pixels, and checks that they are of this dtype and shape.

    Raises
    ------
    Exception
        Of any type, if `document` is not what `encode_image` gave.
    """
    from PIL import Image

    mode, size = document["mode"], (document["width"], document["height"])
    n_bands = _N_BANDS[mode]
    shape = (size[1], size[0]) if n_bands == 1 else (size[1], size[0], n_bands)
    dtype = np.dtype(_DTYPES.get(mode, "|u1"))
    if math.prod(shape) * dtype.itemsize > limits.LARGEST:
        raise ValueError(f"its picture has the size {size}")
    pixels = get_pixels(document, dtype, shape)
    # A byte of its own for each pixel of mode "1", where Pillow has a bit.
    image = Image.frombytes(mode, size, pixels.tobytes(), "raw", "1;8" if mode == "1" else mode)
    if "palette" in document:
        image.putpalette(document["palette"], document["palette_mode"])
    for name in LOOKS:
        if name in document:
            image.info[name] = _decoded_info(document[name], name)
    return image


def _decoded_info(document: Any, name: str) -> Any:
    value = decode(document, np.array)
    if not isinstance(value, int | bytes | tuple):
        raise ValueError(f"the {name} of its picture is of type {type(value).__name__}")
    return value
