"""Write an explanation into the file that the user names: whole, or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from eli5.cli.console import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eli5.base import Explanation

__all__ = ["check_output", "write_output"]

_PAGE = "HTML"
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".html": _PAGE}


def check_output(path: Path, sources: Iterable[str | Path | None]) -> None:
    """Check that a file can be written, without writing it.

    Parameters
    ----------
    path : Path
        The file to write; its ending says the format.
    sources : iterable of paths
        What it must not overwrite.

    Raises
    ------
    UserError
        If the ending is of no known format, the folder cannot be written to, or `path` is a folder
        or one of the sources.
    """
    folder = path.parent
    problem = None
    if path.suffix.lower() not in _FORMATS:
        problem = f"a file that ends in one of {', '.join(_FORMATS)}", ""
    elif not folder.is_dir():
        problem = "a file in a folder that exists", f". Make the folder {folder} first"
    elif not os.access(folder, os.W_OK):
        problem = "a file in a folder that may be written to", " (permission denied)"
    elif path.is_dir():
        problem = "a file", ", which is a folder"
    elif any(_is_same(path, source) for source in sources if source is not None):
        problem = "another file than those that are read", ", which would be overwritten"
    if problem:
        expected, reason = problem
        raise UserError(f"Expected --out to be {expected}. Received: --out={path}{reason}")


def _is_same(path: Path, source: str | Path) -> bool:
    return path.exists() and os.path.exists(source) and path.samefile(source)


def write_output(expl: Explanation, path: Path, title: str) -> None:
    """Write an explanation; a file that is there already is replaced.

    Parameters
    ----------
    expl : Explanation
        An explanation with an image and heatmaps.
    path : Path
        See `check_output`.
    title : str
        Of the page, where one is written.

    Raises
    ------
    UserError
        If it cannot be written; nothing is left behind then.
    """
    kind = _FORMATS[path.suffix.lower()]
    content = _page(expl, title) if kind == _PAGE else _picture(expl, kind)
    target = Path(os.path.realpath(path))  # a link stays a link
    # Beside the target: only on one and the same disk is a file put in its place at once.
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    except OSError as error:
        raise UserError(
            f"Expected --out to be a file that can be written. Received: --out={path}: {error}"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _page(expl: Explanation, title: str) -> bytes:
    from eli5.formatters.html import format_as_page

    return format_as_page(expl, title=title).encode()


def _picture(expl: Explanation, kind: str) -> bytes:
    from PIL import Image

    from eli5.formatters.image import format_as_image

    picture = format_as_image(expl)
    if kind == "JPEG":  # it has no transparency; what shows through becomes white
        background = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(background, picture).convert("RGB")
    buffer = io.BytesIO()
    try:
        picture.save(buffer, kind)
    except (OSError, ValueError) as error:
        width, height = picture.size
        raise UserError(
            f"Expected --out to be of a format that can hold {width}x{height} pixels. Received: "
            f"{kind}: {error}. Try a .png file."
        ) from error
    return buffer.getvalue()
