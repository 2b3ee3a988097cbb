"""The one door: from a doc, and what the caller says of it, to a `Sample`.

Here the doc is checked, its kind decided, a string cut into tokens, and the input found that is
explained. Nobody behind looks at the doc again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from keras import layers

from eli5.checks import warn
from eli5.keras import engine
from eli5.keras.inputs.image import IMAGE
from eli5.keras.inputs.kind import Kind
from eli5.keras.inputs.model_inputs import (
    ModelInputs,
    UnsupportedDocError,
    check_model,
    find_fixed_batch,
    input_shapes,
    read_output,
    take_doc,
)
from eli5.keras.inputs.series import SERIES
from eli5.keras.inputs.stand_in import find_stand_in
from eli5.keras.inputs.text import TEXT, TextDetails
from eli5.keras.inputs.token_ids import trace_model
from eli5.keras.layers.candidate_layers import has_steps
from eli5.keras.layers.conditions import View
from eli5.keras.text.subword_tokenizer import tokenizer_of
from eli5.keras.text.tokenize import is_string, tokenize

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

# In the order in which a doc of which nobody says what it is, is tried.
KINDS: tuple[Kind, ...] = (TEXT, IMAGE, SERIES)


class DocOptions(NamedTuple):
    """What a caller says of one doc; see `eli5.explain_prediction`."""

    kind: Kind | None = None  # what the doc is, where the function that was called says so
    image: Any = None
    tokens: Any = None
    pad_value: Any = None
    pad_token: Any = None
    time: Any = None
    channel_names: Any = None
    targets: Sequence[int] | None = None  # the classes to explain
    number: int | None = None  # which of many docs it is, for errors and warnings


_NOTHING_SAID = DocOptions()


class Sample(NamedTuple):
    """One doc, checked, as the model takes it."""

    # That takes the inputs: the caller's, or its part behind a `TextVectorization`.
    model: keras.Model
    given_model: keras.Model  # the caller's
    inputs: Any  # as they are fed to `model`, batch axis included
    signature: str  # their structure, shapes and dtypes
    input_index: int  # which of them is explained, in the order of `keras.tree.flatten`
    input_name: str | None  # its name, where there are several
    # The explained input as it came, batch axis included; or the output that stands for it.
    values: Array
    trace: engine.Trace  # of one call of the model
    kind: Kind
    # The cells of the explained input: ``(H, W)``, for volumes ``(D, H, W)``; ``(T,)`` of texts and
    # series.
    size: tuple[int, ...] = ()
    fixed_batch: int | None = None  # the one number of samples that the model takes, if it is one
    details: Any = None  # what else the kind knows of the doc
    stand_in: engine.Call | None = None  # the call whose output stands for the explained input
    valid: slice | None = None  # of a text: the steps that are no padding
    masked: Array | None = None  # of a text or series: the steps that the model masks, of bool
    # Of token ids: the one that stands for a token left out, where it is known.
    mask_id: int | None = None
    is_unprepared: bool = False  # whether it, or one read before it, was warned of as raw pixels
    image: Image | None = None  # the picture that the caller gave
    targets: Sequence[int] | None = None  # the classes that the caller gave for this doc
    number: int | None = None  # which of many docs it is

    @property
    def channels_first(self) -> bool:
        """Whether the explained input has its channels behind the batch axis."""
        return _channels_first(self.trace, self.stand_in)

    def view(self, trace: engine.Trace, grid: tuple[int, ...] | None = None) -> View:
        """Return what the layers of a trace are compared with."""
        start = None if self.stand_in is None else self.stand_in.source
        return View(trace, self.values.shape, self.size, self.channels_first, grid, start)


@engine.in_the_open
def read_sample(
    model: keras.Model,
    doc: Any,
    about: DocOptions = _NOTHING_SAID,
    *,
    input: str | int | None = None,
    grid: tuple[int, ...] | None = None,
    data_format: str | None = None,
    like: Sample | None = None,
) -> Sample:
    """Read one doc.

    Parameters
    ----------
    model : keras.Model
        It is built, if it never was.
    doc : numpy.ndarray, a list or dict of them, or str
    about : DocOptions
    input : str or int, optional
        Which of several inputs is explained.
    grid : tuple of int, optional
        Height and width of the picture that flat columns are.
    data_format : {"channels_first", "channels_last"}, optional
        Where the picture's channels are, for a model that does not show it.
    like : Sample, optional
        One that was read before, for the same model and options: what a doc of the same shapes has
        in common with it is not found out again.

    Raises
    ------
    TypeError, ValueError
        If the doc does not fit the model, or what is said of it does not fit the doc.
    UnsupportedDocError
        If nobody says what the doc is, and it is a table of numbers.
    RuntimeError
        Inside of what `jax.jit` or `tf.function` compile.
    """
    check_model(model)
    kind = check_doc_options(about, doc)
    details = None if kind is None else kind.check_options(about)
    given_model, mask_id, which = model, None, input
    if kind is not IMAGE and is_string(doc) and not _is_path(model, doc):
        _check_no_details(doc, details)
        text = tokenize(model, doc)
        model, doc, mask_id = text.model, text.doc, text.mask_id
        which = text.input
        details = TextDetails.of(text)
    inputs = take_doc(model, doc, which, kind, is_ready=like is not None and like.model is model)
    sample = _told_apart(model, inputs, about, kind, grid, data_format, like)
    sample = _warned(sample, like)
    sample = sample._replace(given_model=given_model, details=details, mask_id=mask_id)
    return sample.kind.complete(sample, sample.trace)


def _is_path(model: keras.Model, doc: Any) -> bool:
    """Tell a string for a model of pictures, which is to be refused as what is no array."""
    ranks = map(len, (input_shapes(model) or {}).values())
    return isinstance(doc, str) and max(ranks, default=0) > 3 and tokenizer_of(model) is None


def _told_apart(
    model: keras.Model,
    inputs: ModelInputs,
    about: DocOptions,
    kind: Kind | None,
    grid: tuple[int, ...] | None,
    data_format: str | None,
    like: Sample | None,
) -> Sample:
    """Return what the model tells of a doc: of which kind it is, and what it does with it."""
    signature, values = engine.signature(inputs.arrays), inputs.values
    if like is not None and like.model is model and like.signature == signature:
        trace, n_samples = like.trace, like.fixed_batch
    else:
        n_samples = engine.recall(
            model, ("batch", signature), lambda: find_fixed_batch(model, inputs)
        )
        trace = _with_layout(trace_model(model, inputs, n_samples), data_format)
        like = None
    stand_in = None
    if kind is None or kind is IMAGE:
        stand_in = find_stand_in(
            model, inputs, trace, about.image, grid, n_samples or 1, is_picture=kind is IMAGE
        )
    if stand_in is not None:
        kind, values = IMAGE, stand_in.values
    elif like is not None:
        kind = like.kind
    else:
        kind = _recognised(model, inputs, trace, kind)
    call = None if stand_in is None else stand_in.call
    arrays, index = inputs.arrays, inputs.input_index
    return Sample(
        model=model,
        given_model=model,
        inputs=arrays,
        signature=signature,
        input_index=index,
        input_name=inputs.name,
        values=values,
        trace=trace,
        kind=kind,
        size=kind.size(values, _channels_first(trace, call)),
        fixed_batch=n_samples,
        stand_in=call,
        masked=None if call else _find_masked_steps(model, arrays, index, trace, n_samples or 1),
        image=None if isinstance(about.image, str) else about.image,
        targets=about.targets,
        number=about.number,
    )


def _with_layout(trace: engine.Trace, data_format: str | None) -> engine.Trace:
    """Return the trace with the layout of the picture that a caller gives."""
    if data_format is None:
        return trace
    return trace._replace(channels_first=data_format == "channels_first", is_layout_known=True)


def _recognised(
    model: keras.Model, inputs: ModelInputs, trace: engine.Trace, kind: Kind | None
) -> Kind:
    # Where layers keep the steps of a row of numbers it is a text, else a table.
    if kind is None and inputs.name is None and not has_steps(trace, inputs.values):
        raise UnsupportedDocError(model)
    if kind is None or kind is IMAGE:
        return next(one for one in KINDS if one.recognises(inputs.values, trace))
    return kind


def _warned(sample: Sample, like: Sample | None) -> Sample:
    """Warn of a doc that was not prepared for the model, once for many of them."""
    if like is not None and like.is_unprepared:
        return sample._replace(is_unprepared=True)
    problem = sample.kind.unprepared(sample)
    if problem:
        warn(problem)
    return sample._replace(is_unprepared=bool(problem))


def _channels_first(trace: engine.Trace, stand_in: engine.Call | None) -> bool:
    return trace.channels_first if stand_in is None else stand_in.channels_first


def _check_no_details(doc: Any, details: Any) -> None:
    if details != TextDetails():
        raise ValueError(
            "Expected neither `tokens` nor padding for a string, which the model itself cuts into "
            f"tokens. Received: doc={doc!r} with them. Give the token ids as `doc`."
        )


def check_doc_options(about: DocOptions, doc: Any = None) -> Kind | None:
    """Return what a caller says that a doc is; ValueError if that speaks for two kinds."""
    given = {
        kind: [f"`{name}`" for name in kind.options if getattr(about, name) is not None]
        for kind in KINDS
    }
    if is_string(doc) and about.kind is None:
        given[TEXT] = ["a string for `doc`", *given[TEXT]]
    if about.kind is not None and not given[about.kind]:
        given[about.kind] = [f"a {about.kind.words.noun}"]
    kinds = [kind for kind, names in given.items() if names]
    if len(kinds) > 1:
        names = [name for kind in kinds for name in given[kind]]
        raise ValueError(
            f"Expected a doc to be one of text, series and image. Received: {' and '.join(names)}, "
            "which speak for two of them."
        )
    return kinds[0] if kinds else None


# ---- steps that the model masks ------------------------------------------------------------------

# What may stand between the doc and the masking, as it makes each step of that step alone.
_PER_STEP = (
    layers.Activation,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.LayerNormalization,
    layers.Normalization,
    layers.ReLU,
    layers.Rescaling,
)


def _find_masked_steps(
    model: keras.Model, arrays: Any, input_index: int, trace: engine.Trace, n_samples: int = 1
) -> Array | None:
    """Return which steps of a doc ``(1, T, F)`` a `Masking` layer masks.

    Parameters
    ----------
    model : keras.Model
    arrays, input_index, trace
        See `Sample`.
    n_samples : int
        How many the model takes at once.

    Returns
    -------
    numpy.ndarray of bool, shape (T,)
        None if it masks none.
    """
    values = keras.tree.flatten(arrays)[input_index]
    if values.ndim != 3 or trace.channels_first:
        return None
    masked = np.zeros(values.shape[1], bool)
    for call in trace.calls:
        if _masks_steps(call, trace, values.shape):
            masked |= _masked_by(model, arrays, trace, call, values, n_samples)
    return masked if masked.any() else None


def _masks_steps(call: engine.Call, trace: engine.Trace, shape: tuple[int, ...]) -> bool:
    """Tell whether a call masks the steps of the doc, and not what a window has made of them."""
    if not isinstance(call.operation(), layers.Masking) or not call.has_positions:
        return False
    if call.shape[:2] != shape[:2] or not call.is_outside:
        return False
    before = call.parent
    while before is not None:
        if not isinstance(trace.calls[before].operation(), _PER_STEP):
            return False
        before = trace.calls[before].parent
    return True


def _masked_by(
    model: keras.Model,
    arrays: Any,
    trace: engine.Trace,
    call: engine.Call,
    values: Array,
    n_samples: int,
) -> Array:
    """Return which steps one call of a `Masking` masks, found by the layer's own comparison."""
    masking: Any = call.operation()
    if call.parent is not None:
        taken = read_output(model, arrays, trace.calls[call.parent], n_samples)
    elif all(type(op()).__name__ in ("Functional", "Sequential") for op in call.within):
        taken = values
    else:
        # A `call` of a user's own may have computed with the doc before: what is masked is zero.
        return np.asarray((read_output(model, arrays, call, n_samples)[0] == 0).all(axis=-1))
    mask_value = np.asarray(masking.mask_value, taken.dtype)
    return np.asarray((taken[0] == mask_value).all(axis=-1))
