"""A file is written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eli5.saving.atomic_write import write_atomically


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file in a folder without anything else in it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "file.bin"


def names(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


@pytest.mark.parametrize("content", [b"", b"new", bytes(range(256)) * 1000])
def test_a_file_is_written_and_replaced(path: Path, content: bytes) -> None:
    write_atomically(path, content)
    assert path.read_bytes() == content
    write_atomically(str(path), b"newer")
    assert path.read_bytes() == b"newer"
    assert names(path) == ["file.bin"]


def test_a_link_stays_a_link(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path.name)
    write_atomically(link, b"first")  # to a file that is not there yet
    write_atomically(link, b"second")
    assert link.is_symlink()
    assert path.read_bytes() == b"second"
    assert names(path) == ["file.bin", "link"]


@pytest.fixture
def _umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
def test_permissions_are_those_of_any_new_file_or_of_the_old_one(path: Path) -> None:
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write_atomically(path, b"newer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.usefixtures("_umask")
def test_what_replaces_a_private_file_is_private_while_it_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    monkeypatch.setattr(
        "eli5.saving.atomic_write.os.fsync", lambda one: modes.append(os.fstat(one).st_mode)
    )
    path.write_bytes(b"old")
    path.chmod(0o600)
    write_atomically(path, b"new")
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600]
    assert path.read_bytes() == b"new"


def test_a_name_may_be_as_long_as_the_disk_allows(path: Path) -> None:
    for name in ("n" * 255, "é" * 127, "猫" * 85):
        write_atomically(path.with_name(name), b"new")
        assert path.with_name(name).read_bytes() == b"new"


def test_a_locked_file_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"old")
    monkeypatch.setattr(
        "eli5.saving.atomic_write.os.access", lambda *_: False
    )  # nothing is locked for root
    with pytest.raises(PermissionError, match=r"Permission denied: '.*file\.bin'"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_there_must_be_a_folder_for_it(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file .*: '.*no_folder/file'$"):
        write_atomically(path.parent / "no_folder" / "file", b"new")
    with pytest.raises(IsADirectoryError, match=r"Is a directory: '.*/folder'$"):
        write_atomically(path.parent, b"new")
    assert names(path) == []


@pytest.mark.parametrize(
    "error", [OSError(28, "full"), KeyboardInterrupt("stop"), MemoryError("much")]
)
@pytest.mark.parametrize("step", ["os.fsync", "Path.chmod", "Path.replace"])
def test_an_error_leaves_the_old_file_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    path.write_bytes(b"old")
    monkeypatch.setattr(f"eli5.saving.atomic_write.{step}", fail)
    with pytest.raises(type(error), match=re.escape(str(error))) as raised:
        write_atomically(path, b"new")
    if isinstance(raised.value, OSError):
        assert str(raised.value) == f"[Errno 28] full: {str(path)!r}"  # not the draft
    assert path.read_bytes() == b"old"
    assert names(path) == ["file.bin"]


def test_threads_that_write_one_file_leave_a_whole_one(path: Path) -> None:
    contents = [bytes([k]) * 100_000 for k in range(8)]

    def write(content: bytes) -> None:
        for _ in range(20):
            write_atomically(path, content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert not path.exists() or path.read_bytes() in contents
    assert path.read_bytes() in contents
    assert names(path) == ["file.bin"]


# ---- a full disk, and kills ----------------------------------------------------------------------

# In a process of its own, which forks: neither goes well with the threads of a backend.
START = """
import os, random, resource, signal, sys, time
from pathlib import Path
import numpy as np
import eli5, eli5.saving.atomic_write
from eli5.base import Explanation, TargetExplanation

path, start = Path(sys.argv[1]), sys.argv[2]
old, new = (
    Explanation("net", targets=[TargetExplanation(k, attribution=np.full((50, 50), k, "float32"))])
    for k in (1, 2)
)

def prepare():
    for one in path.parent.iterdir():
        one.unlink()
    if start == "old":
        old.save(path)

def check():
    if start == "old" or path.exists():
        assert eli5.load(path) in (old, new)
"""

FULL_DISK = """
prepare()
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
try:
    new.save(path)
except OSError as error:
    print(error)
assert [one.name for one in path.parent.iterdir()] == ([path.name] if start == "old" else [])
assert start == "none" or eli5.load(path) == old
"""

KILL_AT_EACH_LINE = """
def kill_at(n):
    def trace(frame, event, argument):
        nonlocal n
        if frame.f_code.co_filename == eli5.saving.atomic_write.__file__:
            n -= event == "line"
            if n == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
    return trace

status = 1
for n in range(1, 100):
    prepare()
    if (child := os.fork()) == 0:
        sys.settrace(kill_at(n))
        new.save(path)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    check()
    if status == 0:
        break
    assert status == signal.SIGKILL
assert eli5.load(path) == new
print(n - 1, "kills")
"""

KILL_AT_ANY_TIME = """
contents = [bytes([k]) * 20_000_000 for k in (1, 2)]
random.seed(0)
drafts = 0
for n in range(30):
    for one in path.parent.iterdir():
        one.unlink()
    if start == "old":
        path.write_bytes(contents[0])
    if (child := os.fork()) == 0:
        while True:
            for content in contents:
                eli5.saving.atomic_write.write_atomically(path, content)
    time.sleep(random.uniform(0.001, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert path.read_bytes() in contents if start == "old" or path.exists() else True
    drafts += any(one.name != path.name for one in path.parent.iterdir())
print(drafts, "kills")
"""


def ran(program: str, path: Path, start: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START + program, str(path), start], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and file size limits")


@posix
@pytest.mark.parametrize("start", ["old", "none"])
@pytest.mark.parametrize("ending", [".json", ".npz"])
def test_a_full_disk_leaves_the_old_file_or_none(path: Path, ending: str, start: str) -> None:
    assert "File too large" in ran(FULL_DISK, path.with_suffix(ending), start)


@posix
@pytest.mark.parametrize("start", ["old", "none"])
@pytest.mark.parametrize("ending", [".json", ".npz"])
def test_a_kill_at_any_line_leaves_a_whole_file_or_none(
    path: Path, ending: str, start: str
) -> None:
    kills, _ = ran(KILL_AT_EACH_LINE, path.with_suffix(ending), start).split()
    assert int(kills) > 10


@posix
@pytest.mark.parametrize("start", ["old", "none"])
def test_a_kill_at_any_time_leaves_a_whole_file_or_none(path: Path, start: str) -> None:
    drafts, _ = ran(KILL_AT_ANY_TIME, path, start).split()
    assert int(drafts) > 0  # kills that came while a draft was being written
