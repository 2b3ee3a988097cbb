"""The command line in a process of its own: its exit, its streams, its Keras backend."""

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

from eli5.cli import backend
from eli5.cli.console import UserError
from eli5.cli.interrupts import exit_at_once
from eli5.loading.quiet import muted_stderr
from helpers.cli_helpers import BLUE, TIMEOUT, interrupt, open_for, run_process

BACKEND = keras.backend.backend()
Capsys = pytest.CaptureFixture[str]


# ---- streams and exit ----------------------------------------------------------------------------


def test_an_explanation_and_nothing_else(model_path: str, image_path: str, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    ended = run_process("explain", model_path, image_path, "--out", out, KERAS_BACKEND=BACKEND)
    assert (ended.code, ended.err) == (0, "")  # nor do backends speak of themselves
    assert ended.rows()[0][0] == str(BLUE)
    assert "\x1b" not in ended.out
    assert out.exists()


@pytest.mark.parametrize("argv", [["explain", "no.keras", "no.png"], ["explain", "--nope"]])
def test_an_error_is_one_line(argv: list[str]) -> None:
    ended = run_process(*argv)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("eli5: error: ")
    assert ended.err.count("\n") == 1


def test_letters_that_the_encoding_lacks_are_escaped(tmp_path: Path) -> None:
    ended = run_process(
        "explain", f"{tmp_path}/gr\u00fcn\u9752.keras", "x", PYTHONIOENCODING="ascii"
    )
    assert ended.code == 2
    assert "gr\\xfcn\\u9752.keras, which does not exist" in ended.err


def test_nobody_reads_the_output() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "eli5", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=TIMEOUT,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Take Ctrl-C as in a terminal; a shell's background job, as a test run may be, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_interrupted(model_path: str, image_path: str, tmp_path: Path) -> None:
    labels, out = tmp_path / "labels", tmp_path / "out.png"
    os.mkfifo(labels)
    command = [sys.executable, "-m", "eli5", "explain", model_path, image_path]
    process = subprocess.Popen(
        [*command, "--labels", str(labels), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            writer = open_for(process, labels)
            said = interrupt(process)
            os.close(writer)
        finally:
            process.kill()  # or leaving the block would wait for it
    assert (process.returncode, said) == (130, (b"", b""))
    assert not out.exists()


def test_a_job_that_ignores_interrupts_goes_on_doing_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with exit_at_once():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_interrupts_are_exceptions_again_when_there_is_something_to_clean_up() -> None:
    with exit_at_once():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_standard_error_is_muted_and_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with muted_stderr():
        os.write(2, b"TensorFlow on itself")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_standard_error_may_be_closed(model_path: str, image_path: str) -> None:
    command = [sys.executable, "-m", "eli5", "explain", model_path, image_path]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command],
        stdout=subprocess.PIPE,
        env={**os.environ, "KERAS_BACKEND": BACKEND},
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0
    assert b"colour_model" in done.stdout


# ---- the Keras backend ---------------------------------------------------------------------------


@pytest.fixture
def _unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing be configured, and restore the environment afterwards."""
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


def choose(*installed: str) -> str | None:
    """Return the backend that is set, or None if the configured one is left as it is."""
    before = os.environ["KERAS_BACKEND"]
    backend.choose_backend(lambda name: name in installed)
    after = os.environ["KERAS_BACKEND"]
    return after if after != before else None


@pytest.mark.usefixtures("_unset")
@pytest.mark.parametrize("source", ["environment", "file", "default"])
def test_the_configured_backend_is_kept_if_it_is_installed(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    configured = {"environment": "jax", "file": "torch", "default": "tensorflow"}[source]
    if source == "environment":
        monkeypatch.setenv("KERAS_BACKEND", "jax")
    if source in ("environment", "file"):
        (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}), encoding="utf-8")
    assert choose("jax", "torch", "tensorflow") is None
    assert capsys.readouterr().err == ""
    other = "tensorflow" if configured == "jax" else "jax"
    assert choose(other) == other
    assert capsys.readouterr().err == (
        f"eli5: The Keras backend '{configured}' is not installed; using '{other}'.\n"
    )


@pytest.mark.usefixtures("_unset")
@pytest.mark.parametrize("content", ["{", "[]", "{}", "\x00"])
def test_a_broken_configuration_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "keras.json").write_text(content, encoding="utf-8")
    assert choose("tensorflow") is None
    assert choose("torch") == "torch"


@pytest.mark.usefixtures("_unset")
def test_a_backend_without_gradients_is_replaced(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    assert choose("torch", "tensorflow") == "torch"
    assert capsys.readouterr().err == (
        "eli5: The Keras backend 'numpy' gives no gradients; using 'torch'.\n"
    )


@pytest.mark.usefixtures("_unset")
def test_no_backend_is_installed() -> None:
    with pytest.raises(
        UserError, match=r"Received: none of jax, torch, tensorflow. .* pip install"
    ):
        choose()


def test_explains_with_the_backend_that_is_installed(
    model_path: str, image_path: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find_spec = importlib.util.find_spec\n"
        "def without_others(name, package=None):\n"
        f"    missing = {{'jax', 'torch', 'tensorflow'}} - {{{BACKEND!r}}}\n"
        "    return None if name in missing else find_spec(name, package)\n"
        "importlib.util.find_spec = without_others\n",
        encoding="utf-8",
    )
    other = "tensorflow" if BACKEND == "jax" else "jax"
    ended = run_process(
        "explain", model_path, image_path, PYTHONPATH=str(tmp_path), KERAS_BACKEND=other
    )
    assert ended.code == 0
    assert ended.err == f"eli5: The Keras backend '{other}' is not installed; using '{BACKEND}'.\n"
    assert f" s on {BACKEND}, after " in ended.fact("Time")
