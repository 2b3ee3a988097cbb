"""What an explanation costs, in counts: runs, traces, convolutions, and what leaves the device."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras import engine
from eli5.metrics import average_drop
from helpers.model_kinds import picture, two_outputs
from helpers.models import sample, with_weights
from helpers.program_counts import Program, counts_of, forward_pass

Array = np.ndarray[Any, Any]
IS_EAGER = keras.backend.backend() == "torch"

SIZE, GRID = (12, 20, 3), (6, 14)
N_CONVOLUTIONS, N_DENSE = 5, 2
CAMS = ("Grad-CAM", "HiResCAM", "Grad-CAM++", "XGrad-CAM", "LayerCAM", "Finer-CAM")

pytestmark = pytest.mark.filterwarnings("ignore:.*heatmap of target")


class Noting(layers.Layer):  # type: ignore[misc]
    """Notes the batch size of each run in Python: one per trace, on PyTorch one per run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[int] = []

    def call(self, x: Any) -> Any:
        self.runs.append(x.shape[0])
        return x


def network(n_maps: int = 6) -> tuple[keras.Model, list[int]]:
    """Return a model for pictures of any size with convolutions of three kinds, and its notes."""
    noting = Noting()
    steps = [
        keras.Input((None, None, 3)),
        noting,
        layers.Conv2D(4, 3, activation="relu", name="first"),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.SeparableConv2D(5, 3, activation="relu"),
        layers.Conv2D(n_maps, 3, activation="relu", name="last"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(7, activation="tanh"),
        layers.Dense(6, activation="softmax"),
    ]
    model = with_weights(keras.Sequential(steps))
    noting.runs.clear()
    return model, noting.runs


class Cost:
    """The programs that were compiled, and what left them: the bytes, once per run."""

    def __init__(self) -> None:
        self.programs: list[Program] = []
        self.n_bytes: list[int] = []

    def so_far(self) -> tuple[int, int]:
        """Return the number of programs and of their runs."""
        return len(self.programs), len(self.n_bytes)


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Cost:
    cost, compile_program = Cost(), engine._backend.compile_program

    def compile_and_note(*given: Any) -> Any:
        run = compile_program(*given)
        cost.programs.append(Program(*given))

        def counted(*arrays: Any) -> Any:
            results = run(*arrays)
            cost.n_bytes.append(sum(leaf.nbytes for leaf in keras.tree.flatten(results)))
            return results

        return counted

    monkeypatch.setattr(engine._backend, "compile_program", compile_and_note)
    return cost


def second_output(outputs: Any) -> Any:
    return outputs[:, 1]


# ---- Python around the program -------------------------------------------------------------------


def calls_in(work: Callable[[], Any]) -> int:
    """Return how many functions are called, of Python's own and of others."""
    calls = []
    sys.setprofile(lambda _, event, __: calls.append(1) if event.endswith("call") else None)
    try:
        work()
    finally:
        sys.setprofile(None)
    return len(calls)


def test_python_around_the_program_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_program = engine._backend.compile_program

    def answering(program: Any, variables: Any, arguments: Any) -> Any:
        results = compile_program(program, variables, arguments)(*arguments)
        return lambda *_: results

    monkeypatch.setattr(engine._backend, "compile_program", answering)
    model, _ = network()
    explain = functools.partial(eli5.explain_prediction, model, sample(SIZE))
    first = explain()
    explain()
    # Most on PyTorch, 1,810 and 2,210, where each layer's dicts of parts are looked at, too.
    assert calls_in(explain) < 2000
    metric = functools.partial(average_drop, model, sample(SIZE), first)
    metric()
    assert calls_in(metric) < 2400


# ---- runs and traces -----------------------------------------------------------------------------

QUESTIONS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "one class": {"targets": [2]},
    "five classes": {"top_targets": 5},
    "an early layer": {"layer": "first"},
    "two layers": {"layer": ["first", "last"]},
    "six methods, five classes": {"methods": CAMS, "top_targets": 5},
    "layer and input": {"methods": ["Grad-CAM", "Saliency", "Gradient × Input"]},
    "second derivatives": {"method": "ShapleyCAM", "top_targets": 3},
    "patterns": {"methods": ["Eigen-CAM", "EigenGrad-CAM"]},
    "the output": {"score": "output", "sign": "negative"},
    "a score of one's own": {"score": second_output},
}


@pytest.mark.parametrize("options", QUESTIONS.values(), ids=QUESTIONS)
def test_an_explanation_is_one_run_of_one_program(options: dict[str, Any], cost: Cost) -> None:
    model, runs = network()
    eli5.explain_prediction(model, sample(SIZE), **options)
    assert cost.so_far() == (1, 1)
    assert len(runs) == 2  # a look at the layers, and the program
    eli5.explain_prediction(model, sample(SIZE, seed=1), **options)
    assert cost.so_far() == (1, 2)
    assert len(runs) == 2 + IS_EAGER


class Counting(layers.Layer):  # type: ignore[misc]
    """Counts its own calls, and multiplies by a factor that a user may change."""

    def __init__(self) -> None:
        super().__init__()
        self.n_calls, self.factor = 0, 1.0

    def call(self, x: Any) -> Any:
        self.n_calls += 1
        self.last, self.shape_seen = x, tuple(x.shape)
        return x * self.factor


def test_what_a_layer_writes_down_in_its_own_call_compiles_nothing_anew(cost: Cost) -> None:
    counting = Counting()
    steps = [keras.Input(SIZE), layers.Conv2D(4, 3), counting, layers.Flatten(), layers.Dense(3)]
    model = with_weights(keras.Sequential(steps))
    eli5.explain_prediction(model, sample(SIZE), targets=[0])
    # Of a layer of a user's own it is measured, once, where its output lies in the picture.
    assert len(cost.programs) == 2
    for _ in range(2):
        eli5.explain_prediction(model, sample(SIZE), targets=[0])
    assert counting.n_calls > 0
    assert len(cost.programs) == 2
    counting.factor = 2.0
    eli5.explain_prediction(model, sample(SIZE), targets=[0])
    assert len(cost.programs) == 4  # and what a user changes does


def test_a_layer_that_is_added_is_seen(cost: Cost) -> None:
    steps = [keras.Input(SIZE), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    model = with_weights(keras.Sequential(steps))
    model.add(layers.Dense(3, name="first"))
    eli5.explain_prediction(model, sample(SIZE), targets=[2])
    model.pop()
    model.add(layers.Dense(5, name="second"))
    eli5.explain_prediction(model, sample(SIZE), targets=[4])
    assert len(cost.programs) == 2


def test_another_doc_or_class_needs_no_other_program(cost: Cost) -> None:
    model, runs = network()
    for seed in range(4):
        eli5.explain_prediction(model, sample(SIZE, seed), targets=[seed])
    eli5.explain_prediction(model, sample(SIZE))
    assert cost.so_far() == (1, 5)
    assert len(runs) == (6 if IS_EAGER else 2)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "LayerCAM"},
        {"methods": ["Grad-CAM", "LayerCAM"]},
        {"layer": "first"},
        {"score": "output"},
        {"sign": "negative"},
        {"top_targets": 2},
    ],
    ids=str,
)
def test_another_question_needs_one_more_program(options: dict[str, Any], cost: Cost) -> None:
    model, runs = network()
    doc = sample(SIZE)
    for given in ({}, options, {}, options):
        eli5.explain_prediction(model, doc, **given)
    assert cost.so_far() == (2, 4)
    assert len(runs) == (5 if IS_EAGER else 3)


def test_another_size_needs_one_more_program(cost: Cost) -> None:
    model, runs = network()
    for size in ((12, 20, 3), (14, 16, 3)) * 2:
        eli5.explain_prediction(model, sample(size))
    assert cost.so_far() == (2, 4)
    assert len(runs) == (6 if IS_EAGER else 4)  # and a look at each size


@pytest.mark.parametrize(("n_docs", "batch", "n_runs"), [(8, 4, 2), (11, 4, 3), (3, 32, 1)])
def test_many_docs_are_one_program(n_docs: int, batch: int, n_runs: int, cost: Cost) -> None:
    model, runs = network()
    docs = np.concatenate([sample(SIZE, seed) for seed in range(n_docs)])
    options: dict[str, Any] = {"batch_size": batch, "methods": CAMS[:2], "top_targets": 2}
    list(eli5.explain_predictions(model, docs, **options))
    assert cost.so_far() == (1, n_runs)
    assert len(cost.programs[0].arguments[0]) == 4  # three are filled up to a power of two
    assert len(runs) == (1 + n_runs if IS_EAGER else 2)
    list(eli5.explain_predictions(model, docs[::-1], **options))
    assert cost.so_far() == (1, 2 * n_runs)


def test_the_search_for_the_layer_is_one_run_once(cost: Cost) -> None:
    model = two_outputs(as_dict=False)()
    eli5.explain_prediction(model, picture())
    assert cost.so_far() == (2, 2)
    eli5.explain_prediction(model, picture() / 2)
    eli5.explain_prediction(model, picture(), targets=[1])
    assert cost.so_far() == (2, 4)


def test_a_black_box_method_asks_a_full_batch_at_a_time(cost: Cost) -> None:
    model, _ = network()
    options: dict[str, Any] = {"method": "RISE", "n_masks": 32, "batch_size": 8}
    eli5.explain_prediction(model, sample(SIZE), **options)
    assert cost.so_far() == (2, 1 + 32 // 8)  # the class, then the masks
    eli5.explain_prediction(model, sample(SIZE, seed=1), **options)
    assert cost.so_far() == (2, 2 * (1 + 32 // 8))


def test_all_maps_are_left_out_in_one_run_of_the_head(cost: Cost) -> None:
    model, runs = network(n_maps=300)
    options: dict[str, Any] = {"method": "Ablation-CAM", "batch_size": 8}
    eli5.explain_prediction(model, sample(SIZE), **options)
    # The class with the maps; what is tried first, and the whole model beside it; all maps.
    assert cost.so_far() == (4, 4)
    runs.clear()
    eli5.explain_prediction(model, sample(SIZE, seed=1), **options)
    assert cost.so_far() == (4, 6)
    assert runs == ([1, 1] if IS_EAGER else [])


# ---- within the program --------------------------------------------------------------------------


def test_the_forward_pass_is_counted_right() -> None:
    model, _ = network()
    assert counts_of(forward_pass(model, sample(SIZE))) == (N_CONVOLUTIONS, N_DENSE, 0)


@pytest.mark.parametrize(
    ("options", "n_backward"),
    [
        ({}, 0),
        ({"methods": CAMS, "top_targets": 5}, 0),
        ({"method": "ShapleyCAM", "top_targets": 3}, 0),
        ({"layer": "first"}, 4),
        ({"layer": "first", "top_targets": 3}, 3 * 4),
        ({"layer": ["first", "last"]}, 4),
        ({"layer": "first", "methods": ["Grad-CAM", "HiResCAM", "LayerCAM"]}, 4),
        ({"method": "Saliency"}, 5),
        ({"methods": ["Grad-CAM", "Saliency", "Gradient × Input"]}, 5),
    ],
    ids=str,
)
def test_no_convolution_is_run_twice(options: dict[str, Any], n_backward: int, cost: Cost) -> None:
    """One forward pass; per class one gradient with respect to what each convolution takes."""
    model, _ = network()
    list(eli5.explain_predictions(model, np.repeat(sample(SIZE), 8, axis=0), **options))
    (program,) = cost.programs
    counts = counts_of(program)
    assert counts.convolutions == N_CONVOLUTIONS + n_backward
    assert counts.of_kernels == 0


@pytest.mark.parametrize("n_classes", [1, 3])
def test_no_gradient_of_a_weight_is_computed(n_classes: int, cost: Cost) -> None:
    model, _ = network()
    eli5.explain_prediction(model, sample(SIZE), method="Saliency", top_targets=n_classes)
    passes = 1 + n_classes
    expected = (passes * N_CONVOLUTIONS, passes * N_DENSE, 0)
    assert counts_of(cost.programs[0]) == expected


@pytest.mark.parametrize("n_maps", [6, 60])
def test_only_maps_leave_the_program(n_maps: int, cost: Cost) -> None:
    model, _ = network(n_maps)
    eli5.explain_prediction(model, sample(SIZE), methods=CAMS[:2], top_targets=5)
    maps = 2 * 5 * (math.prod(GRID) * 4 + 4)  # float32, and four flags for each
    # The classes, their outputs, and the numbers that are explained.
    assert cost.n_bytes == [maps + 5 * (4 + 4 + 4)]


@pytest.mark.parametrize(
    ("method", "option", "n_arrays"),
    [("Integrated Gradients", "steps", 1), ("SmoothGrad", "n_samples", 3)],
)
def test_the_gradients_of_a_batch_leave_as_sums(
    method: str, option: str, n_arrays: int, cost: Cost
) -> None:
    model, _ = network()
    options: dict[str, Any] = {"method": method, option: 12, "batch_size": 8}
    eli5.explain_prediction(model, sample(SIZE), **options)
    sums = n_arrays * math.prod(SIZE) * 4
    assert cost.n_bytes[1:3] == [sums, sums]
