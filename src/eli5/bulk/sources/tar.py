"""Tar files of pictures, as WebDataset writes them: each picture is an item."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import IO

from eli5 import limits
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
            with _open_archive(stream) as archive:
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
        with _open_archive(stream) as archive:
            done = 0
            for member in islice(_pictures(archive), n):
                yield _read(stream, member, file)
                done += 1
            if done < n:
                _check_end(stream, archive.offset)


@contextmanager
def _open(file: str) -> Iterator[IO[bytes]]:
    with filesystem.open_file(file) as raw:
        is_plain = filesystem.url_path(file).lower().endswith(".tar")
        with nullcontext(raw) if is_plain else gzip.open(raw) as stream:
            yield stream  # type: ignore[misc]


class _Headers:
    """What `tarfile` reads headers from: not those of gigabytes, as a name may be said to be."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.seek, self.tell = stream, stream.seek, stream.tell

    def read(self, n: int) -> bytes:
        if not 0 <= n <= limits.TAR_HEADER_BYTES:
            most = limits.in_words(limits.TAR_HEADER_BYTES)
            raise tarfile.ReadError(f"a header is of {n} bytes, and at most {most} are read")
        return self.stream.read(n)


def _open_archive(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=_Headers(stream), mode="r:")  # type: ignore[call-overload]


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
        if archive.offset <= member.offset:  # it would go round for ever
            raise tarfile.ReadError(f"the size of {member.name} is less than nothing")
        is_file_or_link = member.isfile() or member.islnk() or member.issym()
        if is_file_or_link and member.name.lower().endswith(ENDINGS):
            yield member


def _id(file: str, member: tarfile.TarInfo) -> str:
    return f"{filesystem.file_name(file)}/{member.name}"


def _read(stream: IO[bytes], member: tarfile.TarInfo, file: str) -> items.SourceItem:
    """Read a picture at once, because the file is read from its start to its end."""
    name = _id(file, member)
    if not member.isfile():
        # To follow it, all headers before it would have to be read for each shard.
        return items.unreadable(name, file, "it is a link, and links in tar files are not followed")
    if member.issparse():  # no picture is, and a hole of any size takes no room
        return items.unreadable(name, file, "it is a sparse file, and those are not read")
    if member.size > limits.PICTURE_BYTES:
        most = limits.in_words(limits.PICTURE_BYTES)
        return items.unreadable(name, file, f"it is larger than {most}")
    try:
        stream.seek(member.offset_data)
        content = stream.read(member.size)
        if len(content) < member.size:
            raise tarfile.ReadError("unexpected end of data")
    except _DAMAGE as error:
        return items.unreadable(name, file, f"the tar file is damaged: {items.reason(error)}")
    return items.held(name, file, content)
