"""Measure the alternatives beside this package, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
from facts import version
from networks import SCENES
from peers import PEERS, Peer
from rows import Row, decode

HERE = Path(__file__).parent
ENVIRONMENT = "ELI5_PYTHON"  # names the Python that has eli5 from the package index


def alternatives(pairs: int) -> Iterator[Row]:
    """Measure each that is made for the backend at hand; one that fails is shown as failing."""
    backend = keras.backend.backend()
    with tempfile.TemporaryDirectory() as folder:
        for name, peer in PEERS.items():
            if backend in peer.backends:
                yield from _rows(name, peer, Path(folder, "references.npz"), pairs)


def _rows(name: str, peer: Peer, references: Path, pairs: int) -> Iterator[Row]:
    python = os.environ.get(ENVIRONMENT) if peer.is_apart else sys.executable
    if python is None or shutil.which(python) is None:
        yield _failed(peer, "not installed: name a Python that has it with --eli5-python")
        return
    if peer.package and not peer.is_apart and not version(peer.package):
        yield _failed(peer, "not installed")
        return
    done = subprocess.run(
        [python, HERE / "one_peer.py", name, references, "--pairs", str(pairs)],
        env=_environment(peer),
        capture_output=True,
        text=True,
    )
    rows = decode(done.stdout)
    yield from rows
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        for on in list(SCENES)[len(rows) :]:
            yield _failed(peer, f"the process ended with {done.returncode}: {said}", on)


def _environment(peer: Peer) -> dict[str, str]:
    """Return the variables of the process; two that share an accelerator must not claim it all."""
    found = {
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    if peer.is_apart:
        found.pop("PYTHONPATH", None)  # it may lead to this package, which has the same name
    return found


def _failed(peer: Peer, error: str, on: str = "") -> Row:
    what = f"{peer.title}, {on}" if on else peer.title
    return Row(what, None, None, None, error=error, subject=peer.title, on=on)
