"""Run the methods on one batch of docs: all formulas in one program, then the procedures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import keras
from eli5.keras import engine
from eli5.keras.engine.interventions import with_pictures
from eli5.keras.layers.step_positions import fit
from eli5.keras.methods.fusion import fuse
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.methods.normalize import normalize
from eli5.keras.methods.probe import Attributions, Probe
from eli5.keras.methods.smoothing import smooth
from eli5.keras.pipeline.formula_program import query_of, reads
from eli5.keras.pipeline.keras_probe import make_probe, picture_of, within
from eli5.keras.pipeline.method_options import has_channels, options_of
from eli5.keras.pipeline.plan import Preparation
from eli5.keras.pipeline.variants import advise_on_batches, pad
from eli5.keras.targets.score import Select

Array = np.ndarray[Any, Any]


class Found(NamedTuple):
    """What one method found for one doc.

    Attributes
    ----------
    maps : numpy.ndarray, shape (K, *places), float32
        The attributions.
    heatmaps : numpy.ndarray, shape (K, *places), float32
        See `eli5.keras.methods.normalize.normalize`.
    diagnostics : numpy.ndarray of bool, shape (K, 4), or None
        See `eli5.keras.methods.normalize.diagnostics`; a procedure has none.
    details : sequence of dict
        Per class; see `eli5.keras.methods.probe.Attributions`.
    """

    maps: Array
    heatmaps: Array
    diagnostics: Array | None = None
    details: Sequence[dict[str, float]] = ()

    def first(self, n_targets: int | None) -> Found:
        """Return what was found for the first classes alone."""
        return Found(
            self.maps[:n_targets],
            self.heatmaps[:n_targets],
            None if self.diagnostics is None else self.diagnostics[:n_targets],
            self.details[:n_targets],
        )


class Plan(NamedTuple):
    """How a batch is explained, whatever is in it."""

    chosen: Sequence[ChosenMethod]
    score: Any
    sign: int
    fusion: str
    batch_size: int


def attribute(
    model: keras.Model, prepared: Preparation, plan: Plan, kept: Sequence[slice | None]
) -> tuple[list[list[Found]], dict[str, Array]]:
    """Explain a batch of docs.

    Parameters
    ----------
    model : keras.Model
    prepared : Preparation
        With a batch of B docs as its sample, and their targets.
    plan : Plan
    kept : sequence of slice or None
        Of each doc that counts, the rest fills up the batch: the steps of a text that are no
        padding.

    Returns
    -------
    found : list of lists
        One entry per doc that counts, and in it per method.
    report : dict
        ``classes`` and the model's own ``outputs`` for them, shape (B, K).
    """
    per_formula, outputs, report = _run_formulas(model, prepared, plan, len(kept))
    found = []
    for doc, classes in enumerate(report["classes"][: len(kept)]):
        alone = _alone(prepared, classes, doc)._replace(kept=kept[doc])
        results = []
        for k, chosen in enumerate(plan.chosen):
            if chosen.method.is_black_box:
                results.append(_run_procedure(model, alone, plan, chosen, outputs))
                continue
            result = per_formula[k][doc]
            if chosen.smoothing.is_used:
                maps = _smoothed(model, alone, plan, chosen)
                result = result._replace(maps=maps, heatmaps=_heatmaps(maps))
            results.append(result)
        found.append(results)
    return found, report


def _run_formulas(
    model: keras.Model, prepared: Preparation, plan: Plan, n_docs: int
) -> tuple[dict[int, list[Found]], list[tuple[Array, Array]], dict[str, Array]]:
    """Return what each formula found per doc, by the formula's position in the plan.

    If there is none, and the doc is alone, the run also reads the layers' outputs, for the
    procedures that take them. (Of a batch they would be others in the last digits.)
    """
    formulas = {k: c for k, c in enumerate(plan.chosen) if not c.method.is_black_box}
    query = _query(prepared, plan, list(formulas.values()))
    is_alone = len(prepared.targets) == 1 and not formulas
    if is_alone and any(chosen.method.at == "layer" for chosen in plan.chosen):
        query = query._replace(sites=prepared.sites, read=True)
    with advise_on_batches(len(prepared.targets)):
        results, report = engine.evaluate(model, prepared.sample, prepared.targets, query)
    if query.read:
        return {}, results[1], report
    collected: dict[int, list[tuple[Array, Array]]] = {k: [] for k in formulas}
    for site, result in zip(query.sites, results if formulas else (), strict=True):
        readers = [k for k, chosen in formulas.items() if reads(chosen, site)]
        for k, maps, healthy in zip(readers, result["maps"], result["diagnostics"], strict=True):
            fitted = fit(maps[:n_docs], site, prepared.view, prepared.trace)
            collected[k].append((fitted, healthy))
    return {k: _per_doc(per_site, plan.fusion) for k, per_site in collected.items()}, [], report


def _query(prepared: Preparation, plan: Plan, formulas: Sequence[ChosenMethod]) -> engine.Query:
    sites = (*prepared.sites, prepared.input_site)
    return query_of(formulas, sites, plan.score, Select(prepared.output, plan.sign))


def _per_doc(per_site: list[tuple[Array, Array]], fusion: str) -> list[Found]:
    """Return what a formula found for each doc, from the batch's maps (B, K, *places) per site."""
    maps, diagnostics = per_site[0]
    if len(per_site) > 1:
        of_docs = zip(*(maps for maps, _ in per_site), strict=True)
        maps = np.stack([fuse(layers, fusion) for layers in of_docs])
    return list(map(Found, maps, normalize(maps, maps.ndim - 2), diagnostics))


def _heatmaps(maps: Array) -> Array:
    return normalize(maps, maps.ndim - 1)


def _alone(prepared: Preparation, classes: Array, doc: int) -> Preparation:
    """Return the preparation of one doc of the batch, with its class ids as targets."""
    sample = keras.tree.map_structure(lambda x: x[doc : doc + 1], prepared.sample)
    return prepared._replace(sample=sample, targets=classes[None])


def _smoothed(model: keras.Model, prepared: Preparation, plan: Plan, chosen: ChosenMethod) -> Array:
    """Return the mean of a formula's maps over copies of the picture."""
    query = with_pictures(_query(prepared, plan, [chosen]), prepared.input_site)

    def maps_of(pictures: Array) -> list[Array]:
        padded = pad(pictures, plan.batch_size)
        targets = np.repeat(prepared.targets, len(padded), axis=0)
        with advise_on_batches(len(padded)):
            results, _ = engine.evaluate(model, prepared.sample, targets, query, padded)
        return [
            fit(result["maps"][0][: len(pictures)], site, prepared.view, prepared.trace)
            for site, result in zip(query.sites, results, strict=True)
        ]

    picture = picture_of(model, prepared)
    return fuse(smooth(maps_of, picture, chosen.smoothing, plan.batch_size), plan.fusion)


def _run_procedure(
    model: keras.Model,
    prepared: Preparation,
    plan: Plan,
    chosen: ChosenMethod,
    known: Sequence[tuple[Array, Array]],
) -> Found:
    is_at_layer = chosen.method.at == "layer"
    sites = prepared.sites if is_at_layer else (None,)
    outputs = known if is_at_layer and known else [None] * len(sites)
    if chosen.method.is_per_step and has_channels(prepared):  # all channels of a step are one place
        prepared = prepared._replace(input_site=prepared.input_site._replace(has_channels=True))
    ask = functools.partial(
        make_probe,
        model,
        prepared,
        score=plan.score,
        sign=plan.sign,
        batch_size=plan.batch_size,
    )
    hides = not is_at_layer and (chosen.method.is_per_step or chosen.method.leaves_out)
    kept = prepared.kept if hides else None
    options = options_of(chosen, prepared, kept)
    per_site = []
    for site, output in zip(sites, outputs, strict=True):
        probe = ask(site, known=output)
        probe = probe if kept is None else within(probe, kept)
        per_site.append(_procedure(chosen, probe, options))
    maps = fuse(
        [
            _fitted(np.asarray(found.maps, "float32"), site, prepared, kept)
            for site, found in zip(sites, per_site, strict=True)
        ],
        plan.fusion,
    )
    return Found(maps, _heatmaps(maps), details=per_site[0].details)


def _fitted(
    maps: Array, site: engine.Site | None, prepared: Preparation, kept: slice | None
) -> Array:
    if kept is not None:
        whole = np.zeros((len(maps), prepared.view.size[0]), maps.dtype)
        whole[:, kept] = maps
        return whole
    return maps if site is None else fit(maps, site, prepared.view, prepared.trace)


def _procedure(chosen: ChosenMethod, probe: Probe, options: dict[str, Any]) -> Attributions:
    """Run a procedure on the picture, or on each copy of it: then the details are means, too."""
    if not chosen.smoothing.is_used:
        return chosen.method.function(probe, **options)
    details: list[Sequence[dict[str, float]]] = []

    def maps_of(pictures: Array) -> list[Array]:
        each = [
            chosen.method.function(probe._replace(picture=picture), **options)
            for picture in pictures
        ]
        details.extend(found.details for found in each)
        return [np.stack([found.maps for found in each])]

    (maps,) = smooth(maps_of, probe.picture, chosen.smoothing, probe.batch_size)
    means = [
        {name: float(np.mean([numbers[name] for numbers in copies])) for name in copies[0]}
        for copies in zip(*details, strict=True)
    ]
    return Attributions(maps, tuple(means))
