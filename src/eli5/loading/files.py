"""The files that the user names: checked and read, or one line on what is wrong with them."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from eli5.loading.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "ENDINGS",
    "RECORDS",
    "check_model",
    "check_readable",
    "decode_picture",
    "is_model_file",
    "read_lines",
    "read_picture",
]

# What is taken for a picture where it is found; a file that is named counts whatever its ending.
ENDINGS = (
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png",
    ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip

# A folder with a file of this name is a result of ``eli5 explain``.
RECORDS = "explanations.jsonl"

_MODEL_ENDINGS = (".keras", ".h5", ".hdf5")
_NAME = re.compile(r"[\w-]+")


def is_model_file(model: str) -> bool:
    """Tell a model's file from the name of a ``keras.applications`` model, by its ending."""
    return model.lower().endswith(_MODEL_ENDINGS)


def check_model(model: str, weights: Path | None) -> None:
    """Check what can be said of the model and its weights without Keras."""
    if weights is not None:
        check_readable(weights, "--weights")
    if not is_model_file(model):
        if not _NAME.fullmatch(model):
            check_readable(model, "MODEL")
            raise UserError(
                "Expected MODEL to be a .keras or .h5 file, or the name of a keras.applications "
                f"model. Received: MODEL={model}"
            )
        return
    check_readable(model, "MODEL")
    if weights is not None:
        raise UserError(
            "Expected --weights only with the name of a keras.applications model. Received: "
            f"--weights={weights} with MODEL={model}, a file that has its own weights"
        )
    if model.lower().endswith(".keras") and not zipfile.is_zipfile(model):
        raise UserError(
            f"Expected MODEL to be a file as Keras saves it. Received: MODEL={model}, which is no "
            ".keras file, or damaged. Save the model again with model.save(...)."
        )


def check_readable(path: str | Path, name: str) -> None:
    """Raise UserError if there is no such file, or if it may not be read."""
    if not os.path.exists(path):
        reason = "which does not exist"
    elif os.path.isdir(path):
        reason = "which is a folder"
    elif not os.access(path, os.R_OK):
        reason = "which may not be read (permission denied)"
    else:
        return
    raise UserError(f"Expected {name} to be a file. Received: {name}={path}, {reason}")


def read_lines(path: Path, name: str, what: str) -> list[str]:
    """Read a text file in UTF-8, such as of class names: line i, from 0, is that of class i.

    Parameters
    ----------
    path : Path
    name : str
        The option that names it.
    what : str
        What each line is.
    """
    check_readable(path, name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"Expected {name} to be a text file in UTF-8 with one {what} per line. Received: "
            f"{name}={path}, which cannot be read: {error}"
        ) from error
    return text.rstrip("\n").split("\n")


def read_picture(path: str | Path) -> Image:
    """Read the picture in a file; see `decode_picture`."""
    check_readable(path, "IMAGE")
    return decode_picture(path, path)


def decode_picture(file: str | Path | IO[bytes], path: str | Path) -> Image:
    """Read a picture, upright as its EXIF orientation says, with 8 bits per channel.

    Grey values of 16 bits are brought to 8 bits; the range of 32-bit values is not known.

    Parameters
    ----------
    file : path or file
    path : path
        What errors call it.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    from PIL import Image, ImageOps  # only where a picture is read

    try:
        with Image.open(file) as opened:
            picture = ImageOps.exif_transpose(opened)
            picture.load()
    # Pillow's readers raise whatever comes to them from a broken file.
    except Exception as error:
        # Without the address that an open file has in the message.
        reason = str(error).partition(" <")[0] or type(error).__name__
        raise UserError(
            "Expected IMAGE to be a picture that Pillow can read. Received: "
            f"IMAGE={path}, which cannot be read: {reason}"
        ) from error
    if picture.mode.startswith("I;16"):
        return _to_eight_bits(picture)
    if picture.mode in ("I", "F"):
        raise UserError(
            "Expected IMAGE to be a picture with 8 or 16 bits per channel. Received: "
            f"IMAGE={path} with 32 bits, of unknown range. Convert it first."
        )
    return picture


def _to_eight_bits(picture: Image) -> Image:
    import numpy as np
    from PIL import Image

    return Image.fromarray(np.rint(np.asarray(picture, "float64") / 257).astype("uint8"))
