"""Targets and scores: which number of the model's output is differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import keras

SCORES = ("auto", "output", "logit")

# Names of final activations whose result is a probability (log_softmax gives none).
_PROBABILITIES = ("softmax", "sigmoid")

TOP = -1  # in an array of targets: "the class of this rank", not a class id


def check_targets(targets: Any) -> None:
    """Check what can be said of `targets` without knowing the model.

    Raises
    ------
    TypeError
        If it is neither a list nor None, or if its item is no integer (``True`` is none).
    ValueError
        If it has another number of items than one.
    """
    if targets is None:
        return
    if not isinstance(targets, list):
        raise TypeError(
            "Expected `targets` to be None or a list with one class id. "
            f"Received: targets={targets!r} (of type {type(targets).__name__})"
        )
    if len(targets) != 1:
        raise ValueError(
            "Expected `targets` to be a list with one class id. "
            f"Received: targets={targets!r} with {len(targets)} items"
        )
    if not is_integer(targets[0]):
        raise TypeError(
            "Expected the class id in `targets` to be an integer. "
            f"Received: targets={targets!r} with an item of type {type(targets[0]).__name__}"
        )


def check_score(score: Any, targets: Any, top_targets: Any = None) -> None:
    """Check `score`; raise ValueError for an unknown name, TypeError for another type."""
    if callable(score):
        if targets is not None or top_targets is not None:
            raise ValueError(
                "Expected no `targets` and no `top_targets` beside a callable `score`, which picks "
                f"its number itself. Received: targets={targets!r}, top_targets={top_targets!r}"
            )
    elif not isinstance(score, str):
        raise TypeError(
            f"Expected `score` to be one of {SCORES} or a callable. "
            f"Received: score={score!r} (of type {type(score).__name__})"
        )
    elif score not in SCORES:
        raise ValueError(
            f"Expected `score` to be one of {SCORES} or a callable. Received: score={score!r}"
        )


def check_top_targets(top_targets: Any, targets: Any) -> None:
    """Check `top_targets`: None, or a positive integer without `targets` beside it."""
    if top_targets is None:
        return
    if not is_integer(top_targets):
        raise TypeError(
            "Expected `top_targets` to be None or an integer. Received: "
            f"top_targets={top_targets!r} (of type {type(top_targets).__name__})"
        )
    if top_targets < 1:
        raise ValueError(f"Expected `top_targets` >= 1. Received: top_targets={top_targets}")
    if targets is not None:
        raise ValueError(
            "Expected either `targets` or `top_targets`. Received: both, "
            f"targets={targets!r} and top_targets={top_targets}"
        )


def target_array(
    targets: Sequence[int] | None, top_targets: int | None, n_classes: int
) -> np.ndarray[Any, Any]:
    """Return the targets as `eli5.keras.targets.score.Select` takes them: int32, ``(1, K)``.

    Raises
    ------
    ValueError
        If a target is no class of the model, or more classes are asked for than there are.
    """
    if targets is None:
        if (top_targets or 1) > n_classes:
            raise ValueError(
                f"Expected `top_targets` of at most {n_classes}, the number of the model's "
                f"classes. Received: top_targets={top_targets}"
            )
        return np.full((1, top_targets or 1), TOP, dtype="int32")
    for target in targets:
        if not 0 <= target < n_classes:
            raise ValueError(
                f"Expected a class id in [0, {n_classes}), as the model's output has shape "
                f"(1, {n_classes}). Received: targets={list(targets)!r}"
            )
    return np.array([targets], dtype="int32")


def find_output(model: keras.Model, outputs: Any, output: Any) -> int:
    """Return which output is meant, in the order of `keras.tree.flatten`.

    Parameters
    ----------
    model : keras.Model
    outputs : spec, or a list, tuple or dict of them
        What the model returns.
    output : None, str or int
        The key in a dict, the name in a functional model, or the index, in the order in which the
        model declares them; None is the first.

    Raises
    ------
    TypeError
        If `output` is of another type.
    ValueError
        If there is no such output.
    """
    names = _output_names(model, outputs)
    if output is None:
        output = 0
    if not (isinstance(output, str) or is_integer(output)):
        raise TypeError(
            "Expected `output` to be None, a name or an index. Received: "
            f"output={output!r} (of type {type(output).__name__})"
        )
    if isinstance(output, str) and output in names:
        return names.index(output)
    if is_integer(output) and -len(names) <= output < len(names):
        return names.index(_as_declared(model, outputs, names)[output])
    raise ValueError(
        f"Expected `output` to be one of {names} or an index below {len(names)}. "
        f"Received: output={output!r}"
    )


def _as_declared(model: keras.Model, outputs: Any, names: list[str]) -> list[str]:
    """Return the names in the order of the model; it returns the keys of a dict sorted."""
    if not isinstance(outputs, dict):
        return names
    try:
        declared = model.output
    except (AttributeError, ValueError):  # a subclass declares none
        declared = outputs
    return list(declared if isinstance(declared, dict) else outputs)


def _output_names(model: keras.Model, outputs: Any) -> list[str]:
    """Name the outputs, in the order of `keras.tree.flatten`: by key, by layer, or by number."""
    if isinstance(outputs, dict):
        return keras.tree.flatten({key: key for key in outputs})
    n_outputs = len(keras.tree.flatten(outputs))
    names = getattr(model, "output_names", None) or []
    return list(names) if len(names) == n_outputs else list(map(str, range(n_outputs)))


def n_classes(spec: keras.KerasTensor) -> int:
    """Return the number of classes of a classifier's output.

    Raises
    ------
    ValueError
        If the output is not of shape ``(B, n_classes)``, or ``(B,)`` for a single unit.
    """
    shape = tuple(spec.shape)
    if len(shape) not in (1, 2):
        raise ValueError(
            "Expected a classifier, a model with an output of shape (1, n_classes). Received: a "
            f"model with output shape {shape}. Give `score=` a callable that takes "
            "the outputs and returns the number to explain, or name another output: `output=`."
        )
    return 1 if len(shape) == 1 else int(shape[1])


def check_logit(score: Any, activation: str | None) -> None:
    """Raise ValueError if ``score="logit"`` is asked for and the model shows no logits."""
    if score == "logit" and activation is None:
        raise ValueError(
            'Expected a model that ends in a softmax or a sigmoid for score="logit". Received: a '
            'model without one at its end. If it ends in logits, use score="output".'
        )


def explained(score: Any, activation: str | None) -> str:
    """Name the number that is differentiated, for people."""
    if callable(score):
        return f"{score_name(score)}(outputs)"
    if score == "output" or activation is None:
        return "the model's output"
    return f"the score before the final {activation}"


def score_name(score: Callable[..., Any]) -> str:
    """Return the name of a user's score."""
    return getattr(score, "__name__", type(score).__name__)


def is_probability(activation: str | None) -> bool:
    """Tell whether an output that comes from this activation is a probability."""
    return activation in _PROBABILITIES


def is_integer(value: Any) -> bool:
    """Tell whether `value` is an integer of Python or NumPy; a truth value is none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Tell whether `value` is a real number of Python or NumPy; a truth value is none."""
    return is_integer(value) or isinstance(value, float | np.floating)
