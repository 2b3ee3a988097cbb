"""Tar files of pictures, as WebDataset writes them: each picture is an item."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import IO

from eli5.bulk import filesystem
from eli5.bulk.sources import items
from eli5.loading.files import ENDINGS

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


def ranges(files: list[str], shard_size: int) -> Iterator[items.ItemRange]:
    """Yield where to begin in each file, and the ids from there on; only headers are read.

    Raises UserError if a file is damaged, because nobody knows what is missing then.
    """
    for file in files:
        with items.source_errors(file, "a tar file", _DAMAGE), _open(file) as stream:
            if stream.read(2) == b"\x1f\x8b":
                received = f"{file}, which is compressed. Name it .tar.gz"
                raise items.wrong_source("be a tar file", received)
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                pictures = ((member.offset, _id(file, member)) for member in _pictures(archive))
                for chunk in items.chunks(pictures, shard_size):
                    yield items.ItemRange(file, chunk[0][0], [name for _, name in chunk])
                _check_end(stream, archive.offset)


def read(file: str, start: int, n: int) -> Iterator[items.SourceItem]:
    """Yield `n` pictures from the byte `start` of a file, unpacked, on.

    Fewer, if there are no more. TarError if that is because the file is cut off.
    """
    with _open(file) as stream:
        stream.seek(start)
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            done = 0
            for member in islice(_pictures(archive), n):
                yield _read(archive, member, file)
                done += 1
            if done < n:
                _check_end(stream, archive.offset)


@contextmanager
def _open(file: str) -> Iterator[IO[bytes]]:
    with filesystem.open_file(file) as raw:
        is_plain = filesystem.url_path(file).lower().endswith(".tar")
        with nullcontext(raw) if is_plain else gzip.open(raw) as stream:
            yield stream  # type: ignore[misc]


def _check_end(stream: IO[bytes], end: int) -> None:
    """Check that zeros, and nothing else, follow the last file: a bad header ends an archive, too.

    What is compressed is read to its end, where its checksum is.
    """
    stream.seek(end)
    block = stream.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"it ends at byte {end} without the mark of its end")
    while block:
        if block.strip(b"\0"):
            raise tarfile.ReadError(f"what follows byte {end} is neither a file nor its end")
        block = stream.read(1 << 20)


def _pictures(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the pictures in an archive, and the links that are called so, from `start` on."""
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # or it would keep them all
        is_file_or_link = member.isfile() or member.islnk() or member.issym()
        if is_file_or_link and member.name.lower().endswith(ENDINGS):
            yield member


def _id(file: str, member: tarfile.TarInfo) -> str:
    return f"{filesystem.file_name(file)}/{member.name}"


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, file: str) -> items.SourceItem:
    """Read a picture at once, because the file is read from its start to its end."""
    name = _id(file, member)
    if not member.isfile():
        # To follow it, all headers before it would have to be read for each shard.
        return items.unreadable(name, file, "it is a link, and links in tar files are not followed")
    if member.size > filesystem.LARGEST:
        return items.unreadable(name, file, f"it is larger than {filesystem.LARGEST >> 20} MiB")
    try:
        picture = archive.extractfile(member)
        content = b"" if picture is None else picture.read()
    except _DAMAGE as error:
        return items.unreadable(name, file, f"the tar file is damaged: {items.reason(error)}")
    return items.SourceItem(name, file, lambda: content)
