"""``eli5 demo``: the heatmap moves to the object that is asked for."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from eli5 import __main__
from eli5.cli import main


def test_demo_writes_and_prints_two_explanations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    shares = re.findall(r"asked for the (\w+) +(\d+)% \| +(\d+)%", printed)
    (first, on_own, on_other), (second, other, own) = shares
    assert (first, second) == ("square", "star")
    assert min(int(on_own), int(own)) > 80
    assert max(int(on_other), int(other)) < 5
    page = (tmp_path / "eli5-demo.html").read_text()
    assert page.count('class="eli5-layer"') == 2
    with Image.open(tmp_path / "eli5-demo.png") as picture:
        assert picture.width > 2 * 384


def test_demo_needs_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "none")]) == 2
    assert "Expected --out to be a file in a folder that exists" in capsys.readouterr().err


def test_demo_does_not_write_into_a_folder_of_that_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "eli5-demo.png").mkdir()
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "eli5: error: Expected --out to be a file. Received: "
        f"--out={tmp_path / 'eli5-demo.png'}, which is a folder\n"
    )


def test_command_says_which_extra_it_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    assert __main__.main() == 2
    assert 'pip install "eli5-keras[cli]"' in capsys.readouterr().err
