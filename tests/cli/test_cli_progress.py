"""How far a long run is said to be."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from eli5.bulk import progress
from eli5.bulk.progress import Progress, pace, show_progress
from eli5.cli.console import above_bar, print_notice

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
    assert pace(done, 100 - done, seconds) == said


@contextmanager
def shown(total: int, **options: Any) -> Iterator[Progress]:
    """Show progress as the command does."""
    with show_progress(total, every=10.0, **options) as one, above_bar(one.console):
        yield one


def test_a_line_every_so_many_seconds(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(progress, "monotonic", lambda: now)
    with shown(5) as bar:
        for now in (104.0, 110.0, 119.0, 121.0, 140.0):  # noqa: B007 - what is told as the time
            bar.advance()
        bar.stop()
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
        with shown(3) as bar:
            bar.advance()
            print_notice("a row")
            bar.advance()
            bar.advance()
        print_notice("the end")
        said = written(end)
    assert "3 of 3 pictures" in said
    assert " per second" in said
    # The bar's line is cleared for other lines, and they are ended before the bar comes again.
    assert re.search(r"\r\x1b\[2K(\x1b\[1m)?eli5: (\x1b\[0m)?a row\r\n(.*)Explaining", said)
    assert re.search(r"\x1b\[2K(\x1b\[1m)?eli5: (\x1b\[0m)?the end\r\n$", said)
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1  # the cursor comes back


def test_what_is_counted_has_its_name(capsys: Capsys) -> None:
    with show_progress(3, has_bar=False, noun="texts", every=0) as bar:
        bar.advance()
    assert capsys.readouterr().err.startswith("eli5: 1 of 3 texts, ")


def test_stopping_gives_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as end, shown(3) as bar:
        bar.advance()
        bar.stop()
        assert "\x1b[?25h" in written(end)
        print_notice("Stopped")
        assert "Explaining" not in written(end)


def test_no_bar_where_lines_would_break_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as end, shown(1, has_bar=False) as bar:
        bar.advance()
        print_notice("end")
        assert "Explaining" not in written(end)
