"""Write the overlay of an explanation in the format of a picture file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from eli5.base import Explanation

PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def format_as_picture_file(expl: Explanation, ending: str, name: str = "path") -> bytes:
    """Write what `eli5.format_as_image` gives in the format that a file's ending names.

    Parameters
    ----------
    expl : Explanation
        See `eli5.format_as_image`.
    ending : str
        A key of `PICTURE_FORMATS`. JPEG has no transparency: what shows through becomes white.
    name : str
        What an error calls the file.

    Returns
    -------
    bytes
        The content of the file.

    Raises
    ------
    TypeError, ValueError
        See `eli5.format_as_image`; also ``ValueError`` if the format cannot hold so many pixels.
    """
    # Where they are needed: the command line reads the table above to check what it is asked for.
    from eli5.formatters.image import format_as_image

    kind, picture = PICTURE_FORMATS[ending], format_as_image(expl)
    if kind == "JPEG":
        picture = _on_white(picture)
    buffer = io.BytesIO()
    try:
        picture.save(buffer, kind)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Expected {name} to be of a format that can hold {picture.width}x{picture.height} "
            f"pixels. Received: {kind}: {error}. Try a .png file."
        ) from error
    return buffer.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    from PIL import Image

    background = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(background, picture).convert("RGB")
