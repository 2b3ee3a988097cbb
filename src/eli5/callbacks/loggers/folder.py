"""A folder of PNGs, and a page: a row per image, method and target, a column per epoch."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eli5.formatters.jinja import render
from eli5.formatters.labels import of_target, one_line, score_and_explained, target_name
from eli5.formatters.overlay.picture import is_wide
from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.callbacks.loggers import Cell, Epoch

Data = Mapping[str, Any]  # what ``templates/timeline.html`` shows, by the names that stand there
Key = tuple[int, str, int]  # of a row: the start of its `Cell`s


class FolderLogger:
    """Write a PNG per overlay, and the page anew; see `eli5.callbacks.loggers.Logger`.

    A picture is there before the page that names it, and no file is ever half written.
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        self._log_dir = Path(log_dir).absolute()  # a later chdir is not to split it
        self._row_heads: dict[Key, Data] = {}
        self._columns: dict[int, Data] = {}
        self.page: Path | None = None

    @cached_property
    def folder(self) -> Path:
        """The folder ``run-1``, ``run-2``, ..., made when it is first used.

        Each callback has its own, so that none overwrites or mixes with what an earlier one left,
        or one in another process writes to the same `log_dir`.
        """
        self._log_dir.mkdir(parents=True, exist_ok=True)
        paths = (self._log_dir / f"run-{number}" for number in itertools.count(1))
        return next(path for path in paths if _is_made(path))

    def is_active(self) -> bool:
        """Tell that there is always a folder."""
        return True

    def log(self, epoch: Epoch) -> None:
        """Add a column to the page."""
        if not self._row_heads:
            self._row_heads = _write_row_heads(self.folder, epoch)
        self._columns[epoch.number] = _write_column(self.folder, epoch)
        layers = dict.fromkeys(str(e.layer) for one in epoch.explanations for e in one if e.layer)
        page = render(
            "timeline.html",
            title=f"What “{epoch.explanations[0][0].estimator}” looked at while it was trained",
            methods=[str(expl.method) for expl in epoch.explanations[0]],
            layers=list(layers),
            rows=self._row_heads,
            columns=list(self._columns.values()),
        )
        write_atomically(self.folder / "index.html", page.encode())
        self.page = self.folder / "index.html"

    def close(self) -> None:
        """Do nothing: after each epoch all is written."""


def _is_made(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _write_row_heads(folder: Path, epoch: Epoch) -> dict[Key, Data]:
    """Write the plain pictures; return what stands at the left of each row."""
    for image, per_method in enumerate(epoch.fitted, 1):
        _write_png(folder / f"image-{image}.png", per_method[0].image)
    heads: dict[Key, Data] = {}
    for cell in epoch.cells:
        lines = [f"Image {cell.image + 1}"]
        lines += [str(cell.expl.method)] * (len(epoch.methods) > 1)
        lines += [f"Target {cell.rank + 1}"] * (len(cell.expl.targets) > 1)
        picture = _picture(cell, f"image-{cell.image + 1}.png", "")
        heads[cell[:3]] = {"picture": picture, "lines": lines}
    return heads


def _write_column(folder: Path, epoch: Epoch) -> Data:
    """Write the overlays; return what the page shows of them, and of the epoch."""
    name = f"epoch-{epoch.number:04}"
    (folder / name).mkdir(exist_ok=True)
    cells = {}
    for cell in epoch.cells:
        rank = f"-{cell.rank + 1}" if len(cell.expl.targets) > 1 else ""
        source = f"{name}/{cell.image + 1}-{cell.method}{rank}.png"
        _write_png(folder / source, cell.overlay)
        cells[cell[:3]] = _cell(cell, epoch.number, source)
    return {"number": epoch.number, "logs": epoch.logs, "cells": cells}


# Each epoch writes the cells of all before it anew, so their texts are made once, here.
def _cell(cell: Cell, epoch: int, source: str) -> Data:
    heatmap, description = cell.target.heatmap, cell.expl.description or ""
    alt = (
        f"Image {cell.image + 1} at epoch {epoch}: {cell.expl.method} heatmap "
        f"{of_target(cell.target)}, laid over the picture"
    )
    return {
        "picture": _picture(cell, source, one_line(alt)),
        "name": target_name(cell.target),
        "score": score_and_explained(cell.target),
        "is_empty": heatmap is not None and not heatmap.any(),
        "why_empty": one_line(description),
    }


def _picture(cell: Cell, source: str, alt: str) -> Data:
    width, height = cell.overlay.size
    shape = {"width": width, "height": height, "is_wide": is_wide(cell.overlay)}
    return {"src": source, "alt": alt, **shape}


def _write_png(path: Path, picture: Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())
