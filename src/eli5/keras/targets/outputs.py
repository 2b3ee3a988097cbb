"""Which of a model's outputs is explained."""

from __future__ import annotations

from typing import Any

import keras
from eli5.checks import is_integer, wrong_type


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
        raise wrong_type("output", output, "None, a name or an index")
    if isinstance(output, str) and output in names:
        return names.index(output)
    if is_integer(output) and -len(names) <= output < len(names):
        return names.index(_declared_names(model, outputs, names)[output])
    raise ValueError(
        f"Expected `output` to be one of {names} or an index below {len(names)}. "
        f"Received: output={output!r}"
    )


def _declared_names(model: keras.Model, outputs: Any, names: list[str]) -> list[str]:
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
