"""The one door to a model that metrics ask: docs, and the maps of them.

Each doc becomes a `Case`: the map in the input's own size, and a `Probe` of the one class that it
explains. A metric is a function of it, and knows neither Keras nor what kind of doc it is.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.base import TargetExplanation
from eli5.checks import did_you_mean, shown
from eli5.keras import METHODS, engine
from eli5.keras.explain_predictions import explain_predictions_keras
from eli5.keras.inputs.dataset import count_docs, read_docs
from eli5.keras.inputs.model_inputs import check_model
from eli5.keras.inputs.sample import DocOptions, Sample, read_sample
from eli5.keras.methods.baseline import LEFT_OUT, make_baseline
from eli5.keras.methods.probe import Probe, batches, equal_but_for_rounding
from eli5.keras.pipeline.formula_program import formula_query
from eli5.keras.pipeline.keras_probe import (
    baseline_as_seen,
    input_values,
    make_probe,
    without_padding,
)
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.padded_run import run_targets
from eli5.keras.pipeline.plan import Plan, at_doc
from eli5.keras.pipeline.request import Request, make_request
from eli5.keras.pipeline.run_methods import plan_of_doc
from eli5.metrics.maps import input_map, list_maps, own_map
from eli5.metrics.result import Array, Measured, Metric, MetricResult, collect

# What may be said of docs and model; see `eli5.explain_predictions`.
_OF_ALL_DOCS = ("pad_value", "pad_token", "time", "channel_names")
_PER_DOC = {"images": "image", "tokens": "tokens"}
_OF_MODEL = (
    "input",
    "output",
    "score",
    "detector",
    "task",
    "grid",
    "data_format",
    "batch_size",
)
ABOUT = (*_OF_ALL_DOCS, *_PER_DOC, *_OF_MODEL)


class Case(NamedTuple):
    """A doc, the class that its map explains, and the map.

    Attributes
    ----------
    probe : Probe
        Of the one class, K = 1. Its `scores` and `masked_scores` are the number that the metric
        looks at, float64 of shape (n,), of any n; each row is counted as a pass.
    map : numpy.ndarray, shape (*size), float64
    make_hidden : callable
        ``make_hidden(baseline, default) -> (hidden, name)``: what takes the place of what is left
        out, as `Probe.masked_scores` takes it, and what it is called.
    n_axes : int
        Along how many axes places lie beside each other: 2 of a picture, 1 of a series, whose
        channels do not.
    is_text : bool
        Whether they are tokens.
    target : int or str
    score : str
        What the number is called.
    """

    probe: Any
    map: Array
    make_hidden: Callable[[Any, Any], tuple[Array | None, str]]
    n_axes: int
    is_text: bool = False
    target: Any = 0
    score: str = "probability"


@engine.in_the_open
def measure(
    metric: Metric,
    function: Callable[[Case], Measured],
    model: keras.Model,
    docs: Any,
    explanations: Any,
    targets: Any,
    about: Mapping[str, Any],
    *,
    of: str = "number",
    seed: int | None = None,
    perturbation: str = "",
) -> MetricResult:
    """Return what a function of a case gives for each doc.

    `of` says which number is looked at, unless the caller asks for a ``score``: a ``"number"`` is
    the class's probability where the model has one, else its output; a ``"probability"`` is
    insisted on; a ``"score"`` is the one that explanations explain.
    """
    passes: list[int] = []
    cases, measured = [], []
    each = read_cases(model, docs, explanations, targets, about, of, passes.append)
    for number, make in enumerate(each):
        with at_doc(number), engine.steady():  # one look for changes per doc
            case = make()
            measured.append(function(case))
        cases.append((case.target, case.score))
    names = ", ".join(dict.fromkeys(score for _, score in cases))
    return collect(
        metric,
        measured,
        [target for target, _ in cases],
        score=names,
        passes=sum(passes),
        seed=seed,
        perturbation=perturbation,
    )


# ---- docs ----------------------------------------------------------------------------------------


def read_samples(
    model: keras.Model, docs: Any, about: Mapping[str, Any], n: int | None = None
) -> Iterator[tuple[Sample, Request]]:
    """Yield each doc, read, with what is asked about it.

    TypeError if `about` has an option that nobody knows, ValueError if there are not `n` docs.
    """
    check_model(model)
    _check_about(about)
    request = _request(about)
    said = DocOptions(**{name: about[name] for name in _OF_ALL_DOCS if name in about})
    per_doc = {field: about[name] for name, field in _PER_DOC.items() if name in about}
    stream = read_docs(model, docs, said, per_doc)
    _check_count(n, count_docs(model, docs))  # before any of them costs a run
    like, number = None, -1
    for number, (doc, own) in enumerate(stream):
        with at_doc(number), engine.steady():
            like = read_sample(model, doc, own, like=like, **request.about_input)
        yield like, request
    _check_count(n, number + 1)


def _request(about: Mapping[str, Any], **more: Any) -> Request:
    own = {name: about[name] for name in _OF_MODEL if name in about}
    return make_request(method="Occlusion", **own, **more)


def _check_count(n: int | None, n_docs: int | None) -> None:
    if None not in (n, n_docs) and n != n_docs:
        raise ValueError(
            f"Expected one explanation per doc, {n_docs} of them. Received: {n} explanations"
        )


def _check_about(about: Mapping[str, Any]) -> None:
    for name, value in about.items():
        if name not in ABOUT:
            meant = did_you_mean(name, ABOUT)
            raise TypeError(
                f"Expected an option of the metric, or one of {', '.join(ABOUT)}. Received: "
                f"{name}={shown(value)}{meant and '. ' + meant}"
            )


def read_cases(
    model: keras.Model,
    docs: Any,
    explanations: Any,
    targets: Any,
    about: Mapping[str, Any],
    of: str,
    count: Callable[[int], None],
) -> Iterator[Callable[[], Case]]:
    """Yield what makes the case of each doc and its map; `count` gets the passes of a run."""
    maps = list_maps(explanations, targets)
    for number, (sample, request) in enumerate(read_samples(model, docs, about, len(maps))):
        if number < len(maps):
            region = maps[number].region
            asked = request if region is None else _request(about, target=region)
            yield functools.partial(_make_case, sample, asked, maps[number], of, count)


def _make_case(
    sample: Sample,
    request: Request,
    target: TargetExplanation,
    of: str,
    count: Callable[[int], None],
) -> Case:
    given = target.target if isinstance(target.target, int) else None
    given = given if target.region is None else target.region
    sample = sample._replace(targets=None if given is None else [given])
    plan = make_plan(request, [sample])
    _check_score(plan, target)
    _number_of(plan, of)  # before a run is spent
    return make_case(_settle(plan, count), target, of, count)


def make_case(plan: Plan, target: TargetExplanation, of: str, count: Callable[[int], None]) -> Case:
    """Return the case of one doc's plan, which has the one class as its target."""
    sample = plan.sample
    is_probability, name = _number_of(plan, of)
    # Of a series, its channels too; of a text, which may be padded, it is looked at below.
    size = sample.size + own_map(target).shape[len(sample.size) :]
    values = fitted(input_map(target, None if sample.valid else size), sample)
    if sample.valid is None and values.ndim == len(sample.size):
        site = sample.kind.per_cell(plan.input_site, sample.values)
    else:
        site = plan.input_site
    cell_plan = plan._replace(input_site=site)
    probe = make_probe(cell_plan)
    _check_shape(values, probe, sample)
    make_hidden = _maker_of_hidden(cell_plan, probe.picture.shape)
    if sample.valid is not None:
        probe = without_padding(probe, sample.valid)
    return Case(
        _asked(probe, is_probability, count, is_fixed=sample.fixed_batch is not None),
        values,
        make_hidden,
        len(sample.size),
        is_text=sample.valid is not None,
        target=int(plan.targets[0, 0]) if plan.request.target.has_class else name,
        score=name,
    )


def _check_score(plan: Plan, target: TargetExplanation) -> None:
    """Raise ValueError if a map explains a function of the caller's that is not asked for."""
    if target.target and isinstance(target.target, str) and plan.request.target.has_class:
        raise ValueError(
            "Expected the callable `score` that the map explains. Received: a map of "
            f"{target.target!r} without it. Give it as well: score={target.target}"
        )


def fitted(values: Array, sample: Sample) -> Array:
    """Return the map of a text without the padding around it."""
    if sample.valid is not None and values.shape == sample.size:
        return values[sample.valid]
    return values


def _check_shape(values: Array, probe: Probe, sample: Sample) -> None:
    expected = probe.picture.shape[:-1]
    if sample.valid is not None:
        expected = (sample.valid.stop - sample.valid.start,)
    if values.shape != expected:
        raise ValueError(
            f"Expected a map of the doc's size, {expected}. Received: one of shape {values.shape}. "
            "Give the Explanation, which knows where its cells lie."
        )


def _number_of(plan: Plan, of: str) -> tuple[bool, str]:
    """Tell whether the number is a probability, made of log-odds, and what it is called."""
    kind = plan.request.target.kind(plan.head, on_logits=False)
    is_auto = plan.request.target.score == "auto"
    # Of a region it is a mean of log-odds, which is that of no probability.
    has_probability = is_auto and kind.name == "log-odds" and plan.request.target.has_class
    if of == "probability" and not has_probability:
        raise ValueError(
            "Expected a classifier whose probabilities are known, and no `score`. Received: "
            f"model {plan.model.name!r} with {kind.name!r} as its number. If its outputs are the "
            'logits of classes, say so: task="classification".'
        )
    if has_probability and of != "score":
        return True, "probability"
    return False, kind.name


def _settle(plan: Plan, count: Callable[[int], None]) -> Plan:
    """Return the plan of the one doc; if what is asked of it is left open, the model runs once."""
    if isinstance(plan.targets, np.ndarray) and (plan.targets >= 0).all():
        return plan.of_doc(0, plan.targets[0])
    count(1)
    _, report = run_targets(plan, plan.targets, formula_query(plan, []))
    return plan_of_doc(plan, 0, report)


def _maker_of_hidden(
    plan: Plan, shape: tuple[int, ...]
) -> Callable[[Any, Any], tuple[Array | None, str]]:
    """Return what makes a baseline; see `Case.make_hidden`."""
    sample = plan.sample
    left_out = sample.kind.method_defaults(METHODS["Occlusion"], sample).get("baseline")
    by_channel = sample.kind.per_cell(plan.input_site, sample.values)
    site = plan.input_site if sample.valid is not None else by_channel

    def make_hidden(baseline: Any, default: Any) -> tuple[Array | None, str]:
        if baseline is None:
            baseline = default if left_out is None or default == 0 else left_out
        if isinstance(baseline, str) and baseline == LEFT_OUT:
            return None, LEFT_OUT
        seen = input_values(plan._replace(input_site=site))
        given = baseline_as_seen(plan, baseline)
        if sample.valid is None:
            return make_baseline(given, seen).reshape(shape), _name_of(baseline)
        if isinstance(given, np.ndarray):
            return make_baseline(given, seen)[sample.valid], _name_of(baseline)
        return make_baseline(given, seen[sample.valid]), _name_of(baseline)

    return make_hidden


def _name_of(baseline: Any) -> str:
    return "an array" if isinstance(baseline, np.ndarray) else str(baseline)


def _asked(
    probe: Probe, is_probability: bool, count: Callable[[int], None], *, is_fixed: bool
) -> Any:
    """Return the probe as a case has it; see `Case`."""
    cut = batches if is_fixed else cut_evenly

    def ask(question: Callable[..., Array], rows: Array, *rest: Any) -> Array:
        count(len(rows))
        parts = [question(rows[b], *rest) for b in cut(len(rows), probe.batch_size)]
        scores = np.concatenate(parts)[:, 0].astype("float64")
        return sigmoid(scores) if is_probability else scores

    return probe._replace(
        scores=lambda pictures: ask(probe.scores, pictures),
        masked_scores=lambda masks, hidden: ask(
            probe.masked_scores, masks.astype("float32"), hidden
        ),
    )


def cut_evenly(n: int, batch_size: int) -> Iterator[slice]:
    """Yield the slices that cut `n` items into batches of which little has to be filled up.

    A batch is filled up to a power of two. Where that would be more than an eighth of it, as of the
    last 18 of 50, it is two: of 16 and of 2.
    """
    start = 0
    while start < n:
        size = min(n - start, batch_size)
        filled = min(1 << (size - 1).bit_length(), batch_size)
        if size < filled and 8 * (filled - size) > size:
            size = 1 << (size.bit_length() - 1)
        yield slice(start, start + size)
        start += size


def without_rounding(scores: Array) -> Array:
    """Return scores (n,) that are equal if they differ by no more than rounding."""
    return equal_but_for_rounding(scores[:, None])[:, 0]


def sigmoid(log_odds: Array) -> Array:
    """Return ``1 / (1 + exp(-s))``, without overflow."""
    return np.exp(-np.logaddexp(0, -log_odds))


# ---- maps that a metric makes itself -------------------------------------------------------------


def explain_docs(
    model: Any, docs: Any, targets: Any, options: Mapping[str, Any]
) -> list[TargetExplanation]:
    """Return the map of each doc, for these classes or the likeliest.

    TypeError for several methods at once, whose maps cannot be told apart.
    """
    if options.get("methods") is not None:
        raise TypeError(
            "Expected one `method`. Received: `methods`. Measure one at a time, or compare them: "
            "eli5.compare"
        )
    return list_maps(explain_predictions_keras(model, docs, targets=targets, **options))


def random_of(sample: Sample, seed: int) -> np.random.Generator:
    """Return what draws for a doc: the same for the same doc, whichever docs come with it."""
    values = np.ascontiguousarray(sample.values)
    return np.random.default_rng([seed, zlib.crc32(values.tobytes())])


def split_about(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options of an explanation that say something of docs and model."""
    return {name: value for name, value in options.items() if name in ABOUT}
