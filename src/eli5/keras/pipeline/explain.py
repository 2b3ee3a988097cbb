"""The line that every explanation takes: request, sample, plan, run, result."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras

from eli5.keras import engine
from eli5.keras.inputs.sample import DocOptions, Sample, read_sample
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.plan import Plan, at_doc
from eli5.keras.pipeline.request import Request, make_request, split_options
from eli5.keras.pipeline.result import compose, make_display
from eli5.keras.pipeline.run_methods import run_methods
from eli5.keras.targets import rows
from eli5.keras.targets.classes import check_targets
from eli5.progress import Progress, clear, show_progress

_logger = logging.getLogger(__name__)


@engine.in_the_open
def explain_one(model: keras.Model, doc: Any, **options: Any) -> Any:
    """Explain one doc; see `eli5.explain_prediction` for the options."""
    check_targets(options.get("targets"))
    about, rest = split_options(options)
    request = make_request(targets=about.targets, **rest)
    with engine.steady():
        sample = read_sample(model, doc, about, **request.about_input)
        return explain_batch(request, [sample])[0]


def explain_many(
    model: keras.Model,
    docs: Iterable[tuple[Any, DocOptions]],
    request: Request,
    total: int | None = None,
) -> Iterator[Any]:
    """Explain docs, each with what is said of it, one after the other; `total` is their number."""
    samples = _read(model, docs, request)
    # One batch is not done in parts.
    shown = request.progress if total is None or total > request.batch_size else False
    with show_progress(total, noun="docs", shown=shown) as progress:
        yield from explain_samples(samples, request, progress)


def explain_samples(
    samples: Iterable[Sample], request: Request, progress: Progress | None = None
) -> Iterator[Any]:
    """Explain one sample after the other, a batch at a time; at most one batch is held."""
    is_full = False
    for batch in _batches(samples, request.batch_size):
        # A rest takes the program of the batches before it.
        is_rest = len(batch) < request.batch_size
        size = request.batch_size if is_full else 1 << (len(batch) - 1).bit_length()
        is_full = is_full or not is_rest
        if progress is not None:
            progress.update(progress.done)
        with engine.steady():
            explanations = explain_batch(
                request, batch, min(size, request.batch_size) if is_rest else None
            )
        if progress is not None:
            progress.done += len(batch)
            clear()  # whoever gets them may print
        del batch  # before the next is taken
        yield from explanations


@engine.in_the_open
def explain_batch(
    request: Request, samples: Sequence[Sample], size: int | None = None
) -> list[Any]:
    """Explain samples of equal shape in one run of the model.

    The batch is filled up to `size` with copies of the last sample. One entry per sample is
    returned: an Explanation, or a list with one per method.
    """
    plan = make_plan(request, samples, size)
    if _logger.isEnabledFor(logging.DEBUG):
        _log(plan)
    # Before the model runs: then the docs are still in the processor's cache.
    displays = list(map(make_display, samples))
    results, report = run_methods(plan)
    explained = [
        compose(plan, number, results[number], report, display)
        for number, display in enumerate(displays)
    ]
    if request.grader is not None:
        for number, one in enumerate(explained):
            with at_doc(samples[number].number):
                doc_plan = plan.of_doc(number, rows.of_sample(report["targets"], number))
                request.grader(doc_plan, one if isinstance(one, list) else [one])
    return explained


def _log(plan: Plan) -> None:
    """Say what is about to run, and where."""
    methods = ", ".join(chosen.method.name for chosen in plan.request.methods)
    _logger.debug(
        "Explaining model %r, %s doc(s): %s, at layer %s",
        plan.model.name,
        len(plan.samples),
        methods,
        plan.layer_names or None,
    )


def _read(
    model: keras.Model, docs: Iterable[tuple[Any, DocOptions]], request: Request
) -> Iterator[Sample]:
    like = None
    source = iter(docs)
    for number in itertools.count():
        with at_doc(number):
            try:
                doc, about = next(source)  # runs the caller's code, which may change the model
            except StopIteration:
                return
            with engine.steady():
                like = read_sample(model, doc, about, like=like, **request.about_input)
        yield like


def _batches(samples: Iterable[Sample], batch_size: int) -> Iterator[list[Sample]]:
    """Yield runs of samples of equal shape, of at most `batch_size`."""
    batch: list[Sample] = []
    for sample in samples:
        if batch and _shape(sample) != _shape(batch[0]):
            yield batch
            batch = []
        batch.append(sample)
        if len(batch) == min(
            batch_size, sample.fixed_batch or batch_size
        ):  # and not at the next sample, whose doc may be a bad one
            yield batch
            batch = []
    if batch:
        yield batch


def _shape(sample: Sample) -> tuple[Any, ...]:
    return id(sample.model), sample.kind, sample.signature
