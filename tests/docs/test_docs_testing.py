"""What docs/testing.md tells is true: its examples run, on models and docs that pass and fail."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from eli5.cli import app
from helpers.cli_helpers import colour_model

PATH = Path(__file__).resolve().parents[2] / "docs" / "testing.md"
PAGE = PATH.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^.*?(eli5 diff .*)$", PAGE, flags=re.MULTILINE)

SIZE = 16


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """Return what the examples take: docs whose middle is the object."""
    docs = np.zeros((3, SIZE, SIZE, 3), "float32")
    docs[:, 5:12, 5:12] = 255 * np.eye(3)[:, None, None]
    docs += np.random.default_rng(0).uniform(0, 20, docs.shape).astype("float32")
    masks = np.zeros((3, SIZE, SIZE), bool)
    masks[:, 5:12, 5:12] = True
    old, model = (colour_model(size=(SIZE, SIZE, 3)) for _ in range(2))
    given = {"old": old, "new": model, "model": model, "docs": docs, "masks": masks}
    return {**given, "labels": [0, 1, 2]}


def run(example: str, names: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    given = {**names, "print": lambda *said: lines.append(" ".join(map(str, said)))}
    exec(example, given)
    for name, test in list(given.items()):
        if name.startswith("test_"):
            test(
                **{
                    one: given[one]
                    for one in test.__code__.co_varnames[: test.__code__.co_argcount]
                }
            )
            lines.append(name)
    return lines


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number: int, names: dict[str, Any], tmp_path: Path) -> None:
    lines = run(EXAMPLES[number], names)
    assert len(lines) == [0, 0, 3, 1][number]
    assert [path.name for path in tmp_path.iterdir()] == (["moved.html"] if number == 3 else [])


@pytest.mark.parametrize("number", range(3))
def test_an_example_fails_where_the_model_looks_elsewhere(
    number: int, names: dict[str, Any]
) -> None:
    corner = keras.layers.Cropping2D(((0, 12), (0, 12)))  # all that it sees
    blind = colour_model(keras.layers.Rescaling(1 / 255), corner, size=(SIZE, SIZE, 3))
    with pytest.raises(AssertionError, match="Expected"):
        run(EXAMPLES[number], {**names, "model": blind, "new": blind})


@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_a_command_is_understood(number: int) -> None:
    _, *arguments = shlex.split(COMMANDS[number])
    app.parse_args(arguments)


def test_there_are_examples() -> None:
    assert (len(EXAMPLES), len(COMMANDS)) == (4, 2)
