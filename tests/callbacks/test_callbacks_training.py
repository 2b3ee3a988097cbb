"""The callback sees the weights of its epoch, and the training does not see the callback."""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

import eli5
from eli5.callbacks import ExplainCallback
from eli5.keras import engine
from helpers.trainings import Noise, Noting, network, pictures, train

BACKEND = keras.backend.backend()
IMAGES = pictures(3)
OPTIONS: dict[str, Any] = {"methods": ["Grad-CAM", "Saliency"], "top_targets": 2}
N_EPOCHS = 3

pytestmark = pytest.mark.filterwarnings("ignore:.*heatmap of target")


class Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    """Calls a function with the model at the end of each epoch, and keeps what it returns."""

    def __init__(self, look: Callable[[keras.Model], Any]) -> None:
        super().__init__()
        self.look = look
        self.seen: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(self.look(self.model))


class Training(NamedTuple):
    """What a training left behind, and what was seen at the end of each epoch."""

    history: dict[str, Any]
    weights: list[Any]
    optimizer: list[Any]
    random_numbers: list[float]
    runs: list[bool | None]
    before: list[Any]
    after: list[Any]
    explanations: list[Any]
    variables: list[Any]
    n_programs: list[int]


def arrays(variables: Any) -> list[Any]:
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]


def state_of(model: keras.Model) -> dict[str, Any]:
    """Return all that a training depends on and an explanation might touch."""
    state = {
        "variables": arrays(model.variables),
        "optimizer": arrays(model.optimizer.variables),
        "metrics": arrays(model.metrics_variables),
        "numpy": np.random.get_state(),
        "python": random.getstate(),
        "trainable": [layer.trainable for layer in model.layers],
        "activations": [getattr(layer, "activation", None) for layer in model.layers],
        "attributes": sorted(vars(model)),
        "floatx": keras.config.floatx(),
        "warnings": list(warnings.filters),
        "stop": model.stop_training,
    }
    if BACKEND == "torch":
        import torch

        state["torch"] = torch.random.get_rng_state().numpy()
        state["modes"] = [module.training for module in model.modules()]
        state["with gradients"] = torch.is_grad_enabled()
        state["gradients"] = [weight.value.grad is None for weight in model.trainable_weights]
    return state


def random_numbers() -> list[float]:
    """Draw from all that is random without being asked for."""
    drawn = [random.random(), np.random.random(), float(keras.random.uniform(()))]
    if BACKEND == "torch":
        import torch

        drawn.append(float(torch.rand(())))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        drawn.append(float(tf.random.uniform(())))
    return drawn


def run(folder: Path | None) -> Training:
    """Train with a callback, or without one."""
    noting, programs = Noting(), []
    model = network(Noise(), noting)
    compile_program = engine._backend.compile_program

    def compile_and_note(*given: Any) -> Any:
        programs.append(given)
        return compile_program(*given)

    explaining = ExplainCallback(IMAGES, log_dir=folder, **OPTIONS)
    looks = (
        state_of,
        state_of,
        lambda _: explaining.explanations,
        lambda model: arrays(model.variables),
        lambda _: len(programs),
    )
    watchers = list(map(Watcher, looks))
    callbacks = [] if folder is None else [watchers[0], explaining, *watchers[1:]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine._backend, "compile_program", compile_and_note)
        history = train(model, *callbacks, epochs=N_EPOCHS)
    return Training(
        history,
        arrays(model.variables),
        arrays(model.optimizer.variables),
        random_numbers(),
        list(noting.runs),
        *(watcher.seen for watcher in watchers),
    )


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Training]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*heatmap of target")
        yield run(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def alone() -> Training:
    return run(None)


def heatmaps(explanations: Any) -> list[Any]:
    return [
        (target.target, target.score, target.heatmap)
        for per_method in explanations
        for expl in per_method
        for target in expl.targets
    ]


def check_weights(explanations: list[Any], variables: list[Any], fresh: keras.Model) -> None:
    """Check that what was found at each epoch is what a model with its weights gives."""
    shown = []
    for found, values in zip(explanations, variables, strict=True):
        for variable, value in zip(fresh.variables, values, strict=True):
            variable.assign(value)
        shown.append(heatmaps(eli5.explain_predictions(fresh, IMAGES, **OPTIONS)))
        np.testing.assert_equal(heatmaps(found), shown[-1])
    for one, other in itertools.pairwise(shown):
        with pytest.raises(AssertionError):
            np.testing.assert_equal(one, other)


def test_it_sees_the_weights_of_each_epoch(watched: Training) -> None:
    assert len(watched.explanations) == N_EPOCHS
    check_weights(watched.explanations, watched.variables, network(Noise(), Noting()))


VARIANTS: dict[str, dict[str, Any]] = {
    "eagerly": {"run_eagerly": True},
}
if BACKEND != "torch":  # which knows no steps_per_execution, and needs a C++ compiler to compile
    VARIANTS = {"several steps at once, compiled": {"steps_per_execution": 3, "jit_compile": True}}


@pytest.mark.parametrize("compiled", VARIANTS.values(), ids=VARIANTS)
def test_it_sees_the_weights_however_steps_are_run(
    compiled: dict[str, Any], tmp_path: Path
) -> None:
    explaining = ExplainCallback(IMAGES, log_dir=tmp_path, **OPTIONS)
    looks = (lambda _: explaining.explanations, lambda model: arrays(model.variables))
    watchers = list(map(Watcher, looks))
    train(network(**compiled), explaining, *watchers, epochs=2, validation_data=None)
    check_weights(watchers[0].seen, watchers[1].seen, network())


def test_a_training_is_the_same_with_and_without_it(watched: Training, alone: Training) -> None:
    assert watched.history == alone.history
    assert len({*watched.history["loss"], *watched.history["val_loss"]}) == 2 * N_EPOCHS
    np.testing.assert_equal(watched.weights, alone.weights)
    np.testing.assert_equal(watched.optimizer, alone.optimizer)
    assert watched.random_numbers == alone.random_numbers


def test_it_touches_nothing(watched: Training) -> None:
    assert len(watched.before) == N_EPOCHS
    for before, after in zip(watched.before, watched.after, strict=True):
        np.testing.assert_equal(before, after)


def test_programs_are_compiled_once(watched: Training) -> None:
    # One of them measures, once, where what is behind a layer of a user's own lies.
    assert watched.n_programs == [2] * N_EPOCHS


def test_the_model_is_run_no_more_than_for_the_explanations(
    watched: Training, alone: Training
) -> None:
    more = len(watched.runs) - len(alone.runs)
    # A look at the layers, a measurement, and the program; PyTorch runs it anew each time, and four
    # times to measure where the cells lie, eight samples in each.
    assert more == (1 + 4 + N_EPOCHS if BACKEND == "torch" else 3)
