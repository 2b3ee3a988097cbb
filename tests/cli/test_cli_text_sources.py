"""Which texts ``eli5 explain-text`` reads, and what it says before the model is loaded."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from eli5 import limits
from eli5.cli.commands.explain_text import TextSource, find_texts
from eli5.cli.console import UserError, as_typed
from helpers.cli_helpers import fails

Capsys = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder with some files the current one."""
    monkeypatch.chdir(tmp_path)
    Path("reviews.txt").write_bytes(b"\xef\xbb\xbfso good\r\n\r\n  so bad  \r\n")
    Path("empty.txt").write_text(" \n\n", encoding="utf-8")
    Path("latin.txt").write_bytes("é".encode("latin-1"))
    Path("words").write_text("a\n", encoding="utf-8")
    Path("model.keras").write_bytes(b"no model")
    Path("twice").write_text("good\nbad\ngood\n", encoding="utf-8")
    Path("folder").mkdir()


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_texts_and_files_in_their_order() -> None:
    assert find_texts(["good", "reviews.txt", "not a file.txt ", "and/or"], lines=False) == [
        TextSource("text 1", "good"),
        TextSource("reviews.txt", "so good\n\n  so bad  ", "reviews.txt"),
        TextSource("text 3", "not a file.txt "),
        TextSource("text 4", "and/or"),
    ]


def test_lines_keep_their_numbers() -> None:
    assert find_texts(["reviews.txt", "words"], lines=True) == [
        TextSource("reviews.txt:1", "so good", "reviews.txt"),
        TextSource("reviews.txt:3", "  so bad  ", "reviews.txt"),
        TextSource("words:1", "a", "words"),
    ]


def test_standard_input_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TEXT_BYTES", 7)
    stdin(monkeypatch, b"so good")
    assert find_texts([], lines=False) == [TextSource("stdin", "so good")]
    stdin(monkeypatch, b"so good!")
    with pytest.raises(UserError, match="TEXT=-, which cannot be read: it is larger than 7 bytes"):
        find_texts([], lines=False)


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    stdin(monkeypatch, "so gööd\nso bad\n".encode())
    assert find_texts(arguments, lines=False) == [TextSource("stdin", "so gööd\nso bad")]
    stdin(monkeypatch, b"so good\n\nso bad")
    assert find_texts(arguments, lines=True) == [
        TextSource("stdin:1", "so good"),
        TextSource("stdin:3", "so bad"),
    ]


def test_who_has_to_type_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    stdin(monkeypatch, b"so good")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert find_texts([], lines=False)[0].text == "so good"
    assert capsys.readouterr().err.startswith("eli5: Reading a text from the terminal; Ctrl-D ")


def test_there_may_be_no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="as there is no standard input"):
        find_texts([], lines=False)


def test_standard_input_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, "é".encode("latin-1"))
    with pytest.raises(UserError, match=r"text in UTF-8\. Received: TEXT=-, which cannot be read"):
        find_texts([], lines=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "good"], "Expected either texts and files, or - for standard input"),
        (["nope.txt"], "Expected TEXT to be a file. Received: TEXT=nope.txt, which does not exist"),
        (["./nope"], "TEXT=./nope, which does not exist"),
        (["folder"], "TEXT=folder, which is a folder"),
        (["good", "  "], "Expected TEXT to be a text. Received: TEXT='  ', which is empty"),
        (["empty.txt"], "Received: TEXT=empty.txt, which is empty"),
        (["latin.txt"], "TEXT=latin.txt, which cannot be read: 'utf-8' codec can't decode"),
        (["--laels"], "Unknown option: --laels. Try: eli5 explain-text --help. To explain"),
    ],
)
def test_what_is_no_text(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        find_texts(arguments, lines=False)
    assert message in as_typed(str(error.value))


def test_a_word_that_starts_with_a_dash_is_one_with_a_space() -> None:
    assert find_texts([" -x", "- so good", "-5"], lines=False)[0] == TextSource("text 1", " -x")


def test_lines_are_those_of_files() -> None:
    with pytest.raises(UserError, match="text=so good, which does not exist"):
        find_texts(["so good"], lines=True)


def test_a_file_that_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: str, **_: object) -> None:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(limits, "open_file", broken)
    message = r"Expected `text` to be a text file in UTF-8\. Received: text=reviews\.txt, which can"
    with pytest.raises(UserError, match=message):
        find_texts(["reviews.txt"], lines=False)


# ---- options that are wrong whatever the model ---------------------------------------------------


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MobileNetV2", "good"], "Expected MODEL to be a .keras or .h5 file. Received: MODEL=Mob"),
        (["nope.keras", "good"], "MODEL=nope.keras, which does not exist"),
        (["model.keras", "good"], "MODEL=model.keras, which is no .keras file, or damaged"),
        (["m.h5", "a", "--class", "1", "--top", "2"], "Expected either --class or --top"),
        (["m.h5", "a", "--pad-value", "0"], "Expected --pad-value only with --vocabulary"),
        (["m.h5", "a", "--vocabulary", "nope"], "Expected --vocabulary to be a file. Received"),
        (["m.h5", "a", "--vocabulary", "empty.txt"], "--vocabulary=empty.txt, which is empty"),
        (
            ["m.h5", "a", "--vocabulary", "twice"],
            "each word once. Received: --vocabulary=twice with",
        ),
        (["m.h5", "a", "--vocabulary", "latin.txt"], "in UTF-8 with one word per line. Received"),
        (["m.h5", "empty.txt"], "Expected TEXT to be a text. "),
        (["m.h5", "a", "--out", "a.png"], "A text has no picture; a.html would be a page"),
        (["m.h5", "a", "--out", "a.pdf"], "in one of .html, .json, .npz, .txt. Received: --out=a."),
        (["m.h5", "a", "b", "--out", "a.txt"], "folder for several texts: one that exists, a name"),
        (["m.h5", "reviews.txt", "--out", "reviews.txt"], "which would be overwritten"),
        (["m.h5", "a", "--out", "folder/../nope/a.txt"], "Make the folder "),
        (
            ["m.h5", "a", "--out", "a.npz", "--method", "LIME", "--method", "Occlusion"],
            "Expected one --method for --out a.npz, which holds one explanation. Received: LIME, ",
        ),
    ],
)
def test_what_is_wrong_is_said_before_keras_starts(
    capsys: Capsys, arguments: list[str], message: str
) -> None:
    Path("m.h5").write_bytes(b"is not read")
    assert message in fails(capsys, "explain-text", *arguments)
