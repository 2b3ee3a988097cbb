"""Ten methods that are broken on purpose are caught, and no right one is."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import eli5
from eli5.ground_truth.report import BenchmarkReport
from eli5.keras import METHODS
from eli5.keras.methods import WITHOUT_ATTENTION
from helpers.broken_methods import BROKEN, at_layer

pytestmark = pytest.mark.filterwarnings("ignore:.*The heatmap of target")

_AT_SCENES = {"wrong layer"}  # where there is more than one layer
# Where global pooling and one dense layer follow, all these are the same.
_TIED = ("Grad-CAM", "HiResCAM", "XGrad-CAM", "Finer-CAM", "ShapleyCAM")
_SEEDED: dict[str, dict[str, Any]] = {
    "SmoothGrad": {},
    "VarGrad": {},
    "SquareGrad": {},
    "RISE": {"n_masks": 500},
    "KernelSHAP": {"n_samples": 300},
    "LIME": {"n_samples": 300},
}


def measured(names: set[str], set_name: str) -> BenchmarkReport:
    methods: dict[str, dict[str, Any]] = {}
    for name in sorted(names):
        methods |= {name: BROKEN[name].options, f"right {name}": BROKEN[name].right}
    return eli5.benchmark(methods, [set_name], n_docs=4)


@pytest.fixture(scope="module")
def reports() -> dict[str, BenchmarkReport]:
    by_hand = measured(set(BROKEN) - _AT_SCENES, "hand-set")
    scenes = measured(_AT_SCENES, "grid")
    return {name: scenes if name in _AT_SCENES else by_hand for name in BROKEN}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_method_is_caught_and_the_right_one_is_not(
    name: str, reports: dict[str, BenchmarkReport]
) -> None:
    report = reports[name]
    found = report.worse(name, f"right {name}")
    assert found
    (worst, *_) = found
    better = [one.by for one in report.worse(f"right {name}", name)]
    assert max(better, default=0) < worst.by or name == "wrong layer"  # which lies in one cell


def test_no_right_method_is_caught() -> None:
    # The same methods with other random numbers, and one as a caller would write it.
    methods: dict[str, dict[str, Any]] = {}
    for name, own in _SEEDED.items():
        for seed in (0, 1):
            methods[f"{name} {seed}"] = {"method": name, "seed": seed, **own}
    methods |= {"HiResCAM": {"method": "HiResCAM"}, "own HiResCAM": {"method": at_layer}}
    report = eli5.benchmark(methods, ["hand-set"], n_docs=4)
    pairs = [(f"{name} 0", f"{name} 1") for name in _SEEDED] + [("HiResCAM", "own HiResCAM")]
    for one, other in pairs:
        assert not report.worse(one, other), one
        assert not report.worse(other, one), other


@pytest.fixture(scope="module")
def all_methods() -> BenchmarkReport:
    return eli5.benchmark(None, ["hand-set"], n_docs=2)


def test_every_method_beats_noise_somewhere(all_methods: BenchmarkReport) -> None:
    # Or it would be a set that tells nothing. VarGrad is blank where a model is linear.
    for name in set(WITHOUT_ATTENTION) - {"VarGrad"}:
        assert all_methods.worse("noise", name), name


@pytest.mark.parametrize("pair", list(itertools.combinations(_TIED, 2)), ids=" and ".join)
def test_methods_that_tie_on_scenes_come_apart(
    pair: tuple[str, str], all_methods: BenchmarkReport
) -> None:
    one, other = (
        [row.agreement for row in all_methods.rows if row.method == name] for name in pair
    )
    differences = [
        abs(a - b) for a, b in zip(one, other, strict=True) if a is not None and b is not None
    ]
    assert max(differences) > 0.05


@pytest.mark.parametrize("name", WITHOUT_ATTENTION)
def test_a_method_claims_what_its_maps_show(name: str, all_methods: BenchmarkReport) -> None:
    method = METHODS[name]
    maps = [one.maps[name] for one in all_methods.examples.values() if name in one.maps]
    has_against = any((values < 0).any() for values in maps)
    # Eigen-CAM has a sign, but no class that it would speak of.
    assert has_against == (method.is_signed and not method.is_rectified) or name == "Eigen-CAM"
