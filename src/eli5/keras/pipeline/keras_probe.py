"""The probe through which a procedure asks a Keras model."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import keras
from eli5.keras import engine
from eli5.keras.engine.interventions import LeaveOutTokens, on_path, with_masks, with_pictures
from eli5.keras.methods.probe import Array, Probe
from eli5.keras.pipeline.ablation_runs import ablation_runs
from eli5.keras.pipeline.plan import Preparation
from eli5.keras.pipeline.variants import advise_on_batches, pad, run_padded
from eli5.keras.targets.score import Select
from keras import ops


def make_probe(
    model: keras.Model,
    prepared: Preparation,
    site: engine.Site | None,
    *,
    score: Any,
    sign: int,
    batch_size: int,
    known: tuple[Array, Array] | None = None,
) -> Probe:
    """Return the probe of one sample.

    Parameters
    ----------
    model : keras.Model
    prepared : Preparation
        Of one sample, with the class ids themselves as targets.
    site : Site or None
        The target layer, if the procedure has one.
    score : {"auto", "output", "logit"} or callable
    sign : int
        -1 to explain what lowers the score.
    batch_size : int
        The most samples in one run.
    known : pair of numpy.ndarray, optional
        The target layer's own output for the sample, and the same as maps, where they have been
        read already.
    """
    picture = prepared.input_site
    select = Select(prepared.output, sign, reports=False)
    query = engine.Query(score, select)
    put, masked = with_pictures(query, picture), with_masks(query, picture)
    sloped = query._replace(sites=(picture,), formulas=(_gradients,))
    spread = with_pictures(sloped, picture)._replace(combine=_sums)
    along = on_path(sloped, picture)._replace(combine=_weighted)
    shown = picture_of(model, prepared)

    ask = functools.partial(run_padded, model, prepared, batch_size)

    def masked_scores(masks: Array, baseline: Array | None) -> Array:
        masks = _float32(masks)
        if baseline is not None:
            return ask(masked, masks, _float32(baseline[None]))
        scores = np.array(ask(_leaving_out(query, prepared), masks, masks[:1]))
        empty = _leaves_nothing(prepared, masks)
        if empty.any():  # a model that masks all it is given may divide by zero
            scores[empty] = ask(masked, masks[empty], np.zeros_like(shown)[None])
        return scores

    def path_gradients(ends: Array, nodes: Array, weights: Array) -> Array:
        rows = np.stack([nodes, weights], axis=1).astype("float32")
        # What is repeated to fill the batch must not count.
        padded = pad(rows, batch_size)
        padded[len(rows) :, 1] = 0
        return sums(along, padded, _float32(ends))

    def sums(asked: engine.Query, per_sample: Array, *extra: Array) -> Any:
        targets = np.repeat(prepared.targets, len(per_sample), axis=0)
        with advise_on_batches(len(per_sample)):
            found, _ = engine.evaluate(model, prepared.sample, targets, asked, per_sample, *extra)
        return found

    return Probe(
        picture=shown,
        batch_size=batch_size,
        scores=lambda pictures: ask(put, _float32(pictures)),
        masked_scores=masked_scores,
        gradient_sums=lambda pictures: sums(spread, pad(_float32(pictures), batch_size)),
        path_gradients=path_gradients,
        **ablation_runs(model, prepared, site, query, batch_size, known),
    )


def picture_of(model: keras.Model, prepared: Preparation) -> Array:
    """Return the picture of the sample with its channels last, shape (*size, C), float32.

    Of token ids it is their embedding.
    """
    site = prepared.input_site
    if site.input_index is None:
        asked = engine.Query("output", Select(prepared.output), (site,), read=True)
        (_, ((_, folded),)), _ = engine.evaluate(model, prepared.sample, prepared.targets, asked)
        return folded[0]
    leaf = np.asarray(keras.tree.flatten(prepared.sample)[site.input_index][0], "float32")
    last = np.moveaxis(leaf, 0, -1) if site.channels_first else leaf
    return last if site.has_channels else last[..., None]


def within(probe: Probe, kept: slice) -> Probe:
    """Return a probe of some of the steps alone: the others, padding, are never hidden."""
    n_steps = len(probe.picture)

    def scores(pictures: Array) -> Array:
        whole = np.repeat(probe.picture[None], len(pictures), axis=0)
        whole[:, kept] = pictures
        return probe.scores(whole)

    def masked_scores(masks: Array, baseline: Array | None) -> Array:
        whole = np.ones((len(masks), n_steps), masks.dtype)
        whole[:, kept] = masks
        if baseline is not None:
            hidden = np.zeros_like(probe.picture)
            hidden[kept] = baseline
            baseline = hidden
        return probe.masked_scores(whole, baseline)

    picture = probe.picture[kept]
    return probe._replace(picture=picture, scores=scores, masked_scores=masked_scores)


def _leaving_out(query: engine.Query, prepared: Preparation) -> engine.Query:
    if prepared.picture.ndim != 2 or prepared.mask_id is None:
        raise ValueError(
            'Expected token ids, and the id of padding, for baseline="mask". Received: a doc of '
            f"shape {prepared.picture.shape}, with pad_value={prepared.mask_id}. Give `pad_value`, "
            "or another baseline."
        )
    return query._replace(arrange=LeaveOutTokens(prepared.input_index, prepared.mask_id))


def _leaves_nothing(prepared: Preparation, masks: Array) -> Any:
    """Tell of each mask whether it shows padding alone."""
    ids = keras.tree.flatten(prepared.sample)[prepared.input_index]
    return ~((masks > 0) & (ids != prepared.mask_id)).any(axis=1)


def _float32(array: Array) -> Array:
    return array.astype("float32", copy=False)


def _gradients(pictures: Any, gradients: list[Any], _: Any) -> list[Any]:
    return gradients


def _sums(found: Any, *_: Any) -> tuple[Any, Any, Any]:
    """Return the last gradients, and the sums of the others' distances to them and their squares.

    The batch is filled up with its last sample, at no distance.
    """
    (gradients,) = found
    away = [gradient - gradient[-1:] for gradient in gradients]
    return (
        ops.stack([gradient[-1] for gradient in gradients]),
        ops.stack([ops.sum(one, axis=0) for one in away]),
        ops.stack([ops.sum(ops.square(one), axis=0) for one in away]),
    )


def _weighted(found: Any, rows: Any, _: Any) -> Any:
    """Return the weighted sums of the gradients.

    No matrix product: on some devices it rounds to few digits unless told otherwise.
    """
    (gradients,) = found
    weights = ops.reshape(rows[:, 1], (-1, *[1] * (gradients[0].ndim - 1)))
    return ops.stack([ops.sum(gradient * weights, axis=0) for gradient in gradients])
