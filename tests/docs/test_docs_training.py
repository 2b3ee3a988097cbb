"""docs/training.md tells the truth: its example runs, and makes the page that it names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from helpers.strict_html import Page

TEXT = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.filterwarnings("ignore:.*heatmap of target")  # so early, nothing may speak for a class
def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = EXAMPLES
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(example, names)
    path = tmp_path / "explanations" / "run-1" / "index.html"
    assert capsys.readouterr().out.endswith(f"Open {path}\n")
    page = Page(path.read_text(encoding="utf-8"))
    assert "Epoch 2" in page.text
    for name in ("across", "down"):
        assert name in page.text
