"""The probe through which a procedure asks a Keras model."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from eli5.keras import engine
from eli5.keras.arrangement import MaskPicture, PutPictures
from eli5.keras.head_runs import head_runs, run_padded
from eli5.keras.methods.probe import Array, Probe
from eli5.keras.preparation import Preparation
from eli5.keras.selection import Select


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
    question = engine.Question(score, select)
    put = question._replace(arrange=PutPictures(picture))
    masked = question._replace(arrange=MaskPicture(picture))
    sloped = put._replace(sites=(picture,), formulas=(_slopes,))

    ask = functools.partial(run_padded, model, prepared, batch_size)

    def masked_scores(masks: Array, baseline: Array) -> Array:
        return ask(masked, masks.astype("float32"), baseline[None].astype("float32"))

    return Probe(
        picture=picture_of(prepared),
        batch_size=batch_size,
        scores=lambda pictures: ask(put, pictures.astype("float32")),
        masked_scores=masked_scores,
        gradients=lambda pictures: ask(sloped, pictures.astype("float32"))[0],
        **head_runs(model, prepared, site, question, batch_size, known),
    )


def picture_of(prepared: Preparation) -> Array:
    """Return the picture of the sample with its channels last, shape (*size, C), float32."""
    picture = np.asarray(keras.tree.flatten(prepared.sample)[prepared.input_site.leaf], "float32")
    if picture.ndim == 3:
        return picture[0, ..., None]
    return np.moveaxis(picture[0], 0, -1) if prepared.input_site.channels_first else picture[0]


def _slopes(pictures: Any, gradients: list[Any], _: Any) -> Any:
    return ops.stack(gradients, axis=1)
