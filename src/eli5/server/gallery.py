"""Pictures and explanations that were there before: what ``gallery`` and ``examples`` name."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from eli5 import limits
from eli5.bulk.results.finding import find_explanations
from eli5.demo import SCENE
from eli5.formatters.html import format_as_html
from eli5.loading.errors import UserError, shortened
from eli5.loading.files import ENDINGS, read_picture, wrong_argument
from eli5.server.uploads import Upload, shown_name

PER_PAGE = 48
_MOST_EXAMPLES = 500
_THUMBNAIL = 160  # pixels of the longer side


class Gallery(NamedTuple):
    """What was given to be shown: explanations, or pictures that are examples."""

    results: str = ""
    n_found: int = 0
    examples: tuple[str, ...] = ()  # by name


def find_examples(folder: str | None) -> dict[str, Path]:
    """Return the pictures that are offered, by what they are called: the demo's, or a folder's."""
    if folder is None:
        return {SCENE.name: SCENE}
    if not os.path.isdir(folder):
        raise wrong_argument("examples", folder, "a folder with pictures")
    found = sorted(
        path
        for path in Path(folder).iterdir()
        if path.suffix.lower() in ENDINGS and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise wrong_argument("examples", folder, "a folder with pictures", ", in which none is")
    return {shown_name(path.name): path for path in found[:_MOST_EXAMPLES]}


def open_gallery(given: str | None) -> tuple[Gallery | None, dict[str, Path]]:
    """Return what is shown of a gallery, and its pictures, if it is a folder of those.

    UserError if there is nothing that can be shown.
    """
    if given is None:
        return None, {}
    try:
        n_found, _ = find_explanations(given, {}, most=1)
        return Gallery(given, n_found), {}
    except (ImportError, OSError, TypeError, ValueError) as error:
        problem = error
    try:
        examples = find_examples(given)
    except UserError:
        raise UserError(shortened(str(problem))) from problem
    return Gallery(examples=tuple(examples)), examples


def read_page(gallery: Gallery, number: int) -> str:
    """Return a page of explanations as HTML; pages are counted from 1."""
    _, shown = find_explanations(gallery.results, {}, PER_PAGE, (number - 1) * PER_PAGE)
    return format_as_html(shown, include_styles=False)


def count_pages(gallery: Gallery) -> int:
    """Return how many pages the explanations fill."""
    return max(1, -(-gallery.n_found // PER_PAGE))


def read_example(examples: dict[str, Path], name: str) -> Upload:
    """Return an example as if it had been sent; KeyError if there is none of that name."""
    with limits.open_file(examples[name]) as file:
        return Upload(name, limits.read_bounded(file, limits.PICTURE_BYTES))


@lru_cache(256)
def thumbnail(path: Path) -> bytes:
    """Return a small picture of one, as PNG; OSError or UserError if it cannot be read."""
    picture: Any = read_picture(path, 0)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    file = io.BytesIO()
    picture.convert("RGB").save(file, "PNG")
    return file.getvalue()
