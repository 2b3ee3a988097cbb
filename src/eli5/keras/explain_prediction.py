"""From a model and a doc to an Explanation: the straight line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import keras
from eli5.base import Explanation
from eli5.keras.inputs import model_inputs as inputs
from eli5.keras.inputs.series import check_axes
from eli5.keras.inputs.text import check_words
from eli5.keras.pipeline.batch import Item, explain_batch
from eli5.keras.pipeline.plan import has_steps
from eli5.keras.pipeline.request import make_request
from eli5.keras.pipeline.result import ClassNames
from eli5.keras.targets import classes as scores
from eli5.keras.text.strings import as_ids
from eli5.keras.text.tokenize import is_string

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "explain_prediction_keras",
    "explain_prediction_keras_image",
    "explain_prediction_keras_series",
    "explain_prediction_keras_text",
]

Array = np.ndarray[Any, Any]


def explain_prediction_keras(
    model: keras.Model,
    doc: Array,
    targets: list[int] | None = None,
    layer: Any = None,
    image: Image | None = None,
    **options: Any,
) -> Any:
    """Explain the prediction of a Keras classifier.

    What is said of the doc tells what it is: ``tokens=``, ``pad_value=`` or ``pad_token=`` a text,
    as does a string for a doc; ``time=`` or ``channel_names=`` a series; ``image=`` a picture.
    Otherwise ``(1, H, W, C)`` is a picture, ``(1, T)`` a text for a model with an embedding, and
    ``(1, T, F)`` a series, or a picture ``(1, H, W)`` where the model makes maps of height and
    width of it.

    Parameters
    ----------
    model, doc, targets, layer, image, **options
        See `explain_prediction_keras_image`, `explain_prediction_keras_text` and
        `explain_prediction_keras_series`.

    Returns
    -------
    Explanation, or a list of them if ``methods=`` is given
        With ``error`` set if model and doc are of no supported kind.

    Raises
    ------
    TypeError, ValueError
        As these functions; ValueError also if what is said of the doc speaks for two of them.
    """
    inputs.check_model(model)
    kind = _told_kind(doc, image, options)
    if kind is None and _is_table(model, doc):
        return Explanation(
            model.name,
            error=f'model "{model.name}" is not supported, try passing the "image" argument if '
            "explaining an image model.",
        )
    if kind == "text" or (kind is None and isinstance(doc, np.ndarray) and doc.ndim == 2):
        return explain_prediction_keras_text(model, doc, targets=targets, layer=layer, **options)
    if kind == "series":
        return explain_prediction_keras_series(model, doc, targets=targets, layer=layer, **options)
    return explain_prediction_keras_image(
        model, doc, image=image, targets=targets, layer=layer, **options
    )


_TELLING = {
    "text": ("tokens", "pad_value", "pad_token"),
    "series": ("time", "channel_names"),
    "image": ("image",),
}


def _told_kind(doc: Any, image: Any, options: Mapping[str, Any]) -> str | None:
    """Return what the arguments say that the doc is; ValueError if they do not agree."""
    given = {name for name, value in options.items() if value is not None}
    given |= {"image"} if image is not None else set()
    kinds = [kind for kind, names in _TELLING.items() if given & set(names)]
    if is_string(doc) and "text" not in kinds:
        kinds.append("text")
    if len(kinds) > 1:
        names = [f"`{n}`" for kind in kinds for n in _TELLING[kind] if n in given]
        names = ["a string for `doc`", *names] if is_string(doc) else names
        raise ValueError(
            f"Expected a doc to be one of text, series and image. Received: {' and '.join(names)}, "
            "which speak for two of them."
        )
    return kinds[0] if kinds else None


def _is_table(model: keras.Model, doc: Any) -> bool:
    """Tell a doc of rank 2 that is no text, because the model has no layer with its steps."""
    if not isinstance(doc, np.ndarray):
        return False  # the check of `doc` says better what is wrong
    shapes = inputs.input_shapes(model)
    ranks = {doc.ndim} if shapes is None else set(map(len, shapes.values()))
    if ranks & set(inputs.IMAGE_RANKS):
        return False
    return doc.ndim != 2 or not has_steps(model, doc)


def explain_prediction_keras_image(
    model: keras.Model,
    doc: Array,
    image: Image | None = None,
    targets: list[int] | None = None,
    layer: Any = None,
    *,
    method: Any = "Grad-CAM",
    methods: Sequence[Any] | None = None,
    score: Any = "auto",
    sign: str = "positive",
    top_targets: int | None = None,
    class_names: ClassNames | None = None,
    input: str | int | None = None,
    output: str | int | None = None,
    grid: tuple[int, ...] | None = None,
    fusion: str = "mean",
    batch_size: int = 32,
    **options: Any,
) -> Any:
    """Explain an image classifier's prediction, with Grad-CAM (arXiv:1610.02391) if not said.

    Parameters
    ----------
    model : keras.Model
        Of any kind; it is built if it never was.
    doc : numpy.ndarray, or a list or dict of them
        One sample of the model's input(s) with batch size 1. The picture is ``(1, H, W, C)`` or
        ``(1, H, W)``, a volume or video ``(1, D, H, W, C)``; ``(1, C, H, W)`` and ``(1, C, D, H,
        W)`` where the model has its channels first.
    image : PIL.Image.Image, optional
        The picture to lay the heatmap over; made from `doc` if not given.
    targets : list of one int, optional
        The class to explain; the top prediction if not given.
    layer : str, int, keras.layers.Layer or a pair, or a list of these, optional
        The target layer, by name (at any depth, as ``"base/conv"`` where ``"conv"`` is not alone),
        index into ``model.layers`` or itself. ``(layer, nth)`` picks one of several calls, in the
        order in which the model runs them, which in a functional model need not be that in which
        they were written; if not said, it is the last that sees the picture. If no layer is given:
        the last that gives a feature map and that the score reacts to; in a transformer the last
        normalised tokens. `eli5.keras.target_layers` lists them. The maps of several layers are
        fused.
    method : str or callable
        A name from `eli5.keras.METHODS`, in any spelling (``"gradcam"``), or a formula of your own
        ``(activations, gradients) -> map``, traced, on `keras.ops` tensors of shape ``(B, H, W,
        C)`` to ``(B, H, W)``; pass the same function each time, a new one is compiled anew.
    methods : sequence of str or callable, optional
        Several methods in the place of one; those that can share a run of the model.
    score : {"auto", "output", "logit"} or callable
        Which number is differentiated. ``"auto"``: the class score before a final softmax or
        sigmoid where the model ends in one, as the paper defines it (a saturated softmax has no
        gradient), otherwise the output. ``"output"``: the output as it is. ``"logit"``: the score
        before the softmax or sigmoid, an error if there is none. A callable takes the model's
        outputs (batch axis first) and returns one number per sample; pass the same function each
        time, a new one is compiled anew.
    sign : {"positive", "negative"}
        ``"negative"`` explains what speaks against the class: the score with the other sign.
    top_targets : int, optional
        Explain this many classes, from the highest output down, in one run of the model.
    class_names : sequence, mapping or callable, optional
        Class id to name.
    input : str or int, optional
        Which of several inputs is the picture; needed where more than one looks like one.
    output : str or int, optional
        Which of several outputs is explained, by key, name or index; the first if not given. A
        callable `score` gets this one, or all if not given.
    grid : tuple of int, optional
        Height and width of the grid that a transformer's tokens lie on, where it cannot be inferred
        from the model. Tokens before the last ``height * width`` are class or register tokens.
    fusion : {"mean", "max"}
        How the maps of several layers become one, each divided by its largest absolute value.
    batch_size : int
        The most copies or perturbed inputs that the model sees at once.
    **options
        Of the method: ``METHODS[name].options`` has them with their defaults, the docstring of
        ``METHODS[name].function`` says what they mean. Each formula also takes ``n_samples``,
        ``noise``, ``seed`` and ``augment``; see `eli5.keras.methods.smoothing.Smoothing`.

    Returns
    -------
    Explanation, or a list of them if `methods` is given
        ``image``, ``method``, ``layer``, ``description`` and ``targets``: one `TargetExplanation`
        per class, with ``attribution`` (float32, of the target layer's grid or the input's size:
        rank 2, for volumes rank 3), ``heatmap`` (the same in [0, 1], without what is negative),
        ``target``, ``score`` (the model's own output for the class), ``proba`` (the same, where it
        is a probability).

    Raises
    ------
    TypeError
        If `doc` is no NumPy array, `targets` no list, its item no integer, `layer` of another type,
        `image` no Pillow image, or if no method has an option.
    ValueError
        If the doc's shape does not match, if `targets` has not one item in ``[0, n_classes)``, if
        no suitable layer is found or the score cannot be differentiated with respect to it, if
        the model is no classifier, if there is no such method, or if it cannot serve the model.

    Warns
    -----
    UserWarning
        If a heatmap is empty; the reason is in ``description`` too.
    """
    inputs.check_model(model)
    inputs.check_doc(model, doc)
    scores.check_targets(targets)
    return explain_classes(
        model,
        doc,
        targets,
        image=image,
        method=method,
        methods=methods,
        score=score,
        sign=sign,
        top_targets=top_targets,
        class_names=class_names,
        layer=layer,
        input=input,
        output=output,
        grid=grid,
        fusion=fusion,
        batch_size=batch_size,
        **options,
    )


def explain_prediction_keras_text(
    model: keras.Model,
    doc: Array,
    tokens: Sequence[str] | None = None,
    pad_value: float | None = None,
    pad_token: str | None = None,
    targets: list[int] | None = None,
    layer: Any = None,
    **options: Any,
) -> Any:
    """Explain a text classifier's prediction, with Grad-CAM over the tokens if not said.

    Parameters
    ----------
    model : keras.Model
    doc : numpy.ndarray, or a list or dict of them
        Token ids ``(1, T)``, or one vector per token ``(1, T, F)``. For a model that takes strings,
        or that has a ``preprocessor`` in front, as KerasHub's tasks have: ``np.array([text])``.
    tokens : list or array of str, or any iterable of them, optional
        One per step, also with a batch axis of 1. The ids if not given.
    pad_value : number, optional
        What `doc` holds where there is padding. Padding before and after the text is left out of
        the result. If neither this nor `pad_token` is given, it is what the model itself masks
        (``Embedding(mask_zero=True)``, ``Masking``).
    pad_token : str, optional
        What `tokens` hold where there is padding.
    targets, layer, **options
        See `explain_prediction_keras_image`. Methods that explain the input itself differentiate
        with respect to the embedding's output; Occlusion, LIME and KernelSHAP leave tokens out: the
        id of padding takes their place where it is known, and zeros that of their embedding where
        not, or as ``baseline=`` says.

    Returns
    -------
    Explanation, or a list of them if ``methods=`` is given
        ``targets[k].heatmap`` and ``attribution`` have one number per token; ``weighted_spans`` has
        the text, with the place and the weight of each token. ``image`` is None.

    Raises
    ------
    TypeError
        If `tokens` are no strings, `pad_value` is no number or `pad_token` no string.
    ValueError
        If there are no tokens or another number of them than steps, if `image` is given as well, if
        all is padding, or if a raw string cannot be cut into tokens for this model.
    """
    if options.get("image") is not None:
        raise ValueError("Expected either `image` or `tokens`. Received: both")
    words = check_words(tokens, pad_value, pad_token)
    options = {"layer": layer, **options}
    model, doc, words, options = as_ids(model, doc, words, options)
    inputs.check_doc(model, doc)
    scores.check_targets(targets)
    known = {"kind": "tokens", "mask_id": words.pad_value}
    return _explain_one(model, Item(doc, targets, beside=words), known | options)


def explain_prediction_keras_series(
    model: keras.Model,
    doc: Array,
    targets: list[int] | None = None,
    layer: Any = None,
    *,
    time: Any = None,
    channel_names: Sequence[str] | None = None,
    **options: Any,
) -> Any:
    """Explain the prediction of a classifier of series, with Grad-CAM over time if not said.

    Parameters
    ----------
    model : keras.Model
    doc : numpy.ndarray, or a list or dict of them
        T steps of F channels, ``(1, T, F)``; ``(1, F, T)`` where the model has its channels first.
        One channel may be ``(1, T)``, if the model takes it so.
    time : array of T numbers, dates or durations, optional
        When each step is; it must rise. Dates with a time zone are converted to UTC, durations
        (``timedelta64``) to seconds.
    channel_names : list of F strings, optional
        Or an array, or a column of a table.
    targets, layer, **options
        See `explain_prediction_keras_image`.

    Returns
    -------
    Explanation, or a list of them if ``methods=`` is given
        ``series`` has the doc, as ``(T, F)``. ``targets[k].heatmap`` and ``attribution`` have one
        number per step, ``(T,)``; by gradients of the input and by Occlusion one per step and
        channel, ``(T, F)``, unless the doc is ``(1, T)``.

    Raises
    ------
    TypeError, ValueError
        If `time` or `channel_names` are of another type or length, or if `time` does not rise, is
        not finite, or has dates of other years than 1 to 9999; see
        `explain_prediction_keras_image`.
    """
    axes = check_axes(time, channel_names)
    inputs.check_doc(model, doc)
    scores.check_targets(targets)
    options = {"kind": "series", "layer": layer, **options}
    return _explain_one(model, Item(doc, targets, beside=axes), options)


def _explain_one(model: keras.Model, item: Item, options: Mapping[str, Any]) -> Any:
    request = make_request(targets=item.targets, **options)
    return explain_batch(model, request, [item])[0]


def explain_classes(
    model: keras.Model,
    doc: Any,
    targets: Sequence[int] | None,
    *,
    image: Image | None = None,
    **options: Any,
) -> Any:
    """Explain any number of classes in one run of the model.

    See `explain_prediction_keras_image`, which differs by its checks and by taking one target.
    """
    request = make_request(targets=targets, **options)
    inputs.check_image(image)
    return explain_batch(model, request, [Item(doc, targets, image)])[0]
