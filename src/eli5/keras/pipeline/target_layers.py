"""Where: the target layers that were asked for, or that are chosen, of a plan."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from eli5.keras import engine
from eli5.keras.inputs.model_inputs import blank_doc
from eli5.keras.inputs.sample import Sample, read_sample
from eli5.keras.layers import candidate_layers
from eli5.keras.layers.attention_layers import AttentionLayers, find_attention_layers
from eli5.keras.layers.cell_positions import Located, locate, place_axes
from eli5.keras.layers.measured_alignment import measure_alignment
from eli5.keras.layers.model_head import find_output_maps, grid_of
from eli5.keras.layers.pyramid_levels import pyramid_levels
from eli5.keras.layers.target_layer import find_target_layer
from eli5.keras.layers.token_grid import check_grid
from eli5.keras.pipeline.plan import Plan
from eli5.keras.targets.box_scores import count_reacting


def find_target_layers(plan: Plan) -> tuple[Located, ...]:
    """Return the target layers, found once for each way of asking for them."""
    request, sample = plan.request, plan.sample
    if not isinstance(request.layer, str | int | None):
        return tuple(_locate(plan, site) for site in _find_sites(plan))
    key = (
        "sites",
        *_key_of_view(plan),
        type(request.target).__name__,
        engine.Reference(request.target.score),
        request.output,
        request.layer,
    )

    def find_weakly() -> list[tuple[Any, Located]]:  # a cache must hold no layer
        located = [_locate(plan, site) for site in _find_sites(plan)]
        return [
            (weakref.ref(one.site.operation), one._replace(site=one.site._replace(operation=None)))
            for one in located
        ]

    functions = engine.functions_of(request.target.score)
    cached = engine.recall(sample.model, key, find_weakly, functions)
    return tuple(
        one._replace(site=one.site._replace(operation=operation())) for operation, one in cached
    )


def find_attention(plan: Plan) -> tuple[AttentionLayers, Located]:
    """Return what attends to the tokens of the doc, and where those lie; found once."""
    request, sample = plan.request, plan.sample
    key = ("attention", *_key_of_view(plan))

    def find_weakly() -> Any:  # a cache must hold no layer
        found = find_attention_layers(sample.view(plan.trace, request.grid), plan.model)
        located = _locate(plan, found.tokens)
        without = located._replace(site=located.site._replace(operation=None))
        operation = weakref.ref(found.tokens.operation)
        return operation, found._replace(tokens=without.site), without

    operation, layers, located = engine.recall(sample.model, key, find_weakly)
    site = located.site._replace(operation=operation())
    return layers._replace(tokens=site), located._replace(site=site)


def _key_of_view(plan: Plan) -> tuple[Any, ...]:
    """Return what the layers of a model are seen by."""
    sample = plan.sample
    return (
        sample.signature,
        sample.input_index,
        sample.kind.name,
        sample.channels_first,
        sample.stand_in and sample.stand_in.path,
        plan.request.grid,
    )


def _locate(plan: Plan, site: engine.Site) -> Located:
    """Return a target layer with where its cells lie."""
    return _locate_in(plan.sample, plan.trace, site)


def _locate_in(sample: Sample, trace: engine.Trace, site: engine.Site) -> Located:
    places = place_axes(sample.values.ndim, sample.size, channels_first=sample.channels_first)

    def measure(position: int) -> engine.Alignment | None:
        try:
            explained = sample.kind.input_site(sample, trace, is_needed=True)
        except ValueError:  # it cannot be differentiated
            return None
        return measure_alignment(
            sample.model, sample.inputs, trace, position, explained, sample.fixed_batch
        )

    is_input = sample.stand_in is None
    return locate(site, trace, sample.size, places, measure, is_followed=is_input)


def _find_sites(plan: Plan) -> list[engine.Site]:
    """Return the target layers that were asked for, or the one that is chosen."""
    sample, layer, grid = plan.sample, plan.request.layer, plan.request.grid
    trace, view = plan.trace, sample.view(plan.trace, grid)
    n_inputs = len(keras.tree.flatten(sample.inputs))
    if layer is not None:
        layers = layer if isinstance(layer, list) else [layer]
        sites = [find_target_layer(sample.given_model, one, view) for one in layers]
        for site in sites:
            _check_sees_input(trace, site, n_inputs)
        if len({(id(site.operation), site.nth) for site in sites}) < len(sites):
            raise ValueError(f"Expected each layer once. Received: layer={layer!r}")
        return sites
    levels = _levels(plan, candidate_layers.map_sites(view))
    if levels:
        return levels
    candidates = candidate_layers.candidate_sites(view)
    # What sees pieces that cannot be put together is taken, and refused, only if nothing else does.
    candidates = [
        site for site in candidates if _can_be_located(plan.sample, plan.trace, site)
    ] or candidates
    beside_output = output_maps(plan, candidates)
    sites = [site for site in candidates if site not in beside_output]
    if not sites:
        raise ValueError(
            "Expected a model with a feature map that its output does not come from place by "
            f"place. Received: {candidates[0].path!r} as the last of {len(candidates)} that give "
            "no more than the prediction itself. Choose a method that explains the input, such as "
            "Occlusion, or name the layer."
        )
    if plan.request.target.is_of_a_place:
        sites = _coarsest(_without_logits(plan, sites))
    # With one input and one output the last map is what the score comes from; tokens may not be,
    # nor is the last layer that runs where there are several.
    n_outputs = sum(spec is not None for spec in keras.tree.flatten(plan.trace.outputs))
    is_certain = len(sites[0].shape) > 3 and n_inputs + n_outputs == 2
    return [sites[0 if is_certain else _last_that_reacts(plan, sites)]]


def _levels(plan: Plan, maps: list[engine.Site]) -> list[engine.Site]:
    """Return the levels of a feature pyramid that a detector's boxes come from; nothing of others.

    Found once, as all targets of a kind share them.
    """
    levels = plan.request.target.levels(plan.head)
    if levels is None:
        return []

    def count(some: tuple[int, ...], sites: Sequence[engine.Site]) -> Any:
        formulas = (count_reacting,) * len(sites)
        query = engine.Query(plan.request.target.score, levels.select(some), tuple(sites), formulas)
        answers, _ = engine.evaluate(plan.model, *plan.filled(), query)
        return [answer[0] for answer in answers]

    located = [site for site in maps if _can_be_located(plan.sample, plan.trace, site)]
    return pyramid_levels(located, levels.n_candidates, plan.sample.size, count)


def _without_logits(plan: Plan, sites: list[engine.Site]) -> list[engine.Site]:
    """Return the sites but for those with a map per unit of the output, unless there are no others.

    They may be the prediction itself, before it is made larger.
    """
    others = [site for site in sites if _n_maps(site) != plan.head.n_units]
    return others or sites


def _n_maps(site: engine.Site) -> int:
    return site.shape[1 if site.channels_first and site.grid is None else -1]


def _coarsest(sites: Sequence[engine.Site]) -> list[engine.Site]:
    """Return the sites whose maps have the fewest places."""
    sizes = [math.prod(grid_of(site)) for site in sites]
    return [site for site, size in zip(sites, sizes, strict=True) if size == min(sizes)]


def _can_be_located(sample: Sample, trace: engine.Trace, site: engine.Site) -> bool:
    """Tell whether a layer sees one sample for one doc, or several whose places can be told."""
    if site.shape[:1] == (1,):
        return True
    try:
        _locate_in(sample, trace, site)
    except ValueError:
        return False
    return True


def output_maps(plan: Plan, sites: Sequence[engine.Site]) -> tuple[engine.Site, ...]:
    """Return the sites where a map shows the prediction, and not what it comes from."""
    found: list[engine.Site] = []
    for output in plan.request.target.outputs_of(plan.output, plan.trace.outputs):
        flags = find_output_maps(plan.model, plan.filled()[0], plan.trace, output, sites)
        found += [site for site, is_one in zip(sites, flags, strict=True) if is_one]
    return tuple(dict.fromkeys(found))


def _check_sees_input(trace: engine.Trace, site: engine.Site, n_inputs: int) -> None:
    """Raise ValueError if one of several inputs is explained at a layer that another one feeds."""
    for call in trace.calls:
        if call.is_of(site) and n_inputs > 1 and not call.has_positions:
            raise ValueError(
                "Expected a layer that takes in the input that is explained. Received: layer="
                f"{site.path!r} (call {site.nth}), which sees other inputs alone, or nothing that "
                "has places. Choose another layer or call, or another `input`."
            )


def _last_that_reacts(plan: Plan, sites: list[engine.Site]) -> int:
    """Return which site is the last that the score has a gradient at; found out once.

    A transformer's head that takes the class token alone leaves the patches without gradient from
    the last attention on, as does a head that takes the last step of a recurrent layer: a gradient
    at one place alone is no map. Without any other it is the last site.
    """
    # With a report, for which the likeliest classes are found.
    select = plan.request.target.select(plan.output, plan.head, plan.kinds, reported=plan.kinds)
    sites_and_formulas = tuple(sites), (_reacts,) * len(sites)
    query = engine.Query(plan.request.target.score, select, *sites_and_formulas)
    arguments = plan.filled()

    def find() -> int:
        answers, _ = engine.evaluate(plan.model, *arguments, query)
        return next((k for k, answer in enumerate(answers) if answer.any()), 0)

    key, functions = engine.key_of(query, arguments), engine.functions_of(query.score)
    return engine.recall(plan.model, ("reacts", key), find, functions)


def _reacts(activations: Any, gradients: list[Any], _: Any) -> Any:
    """Tell whether any gradient is other than zero, at two places at least; traced, ``(B,)``."""
    places = tuple(range(1, activations.ndim - 1))
    flags = [
        ops.sum(ops.cast(ops.any(gradient != 0, axis=-1), "int32"), axis=places) > 1
        for gradient in gradients
    ]
    return ops.any(ops.stack(flags), axis=0)


def target_layers(
    model: keras.Model,
    doc: Any = None,
    *,
    input: str | int | None = None,
    grid: tuple[int, ...] | None = None,
) -> list[candidate_layers.TargetLayer]:
    """List the layers that can be explained, in execution order, with the grids of their heatmaps.

    Parameters
    ----------
    model : keras.Model
    doc : numpy.ndarray, or a list or dict of them, optional
        One sample; needed where the model leaves the size of its input open.
    input, grid
        See `eli5.explain_prediction`.

    Returns
    -------
    list of TargetLayer
        Each with ``name`` (what ``layer=`` takes), ``grid`` and ``nth`` (which of its calls).

    Raises
    ------
    TypeError, ValueError
        If `doc` does not fit the model, or is missing where the model does not tell its size.
    """
    grid = check_grid(grid)
    doc = blank_doc(model) if doc is None else doc
    sample = read_sample(model, doc, input=input, grid=grid)
    return candidate_layers.list_target_layers(
        sample.view(sample.trace, grid),
        lambda site: _can_be_located(sample, sample.trace, site),
    )
