"""How well maps point at the object that is asked for: what is measured of a method, and its table.

Shared by the programs that ask of scenes of two objects, each in turn.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from pages import as_table

import eli5

Array = np.ndarray[Any, Any]

SEED = 40_000  # of scenes that the bundled models were not trained on


class Asked(NamedTuple):
    """One object that was asked for.

    Attributes
    ----------
    inside : float
        The share of the heat on it.
    chance : float
        The share of the picture that it is.
    hit : bool
        Whether the maximum is on it.
    moved : float or None
        How much less of the heat is on it where the other object is asked for; None without one.
    """

    inside: float
    chance: float
    hit: bool
    moved: float | None


def read_options(doc: str | None, methods: Iterable[str]) -> argparse.Namespace:
    """Return how many scenes, which methods, and the page that the table goes into."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else None)
    parser.add_argument("--scenes", type=int, default=100, help="pictures of two objects each")
    parser.add_argument("--methods", nargs="*", choices=list(methods), help="those alone")
    parser.add_argument("--write", type=Path, help="the page to write the table into")
    return parser.parse_args()


def origin(script: str, options: argparse.Namespace, what: str) -> str:
    """Say how a table was made."""
    chosen = f" --methods {' '.join(map(_quoted, options.methods))}" if options.methods else ""
    return (
        f"Made by `python {script}{chosen}` with Keras {keras.__version__} on "
        f"{keras.backend.backend()}: {options.scenes} held-out scenes of two objects, each {what} "
        "in turn."
    )


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def table(rows: dict[str, list[Asked]], place: str) -> str:
    """Return the means per method, where `place` is ``"on the object"``, say."""
    pronoun = f"{place.split()[0]} it"
    heads = [
        "Method", f"Heat {place}", "Chance", f"Maximum {pronoun}", "Less if the other is asked"
    ]  # fmt: skip
    return as_table(heads, [[name, *_cells(asked)] for name, asked in rows.items()])


def _cells(asked: list[Asked]) -> list[str]:
    moved = [one.moved for one in asked if one.moved is not None]
    columns = [*zip(*(one[:3] for one in asked), strict=True), moved]
    return [f"{np.mean(column):.0%}" for column in columns]


def point(maps: list[Array], masks: list[Array], others: list[bool]) -> list[Asked]:
    """Compare the maps of what was asked of a scene with where it is.

    `others` tells of each whether the other map is of another object.
    """
    found = []
    for k, (heat, mask) in enumerate(zip(maps, masks, strict=True)):
        own = inside(heat, mask)
        moved = own - inside(maps[1 - k], mask) if others[k] else None
        found.append(Asked(own, float(mask.mean()), bool(mask.ravel()[heat.argmax()]), moved))
    return found


def inside(heat: Array, mask: Array) -> float:
    """Return the share of the heat on a mask."""
    total = float(heat.sum())
    return float(heat[mask].sum()) / total if total else 0.0


def explain(model: keras.Model, doc: Array, target: Any, **options: Any) -> Any:
    """Explain without a word of what is empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eli5.explain_prediction(model, doc, target=target, **options)
