"""A lock that is a file: one holder at a time, and what is appended under it is whole."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eli5.saving.folder_lock import append_whole, is_locked, open_locked


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert is_locked(path) is None
    with open_locked(path):
        assert is_locked(path) is True
        with pytest.raises(BlockingIOError):
            open_locked(path)
    assert is_locked(path) is False
    open_locked(path).close()


def test_what_is_in_the_file_stays(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"old")
    with open_locked(tmp_path / "lock") as file:
        append_whole(file, b" and new")
    assert (tmp_path / "lock").read_bytes() == b"old and new"


def test_a_lock_whose_file_was_removed_guards_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path, flock = tmp_path / "lock", fcntl.flock

    def removed_first(file: io.FileIO, how: int) -> None:
        monkeypatch.undo()
        path.unlink()  # as its last holder may do, between our open and our lock
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with open_locked(path):
        assert path.exists()
        assert is_locked(path) is True


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, None])
def test_where_there_are_no_locks_nobody_is_kept_out(
    number: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(number, "no locks here")

    fcntl = (
        None if number is None else SimpleNamespace(flock=refused, LOCK_EX=1, LOCK_SH=2, LOCK_NB=4)
    )
    monkeypatch.setattr("eli5.saving.folder_lock.fcntl", fcntl)
    with open_locked(tmp_path / "lock"), open_locked(tmp_path / "lock"):
        assert is_locked(tmp_path / "lock") is None


def test_any_other_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.EIO, "a broken disk")

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", refused)
    with pytest.raises(OSError, match="a broken disk"):
        open_locked(tmp_path / "lock")


class _FullDisk(io.FileIO):
    """A file that takes three bytes, and then no more."""

    def write(self, content: Any) -> int:
        if self.tell() >= 6:
            raise OSError(28, "No space left on device")
        return super().write(content[:3])


def test_nothing_is_left_of_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with _FullDisk(path, "ab") as file:
        append_whole(file, b"abc")
        with pytest.raises(OSError, match="No space left"):
            append_whole(file, b"defghi")
        assert path.read_bytes() == b"abc"
