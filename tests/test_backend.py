"""Importing eli5 lets Keras run where TensorFlow is missing, and leaves each choice as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eli5.backend import is_installed

# As if these alone were installed.
FAKE = """
import importlib.util, os, sys, types
installed = {installed!r}
found = types.SimpleNamespace(origin="there")
importlib.util.find_spec = lambda name, package=None: found if name in installed else None
"""


def run(code: str, home: Path, **env: str) -> str:
    """Run code in a new process, where no backend is chosen, and return what it prints."""
    clean = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, "KERAS_HOME": str(home), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def chosen(installed: set[str], home: Path, before: str = "", **env: str) -> str:
    show = "print(os.environ.get('KERAS_BACKEND'), *{'jax', 'torch', 'keras'} & {*sys.modules})"
    code = f"{FAKE.format(installed=installed)}{before}\nimport eli5\n{show}"
    return run(code, home, **env)


@pytest.mark.parametrize(
    ("installed", "backend"),
    [
        ({"jax", "torch"}, "jax"),
        ({"torch"}, "torch"),
        ({"tensorflow", "jax"}, "None"),
        ({"tensorflow"}, "None"),
        (set(), "None"),
    ],
)
def test_a_backend_that_is_installed_takes_the_place_of_tensorflow(
    installed: set[str], backend: str, tmp_path: Path
) -> None:
    assert chosen(installed, tmp_path / "none") == backend


@pytest.mark.parametrize(
    ("written", "backend"),
    [
        ({"backend": "tensorflow"}, "jax"),  # as Keras writes it by itself
        ({"backend": "torch"}, "None"),
        ({"floatx": "float32"}, "jax"),
        ([], "jax"),
    ],
)
def test_a_file_of_keras_is_a_choice_unless_it_names_what_is_missing(
    written: object, backend: str, tmp_path: Path
) -> None:
    (tmp_path / "keras.json").write_text(json.dumps(written), encoding="utf-8")
    assert chosen({"jax", "torch"}, tmp_path) == backend
    # The same in the user's home.
    (tmp_path / ".keras").mkdir()
    (tmp_path / "keras.json").rename(tmp_path / ".keras" / "keras.json")
    home = {"KERAS_HOME": "", "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    assert chosen({"jax", "torch"}, tmp_path, **home) == backend


def test_what_is_chosen_already_is_kept(tmp_path: Path) -> None:
    assert chosen({"jax"}, tmp_path, KERAS_BACKEND="torch") == "torch"
    assert chosen({"jax"}, tmp_path, KERAS_BACKEND="") == "jax"
    imported = "sys.modules['keras'] = types.ModuleType('keras')"
    assert chosen({"jax"}, tmp_path, imported) == "None keras"


def test_a_folder_is_no_installed_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_such_backend").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not is_installed("no_such_backend")
    assert not is_installed("no_such_package")
    assert is_installed("numpy")


def test_keras_runs_without_tensorflow_also_the_second_time(tmp_path: Path) -> None:
    show = "import sys\nsys.modules['tensorflow'] = None\nimport eli5, keras\n"
    for _ in range(2):  # the first time Keras writes a file that names TensorFlow
        assert run(f"{show}print(keras.backend.backend())", tmp_path) in ("jax", "torch")
    assert json.loads((tmp_path / "keras.json").read_text("utf-8"))["backend"] == "tensorflow"
