"""How far a map agrees with the known truth: a few numbers, on arrays alone."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from eli5.ground_truth.problem import Array

Claim = Literal["signed", "for", "size"]
"""What a map says of each place: what it adds, for or against; what speaks for the class, and
nothing of what speaks against; how much it counts, with no sign."""


class Number(NamedTuple):
    """What is measured of a map: between which bounds, and which way is better."""

    name: str
    better: Literal["higher", "lower"]
    about: str


NUMBERS = {
    one.name: one
    for one in (
        Number(
            "agreement",
            "higher",
            "Pearson's correlation of the map with the truth: 1 for the truth itself, 0 for a map "
            "that is the same everywhere or has nothing to do with it, below 0 for its opposite",
        ),
        Number("inside", "higher", "share of the heat where the truth has something for the class"),
        Number(
            "rank accuracy",
            "higher",
            "of the n places that the truth has for the class, the share among the map's n highest",
        ),
        Number(
            "impossible", "lower", "share of all heat on places that the score provably cannot see"
        ),
        Number(
            "share error",
            "lower",
            "by how much the share of the heat on the watermark misses the share that it has",
        ),
    )
}


def measure_map(
    values: Array,
    truth: Array,
    claim: Claim,
    reading: Claim = "signed",
    blind: Array | None = None,
    part: Array | None = None,
) -> dict[str, float]:
    """Return each number of `NUMBERS` for a map.

    Parameters
    ----------
    values : numpy.ndarray, shape size
        The map.
    truth, reading, blind, part
        Of this very doc and class; see `eli5.ground_truth.problem.Problem`.
    claim : str
        What the map says: it is compared with the part of the truth that it claims to show.

    Returns
    -------
    dict of float
        NaN where a number is not defined: ``impossible`` of a map of zeros, or without `blind`;
        ``share error`` without `part`.
    """
    values, truth = values.astype("float64"), truth.astype("float64")
    if reading == "signed":
        truth = _as_claimed(truth, claim)
    else:
        values = _as_claimed(values, reading)
    heat = np.abs(values) if claim == "size" else np.maximum(values, 0)
    inside = truth > 0
    return {
        "agreement": pearson(values, truth),
        "inside": _share(heat, inside) if heat.any() else 0.0,
        "rank accuracy": rank_share(heat, inside),
        "impossible": _share(np.abs(values), blind),
        "share error": abs(_share(heat, part) - _share(np.abs(truth), part)),
    }


def _as_claimed(values: Array, claim: Claim) -> Array:
    if claim == "for":
        return np.maximum(values, 0)
    return np.abs(values) if claim == "size" else values


def _share(heat: Array, mask: Array | None) -> float:
    total = heat.sum()
    return float("nan") if mask is None or not total else float(heat[mask].sum() / total)


def pearson(one: Array, other: Array) -> float:
    """Return Pearson's correlation of two arrays, 0 if one of them is constant."""
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    if not np.ptp(one) or not np.ptp(other):  # whatever rounding makes of the differences
        return 0.0
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def rank_share(heat: Array, inside: Array) -> float:
    """Return which share of the n highest places is inside, where n places are; NaN of none.

    Of equal ones at the edge of the n, each counts as likely.
    """
    n = int(inside.sum())
    if not n:
        return float("nan")
    edge = np.partition(heat.ravel(), -n)[-n]
    above, equal = heat > edge, heat == edge
    likely = (n - above.sum()) / equal.sum()
    return float((inside[above].sum() + likely * inside[equal].sum()) / n)


def in_words(value: float | None, form: str = "{:+.2f}") -> str:
    """Return a number for people, or nothing."""
    return "" if value is None else form.format(value)
