"""Many docs: what is compiled, what is held, the bar, and threads."""

from __future__ import annotations

import gc
import itertools
import re
import sys
import threading
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5 import progress
from helpers.many_docs import SIZE, Array, assert_same, one_by_one, pictures
from helpers.models import make_classifier, with_weights

BACKEND = keras.backend.backend()

empty_heatmaps = pytest.mark.filterwarnings("ignore:The heatmap of target")


class Counting(layers.Layer):  # type: ignore[misc]
    """Notes the batch size of each of its runs in Python: one per trace, on PyTorch one per run."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def call(self, x: Any) -> Any:
        self.sizes.append(x.shape[0])
        return x


def counted() -> tuple[keras.Model, Counting]:
    counting = Counting()
    model = with_weights(
        keras.Sequential(
            [
                keras.Input(SIZE),
                layers.Conv2D(4, 3, activation="relu"),
                counting,
                layers.GlobalAveragePooling2D(),
                layers.Dense(3, activation="softmax"),
            ]
        )
    )
    counting.sizes[:] = []
    return model, counting


@empty_heatmaps
@pytest.mark.parametrize(
    ("n_docs", "batch_size", "size", "n_runs"),
    [(7, 3, 3, 3), (6, 3, 3, 2), (2, 32, 2, 1), (3, 32, 4, 1), (5, 6, 6, 1), (3, 1, 1, 3)],
)
def test_one_program_does_for_all_batches(
    n_docs: int, batch_size: int, size: int, n_runs: int
) -> None:
    model, counting = counted()
    options: dict[str, Any] = {"batch_size": batch_size, "methods": ["Grad-CAM", "LayerCAM"]}
    assert len(list(eli5.explain_predictions(model, pictures(n_docs), **options))) == n_docs
    is_compiled = BACKEND != "torch"
    assert counting.sizes == [1] + [size] * (1 if is_compiled else n_runs)
    list(eli5.explain_predictions(model, pictures(n_docs, seed=1), **options))
    assert counting.sizes == [1] + [size] * (1 if is_compiled else 2 * n_runs)


@empty_heatmaps
def test_a_black_box_method_compiles_nothing_anew_for_the_rest() -> None:
    model, counting = counted()
    options: dict[str, Any] = {"method": "Occlusion", "patch": 6, "stride": 6, "batch_size": 4}
    list(eli5.explain_predictions(model, pictures(4), **options))
    before = len(counting.sizes)
    list(eli5.explain_predictions(model, pictures(6), **options))
    if BACKEND != "torch":
        assert len(counting.sizes) == before


class Source:
    """Docs made one by one, that tell how many were taken and how many are held."""

    def __init__(self, n: int) -> None:
        self.n, self.n_taken, self.most_held = n, 0, 0
        self._docs: list[weakref.ref[Array]] = []

    def __iter__(self) -> Iterator[Array]:
        for k in range(self.n):
            doc = pictures(1, seed=k)
            self._docs.append(weakref.ref(doc))
            self.n_taken += 1
            self.most_held = max(self.most_held, self.n_held())
            yield doc
            del doc

    def n_held(self, enough: int = 4) -> int:
        """Count the docs that are held; not those that wait for the garbage collector."""
        if sum(ref() is not None for ref in self._docs) > enough:
            gc.collect()
        return sum(ref() is not None for ref in self._docs)


@empty_heatmaps
def test_docs_are_taken_a_batch_at_a_time(classifier: keras.Model) -> None:
    docs = Source(9)
    explanations = eli5.explain_predictions(classifier, iter(docs), batch_size=3)
    assert docs.n_taken == 0
    for k, _ in enumerate(explanations):
        assert docs.n_taken == 3 * (k // 3 + 1)


@empty_heatmaps
def test_at_most_one_batch_is_held(classifier: keras.Model) -> None:
    docs = Source(12)
    kept = list(
        eli5.explain_predictions(classifier, iter(docs), batch_size=4, methods=["Grad-CAM++"])
    )
    assert len(kept) == 12
    assert docs.most_held <= 4
    assert docs.n_held(enough=0) == 0


@empty_heatmaps
@pytest.mark.parametrize("method", ["Grad-CAM", "Saliency", "Occlusion"])
def test_an_explanation_holds_no_batch(classifier: keras.Model, method: str) -> None:
    for explanation in eli5.explain_predictions(
        classifier, pictures(3), method=method, targets=[[0, 1], [1], [2]]
    ):
        for target in explanation.targets:
            for array in (target.attribution, target.heatmap):
                owner = array if array.base is None else array.base
                assert owner.size == array.size
                assert array.flags.writeable


def assert_no_bar_is_drawn() -> None:
    """Check that rich's thread ends; it is told to, and not waited for."""
    for thread in threading.enumerate():
        if "Refresh" in type(thread).__name__:
            thread.join(timeout=10)
            assert not thread.is_alive()


@empty_heatmaps
def test_closing_early_leaves_no_trouble(classifier: keras.Model) -> None:
    closed: list[bool] = []

    def docs() -> Iterator[Array]:
        try:
            yield from pictures(9)
        finally:
            closed.append(True)

    for shown in (False, True):
        streams = sys.stdout, sys.stderr
        explanations = eli5.explain_predictions(classifier, docs(), batch_size=3, progress=shown)
        next(explanations)
        explanations.close()
        assert (sys.stdout, sys.stderr) == streams
        assert_no_bar_is_drawn()
    assert closed == [True, True]
    assert len(list(eli5.explain_predictions(classifier, docs()))) == 9


def test_ctrl_c_ends_the_bar_too(classifier: keras.Model) -> None:
    def docs() -> Iterator[Array]:
        yield from pictures(3)
        raise KeyboardInterrupt

    streams = sys.stdout, sys.stderr
    explanations = eli5.explain_predictions(classifier, docs(), batch_size=2, progress=True)
    assert len([next(explanations), next(explanations)]) == 2
    with pytest.raises(KeyboardInterrupt):
        next(explanations)
    assert (sys.stdout, sys.stderr) == streams
    assert_no_bar_is_drawn()


@pytest.mark.parametrize("has_length", [True, False])
def test_lines_of_batches(
    has_length: bool,
    classifier: keras.Model,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(0, 20)
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    docs = pictures(5) if has_length else iter(pictures(5))
    for _ in eli5.explain_predictions(classifier, docs, batch_size=2, progress=True):
        print("mine")
    out, err = capsys.readouterr()
    assert out == "mine\n" * 5
    of = " of 5" if has_length else ""
    counts = [re.match(r"eli5: (.*?) docs", line) for line in err.splitlines()]
    assert [one and one[1] for one in counts] == [f"{n}{of}" for n in (0, 2, 4)]


def test_a_bar_is_gone_while_the_caller_has_an_explanation(
    classifier: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever prints meanwhile must not print into it."""
    clock = itertools.count(0, 20)
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    bars: list[str] = []

    class Bar:
        def draw(self, tasks: list[progress.Progress]) -> None:
            bars.append(f"{tasks[0].done} of {tasks[0].total}")

        def close(self) -> None:
            bars.append("cleared")

    monkeypatch.setattr(progress, "_display", lambda: Bar)
    for _ in eli5.explain_predictions(classifier, pictures(3), batch_size=2):
        bars.append("yielded")
    assert bars == ["0 of 3", "cleared", "yielded", "yielded", "2 of 3", "cleared", "yielded"]


def test_two_bars_at_once(
    classifier: keras.Model, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = sys.stdout, sys.stderr
    one, other = (
        eli5.explain_predictions(classifier, pictures(3), batch_size=1, progress=True)
        for _ in range(2)
    )
    next(one), next(other)
    assert len(list(one)) == len(list(other)) == 2
    assert (sys.stdout, sys.stderr) == streams
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("progress", [False, True])
def test_a_warning_points_to_the_callers_line(classifier: keras.Model, progress: bool) -> None:
    docs = np.full((1, *SIZE), np.nan, "float32")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(eli5.explain_predictions(classifier, docs, progress=progress))
    assert {warning.filename for warning in caught} == {__file__}


@empty_heatmaps
def test_threads_agree(classifier: keras.Model) -> None:
    options: dict[str, Any] = {"methods": ["Grad-CAM", "Occlusion"], "patch": 6, "stride": 6}
    docs = [pictures(5, seed=seed) for seed in range(3)]
    expected = [
        list(eli5.explain_predictions(classifier, each, batch_size=4, **options)) for each in docs
    ]
    fresh = make_classifier()
    found: dict[int, list[Any]] = {}
    barrier = threading.Barrier(3)

    def work(k: int) -> None:
        barrier.wait()
        found[k] = list(eli5.explain_predictions(fresh, docs[k], batch_size=4, **options))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same([found[k] for k in range(3)], expected)


@empty_heatmaps
def test_turns_may_be_taken_with_one_model(classifier: keras.Model) -> None:
    docs = pictures(6)
    expected = one_by_one(classifier, docs)
    first = eli5.explain_predictions(classifier, docs[:3], batch_size=2)
    second = eli5.explain_predictions(classifier, docs[3:], batch_size=2)
    pairs = list(zip(first, second, strict=True))
    assert_same([one for one, _ in pairs] + [two for _, two in pairs], expected)


def test_a_method_of_the_input_needs_a_picture() -> None:
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(inputs))
    explanations = eli5.explain_predictions(model, np.ones((2, 6), "float32"), method="Saliency")
    with pytest.raises(ValueError, match=r"model .* is not supported, try passing the .image."):
        next(explanations)
