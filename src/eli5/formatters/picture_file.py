"""Write the overlay of an explanation in the format of a picture file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eli5.base import Explanation, Explanations

PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def format_as_picture_file(
    expl: Explanation | Explanations, ending: str, name: str = "path", **look: Any
) -> bytes:
    """Write what `eli5.format_as_image` gives in the format that a file's ending names.

    `look` are further options of that. JPEG has no transparency: what shows through becomes white.
    ValueError if the format cannot hold so many pixels, of a file that the error calls `name`.
    """
    # Where they are needed: the command line reads the table above to check what it is asked for.
    from eli5.formatters.image import format_as_image

    file_format, picture = PICTURE_FORMATS[ending], format_as_image(expl, **look)
    if file_format == "JPEG":
        from PIL import Image

        background = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(background, picture).convert("RGB")
    buffer = io.BytesIO()
    try:
        picture.save(buffer, file_format)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Expected {name} to be of a format that can hold {picture.width}x{picture.height} "
            f"pixels. Received: {file_format}: {error}. Try a .png file."
        ) from error
    return buffer.getvalue()
