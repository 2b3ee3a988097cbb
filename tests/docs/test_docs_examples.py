"""The docs tell the truth: their examples run, and their table has every method and option."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from eli5.keras import METHODS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("methods.md", "scores.md"))
EXAMPLES = re.findall(r"^```python\n(import eli5\n.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def heading_of(example: str) -> str:
    return re.findall(r"^#+ (.*)$", PAGE[: PAGE.index(example)], flags=re.MULTILINE)[-1]


@pytest.mark.parametrize("example", EXAMPLES, ids=heading_of)
def test_an_example_runs(example: str, model: keras.Model, doc: np.ndarray[Any, Any]) -> None:
    exec(textwrap.dedent(example), {"model": model, "doc": doc, "docs": np.repeat(doc, 2, axis=0)})


def test_every_python_block_is_an_example() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") > 5


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method_stands_in_the_table_with_its_options(method: Any) -> None:
    table = PAGE.partition("<!-- method-list: begin -->")[2]
    row = re.search(rf"^\| {re.escape(method.name)} \|.*$", table, flags=re.MULTILINE)
    assert row is not None
    for name, value in method.own_options.items():
        assert f"`{name}={value!r}`" in row[0]
