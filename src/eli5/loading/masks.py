"""Where the objects of pictures are: masks in a folder, or boxes in a JSON file, by their names."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eli5 import limits
from eli5.checks import is_number
from eli5.loading.errors import UserError
from eli5.loading.files import ENDINGS, check_readable, read_picture, wrong_argument

Array = np.ndarray[Any, Any]
Size = tuple[int, int]  # width and height
FindMask = Callable[[str, Size, Size], Array | None]
"""Returns the mask of a picture, by its path and size, in the size of the doc; None without one."""


def open_masks(source: str | Path, base: str | Path) -> FindMask:
    """Return what finds the mask of a picture.

    Parameters
    ----------
    source : str or path
        A folder of pictures that are called as the explained ones, but for the ending, in folders
        below it as those lie below `base` or in none; what is not 0 in any colour is the object. Or
        a JSON file: from the name of a picture's file to a box ``[left, top, right, bottom]`` in
        its own pixels, or a list of them, each also as an object with a ``"box"``.
    base : str or path
        The folder that the pictures lie in.

    Raises
    ------
    UserError
        If there is no such folder or file, or if the file holds something else. Later, if a mask
        cannot be read.
    """
    if os.path.isdir(source):
        files = _files_in(Path(source))
        return lambda path, _, size: _of_file(_names_of(path, base), files, size)
    if not str(source).lower().endswith(".json"):
        check_readable(source, "masks")
        raise wrong_argument("masks", source, "a folder of masks, or a .json file of boxes")
    boxes = _read_boxes(source)

    def of_boxes(path: str, own: Size, size: Size) -> Array | None:
        name = next((one for one in _names_of(path, base) if one in boxes), None)
        return None if name is None else resized(_inside(boxes[name], own, name), size)

    return of_boxes


def resized(mask: Array, size: Size) -> Array:
    """Return a mask of bool stretched to this width and height.

    A place is the object's if at least half of it is; of an object that is too small for that, all
    places that it touches.
    """
    from PIL import Image  # only where a mask is read

    whole = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
    shares = np.asarray(whole.resize(size, Image.Resampling.BOX))
    return shares >= 128 if (shares >= 128).any() else shares > 0


# ---- masks in files ------------------------------------------------------------------------------


def _files_in(folder: Path) -> dict[str, Path]:
    """Return the masks by their names below the folder, without an ending."""
    found = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".")
    }
    if not found:
        raise wrong_argument("masks", folder, "a folder with masks", ", in which no picture is")
    return found


def _names_of(path: str, base: str | Path) -> Iterator[str]:
    """Yield what a picture may be called in a list, from the longest name to the shortest."""
    inside = Path(os.path.relpath(path, base))
    yield inside.as_posix()
    yield inside.with_suffix("").as_posix()
    yield inside.name
    yield inside.stem


def _of_file(names: Iterator[str], files: Mapping[str, Path], size: Size) -> Array | None:
    file = next((files[name] for name in names if name in files), None)
    if file is None:
        return None
    picture = read_picture(file, 0)
    values = np.asarray(picture)
    if values.ndim == 3:
        colours = values[..., :-1] if picture.mode.endswith("A") else values
        values = np.any(colours, axis=-1, keepdims=True)[..., 0]
    return resized(values != 0, size)


# ---- boxes ---------------------------------------------------------------------------------------


def _read_boxes(path: str | Path) -> dict[str, list[Sequence[float]]]:
    check_readable(path, "masks")
    try:
        with limits.open_file(path) as file:
            document = json.loads(limits.read_bounded(file, limits.TEXT_BYTES))
        return {name: list(_boxes(entry)) for name, entry in document.items()}
    except Exception as error:  # of whatever stands in the file
        expected = "a JSON file, from names of pictures to boxes [left, top, right, bottom]"
        reason = f", which cannot be read: {str(error) or type(error).__name__}"
        raise wrong_argument("masks", path, expected, reason) from error


def _boxes(entry: Any) -> Iterator[Sequence[float]]:
    if isinstance(entry, dict):
        entry = entry["box"]
    if len(entry) == 4 and all(map(is_number, entry)):
        yield entry
        return
    for one in entry:
        if not isinstance(one, dict | list):
            raise ValueError(f"{one!r} is no box")
        yield from _boxes(one)


def _inside(boxes: Sequence[Sequence[float]], size: Size, name: str) -> Array:
    mask = np.zeros(size[::-1], bool)
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
            raise UserError(
                f"Expected a box within the picture, {size[0]}x{size[1]}. Received: "
                f"{[left, top, right, bottom]} of {name}"
            )
        # All pixels that it touches.
        mask[int(top) : math.ceil(bottom), int(left) : math.ceil(right)] = True
    return mask
