"""The `Probe` of a Keras model: through it black-box methods and metrics ask about one sample."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from eli5.keras import engine
from eli5.keras.engine.interventions import LeaveOutTokens, on_path, with_masks, with_pictures
from eli5.keras.methods.probe import Array, Probe
from eli5.keras.pipeline.ablation_runs import ablation_runs
from eli5.keras.pipeline.padded_run import pad_batch, run_all, run_padded
from eli5.keras.pipeline.plan import Plan
from eli5.keras.targets.target import ScoreKind


def make_probe(
    plan: Plan,
    site: engine.Site | None = None,
    output: tuple[Array, Array] | None = None,
    kind: ScoreKind | None = None,
) -> Probe:
    """Return the probe of one sample.

    Parameters
    ----------
    plan : Plan
        Of one sample, with the class ids themselves as targets.
    site : Site, optional
        The target layer, if the method has one.
    output : pair of numpy.ndarray, optional
        The target layer's own output for the sample, and the same as maps, where they have been
        read already.
    kind : ScoreKind, optional
        Which number is asked for; that of the gradients if not given.
    """
    query, input_site, batch_size = plan.query(kind), plan.input_site, plan.batch_size
    gradients = query._replace(sites=(input_site,), formulas=(_gradients,))
    moments = with_pictures(gradients, input_site)._replace(combine=_moment_sums)
    values = input_values(plan)
    ask = functools.partial(run_padded, plan, batch_size, with_pictures(query, input_site))
    probe = Probe(
        picture=values,
        batch_size=batch_size,
        scores=lambda pictures: ask(_float32(pictures)),
        masked_scores=functools.partial(_masked_scores, plan, query, values),
        gradient_sums=lambda pictures: run_all(
            plan, moments, pad_batch(plan, _float32(pictures), batch_size)
        ),
        path_gradients=functools.partial(_path_gradients, plan, gradients),
        **ablation_runs(plan, site, query, output),
        axes=() if site is None else site.axes,
        track=plan.track,
    )
    return probe if plan.sample.masked is None else _with_masked(probe, plan)


def input_values(plan: Plan) -> Array:
    """Return the explained input of the sample with its channels last, shape (*size, C), float32.

    Of token ids it is their embedding.
    """
    site = plan.input_site
    if site.input_index is None:
        query = engine.Query("output", plan.query().select, (site,), read=True)
        (_, ((_, folded),)), _ = engine.evaluate(plan.model, *plan.filled(), query)
        return folded[0]
    values = np.asarray(keras.tree.flatten(plan.inputs)[site.input_index][0], "float32")
    last = np.moveaxis(values, 0, -1) if site.channels_first else values
    return last if site.has_channels else last[..., None]


def baseline_as_seen(plan: Plan, baseline: Any) -> Any:
    """Return a baseline of the doc's own shape with its channels last, any other as it is."""
    site = plan.input_site
    if not (isinstance(baseline, np.ndarray) and site.channels_first):
        return baseline
    if baseline.shape not in (site.shape, site.shape[1:]):
        return baseline
    channels = 1 - (len(site.shape) - baseline.ndim)
    return np.moveaxis(baseline, channels, -1)


def keep_masked(plan: Plan, pictures: Array) -> Array:
    """Return changed pictures, shape (n, *size, C), with the steps that the model masks kept.

    Any other value there would unmask them.
    """
    masked = plan.sample.masked
    if masked is None:
        return pictures
    kept = np.array(pictures)
    kept[:, masked] = input_values(plan)[masked]
    return kept


def _with_masked(probe: Probe, plan: Plan) -> Probe:
    """Return a probe that changes and hides no step that the model masks."""
    masked = plan.sample.masked

    def masked_scores(masks: Array, baseline: Array | None) -> Array:
        masks = np.array(masks)
        masks[:, masked] = 1
        return probe.masked_scores(masks, baseline)

    return probe._replace(
        scores=lambda pictures: probe.scores(keep_masked(plan, pictures)),
        masked_scores=masked_scores,
        gradient_sums=lambda pictures: probe.gradient_sums(keep_masked(plan, pictures)),
        path_gradients=lambda ends, *rest: probe.path_gradients(keep_masked(plan, ends), *rest),
    )


def without_padding(probe: Probe, valid: slice) -> Probe:
    """Return a probe of some of the steps alone: the others, padding, are never hidden."""
    n_steps = len(probe.picture)

    def scores(pictures: Array) -> Array:
        whole = np.repeat(probe.picture[None], len(pictures), axis=0)
        whole[:, valid] = pictures
        return probe.scores(whole)

    def masked_scores(masks: Array, baseline: Array | None) -> Array:
        whole = np.ones((len(masks), n_steps), masks.dtype)
        whole[:, valid] = masks
        if baseline is not None:
            hidden = np.zeros_like(probe.picture)
            hidden[valid] = baseline
            baseline = hidden
        return probe.masked_scores(whole, baseline)

    return probe._replace(picture=probe.picture[valid], scores=scores, masked_scores=masked_scores)


def _masked_scores(
    plan: Plan, query: engine.Query, values: Array, masks: Array, baseline: Array | None
) -> Array:
    masks, batch_size = _float32(masks), plan.batch_size
    masked = with_masks(query, plan.input_site)
    if baseline is not None:
        return run_padded(plan, batch_size, masked, masks, _float32(baseline[None]))
    scores = np.array(run_padded(plan, batch_size, _leaving_out(query, plan), masks, masks[:1]))
    # A model that masks all it is given may divide by zero.
    ids = plan.sample.values
    is_empty = ~((masks > 0) & (ids != plan.sample.mask_id)).any(axis=1)
    if is_empty.any():
        zeros = np.zeros_like(values)[None]
        scores[is_empty] = run_padded(plan, batch_size, masked, masks[is_empty], zeros)
    return scores


def _leaving_out(query: engine.Query, plan: Plan) -> engine.Query:
    sample = plan.sample
    if sample.values.ndim != 2 or sample.mask_id is None:
        raise ValueError(
            'Expected token ids, and the id of padding, for baseline="mask". Received: a doc of '
            f"shape {sample.values.shape}, with pad_value={sample.mask_id}. Give `pad_value`, "
            "or another baseline."
        )
    return query._replace(arrange=LeaveOutTokens(sample.input_index, sample.mask_id))


def _path_gradients(
    plan: Plan, gradients: engine.Query, ends: Array, nodes: Array, weights: Array
) -> Any:
    query = on_path(gradients, plan.input_site)._replace(combine=_weighted_sum)
    rows = np.stack([nodes, weights], axis=1).astype("float32")
    # What is repeated to fill the batch must not count.
    padded = pad_batch(plan, rows, plan.batch_size)
    padded[len(rows) :, 1] = 0
    return run_all(plan, query, padded, _float32(ends))


def _float32(array: Array) -> Array:
    return array.astype("float32", copy=False)


# ---- traced into the engine's program ------------------------------------------------------------


def _gradients(values: Any, gradients: list[Any], _: Any) -> list[Any]:
    return gradients


def _moment_sums(results: Any, *_: Any) -> tuple[Any, Any, Any]:
    """Return the last gradients, and the sums of the others' distances to them and their squares.

    The batch is filled up with its last sample, at no distance.
    """
    (gradients,) = results
    distances = [gradient - gradient[-1:] for gradient in gradients]
    return (
        ops.stack([gradient[-1] for gradient in gradients]),
        ops.stack([ops.sum(one, axis=0) for one in distances]),
        ops.stack([ops.sum(ops.square(one), axis=0) for one in distances]),
    )


def _weighted_sum(results: Any, rows: Any, _: Any) -> Any:
    """Return the weighted sums of the gradients.

    No matrix product: on some devices it rounds to few digits unless told otherwise.
    """
    (gradients,) = results
    weights = ops.reshape(rows[:, 1], (-1, *[1] * (gradients[0].ndim - 1)))
    return ops.stack([ops.sum(gradient * weights, axis=0) for gradient in gradients])
