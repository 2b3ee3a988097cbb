"""Several devices: a batch is spread over them as `keras.distribution` says, with equal results.

JAX makes four devices of one processor, but only if told before it starts: in another process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.many_docs import one_by_one, pictures
from helpers.models import make_classifier, with_weights

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="only JAX has `keras.distribution` in full"
)

N_DEVICES = 4
Explain = Callable[[keras.Model], Any]


def many(n_docs: int, batch_size: int, **options: Any) -> Explain:
    return lambda model: list(
        eli5.explain_predictions(model, pictures(n_docs), batch_size=batch_size, **options)
    )


CASES: dict[str, Explain] = {
    "batches of 8 and a rest": many(19, 8, methods=["Grad-CAM", "LayerCAM"], top_targets=2),
    "batches of 6": many(6, 6),  # which four devices do not divide
    "one doc": lambda model: one_by_one(model, pictures(1), top_targets=2),
    "masks": many(1, 8, method="Occlusion", patch=4, stride=4),
    "a layer's maps": many(1, 8, method="Ablation-CAM"),
}
FIRST = next(iter(CASES))


# ---- in the process with four devices ------------------------------------------------------------


def compare() -> None:
    """Print how far from one device's the results are, and how inputs were spread."""
    early = make_classifier()
    expected = {name: numbers(explain(early)) for name, explain in CASES.items()}
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    late = make_classifier()
    found = {
        "differences": {name: off(late, name, expected) for name in CASES},
        "built before": off(early, FIRST, expected),
        "parts": {str(size): parts_of(size) for size in (1, 6, 8)},
    }
    keras.distribution.set_distribution(None)
    found["set no more"] = off(late, FIRST, expected)
    print(json.dumps(found))


def off(model: keras.Model, name: str, expected: dict[str, Any]) -> float:
    return float(np.abs(numbers(CASES[name](model)) - expected[name]).max())


def numbers(explanations: Any) -> Any:
    """Return all scores and attributions in a row."""
    rows = [
        part
        for explanation in eli5.Explanations(explanations)
        for target in explanation.targets
        for part in ([target.target, target.score], target.attribution.ravel())
    ]
    return np.concatenate(rows)


class Spread(layers.Layer):  # type: ignore[misc]
    """Notes how many samples each device has of what comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[int] = []

    def call(self, x: Any) -> Any:
        import jax

        def note(sharding: Any) -> None:
            self.parts.append(sharding.shard_shape(x.shape)[0])

        jax.debug.inspect_array_sharding(x, callback=note)
        return x


def parts_of(batch_size: int) -> list[int]:
    spread, behind = Spread(), Spread()
    model = keras.Sequential(
        [
            keras.Input((12, 20, 3)),
            spread,
            layers.Conv2D(4, 3, activation="relu"),
            behind,
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    many(batch_size, batch_size)(with_weights(model))
    return spread.parts + behind.parts


# ---- in this process -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.append({str(Path(__file__).parents[2])!r})\n"
            "import test_devices; test_devices.compare()",
        ],
        cwd=Path(__file__).parent,
        env=os.environ
        | {
            "KERAS_BACKEND": "jax",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={N_DEVICES}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", CASES)
def test_several_devices_give_what_one_gives(name: str, found: dict[str, Any]) -> None:
    assert found["differences"][name] < 1e-6


@pytest.mark.parametrize("state", ["built before", "set no more"])
def test_a_model_need_not_be_built_where_it_is_explained(state: str, found: dict[str, Any]) -> None:
    """A model from before the distribution was set, and one from a distribution that ended."""
    assert found[state] < 1e-6


@pytest.mark.parametrize(("size", "part"), [(8, 2), (6, 6), (1, 1)])
def test_a_batch_is_spread_if_the_devices_divide_it(
    size: int, part: int, found: dict[str, Any]
) -> None:
    assert found["parts"][str(size)] == [part, part]
