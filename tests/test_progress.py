"""How far long work is said to be: bars on terminals and in notebooks, lines elsewhere."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import IO, Any

import pytest

from eli5 import progress
from eli5.cli.console import print_notice
from eli5.progress import clear, duration, listening, pace, show_progress

Capsys = pytest.CaptureFixture[str]


TIMEOUT = 60  # seconds; a thread that hangs is an error


class Clock:
    """A clock that goes on where it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


class Terminal:
    """What standard error is within its context, and what has been written to it."""

    def __init__(self, end: int, stream: IO[str]) -> None:
        self.end, self.stream = end, stream

    def __enter__(self) -> None:  # and not in the fixture, after which pytest sets its own stream
        self.before, sys.stderr = sys.stderr, self.stream

    def __exit__(self, *_: object) -> None:
        sys.stderr = self.before

    def written(self) -> str:
        """Return all that has come since this was asked for."""
        said = b""
        while select.select([self.end], [], [], 0.05)[0]:
            said += os.read(self.end, 1_000_000)
        return said.decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        yield Terminal(ours, stream)
    os.close(ours)


def screen(said: str) -> list[str]:
    """Return the lines that a terminal shows after it was sent this."""
    rows, row, column = [""], 0, 0
    for sign in re.findall(r"\x1b\[\??[\d;]*[a-zA-Z]|\r|\n|[^\x1b\r\n]+", said):
        if sign == "\n":
            row += 1
            rows += [""] * (row == len(rows))
        elif sign == "\r":
            column = 0
        elif sign.startswith("\x1b["):
            row -= int(sign[2:-1]) if sign.endswith("A") else 0
            rows[row] = "" if sign == "\x1b[2K" else rows[row]
        else:
            rows[row] = rows[row][:column].ljust(column) + sign + rows[row][column + len(sign) :]
            column += len(sign)
    return [line.rstrip() for line in rows if line.strip()]


# ---- words ---------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(46.4, "46 s"), (720, "12 min"), (11_100, "3 h 5 min"), (800_000, "9 days")],
)
def test_times_for_people(seconds: float, said: str) -> None:
    assert duration(seconds) == said


# ---- lines ---------------------------------------------------------------------------------------


def test_a_line_every_so_many_seconds(capsys: Capsys, clock: Clock) -> None:
    with show_progress(5) as shown:
        for clock.now in (1004.0, 1010.0, 1019.0, 1021.0, 1040.0):
            shown.advance()
    assert capsys.readouterr() == (
        "",
        "eli5: 2 of 5 pictures, 5 s each, 15 s left\n"
        "eli5: 4 of 5 pictures, 5.25 s each, 5 s left\n",
    )


def test_a_line_a_minute_of_a_run_that_goes_on(capsys: Capsys, clock: Clock) -> None:
    with show_progress(10_000, 500, every=60.0) as shown:
        for done in range(500, 1100):
            clock.now += 0.25
            shown.update(done, done // 100)
    assert capsys.readouterr().err.splitlines() == [
        "eli5: 739 of 10000 pictures, 7 failed, 3.98 per second, 39 min left",
        "eli5: 979 of 10000 pictures, 9 failed, 3.99 per second, 38 min left",
    ]


def test_lines_say_what_is_done_and_to_what(capsys: Capsys) -> None:
    with show_progress(3, label="RISE", noun="samples", every=0) as shown:
        shown.advance()
    assert capsys.readouterr().err.startswith("eli5: RISE: 1 of 3 samples, ")


def test_a_number_that_nobody_knows(capsys: Capsys, clock: Clock) -> None:
    with show_progress(noun="docs", every=0) as shown:
        clock.now += 2
        shown.update(4)
    assert capsys.readouterr().err == "eli5: 4 docs, 2 per second\n"


@pytest.mark.parametrize("shown", [False, None])
def test_nothing_is_said_unless_asked_for(shown: bool | None, capsys: Capsys, clock: Clock) -> None:
    with show_progress(10, shown=shown) as one:
        clock.now += 100
        one.update(9, 1)
    assert capsys.readouterr() == ("", "")


def test_no_standard_error(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with show_progress(10, every=0) as shown:
        shown.advance()


# ---- a bar on a terminal -------------------------------------------------------------------------


def test_a_bar_after_a_second_that_is_gone_at_the_end(terminal: Terminal, clock: Clock) -> None:
    with terminal, show_progress(3, shown=None) as shown:
        clock.now += 0.9
        shown.advance()
        assert terminal.written() == ""
        clock.now += 0.1
        shown.advance()
        said = terminal.written()
        (line,) = screen(said)
        assert line.startswith("Explaining ━")
        assert line.endswith(" 2 of 3 pictures, 2 per second, 0 s left")
        assert len(line) <= 80
        print_notice("a row")
        said += terminal.written()
        assert screen(said) == ["eli5: a row", line]
    said += terminal.written()
    assert screen(said) == ["eli5: a row"]
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1  # the cursor comes back


def test_a_bar_is_drawn_ten_times_a_second(terminal: Terminal, clock: Clock) -> None:
    with terminal, show_progress(1000) as shown:
        clock.now += 1
        shown.update(1)
        terminal.written()
        clock.now += 0.06
        shown.update(2)
        assert terminal.written() == ""
        clock.now += 0.06
        shown.update(3)
        assert "3 of 1000 pictures" in terminal.written()


def test_work_within_work_has_a_line_below(terminal: Terminal, clock: Clock) -> None:
    with terminal, show_progress(10, noun="docs") as outer:
        clock.now += 5
        with show_progress(label="RISE", noun="samples") as inner:
            clock.now += 1
            for _ in inner.track(100, range(4), 32):
                clock.now += 1
            said = terminal.written()
            first, second = screen(said)
            assert first.split("━")[0] == "Explaining "
            assert first.endswith(" 0 of 10 docs")
            assert second.split("━")[0] == "RISE       "
            assert " 100 of 100 samples, 20 per second" in second
        said += terminal.written()
        assert len(screen(said)) == 1
        clear()
        said += terminal.written()
        assert screen(said) == []
        clock.now += 0.1
        outer.advance()
        said += terminal.written()
        assert screen(said)[0].endswith(" 1 of 10 docs, 10.1 s each, 2 min left")


def test_a_total_of_several_parts(clock: Clock) -> None:
    totals = []
    with show_progress(label="Score-CAM", noun="samples", parts=3, shown=False) as shown:
        for n in (10, 20, 30):
            for _ in shown.track(n, range(0, n, 8), 8):
                totals.append((shown.done, shown.total))
    assert totals == [
        *((0, 30), (8, 30)),
        *((10, 50), (18, 50), (26, 50)),
        *((30, 60), (38, 60), (46, 60), (54, 60)),
    ]
    assert shown.done == 60


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_is_gone_after_an_error(
    error: type[BaseException], terminal: Terminal, clock: Clock
) -> None:
    stream = sys.stderr

    def work() -> None:
        with show_progress(3) as shown:
            clock.now += 2
            shown.advance()
            raise error

    with terminal, pytest.raises(error):
        work()
    said = terminal.written()
    assert "1 of 3" in said
    assert screen(said) == []
    assert said.endswith("\x1b[?25h") or "\x1b[?25h" in said
    assert sys.stderr is stream


def test_what_others_write_comes_above_the_bar(terminal: Terminal, clock: Clock) -> None:
    with terminal, show_progress(3) as shown:
        clock.now += 2
        shown.advance()
        sys.stderr.write("a warning\n")
        said = terminal.written()
        assert screen(said)[0] == "a warning"
        assert "1 of 3 pictures" in screen(said)[1]


def test_who_listens_is_told_and_nobody_else(terminal: Terminal, clock: Clock) -> None:
    told: list[tuple[str, int, int | None]] = []

    def listen(one: progress.Progress) -> None:
        told.append((one.label, one.done, one.total))
        if one.done == 4:
            raise KeyError("enough")

    def work() -> None:
        with show_progress(label="RISE") as bar:
            for _ in bar.track(6, "abc", 2):
                clock.now += 2

    with terminal, listening(listen), pytest.raises(KeyError, match="enough"):
        work()  # what a listener raises ends it
    assert told == [("RISE", 2, 6), ("RISE", 4, 6)]
    assert terminal.written() == ""
    with terminal, show_progress(2) as bar:  # and not beyond the context
        clock.now += 2
        bar.advance()
    assert len(told) == 2
    assert "1 of 2" in terminal.written()


def test_threads_have_lines_of_their_own(terminal: Terminal, clock: Clock) -> None:
    barrier = threading.Barrier(4)

    def work(name: str) -> None:
        with show_progress(50, label=name) as shown:
            barrier.wait(TIMEOUT)
            barrier.wait(TIMEOUT)
            for _ in range(50):
                shown.advance()
            barrier.wait(TIMEOUT)
            barrier.wait(TIMEOUT)

    with terminal:
        threads = [
            threading.Thread(target=work, args=(f"thread {k}",), daemon=True) for k in range(3)
        ]
        for thread in threads:
            thread.start()
        barrier.wait(TIMEOUT)  # all have begun
        clock.now += 2
        barrier.wait(TIMEOUT)  # and now they work
        barrier.wait(TIMEOUT)
        said = terminal.written()
        lines = screen(said)
        assert sorted(line.split(" ━")[0] for line in lines) == [f"thread {k}" for k in range(3)]
        barrier.wait(TIMEOUT)
        for thread in threads:
            thread.join(TIMEOUT)
        assert screen(said + terminal.written()) == []


def test_no_bar_where_lines_would_break_it(terminal: Terminal, clock: Clock) -> None:
    with terminal, show_progress(2, has_bar=False) as shown:
        clock.now += 5
        shown.advance()
        assert terminal.written() == ""
        clock.now += 6
        shown.update(1)
        assert terminal.written() == "eli5: 1 of 2 pictures, 11 s each, 11 s left\r\n"


# ---- a bar in a notebook -------------------------------------------------------------------------


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Make this a notebook, and return what its cell has shown."""
    shown: list[Any] = []

    def display(content: Any, **options: Any) -> Any:
        shown.append((content, options))
        return SimpleNamespace(update=display)

    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return shown


def test_a_notebook(cell: list[Any], clock: Clock, capsys: Capsys) -> None:
    with show_progress(4, label="<b>", shown=None) as shown:
        shown.advance()
        assert cell == []
        clock.now += 2
        shown.advance()
        clock.now += 2
        shown.advance()
    texts = [
        "2 of 4 pictures, 1 per second, 2 s left",
        "3 of 4 pictures, 1.33 s each, 1 s left",
    ]
    html = '<div>&lt;b&gt; <progress max="4" value="{}"></progress> {}</div>'
    assert cell == [
        (
            {"text/plain": f"<b>: {texts[0]}", "text/html": html.format(2, texts[0])},
            {"raw": True, "display_id": True},
        ),
        ({"text/plain": f"<b>: {texts[1]}", "text/html": html.format(3, texts[1])}, {"raw": True}),
        ({"text/plain": "", "text/html": ""}, {"raw": True}),
    ]
    assert capsys.readouterr() == ("", "")


def test_a_notebooks_bar_of_a_number_that_nobody_knows(cell: list[Any], clock: Clock) -> None:
    with show_progress(noun="docs") as shown:
        clock.now += 2
        shown.advance()
    assert cell[0][0]["text/html"].startswith("<div>Explaining <progress></progress> 1 docs")


def test_ipython_without_a_notebook_has_no_bar_in_a_cell(
    cell: list[Any], clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", object)
    with show_progress(3, shown=None) as shown:
        clock.now += 2
        shown.advance()
    assert cell == []
    assert capsys.readouterr() == ("", "")
