"""One process at a time writes to a folder: the lock is a file in it, held by an open handle."""

from __future__ import annotations

import errno
import io
import os
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ModuleNotFoundError:
    fcntl = None


# Windows, and some disks of networks: there nobody is kept out.
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


def open_locked(path: str | os.PathLike[str]) -> io.FileIO:
    """Open a file to append to it, made if it is not there, and keep all others from doing so here.

    Until it is closed; the end of the process, any end, closes it. Writes are not buffered. Where
    there are no locks, it is opened without one.

    Raises
    ------
    BlockingIOError
        If another process, or another open handle of this one, has it.
    OSError
        If the file cannot be opened.
    """
    while True:
        file = open(path, "ab", buffering=0)  # noqa: SIM115 - as long as the lock
        try:
            if _lock(file, shared=False) is None or _is_still(path, file):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: io.IOBase, *, shared: bool) -> bool | None:
    """Lock an open file, or return None if there are no locks; BlockingIOError if one holds it."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _is_still(path: str | os.PathLike[str], file: io.FileIO) -> bool:
    """Tell whether a name still stands for an open file, which its last holder may have removed."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def is_locked(path: str | os.PathLike[str]) -> bool | None:
    """Tell whether somebody has a file locked, or None if nobody can."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        try:
            return None if _lock(file, shared=True) is None else False
        except BlockingIOError:
            return True


def append_whole(file: io.FileIO, content: bytes) -> None:
    """Append all of the content, or, whatever interrupts that, none of it."""
    end = os.fstat(file.fileno()).st_size
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
    except BaseException:
        file.truncate(end)
        raise
