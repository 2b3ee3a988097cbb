"""A folder in which a comparison keeps what it has measured, so that it goes on after any end.

``chunks.jsonl`` has a line with the settings and then one per chunk of docs. A line is written at
once; half of one, which a kill may leave at the end, is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from eli5 import __version__
from eli5.checks import expect_type, shown
from eli5.loading.files import CHUNKS
from eli5.metrics.comparison.part import Part
from eli5.metrics.comparison.records import VERSION, as_record, from_record, to_text
from eli5.metrics.comparison.result import Comparison
from eli5.saving.folder_lock import append_whole, open_locked

FILES = ("index.html", "comparison.json", "table.csv")


class Log:
    """The folder of a run; see this module.

    Raises
    ------
    ValueError
        If the folder holds other files, another comparison, or lines that cannot be read.
    BlockingIOError
        If another process, or another comparison of this one, works on it.
    """

    def __init__(self, folder: str | os.PathLike[str], settings: dict[str, Any]) -> None:
        expect_type("out", folder, str | os.PathLike, "a folder, as a string or a path")
        self.folder = Path(folder)
        _check_is_ours(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.file = open_locked(self.folder / CHUNKS)
        except BlockingIOError as error:
            raise BlockingIOError(
                "Expected `out` to be a folder that no other comparison works on. Received: "
                f"out={str(folder)!r}, on which one is at work right now"
            ) from error
        try:
            self._begin(settings)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Log:
        """Return itself; the folder is this process's own until it is left."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others in."""
        self.file.close()

    def parts(self) -> Iterator[Part]:
        """Yield what has been measured before, one chunk after the other."""
        with open(self.folder / CHUNKS, "rb") as lines:
            next(lines)
            for number, line in enumerate(lines, 2):
                yield self._read(line, number, from_record)

    def check(self, part: Part, checksum: int) -> None:
        """Raise ValueError if the docs are not those of a part."""
        if checksum != part.checksum:
            raise ValueError(
                f"Expected the docs, classes and masks that {self.folder / CHUNKS} has measured, "
                "in their order. Received: others. If a dataset shuffles, give its seed; or take "
                "another folder"
            )

    def add(self, part: Part) -> None:
        """Write what has been measured of one chunk: all of it, or nothing."""
        append_whole(self.file, to_text(as_record(part)) + b"\n")

    def finish(self, comparison: Comparison) -> None:
        """Write page, table and document."""
        for name in FILES:
            comparison.save(self.folder / name)

    def _begin(self, settings: dict[str, Any]) -> None:
        self.file.truncate(_whole_lines(self.folder / CHUNKS))
        with open(self.folder / CHUNKS, "rb") as lines:
            first, has_parts = next(lines, b""), bool(next(lines, b""))
        header = {"version": VERSION, "settings": settings, "eli5": __version__}
        if not has_parts:  # nothing has been measured that other settings would contradict
            self.file.truncate(0)
            append_whole(self.file, to_text(header) + b"\n")
            return
        before = self._read(first, 1, lambda record: record["settings"])
        for name, value in json.loads(to_text(settings)).items():
            if before.get(name) != value:
                raise ValueError(
                    f"Expected the settings of the comparison in {self.folder}, or another "
                    f"folder. Received: {name}={shown(value)}, where it has "
                    f"{name}={shown(before.get(name))}"
                )

    def _read(self, line: bytes, number: int, read: Any) -> Any:
        try:
            return read(json.loads(line))
        except Exception as error:  # of what another program has written there
            raise ValueError(
                f"Expected {self.folder / CHUNKS} to hold lines of a comparison of this version. "
                f"Received: line {number}, which cannot be read: {type(error).__name__}: {error}. "
                "Take another folder"
            ) from error


def _check_is_ours(folder: Path) -> None:
    """Raise ValueError if this is no folder, or one with files of somebody else."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"Expected `out` to be a folder. Received: out={str(folder)!r}, a file")
    names = os.listdir(folder) if folder.is_dir() else []
    if CHUNKS not in names and not all(name.startswith(".") for name in names):
        raise ValueError(
            "Expected `out` to be a new or empty folder, or one with a comparison. Received: "
            f"out={str(folder)!r}, which holds other files"
        )


def _whole_lines(path: Path) -> int:
    """Return after how many bytes the last whole line ends."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(end - 2**16, 0)
            if (found := _last_newline(file, start, end)) >= 0:
                return start + found + 1
            end = start
    return 0


def _last_newline(file: IO[bytes], start: int, end: int) -> int:
    file.seek(start)
    return file.read(end - start).rfind(b"\n")
