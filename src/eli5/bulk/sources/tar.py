"""Tar files of pictures, as WebDataset writes them: each picture is an item."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import islice
from typing import IO

from eli5.bulk import filesystem as storage
from eli5.bulk.sources.ranges import Range, Ref, chunks
from eli5.bulk.sources.reading import reading, reason
from eli5.bulk.sources.tar_links import find_targets, is_link, members
from eli5.loading.errors import UserError
from eli5.loading.files import ENDINGS

__all__ = ["ids", "ranges", "read"]

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)
_BLOCK = tarfile.BLOCKSIZE


def ranges(files: list[str], shard_size: int) -> Iterator[Range]:
    """Yield where to begin in each file, and the ids from there on.

    Only headers are read. A compressed file must be unpacked up to where a range begins.

    Raises
    ------
    UserError
        If a file is damaged, because nobody knows what is missing then.
    """
    for file in files:
        with reading(file, "a tar file", _DAMAGE), _opened(file) as stream:
            _check_start(stream, file)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                found = ((member.offset, member.name) for member in _pictures(archive))
                for chunk in chunks(found, shard_size):
                    yield Range(file, chunk[0][0], [_id(file, name) for _, name in chunk])
                _check_end(stream, archive.offset)


def read(file: str, start: int, n: int) -> Iterator[Ref]:
    """Yield `n` pictures from the byte `start` of a file, unpacked, on."""
    with ExitStack() as opened:
        whole, targets = None, dict[int, tarfile.TarInfo]()
        archive = opened.enter_context(_archive(file, start))
        for member in islice(_pictures(archive), n):
            name = _id(file, member.name)
            if not is_link(member):
                yield Ref(name, file, _reader(archive, member))
                continue
            if whole is None:
                whole, targets = opened.enter_context(_archive(file)), _targets(file, start, n)
            yield Ref(name, file, _reader(whole, targets.get(member.offset)))


def ids(file: str, start: int, n: int) -> Iterator[str]:
    """Yield the ids of the pictures from the byte `start` on, as far as there are headers."""
    with _archive(file, start) as archive:
        for member in islice(_pictures(archive), n):
            yield _id(file, member.name)


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    with storage.open_file(file) as raw:
        if storage.within(file).lower().endswith(".tar"):
            yield raw
            return
        with gzip.open(raw) as unpacked:
            yield unpacked  # type: ignore[misc]


@contextmanager
def _archive(file: str, start: int = 0) -> Iterator[tarfile.TarFile]:
    with _opened(file) as stream:
        stream.seek(start)
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            yield archive


def _check_start(stream: IO[bytes], file: str) -> None:
    if stream.read(2) == b"\x1f\x8b":
        raise UserError(
            f"Expected SOURCE to be a tar file. Received: {file}, which is compressed. Name it "
            ".tar.gz"
        )
    stream.seek(0)


def _check_end(stream: IO[bytes], end: int) -> None:
    """Check that zeros, and nothing else, follow the last file: a bad header ends an archive, too.

    What is compressed is read to its end, where its checksum is.
    """
    stream.seek(end)
    first = stream.read(_BLOCK)
    if len(first) < _BLOCK:
        raise tarfile.ReadError(f"it ends at byte {end} without the mark of its end")
    block = first
    while block:
        if block.strip(b"\0"):
            raise tarfile.ReadError(f"what follows byte {end} is neither a file nor its end")
        block = stream.read(1 << 20)


def _pictures(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in members(archive):
        if (member.isfile() or is_link(member)) and member.name.lower().endswith(ENDINGS):
            yield member


def _targets(file: str, start: int, n: int) -> dict[int, tarfile.TarInfo]:
    """Return what the links of a range lead to, by the place of each link."""
    with _archive(file, start) as archive:
        links = [member for member in islice(_pictures(archive), n) if is_link(member)]

    def scan() -> AbstractContextManager[tarfile.TarFile]:
        return _archive(file)

    return find_targets(scan, links)


def _id(file: str, name: str) -> str:
    return f"{storage.within(file).rpartition('/')[2]}/{name}"


def _reader(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> Callable[[], bytes]:
    """Read a picture at once, because the file is read from its start to its end."""
    content, problem = b"", ""
    if member is None:
        problem = "it is a link to what is not in the tar file"
    elif member.size > storage.LARGEST:
        problem = f"it is larger than {storage.LARGEST >> 20} MiB"
    else:
        try:
            file = archive.extractfile(member)
            content = b"" if file is None else file.read()
        except _DAMAGE as error:
            problem = f"the tar file is damaged: {reason(error)}"

    def read() -> bytes:
        if problem:
            raise OSError(problem)
        return content

    return read
