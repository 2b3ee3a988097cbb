"""All that must be known before a model is run with a hook: input, output, score and layer."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import keras
from eli5.keras import engine
from eli5.keras.inputs import model_inputs as inputs
from eli5.keras.inputs import token_ids
from eli5.keras.inputs.kind import Kind, View, view_of
from eli5.keras.layers import candidate_layers as suitable
from eli5.keras.layers.target_layer import find_target_layer
from eli5.keras.targets import classes as scores
from eli5.keras.targets.score import Select
from keras import ops

Array = np.ndarray[Any, Any]


class Preparation(NamedTuple):
    """One sample, ready to be explained.

    Attributes
    ----------
    sample : numpy.ndarray, or a list or dict of them
        As it is fed to the model.
    picture : numpy.ndarray
        The input that is explained, as it came.
    input_index : int
        Which input it is, in the order of `keras.tree.flatten`.
    view : View
        How it is seen.
    channels_first : bool
        Whether the picture's channels are the first axis behind the batch axis.
    targets : numpy.ndarray of int32, shape (1, K)
        See `eli5.keras.targets.score.Select`.
    n_classes : int or None
        None if the score is a callable.
    activation : str or None
        The softmax or sigmoid that the output comes from.
    output : int or None
        See `eli5.keras.targets.score.Select`.
    input_site : eli5.keras.engine.Site
        The picture, as what is differentiated or perturbed; of token ids their embedding.
    sites : tuple of eli5.keras.engine.Site
        The target layers.
    is_automatic : bool
        Whether the target layer was chosen and not given.
    trace : eli5.keras.engine.Trace
        Of one call of the model.
    mask_id : int or None
        Of token ids: the one that stands for a token that is left out, where it is known.
    kept : slice or None
        Of a single text: the steps that are no padding.
    """

    sample: Any
    picture: Array
    input_index: int
    view: View
    channels_first: bool
    targets: Array
    n_classes: int | None
    activation: str | None
    output: int | None
    input_site: engine.Site
    sites: tuple[engine.Site, ...]
    is_automatic: bool
    trace: engine.Trace
    mask_id: int | None = None
    kept: slice | None = None


def prepare(
    model: keras.Model,
    doc: Any,
    targets: Sequence[int] | None = None,
    *,
    layer: Any = None,
    score: Any = "auto",
    top_targets: int | None = None,
    input: Any = None,
    output: Any = None,
    grid: tuple[int, ...] | None = None,
    kind: Kind | None = None,
    mask_id: float | None = None,
    needs_layer: bool = True,
    needs_input: bool = False,
) -> Preparation:
    """Find out all that is not given, of a model that is built.

    Without `needs_layer` no target layer is looked for, and without `needs_input` no embedding of
    token ids. `kind` says how the doc is seen, see `eli5.keras.inputs.kind`; `mask_id` is the id
    that stands for a token left out. See
    `eli5.keras.explain_prediction.explain_prediction_keras_image` for the parameters, which must
    have been checked, and for the errors.
    """
    position = inputs.find_picture(model, doc, input, kind)
    picture = keras.tree.flatten(doc)[position]
    sample = inputs.standardize(doc)
    trace = token_ids.trace(model, sample, position)
    view = view_of(picture, trace, kind)
    which = scores.find_output(model, trace.outputs, output)
    activation = trace.activations[which]
    n_classes = None
    if not callable(score):
        n_classes = scores.n_classes(keras.tree.flatten(trace.outputs)[which])
        scores.check_logit(score, activation)
    prepared = Preparation(
        sample=sample,
        picture=picture,
        input_index=position,
        view=view,
        channels_first=trace.channels_first,
        targets=scores.target_array(targets, top_targets, n_classes or 1),
        n_classes=n_classes,
        activation=activation,
        output=None if callable(score) and output is None else which,
        input_site=_input_site(position, picture, view, trace, needs_input),
        sites=(),
        is_automatic=layer is None,
        trace=trace,
        mask_id=token_ids.mask_id(trace, view, picture, mask_id),
    )
    if not needs_layer:
        return prepared
    found = _remembered(
        model,
        ("sites", engine.signature(sample), position, engine.Reference(score), output, grid, view),
        layer,
        lambda: _sites(model, prepared, score, layer, grid),
    )
    return prepared._replace(sites=found)


def _sites(
    model: keras.Model, prepared: Preparation, score: Any, layer: Any, grid: tuple[int, ...] | None
) -> list[engine.Site]:
    """Return the target layers that were asked for, or the one that is chosen."""
    trace, size = prepared.trace, prepared.view.size
    n_inputs = len(keras.tree.flatten(prepared.sample))
    if layer is not None:
        asked = layer if isinstance(layer, list) else [layer]
        sites = [find_target_layer(model, trace, one, size, grid) for one in asked]
        for site in sites:
            _check_sees_picture(trace, site, n_inputs)
        if len({(id(site.operation), site.nth) for site in sites}) < len(sites):
            raise ValueError(f"Expected each layer once. Received: layer={layer!r}")
        return sites
    sites = suitable.candidates(trace, size, grid)
    # With one input and one output the last map is what the score comes from; tokens may not be,
    # nor is the last layer that runs where there are several.
    certain = len(sites[0].shape) > 3 and n_inputs + len(keras.tree.flatten(trace.outputs)) == 2
    return [sites[0 if certain else _last_that_reacts(model, prepared, score, sites)]]


def _remembered(
    model: keras.Model, key: tuple[Any, ...], layer: Any, find: Callable[[], list[engine.Site]]
) -> tuple[engine.Site, ...]:
    """Return the sites, found once for each way of asking for them; a cache must hold no layer."""
    if not isinstance(layer, str | int | None):
        return tuple(find())

    def weakly() -> list[tuple[Any, engine.Site]]:
        return [(weakref.ref(s.operation), s._replace(operation=None)) for s in find()]

    kept = engine.recall(model, (*key, layer), weakly)
    return tuple(site._replace(operation=operation()) for operation, site in kept)


def _input_site(
    position: int, picture: Array, view: View, trace: engine.Trace, is_needed: bool
) -> engine.Site:
    if picture.ndim == 2 and view.kind == "tokens" and is_needed:
        return suitable.embedding_site(trace, view.size)
    return engine.Site(
        None,
        0,
        "input",
        trace.channels_first,
        input_index=position,
        has_channels=picture.ndim > 3 or view.kind == "tokens",
        is_input=True,
        shape=picture.shape,
        dtype=keras.config.floatx(),
    )


def _check_sees_picture(trace: engine.Trace, site: engine.Site, n_inputs: int) -> None:
    """Raise ValueError if one of several inputs is explained at a layer that another one feeds."""
    for call in trace.calls:
        is_it = call.operation() is site.operation and call.nth == site.nth
        if is_it and n_inputs > 1 and not call.has_place:
            raise ValueError(
                "Expected a layer that takes in the input that is explained. Received: layer="
                f"{site.path!r} (call {site.nth}), which sees other inputs alone, or nothing that "
                "has places. Choose another layer or call, or another `input`."
            )


def target_layers(
    model: keras.Model,
    doc: Any = None,
    *,
    input: Any = None,
    grid: tuple[int, ...] | None = None,
) -> list[suitable.TargetLayer]:
    """List the layers that can be explained, in execution order, with the grids of their heatmaps.

    Parameters
    ----------
    model : keras.Model
    doc : numpy.ndarray, or a list or dict of them, optional
        One sample; needed where the model leaves the size of its input open.
    input, grid
        See `eli5.keras.explain_prediction.explain_prediction_keras_image`.

    Returns
    -------
    list of TargetLayer
        Each with ``name`` (what ``layer=`` takes), ``grid`` and ``nth`` (which of its calls).

    Raises
    ------
    TypeError, ValueError
        If `doc` does not fit the model, or is missing where the model does not tell its size.
    """
    if doc is None:
        doc = inputs.blank(model)
    inputs.check_doc(model, doc)
    inputs.ensure_built(model, doc)
    position = inputs.find_picture(model, doc, input)
    trace = token_ids.trace(model, inputs.standardize(doc), position)
    view = view_of(keras.tree.flatten(doc)[position], trace, None)
    return suitable.target_layers(trace, view.size, grid)


def has_steps(model: keras.Model, doc: Array) -> bool:
    """Tell whether a layer of the model has the steps of a doc ``(1, T)``."""
    inputs.check_doc(model, doc)
    parts = engine.parts_of(model)
    if not model.built and not any(isinstance(part, keras.layers.Embedding) for part in parts):
        return False  # and is not built for nothing

    def build() -> None:
        inputs.ensure_built(model, doc)

    with engine.steady(model, build):
        trace = token_ids.trace(model, inputs.standardize(doc), 0)
    return bool(suitable.suitable_calls(trace, doc.shape[1:]))


def _last_that_reacts(
    model: keras.Model, prepared: Preparation, score: Any, sites: list[engine.Site]
) -> int:
    """Return which site is the last that the score has a gradient at; found out once.

    A transformer's head that takes the class token alone leaves the patches without gradient from
    the last attention on, as does a head that takes the last step of a recurrent layer: a gradient
    at one place alone is no map. Without any other it is the last site.
    """
    query = engine.Query(score, Select(prepared.output), tuple(sites), (reacts,) * len(sites))
    arguments = prepared.sample, prepared.targets

    def find() -> int:
        answers, _ = engine.evaluate(model, *arguments, query)
        return next((k for k, answer in enumerate(answers) if answer.any()), 0)

    return engine.recall(model, ("reacts", engine.key_of(query, arguments)), find)


def reacts(activations: Any, gradients: list[Any], _: Any) -> Any:
    """Tell whether any gradient is other than zero, at two places at least; traced, ``(B,)``."""
    places = tuple(range(1, activations.ndim - 1))
    flags = [
        ops.sum(ops.cast(ops.any(slope != 0, axis=-1), "int32"), axis=places) > 1
        for slope in gradients
    ]
    return ops.any(ops.stack(flags), axis=0)
