"""Ctrl-C and closed pipes in the middle of many pictures: what is there is complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest
from PIL import Image

from eli5.cli.interrupts import exit_at_once, exit_between_writes
from helpers.cli_helpers import TIMEOUT, interrupt, open_for, two_colours

COMMAND = [sys.executable, "-m", "eli5", "explain"]
ENVIRONMENT = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}


# Python runs it before anything else: so a picture is read until the test has done with it.
_PIPES_ARE_FILES = """
import stat

is_file = stat.S_ISREG
stat.S_ISREG = lambda mode: is_file(mode) or stat.S_ISFIFO(mode)
"""


class ExitError(Exception):
    """What ends the process in a test: `os._exit` would end the tests."""


@pytest.fixture
def _interruptible(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take Ctrl-C as in a terminal; a shell's background job, as a test run may be, ignores it."""

    def end(code: int) -> None:
        raise ExitError(code)

    monkeypatch.setattr(os, "_exit", end)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# ---- when it ends --------------------------------------------------------------------------------


@pytest.mark.usefixtures("_interruptible")
def test_at_once_between_writes() -> None:
    done: list[str] = []

    def work() -> None:
        with exit_between_writes(lambda: done.append("tidied")) as whole:
            with whole():
                done.append("written")
            signal.raise_signal(signal.SIGINT)
            done.append("went on")

    with pytest.raises(ExitError, match="130"):
        work()
    assert done == ["written", "tidied"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("_interruptible")
def test_at_once_but_not_before_what_was_made_is_gone() -> None:
    done: list[str] = []

    def work() -> None:
        with exit_at_once(lambda: done.append("gone")):
            signal.raise_signal(signal.SIGINT)
            done.append("went on")

    with pytest.raises(ExitError, match="130"):
        work()
    assert done == ["gone"]


@pytest.mark.usefixtures("_interruptible")
def test_after_a_write_that_has_begun() -> None:
    done: list[str] = []

    def work() -> None:
        with exit_between_writes(lambda: done.append("tidied")) as whole:
            with whole():
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
                done.append("written")
            done.append("went on")

    with pytest.raises(ExitError, match="130"):
        work()
    assert done == ["written", "tidied"]


@pytest.mark.usefixtures("_interruptible")
def test_not_within_what_tidies_up() -> None:
    done: list[str] = []

    def tidy() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("tidied")

    with pytest.raises(ExitError, match="130"), exit_between_writes(tidy):
        signal.raise_signal(signal.SIGINT)
    assert done == ["tidied"]


@pytest.mark.usefixtures("_interruptible")
def test_it_ends_even_if_tidying_up_fails() -> None:
    def tidy() -> None:
        raise OSError("No space left on device")

    with pytest.raises(ExitError, match="130"), exit_between_writes(tidy):
        signal.raise_signal(signal.SIGINT)


def test_a_job_that_ignores_interrupts_goes_on_doing_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with exit_between_writes(lambda: None) as whole, whole():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# ---- in a process --------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of five pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        two_colours(60 + number).save(folder / f"{number}.png")
    return folder


def test_ctrl_c_leaves_complete_files(model_path: str, photos: Path, tmp_path: Path) -> None:
    pipe, out = tmp_path / "pipe.png", tmp_path / "out"
    os.mkfifo(pipe)
    (tmp_path / "sitecustomize.py").write_text(_PIPES_ARE_FILES)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*COMMAND, model_path, photos, pipe, photos / "4.png", "--batch-size", "2", "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path))},
    )
    signal.signal(signal.SIGINT, before)
    with process:
        try:
            writer = open_for(process, pipe)
            said = interrupt(process)
            os.close(writer)
        finally:
            process.kill()  # or leaving the block would wait for it
    # The fifth waits for the sixth, the pipe, to make a batch.
    assert (process.returncode, said) == (130, (b"", b"eli5: Stopped after 4 of 6 pictures.\n"))
    names = [f"{number}.png" for number in range(4)]
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == {f"photos/{name}" for name in names} | {"index.html", "explanations.jsonl"}
    for name in names:
        with Image.open(out / "photos" / name) as picture:
            picture.load()
    lines = (out / "explanations.jsonl").read_text(encoding="ascii")
    assert lines.endswith("\n")
    assert [json.loads(line)["overlay"] for line in lines.splitlines()] == [
        f"photos/{name}" for name in names
    ]
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.endswith("</html>\n")
    assert all(name in page for name in names)


def test_nobody_reads_the_lines_any_more(model_path: str, photos: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    out = tmp_path / "out"
    done = subprocess.run(
        [*COMMAND, model_path, photos, "--json", "--batch-size", "1", "--out", out],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        check=False,
        timeout=TIMEOUT,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
    # What was not read has been written, and nothing more is explained.
    assert {path.name for path in out.iterdir()} == {"0.png", "index.html", "explanations.jsonl"}
    assert (out / "index.html").read_text(encoding="utf-8").endswith("</html>\n")
    (line,) = (out / "explanations.jsonl").read_text(encoding="ascii").splitlines()
    assert json.loads(line)["overlay"] == "0.png"
