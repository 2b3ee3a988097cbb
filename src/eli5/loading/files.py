"""Model files, pictures and lists of names: checked and read without Keras."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from eli5.loading.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

# What is taken for a picture where it is found; a file that is named counts whatever its ending.
ENDINGS = (
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png",
    ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip

# A folder with a file of this name is a result of ``eli5 explain``.
RECORDS = "explanations.jsonl"

# What a model may be named by; `models.load` says so, too.
MODEL_OR_NAME = "a .keras or .h5 file, or the name of a keras.applications model"

_MODEL_ENDINGS = (".keras", ".h5", ".hdf5")


def wrong_argument(name: str, value: object, expected: str, reason: str = "") -> UserError:
    """Return the error for an argument that names no file, or a file that is none of those."""
    return UserError(f"Expected `{name}` to be {expected}. Received: {name}={value}{reason}")


def is_model_file(model: str) -> bool:
    """Tell a model's file from the name of a ``keras.applications`` model, by its ending."""
    return model.lower().endswith(_MODEL_ENDINGS)


def check_model(model: str, weights: Path | None) -> None:
    """Check what can be said of the model and its weights without Keras."""
    if weights is not None:
        check_readable(weights, "weights")
    if not is_model_file(model):
        if not re.fullmatch(r"[\w-]+", model):
            check_readable(model, "model")
            raise wrong_argument("model", model, MODEL_OR_NAME)
        return
    check_readable(model, "model")
    if weights is not None:
        raise UserError(
            "Expected `weights` only with the name of a keras.applications model. Received: "
            f"weights={weights} with model={model}, a file that has its own weights"
        )
    if model.lower().endswith(".keras") and not zipfile.is_zipfile(model):
        reason = ", which is no .keras file, or damaged. Save the model again with model.save(...)."
        raise wrong_argument("model", model, "a file as Keras saves it", reason)


def check_readable(path: str | Path, name: str) -> None:
    """Raise UserError if there is no such file, or if it may not be read."""
    if not os.path.exists(path):
        reason = "does not exist"
    elif os.path.isdir(path):
        reason = "is a folder"
    elif not os.access(path, os.R_OK):
        reason = "may not be read (permission denied)"
    else:
        return
    raise wrong_argument(name, path, "a file", f", which {reason}")


def read_lines(path: str | Path, name: str, content: str = "") -> list[str]:
    """Read a text file in UTF-8, such as of class names: line i, from 0, is that of class i.

    `name` is the argument that names the file, and `content` what each line is, for the errors.
    """
    check_readable(path, name)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        expected = f"a text file in UTF-8{f' with one {content} per line' if content else ''}"
        reason = f", which cannot be read: {error}"
        raise wrong_argument(name, path, expected, reason) from error
    return text.rstrip("\n").split("\n")


def read_picture(path: str | Path) -> Image:
    """Read the picture in a file; see `decode_picture`."""
    check_readable(path, "image")
    return decode_picture(path, path)


def decode_picture(file: str | Path | IO[bytes], path: str | Path) -> Image:
    """Read a picture, upright as its EXIF orientation says, with 8 bits per channel.

    Grey values of 16 bits are brought to 8 bits; the range of 32-bit values is not known. Errors,
    each a UserError, call the file `path`.
    """
    from PIL import Image, ImageOps  # only where a picture is read

    try:
        with Image.open(file) as opened:
            picture = ImageOps.exif_transpose(opened)
            picture.load()
    # Pillow's readers raise whatever comes to them from a broken file.
    except Exception as error:
        # Without the address that an open file has in the message.
        reason = f", which cannot be read: {str(error).partition(' <')[0] or type(error).__name__}"
        raise wrong_argument("image", path, "a picture that Pillow can read", reason) from error
    if picture.mode.startswith("I;16"):
        import numpy as np

        return Image.fromarray(np.rint(np.asarray(picture, "float64") / 257).astype("uint8"))
    if picture.mode in ("I", "F"):
        reason = " with 32 bits, of unknown range. Convert it first."
        raise wrong_argument("image", path, "a picture with 8 or 16 bits per channel", reason)
    return picture
