"""Files on this machine, or behind any URL that fsspec knows, through the same few functions."""

from __future__ import annotations

import os
import re
import stat
from typing import IO, Any

from eli5.bulk.optional_imports import need
from eli5.loading.errors import UserError
from eli5.saving.atomic_write import write_atomically

__all__ = [
    "absolute",
    "entries",
    "exists",
    "glob",
    "is_folder",
    "is_remote",
    "join",
    "list_names",
    "open_file",
    "parent",
    "put",
    "read_bytes",
    "remove",
    "within",
    "write_whole",
]

LARGEST = 1 << 28  # bytes of one picture's file; Pillow has its own limit for what it unpacks to


def is_remote(path: str) -> bool:
    """Tell a URL from a local path."""
    return "://" in path


def absolute(path: str) -> str:
    """Return a path that means the same wherever a worker runs on this machine.

    Raises
    ------
    UserError
        If it is empty, which would be the current folder.
    """
    if not path:
        raise UserError("Expected SOURCE and --out to be a path or a URL. Received: an empty one")
    if not is_remote(path):
        return os.path.abspath(path)
    head, inner, tail = _split(path)
    return head + (inner.rstrip("/") or inner[:1]) + tail


def join(folder: str, *names: str) -> str:
    """Return the path of something in a folder."""
    head, inner, tail = _split(folder)
    start = f"{inner.rstrip('/')}/" if inner else ""  # memory:// has all that is there in it
    return head + start + "/".join(names) + tail


def parent(path: str) -> str:
    """Return the folder that something lies in."""
    head, inner, tail = _split(path)
    folder, mark, _ = inner.rpartition("/")
    return head + (folder or mark) + tail


def within(path: str) -> str:
    """Return the part of a URL that is a path, and a local path as it is."""
    return _split(path)[1]


# URLs can be chained: zip://photo.png::s3://bucket/photos.zip
_URL = re.compile("(.*?://)(.*?)((?:::.*)?)", re.DOTALL)


def _split(path: str) -> tuple[str, str, str]:
    """Return what stands before the path in a URL, the path, and what stands behind it."""
    match = _URL.fullmatch(path)
    return (match[1], match[2], match[3]) if match else ("", path, "")


def exists(path: str) -> bool:
    """Tell whether there is a file or folder of this name."""
    if is_remote(path):
        fs, inner = _remote(path)
        return bool(fs.exists(inner))
    return os.path.exists(path)


def is_folder(path: str) -> bool:
    """Tell a folder from a file."""
    if is_remote(path):
        fs, inner = _remote(path)
        return bool(fs.isdir(inner))
    return os.path.isdir(path)


def list_names(folder: str) -> list[str]:
    """Return the names in a folder, none if there is no such folder."""
    try:
        if not is_remote(folder):
            return os.listdir(folder)
        fs, inner = _remote(folder)
        fs.invalidate_cache(inner)
        return [name.rstrip("/").rpartition("/")[2] for name in fs.ls(inner, detail=False)]
    except FileNotFoundError:
        return []


def entries(folder: str) -> list[tuple[str, bool]]:
    """Return the names in a folder, and of each whether it is a folder; not links to folders."""
    return _remote_entries(folder) if is_remote(folder) else _local_entries(folder)


def glob(pattern: str) -> list[str]:
    """Return what matches a pattern, by name."""
    fs, inner = _remote(pattern)
    matches = sorted(map(str, fs.glob(inner)))
    return [_named_like(pattern, fs, match) for match in matches]


def open_file(path: str) -> IO[bytes]:
    """Open a file to read in it, at any place."""
    if is_remote(path):
        fs, inner = _remote(path)
        return fs.open(inner, "rb")
    return open(path, "rb")


def read_bytes(path: str) -> bytes:
    """Read a picture's file.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or is larger than `LARGEST`.
    """
    if is_remote(path):
        fs, inner = _remote(path)
        content = bytes(fs.cat_file(inner, 0, LARGEST + 1))
    else:
        # A pipe would never end, and opening it might wait for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError("it is no file but a folder, a pipe or a device")
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(f"it is larger than {LARGEST >> 20} MiB")
    return content


def write_whole(path: str, content: bytes) -> None:
    """Write a file so that its name never stands for half of it."""
    if is_remote(path):
        fs, inner = _remote(path)
        fs.pipe_file(inner, content)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_atomically(path, content)


def put(draft: str, path: str) -> None:
    """Give a local file, written and closed, its place: in one step, or put once to a URL."""
    if is_remote(path):
        fs, inner = _remote(path)
        fs.put_file(draft, inner)
        os.unlink(draft)
        return
    with open(draft, "rb") as file:
        os.fsync(file.fileno())  # or, after a loss of power, the name may stand for nothing
    os.replace(draft, path)


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    try:
        if is_remote(path):
            fs, inner = _remote(path)
            fs.rm_file(inner)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return


def _remote(path: str) -> tuple[Any, str]:
    core = need("fsspec").core
    try:
        fs, inner = core.url_to_fs(path)
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or "the library that it names"
        raise ModuleNotFoundError(
            f"Expected the library that reads {path.partition('://')[0]}:// to be installed. "
            f"Received: {path}: {error}. Install it: pip install {_PACKAGES.get(missing, missing)}",
            name=missing,
        ) from error
    return fs, inner


_PACKAGES = {"smbclient": "smbprotocol"}  # where it is not called as the module is


def _named_like(pattern: str, fs: Any, match: str) -> str:
    """Return a match as the user would name it; a filesystem may leave its protocol out."""
    return match if not is_remote(pattern) or is_remote(match) else fs.unstrip_protocol(match)


def _local_entries(folder: str) -> list[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        found = [(e.name, e.is_dir(follow_symlinks=False), e.is_symlink()) for e in entries]
    return [
        (name, is_folder)
        for name, is_folder, is_link in found
        # A link to a folder may lead round in a circle; one to nowhere is to be told of.
        if is_folder or not (is_link and os.path.isdir(os.path.join(folder, name)))
    ]


def _remote_entries(folder: str) -> list[tuple[str, bool]]:
    fs, inner = _remote(folder)
    found = fs.ls(inner, detail=True)
    itself = inner.strip("/")
    return [
        (entry["name"].rstrip("/").rpartition("/")[2], entry["type"] == "directory")
        for entry in found
        if entry["name"].strip("/") != itself  # object stores may list the folder in itself
    ]
