"""From a model and a doc to an Explanation: the straight line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from eli5.base import Explanation, TargetExplanation, missing_picture_libraries
from eli5.keras import engine, inputs, scores
from eli5.keras.heatmap import grad_cam_maps, normalize, why_empty
from eli5.keras.target_layer import check_layer, find_target_layer

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["explain_prediction_keras", "explain_prediction_keras_image"]

Array = np.ndarray[Any, Any]
ClassNames = Sequence[str] | Mapping[int, str] | Callable[[int], str]

_METHOD = "Grad-CAM"


def explain_prediction_keras(
    model: keras.Model,
    doc: Array,
    targets: list[int] | None = None,
    layer: Any = None,
    image: Image | None = None,
    **options: Any,
) -> Explanation:
    """Explain the prediction of a Keras classifier.

    A model whose input looks like an image, ``(1, H, W, C)`` or ``(1, H, W)``, or a call with
    ``image=`` goes to `explain_prediction_keras_image`, where the parameters are described.

    Returns
    -------
    Explanation
        With ``error`` set if model and doc are of no supported kind.
    """
    if image is None and not _may_be_image(model, doc):
        return Explanation(
            model.name,
            error=f'model "{model.name}" is not supported, try passing the "image" argument if '
            "explaining an image model.",
        )
    return explain_prediction_keras_image(
        model, doc, image=image, targets=targets, layer=layer, **options
    )


def _may_be_image(model: keras.Model, doc: Any) -> bool:
    if not isinstance(doc, np.ndarray):
        return True  # the check of `doc` says better what is wrong
    shape = inputs.input_shape(model)
    rank = doc.ndim if shape is None else len(shape)
    return rank in inputs.IMAGE_RANKS


def explain_prediction_keras_image(
    model: keras.Model,
    doc: Array,
    image: Image | None = None,
    targets: list[int] | None = None,
    layer: Any = None,
    *,
    score: Any = "auto",
    top_targets: int | None = None,
    class_names: ClassNames | None = None,
) -> Explanation:
    """Explain an image classifier's prediction with Grad-CAM (arXiv:1610.02391).

    Parameters
    ----------
    model : keras.Model
        Functional, `Sequential` (built or not; it is built if not) or subclassed.
    doc : numpy.ndarray
        One sample of the model's input with batch size 1: ``(1, H, W, C)`` or ``(1, H, W)``.
    image : PIL.Image.Image, optional
        The picture to lay the heatmap over; made from `doc` if not given.
    targets : list of one int, optional
        The class to explain; the top prediction if not given.
    layer : str, int or keras.layers.Layer, optional
        The target layer, by name, index or itself; if not given, the last one that gives a feature
        map.
    score : {"auto", "output", "logit"} or callable
        Which number is differentiated. ``"auto"``: the class score before a final softmax or
        sigmoid where the model ends in one, as the paper defines it (a saturated softmax has no
        gradient), otherwise the output. ``"output"``: the output as it is. ``"logit"``: the score
        before the softmax or sigmoid, an error if there is none. A callable takes the model's
        outputs (batch axis first) and returns one number per sample; pass the same function each
        time, a new one is compiled anew.
    top_targets : int, optional
        Explain this many classes, from the highest output down, in one run of the model.
    class_names : sequence, mapping or callable, optional
        Class id to name.

    Returns
    -------
    Explanation
        ``image``, ``layer``, ``description`` and ``targets``: one `TargetExplanation` per class,
        with ``heatmap`` (rank 2, float32 in [0, 1], of the target layer's size), ``target``,
        ``score`` (the model's own output for the class), ``proba`` (the same, where it is a
        probability).

    Raises
    ------
    TypeError
        If `doc` is no NumPy array, `targets` no list, its item no integer, `layer` of another type,
        `image` no Pillow image.
    ValueError
        If the doc's shape does not match, if `targets` has not one item in ``[0, n_classes)``, if
        no suitable layer is found or the score cannot be differentiated with respect to it, or if
        the model is no classifier.

    Warns
    -----
    UserWarning
        If a heatmap is empty; the reason is in ``description`` too.
    """
    inputs.check_doc(model, doc)
    scores.check_targets(targets)
    scores.check_top_targets(top_targets, targets)
    scores.check_score(score, targets or top_targets)
    check_layer(layer)
    inputs.check_image(image)
    return explain_classes(
        model,
        doc,
        targets,
        image=image,
        layer=layer,
        score=score,
        top_targets=top_targets,
        class_names=class_names,
    )


def explain_classes(
    model: keras.Model,
    doc: Array,
    targets: Sequence[int] | None,
    *,
    image: Image | None = None,
    layer: Any = None,
    score: Any = "auto",
    top_targets: int | None = None,
    class_names: ClassNames | None = None,
) -> Explanation:
    """Explain any number of classes in one run of the model.

    See `explain_prediction_keras_image`, which differs by its checks and by taking one target.
    """
    inputs.ensure_built(model, doc)
    sample = inputs.standardize(doc)
    trace = engine.trace(model, sample)
    site = find_target_layer(model, trace, layer)
    scores.check_logit(score, trace.activation)
    n_classes = 1 if callable(score) else scores.n_classes(trace.outputs)
    result, report = engine.evaluate(
        model,
        sample,
        scores.target_array(targets, top_targets, n_classes),
        engine.Question(site, score, scores.select, grad_cam_maps),
    )
    explained = scores.explained(score, trace.activation)
    found = _target_explanations(result, report, score, trace.activation, class_names)
    reasons = (why_empty(*pair, explained) for pair in zip(*_first(result), strict=True))
    notes = [
        f"The heatmap of target {target.target} at layer {site.path!r} is empty: {why}."
        for target, why in zip(found, reasons, strict=True)
        if why
    ]
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=_callers_level())
    return Explanation(
        model.name,
        description=" ".join([_describe(site.path, result, layer is None, explained), *notes]),
        error="",
        method=_METHOD,
        is_regression=callable(score),
        targets=found,
        image=_picture(doc) if image is None else image,
        layer=site.path,
    )


def _first(result: dict[str, Array]) -> tuple[Array, Array]:
    """Return maps (K, H, W) and health (K, 4) of the one sample."""
    return result["maps"][0], result["health"][0]


def _target_explanations(
    result: dict[str, Array],
    report: dict[str, Array],
    score: Any,
    activation: str | None,
    class_names: ClassNames | None,
) -> list[TargetExplanation]:
    explanations = []
    for k, attribution in enumerate(result["maps"][0]):
        value = float(report["outputs"][0, k])
        explanation = TargetExplanation(
            scores.score_name(score), score=value, heatmap=normalize(attribution)
        )
        if not callable(score):
            explanation.target = int(report["classes"][0, k])
            explanation.class_name = _class_name(class_names, explanation.target)
            explanation.proba = value if scores.is_probability(activation) else None
        explanations.append(explanation)
    return explanations


def _class_name(class_names: ClassNames | None, target: int) -> str | None:
    if class_names is None:
        return None
    if callable(class_names):
        return str(class_names(target))
    try:
        return str(class_names[target])
    except (LookupError, TypeError):  # fewer names than classes: the id must do
        return None


def _describe(path: str, result: dict[str, Array], automatic: bool, explained: str) -> str:
    height, width = result["maps"].shape[2:]
    chosen = ", chosen automatically" if automatic else ""
    return (
        f"{_METHOD} heatmap of layer {path!r} ({height}x{width}{chosen}): the higher, the more the "
        f"region raises {explained}."
    )


def _picture(doc: Array) -> Image | None:
    return None if "Pillow" in missing_picture_libraries() else inputs.to_picture(doc)


def _callers_level() -> int:
    """Return the `stacklevel` of the first caller outside of this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == "eli5":
        level, frame = level + 1, frame.f_back
    return level
