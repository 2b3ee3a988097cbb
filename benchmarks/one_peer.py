"""Measure one alternative, in a process and if need be an environment of its own.

    python benchmarks/one_peer.py NAME REFERENCES [--pairs N]

Prints a row for each scene. This package's own run writes the file of references; the
others compare their heatmaps with it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import warnings
from pathlib import Path
from typing import Any

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from agreement import describe
from facts import version
from networks import SCENES, Scene, docs
from peers import OURS, PEERS, Array, Calls, Peer
from rows import Row, encode
from timing import compare
from yardsticks import forward

MAX_ERROR = 160  # characters


def main() -> None:
    """Print a line for each scene, as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("references", type=Path)
    parser.add_argument("--pairs", type=int, default=30)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.name == OURS:
        arrays: Any = references()
        np.savez(options.references, **arrays)
    with np.load(options.references) as file:
        known = dict(file)
    for on, scene in SCENES.items():
        row = measure(PEERS[options.name], on, scene, known, options.pairs)
        print(encode(row), flush=True)


def references() -> dict[str, Array]:
    """Return the classes, and this package's heatmaps, of each scene."""
    from peers.ours import reference

    found = {}
    for on, scene in SCENES.items():
        model, batch = scene.build(), docs(scene.n_docs)
        targets = np.asarray(forward(model)(batch)).argmax(axis=1)
        found[f"{on}/targets"] = targets
        found[f"{on}/logit"] = reference(model, batch, targets, score="logit")
        found[f"{on}/output"] = reference(model, batch, targets, score="output")
    return found


def measure(peer: Peer, on: str, scene: Scene, known: dict[str, Array], pairs: int) -> Row:
    """Return what a peer costs on one scene and what it found, or its error."""
    title = f"{peer.title} {version(peer.package)}".rstrip() if peer.package else peer.title
    row = Row(f"{title}, {on}", None, None, None, subject=title, on=on)
    try:
        if peer.package and not version(peer.package):  # another may have the same name
            raise ModuleNotFoundError(f"{peer.package} is not installed")
        return _measure(row, peer, scene, known, pairs)
    except Exception as error:  # whatever a peer raises is its result
        return row._replace(error=first_line(error))


def _measure(row: Row, peer: Peer, scene: Scene, known: dict[str, Array], pairs: int) -> Row:
    batch = docs(scene.n_docs)
    layer, model, calls = _prepare(peer, scene, batch, known[f"{row.on}/targets"])
    ours = {score: known[f"{row.on}/{score}"] for score in ("logit", "output")}
    found = describe(np.asarray(calls.maps(batch)), ours, calls.interpolation)
    if peer is PEERS[OURS] and found == "the same":
        found = "the reference"
    yardstick = forward(model)
    cost = compare(
        lambda: calls.explain(batch),
        lambda: yardstick(batch),
        pairs=pairs if len(batch) == 1 else max(pairs // 3, 5),
    )
    note = found if layer == scene.layers[0] else f"{found} (with `layer={layer!r}`)"
    unit = row.unit + ", doc by doc" * (calls.is_one_by_one and len(batch) > 1)
    return row._replace(value=cost.ratio, low=cost.low, high=cost.high, unit=unit, note=note)


def _prepare(
    peer: Peer, scene: Scene, batch: Array, targets: Array
) -> tuple[str, keras.Model, Calls]:
    """Ask for the layer in each way; if none works, raise what the first one raised."""
    errors: list[Exception] = []
    for layer in scene.layers:
        model = scene.build()
        try:
            module: Any = importlib.import_module(f"peers.{peer.module}")
            calls = module.prepare(model, layer, targets, **peer.options)
            calls.explain(batch)
        except Exception as error:
            errors.append(error)
        else:
            return layer, model, calls
    raise errors[0]


def first_line(error: Exception) -> str:
    """Return the kind of an error and the first line of what it says."""
    text = str(error).strip().partition("\n")[0]
    if len(text) > MAX_ERROR:
        text = text[:MAX_ERROR].rstrip() + " …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


if __name__ == "__main__":
    main()
