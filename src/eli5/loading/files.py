"""Model files, pictures and lists of names: checked and read without Keras."""

from __future__ import annotations

import io
import itertools
import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from eli5 import limits
from eli5.loading.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

# What is taken for a picture where it is found; a file that is named counts whatever its ending.
ENDINGS = tuple(sorted(itertools.chain(*limits.PICTURE_FORMATS.values())))

# A folder with a file of this name is a result of ``eli5 explain``.
RECORDS = "explanations.jsonl"

# And one with this file is a comparison of methods, of ``eli5 evaluate`` or `eli5.compare`.
CHUNKS = "chunks.jsonl"

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


def check_readable(path: str | Path, name: str, *, pipes: bool = False) -> None:
    """Raise UserError if there is no such file, or if it may not be read.

    A pipe or a device is none, as it might never end; but what is text may come through `pipes`.
    """
    if not os.path.exists(path):
        reason = "does not exist"
    elif os.path.isdir(path):
        reason = "is a folder"
    elif not (pipes or os.path.isfile(path)):
        reason = "is a pipe or a device"
    elif not os.access(path, os.R_OK):
        reason = "may not be read (permission denied)"
    else:
        return
    raise wrong_argument(name, path, "a file", f", which {reason}")


def read_lines(path: str | Path, name: str, content: str = "") -> list[str]:
    """Read a text file in UTF-8, such as of class names: line i, from 0, is that of class i.

    `name` is the argument that names the file, and `content` what each line is, for the errors.
    """
    check_readable(path, name, pipes=True)
    try:
        with limits.open_file(path, pipes=True) as file:
            return read_text(file).split("\n")
    except (OSError, ValueError) as error:
        expected = f"a text file in UTF-8{f' with one {content} per line' if content else ''}"
        reason = f", which cannot be read: {error}"
        raise wrong_argument(name, path, expected, reason) from error


def read_text(file: IO[bytes]) -> str:
    """Return what is in an open text file, without ends of lines at its end.

    ValueError if it is no text in UTF-8, or if it is larger, or has more lines, than `eli5.limits`
    has it.
    """
    content = limits.read_bounded(file, limits.TEXT_BYTES)
    text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    if text.count("\n") >= limits.TEXT_LINES:
        raise ValueError(f"it has more than {limits.TEXT_LINES} lines")
    return text


def read_picture(path: str | Path, frame: int | None = None) -> Image:
    """Read the picture in a file; see `decode_picture`. Warns where it is one of several frames."""
    check_readable(path, "image")
    try:
        with limits.open_file(path) as file:
            content = limits.read_bounded(file, limits.PICTURE_BYTES)
    except (OSError, ValueError) as error:
        raise _no_picture(path, error) from error
    picture = decode_picture(content, path, frame)
    if frame is None and has_frames(picture):
        warnings.warn(FIRST_FRAME, stacklevel=2)
    return picture


FIRST_FRAME = "A picture has several frames: the first is explained. `frame` names another."
_HAS_FRAMES = "eli5_frames"


def has_frames(picture: Image) -> bool:
    """Tell whether a picture that was read is one of several frames of its file."""
    return bool(picture.info.get(_HAS_FRAMES))


def decode_picture(content: bytes, path: str | Path, frame: int | None = None) -> Image:
    """Read a picture, upright as its EXIF orientation says, with 8 bits per channel.

    Of several frames, as a GIF or a TIFF may have them, it is the first, or the one of that number.
    Grey values of 16 bits are brought to 8 bits; the range of 32-bit values is not known. Errors,
    each a UserError, call the file `path`; `eli5.limits` has the formats, and how large it may be.
    """
    from PIL import Image, ImageOps  # only where a picture is read

    Image.init()
    # An older Pillow may lack one of them, and would fail on its name.
    formats = [name for name in limits.PICTURE_FORMATS if name in Image.OPEN]
    try:
        with Image.open(io.BytesIO(content), formats=formats) as opened:
            if opened.width * opened.height > limits.PICTURE_PIXELS:
                size = f"{opened.width}x{opened.height} pixels"
                raise ValueError(f"it has {size}, and at most {limits.PICTURE_PIXELS} are read")
            # The second of a JPEG is a preview, or a map of brightness that phones add.
            is_several = opened.format != "MPO" and getattr(opened, "is_animated", False)
            if frame:
                _seek(opened, frame)
            picture = ImageOps.exif_transpose(opened)
            picture.load()
            picture.info[_HAS_FRAMES] = is_several
    # Pillow's readers raise whatever comes to them from a broken file.
    except Exception as error:
        raise _no_picture(path, error) from error
    if picture.mode.startswith("I;16"):
        import numpy as np

        pixels = np.array(picture, "uint32")  # four bytes of each, where floats would take eight
        pixels += 128  # so that they are rounded
        pixels //= 257
        narrow = Image.fromarray(pixels.astype("uint8"))
        narrow.info[_HAS_FRAMES] = is_several
        return narrow
    if picture.mode in ("I", "F"):
        reason = " with 32 bits, of unknown range. Convert it first."
        raise wrong_argument("image", path, "a picture with 8 or 16 bits per channel", reason)
    return picture


def _seek(opened: Image, frame: int) -> None:
    try:
        opened.seek(frame)
    except EOFError as error:
        raise ValueError(f"it has no frame {frame}, counted from 0") from error


def _no_picture(path: str | Path, error: Exception) -> UserError:
    # Without the address that an open file has in the message.
    reason = f", which cannot be read: {str(error).partition(' <')[0] or type(error).__name__}"
    return wrong_argument("image", path, "a picture that Pillow can read", reason)
