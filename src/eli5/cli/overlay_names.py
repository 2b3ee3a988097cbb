"""What overlays are called in a folder of results."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from eli5.formatters.picture_file import PICTURE_FORMATS

__all__ = ["name_overlays"]


def name_overlays(paths: Sequence[str], base: Path) -> list[Path]:
    """Give each picture's overlay a name of its own, below the folder of the results.

    It is the picture's, where that names a format that can be written; else ``.png`` takes the
    place of the ending, or follows it where the name is taken.

    Parameters
    ----------
    paths : sequence of str
    base : Path
        What is above it is left out; see `eli5.cli.image_paths.Found`.

    Returns
    -------
    list of Path
        Relative; none differs from another in upper and lower case alone.
    """
    sources = [Path(os.path.abspath(path)).relative_to(base) for path in paths]
    taken = {str(folder).casefold() for source in sources for folder in source.parents}
    # Those first that keep their name, or another's new name might take it.
    kept = sorted(range(len(sources)), key=lambda k: not _is_writable(sources[k]))
    names: dict[int, Path] = {}
    for k in kept:
        names[k] = next(name for name in _names(sources[k]) if str(name).casefold() not in taken)
        taken.add(str(names[k]).casefold())
    return [names[k] for k in range(len(sources))]


def _is_writable(source: Path) -> bool:
    return source.suffix.lower() in PICTURE_FORMATS


def _names(source: Path) -> Iterator[Path]:
    yield source if _is_writable(source) else source.with_suffix(".png")
    yield source.with_name(f"{source.name}.png")
    for number in itertools.count(2):
        yield source.with_name(f"{source.name}-{number}.png")
