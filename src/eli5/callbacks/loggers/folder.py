"""A folder of PNGs, and a page that shows all of them."""

from __future__ import annotations

import io
import itertools
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eli5.callbacks.loggers.timeline import (
    Column,
    Data,
    Key,
    column_of,
    format_as_timeline,
    key_of,
    row_head,
)
from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.callbacks.epoch import Epoch


class RunFolder:
    """The folder of one callback, made when it is first used.

    Each callback has its own, so that none overwrites or mixes with what an earlier one left, or
    one in another process writes to the same `log_dir`.
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        self._log_dir = Path(log_dir).absolute()  # a later chdir is not to split it

    @cached_property
    def path(self) -> Path:
        """The folder ``run-1``, ``run-2``, ..., which exists."""
        self._log_dir.mkdir(parents=True, exist_ok=True)
        paths = (self._log_dir / f"run-{number}" for number in itertools.count(1))
        return next(path for path in paths if _is_made(path))


def _is_made(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


class FolderLogger:
    """Write a PNG per overlay, and the page anew; see `eli5.callbacks.loggers.Logger`.

    A picture is there before the page that names it, and no file is ever half written.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._row_heads: dict[Key, Data] = {}
        self._columns: dict[int, Column] = {}
        self.page: Path | None = None

    def is_active(self) -> bool:
        """Tell that there is always a folder."""
        return True

    def log(self, epoch: Epoch) -> None:
        """Add a column to the page."""
        folder = self._run.path
        if not self._row_heads:
            self._row_heads = _write_pictures(folder, epoch)
        self._columns[epoch.number] = column_of(epoch, _write_overlays(folder, epoch))
        page = format_as_timeline(epoch, self._row_heads, list(self._columns.values()))
        write_atomically(folder / "index.html", page.encode())
        self.page = folder / "index.html"

    def close(self) -> None:
        """Do nothing: after each epoch all is written."""


def _write_pictures(folder: Path, epoch: Epoch) -> dict[Key, Data]:
    """Write the plain pictures; return the heads of the rows."""
    for image, per_method in enumerate(epoch.explanations, 1):
        _write_png(folder / f"image-{image}.png", per_method[0].image)
    return {
        key_of(cell): row_head(cell, f"image-{cell.image + 1}.png", len(epoch.methods))
        for cell in epoch.cells
    }


def _write_overlays(folder: Path, epoch: Epoch) -> dict[Key, str]:
    """Write the overlays; return their addresses, relative to the page."""
    name = f"epoch-{epoch.number:04}"
    (folder / name).mkdir(exist_ok=True)
    sources = {}
    for cell in epoch.cells:
        rank = f"-{cell.rank + 1}" if len(cell.expl.targets) > 1 else ""
        source = f"{name}/{cell.image + 1}-{cell.method}{rank}.png"
        _write_png(folder / source, cell.overlay)
        sources[key_of(cell)] = source
    return sources


def _write_png(path: Path, picture: Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())
