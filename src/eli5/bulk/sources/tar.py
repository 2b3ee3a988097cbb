"""Tar files of pictures, as WebDataset writes them: each picture is an item."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from eli5.bulk import storage
from eli5.bulk.sources.ranges import Range, Ref, chunks
from eli5.intake.files import ENDINGS

__all__ = ["ranges", "read"]


def ranges(files: list[str], shard_size: int) -> Iterator[Range]:
    """Yield where to begin in each file, and the ids from there on.

    Only headers are read. A compressed file must be unpacked up to where a range begins.
    """
    for file in files:
        with _opened(file) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            found = ((member.offset, member.name) for member in _pictures(archive))
            for chunk in chunks(found, shard_size):
                yield Range(file, chunk[0][0], [_id(file, name) for _, name in chunk])


def read(file: str, start: int, n: int) -> Iterator[Ref]:
    """Yield `n` pictures from the byte `start` of a file, unpacked, on."""
    with _opened(file) as stream:
        stream.seek(start)
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for number, member in enumerate(_pictures(archive)):
                if number == n:
                    return
                yield Ref(_id(file, member.name), file, _reader(archive, member))


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    with storage.open_file(file) as raw:
        if file.lower().endswith(".tar"):
            yield raw
            return
        with gzip.open(raw) as unpacked:
            yield unpacked  # type: ignore[misc]


def _pictures(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # or it would keep them all
        if member.isfile() and member.name.lower().endswith(ENDINGS):
            yield member


def _id(file: str, name: str) -> str:
    return f"{file.rpartition('/')[2]}/{name}"


def _reader(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], bytes]:
    """Read a picture at once, because the file is read from its start to its end."""
    content, reason = b"", ""
    if member.size > storage.LARGEST:
        reason = f"it is larger than {storage.LARGEST >> 20} MiB"
    else:
        try:
            file = archive.extractfile(member)
            content = b"" if file is None else file.read()
        except tarfile.TarError as error:
            reason = f"the tar file is damaged: {error}"

    def read() -> bytes:
        if reason:
            raise OSError(reason)
        return content

    return read
