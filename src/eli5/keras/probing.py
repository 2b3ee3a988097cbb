"""The probe through which a procedure asks a Keras model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from eli5.keras import engine
from eli5.keras.arrangement import MaskPicture, PutPictures, Repeat, leave_out
from eli5.keras.methods.probe import Array, Probe
from eli5.keras.preparation import Preparation
from eli5.keras.selection import Select

Ask = Callable[..., Any]

# A head that takes one sample in front and many behind gives the same score to this precision.
_TOLERANCE = 1e-3


def make_probe(
    model: keras.Model,
    prepared: Preparation,
    site: engine.Site | None,
    *,
    score: Any,
    sign: int,
    batch_size: int,
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
    """
    picture = prepared.input_site
    select = Select(prepared.output, sign)
    question = engine.Question(score, select)
    put = question._replace(arrange=PutPictures(picture))
    masked = question._replace(arrange=MaskPicture(picture))
    sloped = put._replace(sites=(picture,), formulas=(_slopes,))

    def ask(question: engine.Question, per_sample: Array, *extra: Array) -> Any:
        n = len(per_sample)
        padded = pad(per_sample, batch_size)
        targets = np.repeat(prepared.targets, len(padded), axis=0)
        result, _ = engine.evaluate(model, prepared.sample, targets, question, padded, *extra)
        return keras.tree.map_structure(lambda x: x[:n], result)

    def masked_scores(masks: Array, baseline: Array) -> Array:
        return ask(masked, masks.astype("float32"), baseline[None].astype("float32"))

    return Probe(
        picture=picture_of(prepared),
        batch_size=batch_size,
        scores=lambda pictures: ask(put, pictures.astype("float32")),
        masked_scores=masked_scores,
        gradients=lambda pictures: ask(sloped, pictures.astype("float32"))[0],
        activations=lambda: _activations(model, prepared, site, question),
        ablated_scores=_ablated_scores(model, prepared, ask, question, site),
    )


def picture_of(prepared: Preparation) -> Array:
    """Return the picture of the sample with its channels last, shape (*size, C), float32."""
    picture = np.asarray(keras.tree.flatten(prepared.sample)[prepared.input_site.leaf], "float32")
    if picture.ndim == 3:
        return picture[0, ..., None]
    return np.moveaxis(picture[0], 0, -1) if prepared.input_site.channels_first else picture[0]


def pad(items: Array, batch_size: int) -> Array:
    """Repeat the last item up to a power of two, at most `batch_size`: few programs do for all."""
    size = min(1 << (len(items) - 1).bit_length(), max(batch_size, len(items)))
    return np.concatenate([items, np.repeat(items[-1:], size - len(items), axis=0)])


def _slopes(pictures: Any, gradients: list[Any], _: Any) -> Any:
    return ops.stack(gradients, axis=1)


def _activations(
    model: keras.Model, prepared: Preparation, site: engine.Site | None, question: engine.Question
) -> Array:
    asked = question._replace(sites=(_required(site),), read=True)
    (_, (activations,)), _ = engine.evaluate(model, prepared.sample, prepared.targets, asked)
    return activations[0]


def _ablated_scores(
    model: keras.Model, prepared: Preparation, ask: Ask, question: engine.Question, site: Any
) -> Callable[[Array], Array]:
    """Return the scores with one map left out each, from one pass through the part before.

    The part before the layer runs on one sample, the head on as many as there are maps. A model
    that fails on batches that differ, or gives other scores then, runs as a whole; which it is, is
    found out once.
    """

    def scores(maps: Array) -> Array:
        head = question._replace(sites=(_required(site),), replace=leave_out)
        whole = head._replace(arrange=Repeat())
        maps = maps.astype("int32")
        arguments = prepared.sample, maps
        splits = engine.recall(model, head, arguments, lambda: _agree(ask, head, whole, maps))
        return ask(head if splits else whole, maps)

    return scores


def _agree(ask: Ask, head: engine.Question, whole: engine.Question, maps: Array) -> bool:
    """Tell whether the head alone gives the scores of the whole model, on the first maps."""
    try:
        found = ask(head, maps)
    except Exception:  # whatever a model raises on batches that differ
        return False
    right = ask(whole, maps[:2])
    return np.allclose(found[:2], right, rtol=_TOLERANCE, atol=_TOLERANCE * np.abs(right).max())


def _required(site: engine.Site | None) -> engine.Site:
    if site is None:
        raise ValueError("Expected a target layer for this procedure. Received: none")
    return site
