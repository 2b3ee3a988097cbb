"""Save an explanation to a file, and load it again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from eli5.base import Explanation, check_single
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.saving import limits
from eli5.saving.atomic_write import write_atomically
from eli5.saving.json_file import read_json, write_json
from eli5.saving.npz_file import read_npz, write_npz

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["load", "save"]

_READERS: dict[str, Callable[[bytes], Explanation]] = {".json": read_json, ".npz": read_npz}
_ENDINGS = (*PICTURE_FORMATS, ".html", ".json", ".npz")


def save(expl: Explanation, path: str | PathLike[str]) -> None:
    """Save an explanation to a file; the ending of its name, in any case, says the format.

    ``.png``, ``.jpg``, ``.jpeg``, ``.webp``
        The overlay, as `eli5.format_as_image` draws it; not of texts.
    ``.html``
        A page in one piece; see `eli5.formatters.html.format_as_page`.
    ``.json``
        All of the explanation, for other programs and for `eli5.load`. About 20 bytes per value of
        a heatmap or attribution; the picture is a PNG within.
    ``.npz``
        The same in less room: heatmaps, attributions, scores and the picture are arrays that
        `numpy.load` reads, and `eli5.load` reads all of it.

    Parameters
    ----------
    expl : Explanation
    path : str or path
        A file that is there is replaced, and keeps its permissions. It is written whole or not at
        all: a full disk, Ctrl-C or a kill leaves the old file, or none.

    Raises
    ------
    TypeError
        If `expl` is no Explanation; for ``.json`` and ``.npz`` if a field holds what cannot be
        kept, which is what is neither None, a number, str, bytes, list, tuple, dict, container of
        `eli5.base` nor an array of numbers; `image` may be a Pillow image. For pictures if it is
        an explanation of a text.
    ValueError
        If the ending is unknown, if there is nothing to draw, if it is too large for the format or
        for `load`, if Pillow's mode of the picture cannot be kept, or if a field is nested more
        than 100 levels deep.
    OSError
        If the file cannot be written.
    """
    check_single(expl)
    ending = _ending(path, _ENDINGS, "")
    write_atomically(path, _content(expl, ending))


def _content(expl: Explanation, ending: str) -> bytes:
    if ending in PICTURE_FORMATS:
        return format_as_picture_file(expl, ending)
    if ending == ".html":
        from eli5.formatters.html import format_as_page  # loads matplotlib

        return format_as_page(expl).encode()
    return write_json(expl) if ending == ".json" else write_npz(expl)


def load(path: str | PathLike[str]) -> Explanation:
    """Load an explanation that was saved as ``.json`` or ``.npz``.

    Nothing in the file is run, so a file of a stranger does no harm; it may hold a wrong
    explanation.

    Parameters
    ----------
    path : str or path
        A file that ``Explanation.save`` wrote, with this version of eli5 or an older one.

    Returns
    -------
    Explanation
        Equal to the one that was saved: floats have the same value and arrays the same dtype, NaN
        and the infinities included. NumPy's numbers outside of arrays come back as Python's, and
        the picture without the metadata of its file, such as EXIF, that does not change how it
        looks.

    Raises
    ------
    ValueError
        If the ending is another one, the file is damaged or was not saved by eli5, it is of a newer
        version, or it is too large: more than 1 GiB, unpacked, or more than 128 MiB of JSON.
    OSError
        If the file cannot be read.
    """
    ending = _ending(path, tuple(_READERS), " Pictures and pages cannot be read back.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        # Python makes room for as much as is asked for.
        content = file.read(min(size, limits.LARGEST) + 1)
    try:
        if len(content) > limits.LARGEST:
            raise ValueError(f"it is larger than {limits.LARGEST} bytes")
        return _READERS[ending](content)
    except ImportError:
        raise  # the picture needs Pillow
    # A damaged file makes zipfile, json, NumPy and Pillow raise whatever comes to them.
    except Exception as error:
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"Expected a file as Explanation.save writes {ending}. Received: path={str(path)!r}, "
            f"which cannot be read: {reason}."
        ) from error


def _ending(path: str | PathLike[str], endings: tuple[str, ...], advice: str) -> str:
    """Give the ending of a name in small letters, if it is one of these."""
    ending = Path(path).suffix.lower()
    if ending not in endings:
        raise ValueError(
            f"Expected a path that ends in one of {', '.join(endings)}. Received: "
            f"path={str(path)!r}.{advice}"
        )
    return ending
