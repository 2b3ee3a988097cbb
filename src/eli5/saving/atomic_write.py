"""Write a file whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE

_LONGEST_START = 50  # characters, of up to four bytes; most disks allow 255 bytes for a name


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that its name never stands for half of it.

    The content goes into a draft in the same folder, ``.NAME.…``, which then takes the file's place
    in one step. Whatever interrupts that, the old file stays, or none if there was none. Only a
    kill or a loss of power leaves the draft behind. Where `path` is a link, the file behind it is
    replaced. A file that is replaced hands on its permissions; a new one gets those of any other.

    Raises
    ------
    OSError
        If it cannot be written. An old file that may not be written to counts as such.
    """
    target = Path(os.path.realpath(path))
    mode = S_IMODE(target.stat().st_mode) if target.exists() else None
    # It could be replaced, as that is a matter of its folder; but it was locked for a reason.
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    # Only on one and the same disk is a file put in its place at once.
    start = f".{target.name[:_LONGEST_START]}.{os.getpid()}"
    draft = target.with_name(f"{start}.{secrets.token_hex(4)}")  # each thread has its own
    try:
        _write(draft, content, mode)
        draft.replace(target)
    except OSError as error:
        # It tells of the draft, or of no file, and its reader knows the target only.
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        with suppress(OSError):  # whatever went wrong has been said already
            draft.unlink()


def _write(draft: Path, content: bytes, mode: int | None) -> None:
    # What replaces a private file is not for others either, not even while it is being written.
    first_mode = 0o666 if mode is None else 0o600  # less what the umask takes, as for any new file
    with open(draft, "xb", opener=lambda path, flags: os.open(path, flags, first_mode)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # or, after a loss of power, the name may stand for nothing
    if mode is not None:
        draft.chmod(mode)
