"""Files on this machine or behind any URL that fsspec knows, through the same few functions.

Both are fsspec's: a path without ``://`` belongs to its `LocalFileSystem`. What is added here is
that a file is written whole or not at all, and errors that say what to do.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from eli5 import limits
from eli5.checks import need
from eli5.loading.errors import UserError
from eli5.saving.atomic_write import write_atomically

# What stands before the path in a URL, the path, and what stands behind it, for URLs can be
# chained: zip://photo.png::s3://bucket/photos.zip
_URL = re.compile("(.*?://)(.*?)((?:::.*)?)", re.DOTALL)
_PACKAGES = {"smbclient": "smbprotocol"}  # where it is not called as the module is


def is_remote(path: str) -> bool:
    """Tell a URL from a local path."""
    return "://" in path


def absolute(path: str) -> str:
    """Return a path that means the same wherever a worker runs on this machine."""
    if not path:  # it would be the current folder
        raise UserError("Expected `source` and `out` to be a path or a URL. Received: ''")
    if not is_remote(path):
        return os.path.abspath(path)
    head, inner, tail = _split(path)
    return head + (inner.rstrip("/") or inner[:1]) + tail


def join(folder: str, *names: str) -> str:
    """Return the path of something in a folder."""
    head, inner, tail = _split(folder)
    start = f"{inner.rstrip('/')}/" if inner else ""  # all of memory:// lies in it itself
    return head + start + "/".join(names) + tail


def parent(path: str) -> str:
    """Return the folder that something lies in."""
    head, inner, tail = _split(path)
    folder, slash, _ = inner.rpartition("/")
    return head + (folder or slash) + tail


def url_path(path: str) -> str:
    """Return the part of a URL that is a path, and a local path as it is."""
    return _split(path)[1]


def file_name(path: str) -> str:
    """Return the last part of a path or URL."""
    return url_path(path).rstrip("/").rpartition("/")[2]


def _split(path: str) -> tuple[str, str, str]:
    match = _URL.fullmatch(path)
    return (match[1], match[2], match[3]) if match else ("", path, "")


def exists(path: str) -> bool:
    """Tell whether there is a file or folder of this name."""
    fs, inner = _locate(path)
    return bool(fs.exists(inner))


def is_folder(path: str) -> bool:
    """Tell a folder from a file."""
    fs, inner = _locate(path)
    return bool(fs.isdir(inner))


def list_names(folder: str) -> list[str]:
    """Return the names in a folder, none if there is no such folder."""
    fs, inner = _locate(folder)
    with suppress(FileNotFoundError):
        fs.invalidate_cache(inner)
        return [file_name(path) for path in fs.ls(inner, detail=False)]
    return []


def list_entries(folder: str) -> list[tuple[str, bool]]:
    """Return the names in a folder, and of each whether it is a folder; not links to folders."""
    if not is_remote(folder):
        # Not by fsspec, which makes a record of each file: 650 MB for a folder of a million.
        with os.scandir(folder) as entries:
            # A link to a folder may lead round in a circle; one to nothing is to fail later.
            pairs = [(entry, entry.is_dir()) for entry in entries]
            return [(e.name, is_dir) for e, is_dir in pairs if not (is_dir and e.is_symlink())]
    fs, inner = _locate(folder)
    return [
        (file_name(entry["name"]), entry["type"] == "directory")
        for entry in fs.ls(inner, detail=True)
        if entry["name"].strip("/") != inner.strip("/")  # object stores list a folder in itself
    ]


def glob(pattern: str) -> list[str]:
    """Return what matches a pattern, by name."""
    fs, inner = _locate(pattern)
    # A filesystem may leave its protocol out.
    return sorted(
        fs.unstrip_protocol(match) if is_remote(pattern) and not is_remote(match) else match
        for match in map(str, fs.glob(inner))
    )


def open_file(path: str) -> IO[bytes]:
    """Open a file to read in it, from any byte on; OSError if it is none."""
    fs, inner = _locate(path)
    _expect_file(fs, inner)
    return fs.open(inner, "rb")


def read_bytes(path: str) -> bytes:
    """Read a picture's file; OSError if it is none, or larger than `eli5.limits` has it."""
    fs, inner = _locate(path)
    _expect_file(fs, inner)
    if _speaks(fs, "http"):
        content = _read_stream(fs, inner, limits.PICTURE_BYTES + 1)
    else:
        content = bytes(fs.cat_file(inner, 0, limits.PICTURE_BYTES + 1))
    if len(content) > limits.PICTURE_BYTES:
        raise OSError(f"it is larger than {limits.in_words(limits.PICTURE_BYTES)}")
    return content


def _read_stream(fs: Any, url: str, n: int) -> bytes:
    """Read up to `n` bytes, and more from no server: many send all, whatever they are asked for."""
    content = bytearray()
    # A block of 0 bytes stands for a stream. With any size, the server is not asked for it.
    with fs.open(url, "rb", block_size=0, size=1) as stream:
        while len(content) < n and (chunk := stream.read(min(n - len(content), 1 << 20))):
            content += chunk
    return bytes(content)


def _expect_file(fs: Any, inner: str) -> None:
    # A pipe would never end, and opening it might wait for ever. Elsewhere there is none, and
    # asking costs.
    if _speaks(fs, "file") and fs.info(inner)["type"] != "file":
        raise OSError("it is no file but a folder, a pipe or a device")


def write_whole(path: str, content: bytes) -> None:
    """Write a file so that its name never stands for half of it."""
    if is_remote(path):
        _put(path, content)
    else:
        write_atomically(path, content)


def write_aside(path: str, content: bytes, drafts: str) -> None:
    """Write a file and the folders above it; only a loss of power may leave half of it.

    `drafts` is a folder on the same disk, which somebody empties of what a kill leaves there. It is
    not synced, which would take longer than all else: what names the file is.
    """
    if is_remote(path):
        _put(path, content)
        return
    draft = os.path.join(drafts, f".{os.getpid()}.{secrets.token_hex(8)}")
    try:
        with open(draft, "xb") as file:
            file.write(content)
        os.makedirs(parent(path), exist_ok=True)
        os.replace(draft, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)


def _put(path: str, content: bytes) -> None:
    """Put a file to a URL; object stores show it once all of it is there."""
    fs, inner = _locate(path)
    fs.pipe_file(inner, content)


def publish(draft: str, path: str) -> None:
    """Give a local file, written and closed, its name: in one step, or put once to a URL."""
    if is_remote(path):
        fs, inner = _locate(path)
        fs.put_file(draft, inner)
        os.unlink(draft)
        return
    # Not by fsspec, whose move may be a copy, and is not synced.
    with open(draft, "rb") as file:
        os.fsync(file.fileno())  # or, after a loss of power, the name may stand for nothing
    os.replace(draft, path)


def remove(path: str) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    fs, inner = _locate(path)
    with suppress(FileNotFoundError):
        fs.rm(inner, recursive=True)


@contextmanager
def write_errors(
    path: str, advice: str = "Then run it again: it goes on where it has stopped."
) -> Iterator[None]:
    """Turn whatever a library raises as it writes to a path into a `UserError` with an advice.

    So a disk that is full is told from what is wrong with an item.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise UserError(
            f"Expected `out` to be a folder that can be written to. Received: {path}: {reason}. "
            f"{advice}".rstrip()
        ) from error


def _speaks(fs: Any, protocol: str) -> bool:
    return protocol in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def _locate(path: str) -> tuple[Any, str]:
    """Return the filesystem of a path, and what it calls the file."""
    fsspec = need("fsspec")
    if not is_remote(path):
        return fsspec.filesystem("file", auto_mkdir=True), path
    try:
        fs, inner = fsspec.core.url_to_fs(path)
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or "the library that it names"
        raise ModuleNotFoundError(
            f"Expected the library that reads {path.partition('://')[0]}:// to be installed. "
            f"Received: {path}: {error}. Install it: pip install {_PACKAGES.get(missing, missing)}",
            name=missing,
        ) from error
    return fs, inner
