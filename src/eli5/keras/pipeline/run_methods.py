"""Run the methods on a batch: all formulas in one program, then the black-box methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.checks import is_integer
from eli5.keras import engine
from eli5.keras.engine.interventions import with_pictures
from eli5.keras.layers.model_head import grid_of
from eli5.keras.methods.attention import find_sinks
from eli5.keras.methods.fusion import fuse
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.methods.normalize import normalize
from eli5.keras.methods.probe import Attributions, Probe, batches
from eli5.keras.methods.smoothing import smooth
from eli5.keras.pipeline.attention_dependence import has_heads_in_batch
from eli5.keras.pipeline.attention_runs import AttentionResult, run_attention
from eli5.keras.pipeline.formula_program import formula_query, reads_site
from eli5.keras.pipeline.keras_probe import (
    baseline_as_seen,
    input_values,
    keep_masked,
    make_probe,
    without_padding,
)
from eli5.keras.pipeline.padded_run import pad_batch, run_all, run_targets
from eli5.keras.pipeline.plan import Array, Plan, at_doc, attention_of
from eli5.keras.targets import rows
from eli5.keras.targets.target import Targets
from eli5.placement import Placement, stretch
from eli5.progress import show_progress

Report = dict[str, Any]
Output = tuple[Array, Array]  # of a layer: as it gave it, and as maps (B, *grid, C)


class MethodResult(NamedTuple):
    """What one method gives for one doc."""

    maps: Array  # shape (K, *cells): The attributions
    heatmaps: Array  # shape (K, *cells): See `eli5.keras.methods.normalize.normalize`
    placement: Placement  # of the cells in the input
    # Of bool, shape (K, 4): See `eli5.keras.methods.normalize.diagnostics`; a black-box method has
    # none.
    diagnostics: Array | None = None
    # Per class; see `eli5.keras.methods.probe.Attributions`.
    details: Sequence[dict[str, float]] = ()
    # Which cells have tokens of a norm that is far above the others'; attention methods tell.
    sinks: Sequence[int] = ()


def run_methods(plan: Plan) -> tuple[list[list[MethodResult]], Report]:
    """Explain the samples of a plan.

    Returns
    -------
    results : list of lists of MethodResult
        One entry per sample, and in it per method.
    report : dict
        The ``targets`` without what was open, the model's own ``outputs`` for them, shape (B, K),
        and more; see `eli5.keras.targets.target.Target.select`.
    """
    per_formula, outputs, report = _run_formulas(plan)
    if plan.request.needs_attention:
        of_attention, own_report = _run_attention(plan)
        per_formula |= of_attention
        report = report or own_report
    results = []
    for number in range(len(plan.samples)):
        doc_plan = plan_of_doc(plan, number, report)
        of_doc = (
            _run_black_box(doc_plan, chosen, outputs)
            if chosen.method.is_black_box
            else _run_smoothed(doc_plan, chosen, per_formula[k][number])
            for k, chosen in enumerate(plan.request.methods)
        )
        results.append([_without_masked(doc_plan, result) for result in of_doc])
    return results, report


def plan_of_doc(plan: Plan, number: int, report: Report) -> Plan:
    """Return the plan of one doc; ValueError if what is asked of it is not there."""
    targets = rows.of_sample(report["targets"], number)
    if report.get("found"):
        found = rows.of_sample(report["found"], number)
        with at_doc(plan.samples[number].number):
            plan.request.target.check_found(found, targets, plan.head)
    return plan.of_doc(number, targets)


def _without_masked(plan: Plan, result: MethodResult) -> MethodResult:
    """Return a result without heat on steps that the model masks.

    A layer behind may repeat its last output there, and a window reach over them.
    """
    if plan.sample.masked is None:
        return result
    maps = result.maps.copy()
    maps[:, plan.sample.masked] = 0
    return result._replace(maps=maps, heatmaps=normalize(maps, maps.ndim - 1))


# ---- formulas ------------------------------------------------------------------------------------


def _is_formula(chosen: ChosenMethod) -> bool:
    return not chosen.method.is_black_box and chosen.method.at != "attention"


def _run_formulas(
    plan: Plan,
) -> tuple[dict[int, list[MethodResult]], list[Output], Report]:
    """Return what each formula gives per doc, by the formula's position among the methods.

    If there is none, and the doc is alone, the run also reads the layers' outputs, for the
    black-box methods that take them. (Of a batch they would be others in the last digits.)
    """
    methods = plan.request.methods
    if all(one.method.at == "attention" for one in methods):
        return {}, [], {}  # whose own run has the scores, too
    formulas = {k: one for k, one in enumerate(methods) if _is_formula(one)}
    query = formula_query(plan, list(formulas.values()))
    if rows.shape_of(plan.targets)[0] == 1 and not formulas and plan.sites:
        query = query._replace(sites=plan.sites, read=True)
    results, report = run_targets(plan, plan.targets, query)
    if query.read:
        return {}, results[1], report
    per_formula: dict[int, list[tuple[Array, Placement, Array]]] = {k: [] for k in formulas}
    for site, result in zip(query.sites, results if formulas else (), strict=True):
        readers = [k for k, chosen in formulas.items() if reads_site(chosen, site)]
        for k, maps, flags in zip(readers, result["maps"], result["diagnostics"], strict=True):
            per_formula[k].append((*_fit(plan, maps[: len(plan.samples)], site, 2), flags))
    fusion = plan.request.fusion
    return {k: _per_doc(per_site, fusion) for k, per_site in per_formula.items()}, [], report


def _per_doc(per_site: list[tuple[Array, Placement, Array]], fusion: str) -> list[MethodResult]:
    """Return what a formula gives for each doc, from the batch's maps (B, K, *cells) per site."""
    maps, placement, diagnostics = per_site[0]
    if len(per_site) > 1:
        placements = [placement for _, placement, _ in per_site]
        of_docs = zip(*(maps for maps, *_ in per_site), strict=True)
        fused = [fuse(layers, placements, fusion) for layers in of_docs]
        maps, placement = np.stack([maps for maps, _ in fused]), fused[0][1]
    heatmaps = normalize(maps, maps.ndim - 2)
    rows = zip(maps, heatmaps, diagnostics, strict=False)
    return [MethodResult(one, heatmap, placement, flags) for one, heatmap, flags in rows]


def _run_attention(plan: Plan) -> tuple[dict[int, list[MethodResult]], Report]:
    """Return what each method on attention gives per doc, by its position among the methods."""
    asked = {k: m for k, m in enumerate(plan.request.methods) if m.method.at == "attention"}
    results, report = run_attention(plan, list(asked.values()), plan.targets)
    return {k: _of_docs(plan, result) for k, result in zip(asked, results, strict=True)}, report


def _of_docs(plan: Plan, result: AttentionResult) -> list[MethodResult]:
    """Return the maps of the doc's own tokens, laid out as they lie in it."""
    n = len(plan.samples)
    maps, placement = _fit_tokens(plan, result.relevance[:n])
    heatmaps = normalize(maps, maps.ndim - 2)
    rows = zip(maps, heatmaps, result.diagnostics, strict=False)
    return [
        MethodResult(one, heatmap, placement, flags, sinks=_sinks_of(plan, result, number))
        for number, (one, heatmap, flags) in enumerate(rows)
    ]


def _fit_tokens(plan: Plan, relevance: Array) -> tuple[Array, Placement]:
    """Return relevance (B, K, tokens) as maps (B, K, *cells), and where those lie."""
    if plan.attention is None:
        raise ValueError("Expected a plan with a method on attention. Received: one without")
    layers, located = plan.attention
    grid = grid_of(located.site)
    maps = relevance[..., layers.n_prefix :].reshape(*relevance.shape[:2], *grid)
    return plan.sample.kind.fit(maps, located.placement)


def _sinks_of(plan: Plan, result: AttentionResult, number: int) -> list[int]:
    if not result.norms:
        return []
    own = result.norms[0][number][attention_of(plan).n_prefix :]
    return find_sinks(own, result.relevance[number][:, -len(own) :])


def _run_smoothed(plan: Plan, chosen: ChosenMethod, result: MethodResult) -> MethodResult:
    """Return a formula's result for one doc, averaged over copies of it if that is asked for."""
    if not chosen.smoothing.is_used:
        return result
    query = with_pictures(formula_query(plan, [chosen]), plan.input_site)

    def maps_of(copies: Array) -> list[Array]:
        copies = keep_masked(plan, copies)
        results = run_all(plan, query, pad_batch(plan, copies, plan.batch_size))
        return [
            _fit(plan, result["maps"][0][: len(copies)], site, 2)[0]
            for site, result in zip(query.sites, results, strict=True)
        ]

    placements = [_placement_at(plan, site) for site in query.sites]
    picture = input_values(plan)
    with _tracked(plan, chosen) as plan:
        per_site = smooth(
            maps_of, picture, chosen.smoothing, plan.batch_size, placements, plan.track
        )
    fusion = plan.request.fusion
    maps, _ = fuse(per_site, [one or result.placement for one in placements], fusion)
    return result._replace(maps=maps, heatmaps=normalize(maps, maps.ndim - 1))


def explain_copies(
    plan: Plan, chosen: ChosenMethod, copies: Array, targets: Targets
) -> tuple[Array, Array]:
    """Return a formula's map of each changed copy of the one doc, for a target of its own.

    Parameters
    ----------
    plan : Plan
        Of one doc.
    chosen : ChosenMethod
        A formula; it is not smoothed.
    copies : numpy.ndarray, shape (n, *size, C)
        As `input_values` gives the doc itself.
    targets : numpy.ndarray, or a dict of them, shape (n, 1, ...)

    Returns
    -------
    maps : numpy.ndarray, shape (n, *cells)
    explained : numpy.ndarray, shape (n,)
        The number that the formula explains, of each.
    """
    if chosen.method.at == "attention":
        return _attention_to_copies(plan, chosen, copies, targets)
    query = with_pictures(formula_query(plan, [chosen]), plan.input_site)
    placements = [_placement_at(plan, site) for site in query.sites]
    kind, maps, explained = plan.kinds.index(plan.kind_of(chosen)), [], []
    for batch in batches(len(copies), plan.batch_size):
        n = batch.stop - batch.start
        padded = pad_batch(plan, keep_masked(plan, copies[batch]), plan.batch_size)
        some = keras.tree.map_structure(lambda x, batch=batch: x[batch], targets)
        results, report = run_targets(plan, rows.fill(some, len(padded)), query, padded)
        explained.append(report["explained"][:n, 0, kind])
        per_site = [
            _fit(plan, result["maps"][0][:n], site, 2)
            for site, result in zip(query.sites, results, strict=True)
        ]
        known = [one or of_site for one, (_, of_site) in zip(placements, per_site, strict=True)]
        maps += [fuse([m[k] for m, _ in per_site], known, plan.request.fusion)[0] for k in range(n)]
    found = np.concatenate(maps)
    if plan.sample.masked is not None:
        found[:, plan.sample.masked] = 0
    return found, np.concatenate(explained)


def _attention_to_copies(
    plan: Plan, chosen: ChosenMethod, copies: Array, targets: Targets
) -> tuple[Array, Array]:
    """See `explain_copies`."""
    changed = with_pictures(plan.query(), plan.input_site)
    kind, maps, explained = plan.kinds.index(plan.kind_of(chosen)), [], []
    size = 1 if has_heads_in_batch(plan) else plan.batch_size
    for batch in batches(len(copies), size):
        n = batch.stop - batch.start
        padded = pad_batch(plan, keep_masked(plan, copies[batch]), size)
        some = keras.tree.map_structure(lambda x, batch=batch: x[batch], targets)
        (result,), report = run_attention(
            plan,
            [chosen],
            rows.fill(some, len(padded)),
            padded,
            arrange=changed.arrange,
            replace=changed.replace,
        )
        explained.append(report["explained"][:n, 0, kind])
        maps.append(_fit_tokens(plan, result.relevance[:n])[0][:, 0])
    found = np.concatenate(maps)
    if plan.sample.masked is not None:
        found[:, plan.sample.masked] = 0
    return found, np.concatenate(explained)


@contextmanager
def _tracked(plan: Plan, chosen: ChosenMethod, parts: int = 1) -> Iterator[Plan]:
    """Yield the plan with what shows how far a method is that runs the model in so many parts."""
    shown = plan.request.progress
    with show_progress(
        label=chosen.method.name, noun="samples", parts=parts, shown=shown
    ) as progress:
        yield plan._replace(track=progress.track)


def _placement_at(plan: Plan, site: engine.Site) -> Placement | None:
    """Return where the cells of a target layer lie; None for the input itself."""
    return next((one.placement for one in plan.located if one.site == site), None)


def _fit(plan: Plan, maps: Array, site: engine.Site, lead: int) -> tuple[Array, Placement]:
    """Return maps, behind `lead` other axes, with the cells of the heatmap, and where those lie."""
    placement = _placement_at(plan, site)
    if placement is None:
        return maps, stretch(maps.shape[lead:], maps.shape[lead:])
    others = tuple(lead + k for k, axis in enumerate(site.axes) if axis is None)
    maps = maps.mean(axis=others) if others else maps
    return plan.sample.kind.fit(maps, placement)


# ---- black-box methods ---------------------------------------------------------------------------


def _run_black_box(plan: Plan, chosen: ChosenMethod, outputs: Sequence[Output]) -> MethodResult:
    """Return what a method that asks a probe gives for one doc.

    `outputs` are those of the target layers, where they have been read already.
    """
    n_sites = len(plan.sites) if chosen.method.at == "layer" else 1
    with _tracked(plan, chosen, n_sites * chosen.smoothing.n_copies) as tracked:
        return _run_probes(tracked, chosen, outputs)


def _run_probes(plan: Plan, chosen: ChosenMethod, outputs: Sequence[Output]) -> MethodResult:
    method, sample = chosen.method, plan.sample
    if method.is_per_step:
        plan = plan._replace(input_site=sample.kind.per_cell(plan.input_site, sample.values))
    is_at_layer = method.at == "layer"
    # Padding is not hidden: what a model does without it says nothing about the text.
    hides = not is_at_layer and (method.is_per_step or method.leaves_out)
    valid = sample.valid if hides else None
    options = _black_box_options(chosen, plan, valid)
    sites = plan.sites if is_at_layer else (None,)
    known = outputs if is_at_layer and outputs else [None] * len(sites)
    per_site, details, placements = [], [], []
    for site, output in zip(sites, known, strict=True):
        probe = make_probe(plan, site, output, plan.kind_of(chosen))
        if site is not None:
            probe = probe._replace(placement=_placement_at(plan, site))
        probe = probe if valid is None else without_padding(probe, valid)
        attributions = _attribute(chosen, probe, options)
        maps = np.asarray(attributions.maps, "float32")
        if valid is not None:
            maps = _with_padding(maps, valid, sample.size[0])
        placement = stretch(maps.shape[1:], maps.shape[1:])
        if site is not None:
            maps, placement = _fit(plan, maps, site, 1)
        per_site.append(maps)
        placements.append(placement)
        details.append(attributions.details)
    maps, placement = fuse(per_site, placements, plan.request.fusion)
    return MethodResult(maps, normalize(maps, maps.ndim - 1), placement, details=details[0])


def _with_padding(maps: Array, valid: slice, n_steps: int) -> Array:
    whole = np.zeros((len(maps), n_steps), maps.dtype)
    whole[:, valid] = maps
    return whole


def _attribute(chosen: ChosenMethod, probe: Probe, options: dict[str, Any]) -> Attributions:
    """Run a method on the doc, or on each copy of it: then the details are means, too."""
    attribute = chosen.method.function
    if not chosen.smoothing.is_used:
        return attribute(probe, **options)
    details: list[Sequence[dict[str, float]]] = []

    def maps_of(copies: Array) -> list[Array]:
        each = [attribute(probe._replace(picture=copy), **options) for copy in copies]
        details.extend(attributions.details for attributions in each)
        return [np.stack([attributions.maps for attributions in each])]

    placements = [probe.placement]
    (maps,) = smooth(maps_of, probe.picture, chosen.smoothing, probe.batch_size, placements)
    means = [
        {name: float(np.mean([one[name] for one in per_copy])) for name in per_copy[0]}
        for per_copy in zip(*details, strict=True)
    ]
    return Attributions(maps, tuple(means))


# ---- options of black-box methods ---------------------------------------------------------------

_WINDOWS = ("patch", "stride")


def _black_box_options(chosen: ChosenMethod, plan: Plan, valid: slice | None) -> dict[str, Any]:
    """Return the options that a black-box method is called with.

    `valid` are the steps of a text that the method is shown, where that is not all of it.
    """
    sample = plan.sample
    options = sample.kind.method_defaults(chosen.method, sample) | _with_baseline(chosen, plan)
    for name in _WINDOWS:
        if name in chosen.options:
            options[name] = sample.kind.window(options[name], sample.values)
    return options if valid is None else _of_steps(options, valid, sample.size[0])


def _with_baseline(chosen: ChosenMethod, plan: Plan) -> dict[str, Any]:
    """Return the caller's options, with a baseline as the method sees the doc."""
    if "baseline" not in chosen.options:
        return chosen.options
    baseline = baseline_as_seen(plan, chosen.options["baseline"])
    return chosen.options | {"baseline": baseline}


def _of_steps(options: dict[str, Any], valid: slice, n_steps: int) -> dict[str, Any]:
    """Return the options of a text for those of its steps that are no padding."""
    n_valid = valid.stop - valid.start
    own = {}
    for name, value in options.items():
        if name in _WINDOWS and is_integer(value) and value <= n_steps:
            own[name] = min(value, n_valid)
        elif isinstance(value, np.ndarray) and value.shape[:1] == (n_steps,):
            own[name] = value[valid]
        elif isinstance(value, np.ndarray) and value.shape[:2] == (1, n_steps):
            own[name] = value[:, valid]
    return options | own
