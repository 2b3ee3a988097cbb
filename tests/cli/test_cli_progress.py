"""How far a long run is said to be."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eli5.cli import progress
from eli5.cli.console import print_notice
from eli5.cli.progress import measured, pace

Capsys = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("done", "seconds", "said"),
    [
        (0, 0.0, ""),
        (5, 0.0, ""),
        (10, 20.0, "2 s each, 3 min left"),
        (10, 1.2, "8.33 per second, 11 s left"),
        (1, 3.0, "3 s each, 5 min left"),
        (1, 121.7, "122 s each, 3 h 21 min left"),
        (100, 0.2, "500 per second"),
    ],
)
def test_rate_and_time_left(done: int, seconds: float, said: str) -> None:
    assert pace(done, 100, seconds) == said


def test_a_line_every_so_many_seconds(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 104.0, 110.0, 119.0, 121.0, 140.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    with measured(5, has_bar=True) as meter:
        for _ in range(5):
            meter.advance()
        meter.stop()
    assert capsys.readouterr() == (
        "",
        "eli5: 2 of 5 pictures, 5 s each, 15 s left\n"
        "eli5: 4 of 5 pictures, 5.25 s each, 5 s left\n",
    )


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make standard error a terminal, and yield its other end."""
    ours, theirs = pty.openpty()
    with monkeypatch.context() as patch, open(theirs, "w", encoding="utf-8") as stream:
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "80")
        patch.setattr(sys, "stderr", stream)
        yield ours
    os.close(ours)


def written(terminal: int) -> str:
    """Return all that has come so far."""
    said = b""
    while select.select([terminal], [], [], 0.1)[0]:
        said += os.read(terminal, 1_000_000)
    return said.decode()


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as end:
        with measured(3, has_bar=True) as meter:
            meter.advance()
            print_notice("a row")
            meter.advance()
            meter.advance()
        print_notice("the end")
        said = written(end)
    assert "3/3" in said
    assert " per second" in said
    # The bar's line is cleared for other lines, and they are ended before the bar comes again.
    assert re.search(r"\r\x1b\[2K(\x1b\[1m)?eli5: (\x1b\[0m)?a row\r\n(.*)Explaining", said)
    assert re.search(r"\x1b\[2K(\x1b\[1m)?eli5: (\x1b\[0m)?the end\r\n$", said)
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1  # the cursor comes back


def test_what_is_counted_has_its_name(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eli5.cli.progress._EVERY", 0)
    with measured(3, has_bar=False, what="texts") as meter:
        meter.advance()
    assert capsys.readouterr().err.startswith("eli5: 1 of 3 texts, ")


def test_stopping_gives_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as end, measured(3, has_bar=True) as meter:
        meter.advance()
        meter.stop()
        assert "\x1b[?25h" in written(end)
        print_notice("Stopped")
        assert "Explaining" not in written(end)


def test_no_bar_where_lines_would_break_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as end, measured(1, has_bar=False) as meter:
        meter.advance()
        print_notice("end")
        assert "Explaining" not in written(end)
