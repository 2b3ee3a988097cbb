"""The Explanation, put together from what the methods give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from eli5.base import Explanation, Explanations, TargetExplanation
from eli5.checks import warn
from eli5.keras.inputs.sample import Sample
from eli5.keras.layers.cell_positions import Located
from eli5.keras.methods import METHODS
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.methods.normalize import why_empty
from eli5.keras.pipeline.attention_maps import describe_attention
from eli5.keras.pipeline.plan import Array, Plan
from eli5.keras.pipeline.run_methods import MethodResult, Report
from eli5.keras.targets import rows
from eli5.keras.targets.box_scores import D_RISE

if TYPE_CHECKING:
    from PIL.Image import Image

# Above this Integrated Gradients do not add up to the difference that they explain.
_INCOMPLETE = 0.05


class Display(NamedTuple):
    """What all explanations of one doc have in common."""

    # The caller's, or one made of the doc; None for a volume, whose picture depends on the map.
    image: Image | None
    is_finite: bool  # whether all numbers in the doc are finite


def make_display(sample: Sample) -> Display:
    """Look at one doc, which takes as long as a small part of the model."""
    arrays = keras.tree.flatten(sample.inputs)
    # NaN comes out of both extremes; no array of flags is made.
    is_finite = all(np.isfinite([array.min(), array.max()]).all() for array in arrays)
    return Display(sample.kind.image(sample), is_finite)


def compose(
    plan: Plan, number: int, results: Sequence[MethodResult], report: Report, display: Display
) -> Any:
    """Return the Explanation of one sample, or Explanations, one per method, if that is due.

    A UserWarning tells of each heatmap that is empty.
    """
    sample = plan.samples[number]
    # A batch is as wide as its widest doc.
    n_targets = len(sample.targets) if sample.targets else None
    own = rows.of_sample(report, number)
    explanations = [
        _explanation(plan, sample, chosen, result, own, n_targets, display)
        for chosen, result in zip(plan.request.methods, results, strict=True)
    ]
    return Explanations(explanations) if plan.request.is_list else explanations[0]


def _explanation(
    plan: Plan,
    sample: Sample,
    chosen: ChosenMethod,
    result: MethodResult,
    report: Report,
    n_targets: int | None,
    display: Display,
) -> Explanation:
    method = chosen.method
    targets = []
    for k, one in enumerate(_targets(plan, chosen, report)[:n_targets]):
        # Copies, for views would keep the batch.
        one.attribution, one.heatmap = np.array(result.maps[k]), np.array(result.heatmaps[k])
        one.details = dict(result.details[k]) if len(result.details) else None
        one.placement = result.placement
        one.sign = "positive" if plan.request.sign > 0 else "negative"
        targets.append(one)
    warned = [
        *_empty_heatmaps(plan, sample, chosen, result, targets),
        *_shows_the_output(plan, chosen),
        *_not_finite(display),
    ]
    for note in warned:
        which = "" if sample.number is None else f"Doc {sample.number}: "
        warn(which + note)
    cells = result.maps.shape[1:]
    description = [*_describe(plan, sample, chosen, cells), *_completeness(targets), *warned]
    if method.at == "attention":
        description[1:1] = describe_attention(plan, sample, chosen, result.sinks, cells)
    expl = Explanation(
        plan.model.name,
        description=" ".join(description),
        error="",
        method=_method_name(plan, chosen),
        is_regression=plan.head.is_regression,
        targets=targets,
        image=display.image,
        layer=plan.layer_names if method.at == "layer" else None,
    )
    return sample.kind.finish(expl, sample, cells)


def _targets(plan: Plan, chosen: ChosenMethod, report: Report) -> list[TargetExplanation]:
    """Return what is known of each target of one doc without its maps; see `Target.select`."""
    kind = plan.kind_of(chosen)
    numbers: dict[str, Array] = {
        name: report[name] for name in ("outputs", "probabilities") if name in report
    }
    numbers["explained"] = report["explained"][:, plan.kinds.index(kind)]
    return [
        plan.request.target.explanation(
            rows.of_sample(report["targets"], k),
            {name: float(of[k]) for name, of in numbers.items()},
            plan.head,
            kind,
        )
        for k in range(len(numbers["outputs"]))
    ]


def _empty_heatmaps(
    plan: Plan,
    sample: Sample,
    chosen: ChosenMethod,
    result: MethodResult,
    targets: Sequence[TargetExplanation],
) -> Iterator[str]:
    """Say of each target whose heatmap is empty why it is."""
    at = chosen.method.at
    places = {"layer": f"layer {plan.layer_names!r}", "attention": "the attention"}
    where = places.get(at, "the input")
    score = _score_name(plan, chosen)
    shown = sample.kind.shown(result.maps, result.heatmaps)
    for k, target in enumerate(targets):
        if not shown[k].any():
            diagnostics = None if result.diagnostics is None else result.diagnostics[k]
            reason = f"{_raises(plan)} {score}"
            why = why_empty(result.maps[k], diagnostics, score, reason, at)
            yield f"The heatmap of target {target.target} at {where} is empty: {why}."


def _method_name(plan: Plan, chosen: ChosenMethod) -> str:
    """Name the method: by random masks, boxes are explained as D-RISE does it."""
    is_rise = chosen.method is METHODS["RISE"]
    return "D-RISE" if is_rise and plan.kind_of(chosen).name == D_RISE else chosen.method.name


def _score_name(plan: Plan, chosen: ChosenMethod) -> str:
    return plan.request.target.name(plan.head, plan.kind_of(chosen))


def _raises(plan: Plan) -> str:
    return "raises" if plan.request.sign > 0 else "lowers"


def _not_finite(display: Display) -> Iterator[str]:
    if not display.is_finite:
        yield "The doc holds values that are not finite (NaN or infinity)."


def _shows_the_output(plan: Plan, chosen: ChosenMethod) -> Iterator[str]:
    """Say that a layer gives no more than the prediction."""
    if chosen.method.at == "layer" and plan.output_maps:
        names = ", ".join(repr(site.path) for site in plan.output_maps)
        yield (
            f"The model's output comes from layer {names} place by place: the heatmap shows the "
            "prediction, and not what it comes from. Choose a layer further in front."
        )


def _completeness(targets: Sequence[TargetExplanation]) -> Iterator[str]:
    """Say how far the attributions of Integrated Gradients miss their sum."""
    details = [target.details or {} for target in targets]
    errors = [one["completeness_error"] for one in details if "completeness_error" in one]
    if errors and np.isfinite(errors).all():
        advice = " Take more `steps`." if max(errors) > _INCOMPLETE else ""
        yield (
            f"The sum of the attributions misses the difference between the scores of doc and "
            f"baseline by {max(errors):.2g} of it.{advice}"
        )


def _doubts(sample: Sample, located: Sequence[Located]) -> Iterator[str]:
    """Say what is not known of the doc or of the layer, or has no part in the prediction."""
    if not all(one.is_known for one in located):
        yield (
            f"Where its cells lie in {sample.kind.words.explained} could not be told: they are "
            "spread evenly over all of it."
        )
    if not sample.trace.is_layout_known:
        found = "first" if sample.channels_first else "last"
        yield (
            f"Nothing in the model tells where the channels of the doc are; they are taken to be "
            f"{found}. Say it with data_format=."
        )
    if sample.masked is not None:
        yield (
            f"The model masks {sample.masked.sum()} of {len(sample.masked)} steps: they have no "
            "part in its prediction."
        )


def _describe(
    plan: Plan, sample: Sample, chosen: ChosenMethod, cells: tuple[int, ...]
) -> Iterator[str]:
    """Say what the heatmap shows, and how it came about."""
    method, words = chosen.method, plan.sample.kind.words
    size = "x".join(map(str, cells)) + (words.unit if len(cells) == 1 else "")
    where = f"the input ({size})"
    if method.at == "attention":
        where = f"the attention between tokens ({size})"
    if method.at == "layer":
        how = ", chosen automatically" if plan.request.layer is None else ""
        several = "layers" if len(plan.sites) > 1 else "layer"
        where = f"{several} {plan.layer_names!r} ({size}{how})"
    shows = method.shows.format(
        score=_score_name(plan, chosen),
        raises=_raises(plan),
        region=words.region,
        place=words.cell,
    )
    yield f"{_method_name(plan, chosen)} heatmap of {where}: {shows}."
    if plan.head.is_binary:
        unit, other = "one sigmoid unit", "one less that value"
        if plan.head.activation is None:
            unit, other = "one unit, a logit", "the same with the other sign"
        yield (
            f"The model has {unit}, which stands for two classes: target 1 has its value, target "
            f"0 {other}."
        )
    yield from plan.request.target.describe(sample.targets, plan.head)
    located = {"layer": plan.located, "attention": plan.attention and plan.attention[1:]}
    yield from _doubts(sample, located.get(method.at) or ())
    if method.at == "layer" and len(plan.sites) > 1:
        yield f"The layers' maps are fused by their {plan.request.fusion}."
    smoothing = chosen.smoothing
    if smoothing.is_used:
        noisy = f" {smoothing.n_samples} noisy (noise={smoothing.noise:g})"
        copies = noisy if smoothing.n_samples else ""
        copies += " augmented" if smoothing.augment else ""
        yield f"It is the mean over{copies} copies of the doc."
