"""Which methods are asked for, and which options go to which."""

from __future__ import annotations

import difflib
import functools
import inspect
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from eli5.keras.methods import METHODS
from eli5.keras.methods.method import Method
from eli5.keras.methods.smoothing import Smoothing, check_smoothing

# Other names that are in use.
_ALIASES = {
    "gradcampp": "gradcam++",
    "gradcamplusplus": "gradcam++",
    "gradientinput": "gradientxinput",
    "ig": "integratedgradients",
    "inputxgradient": "gradientxinput",
}

_POSITIVE = "positive"
SIGNS = (_POSITIVE, "negative")


class ChosenMethod(NamedTuple):
    """A method with the options that the caller gave it.

    Attributes
    ----------
    method : Method
    options : dict
        Of its function.
    smoothing : Smoothing
    """

    method: Method
    options: dict[str, Any]
    smoothing: Smoothing


def choose(
    methods: Sequence[Any], options: Mapping[str, Any], sign: str, others: Sequence[str] = ()
) -> list[ChosenMethod]:
    """Look the methods up and hand each the options that it has.

    Parameters
    ----------
    methods : sequence of str, callable or Method
    options : mapping
    sign : {"positive", "negative"}
    others : sequence of str
        Arguments that are no options of a method, to be guessed at where one is misspelled.

    Raises
    ------
    TypeError
        If a method is of another type, or if none of the methods has an option.
    ValueError
        If there is no method of that name, if there is no such sign, or a method cannot serve it.
    """
    found = [find(method) for method in methods]
    if not found:
        raise ValueError("Expected `methods` to name at least one method. Received: methods=[]")
    _check_options(found, options, others)
    _check_sign(found, sign)
    return [
        ChosenMethod(
            method,
            {name: value for name, value in options.items() if name in method.own_options},
            _smoothing(options if method.smooths else {}),
        )
        for method in found
    ]


def _smoothing(options: Mapping[str, Any]) -> Smoothing:
    smoothing = Smoothing(**{n: options[n] for n in Smoothing._fields if n in options})
    check_smoothing(smoothing)
    return smoothing


def find(method: Any) -> Method:
    """Return the method of that name, or a user's own formula as one.

    Case, spaces, ``-`` and ``_`` do not count in a name.
    """
    if isinstance(method, Method):
        return method
    if isinstance(method, str):
        return _find_name(method)
    if callable(method):
        return _own(method)
    raise TypeError(
        "Expected a method to be a name from `eli5.keras.METHODS`, or a callable "
        "(activations, gradients) -> map. "
        f"Received: method={method!r} (of type {type(method).__name__})"
    )


def _find_name(name: str) -> Method:
    table = {_plain(canonical): method for canonical, method in METHODS.items()}
    if _ALIASES.get(_plain(name), _plain(name)) in table:
        return table[_ALIASES.get(_plain(name), _plain(name))]
    close = difflib.get_close_matches(_plain(name), table, n=1)
    meant = f" Did you mean {table[close[0]].name!r}?" if close else ""
    raise ValueError(
        f"Expected one of the methods {', '.join(METHODS)}. Received: method={name!r}.{meant}"
    )


def _plain(name: str) -> str:
    return name.casefold().translate(
        {ord("×"): "x", ord("*"): "x", **dict.fromkeys(map(ord, " -_"))}
    )


def _own(function: Callable[..., Any]) -> Method:
    inner = function.func if isinstance(function, functools.partial) else function
    name = getattr(inner, "__name__", type(inner).__name__)
    signature = None
    try:
        signature = inspect.signature(function)
        signature.bind("activations", "gradients")
    except (TypeError, ValueError) as error:  # a builtin may have no signature to tell
        raise TypeError(
            "Expected a method of your own to be callable as method(activations, gradients). "
            f"Received: method={name} with the signature {signature or 'unknown'}"
        ) from error
    return Method(name, function, paper="", cost="")


def _check_options(
    methods: Sequence[Method], options: Mapping[str, Any], others: Sequence[str]
) -> None:
    for name in options:
        if not any(name in method.options for method in methods):
            options_of_all = [option for method in methods for option in method.options]
            close = difflib.get_close_matches(name.casefold(), [*others, *options_of_all], n=1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            known = {method.name: ", ".join(method.options) or "none" for method in methods}
            having = "; ".join(f"{method}: {names}" for method, names in known.items())
            raise TypeError(
                f"Expected an option of the method. Received: {name}="
                f"{reprlib.repr(options[name])}.{meant} Options are, of {having}."
            )


def _check_sign(methods: Sequence[Method], sign: str) -> None:
    if sign not in SIGNS:
        raise ValueError(f"Expected `sign` to be one of {SIGNS}. Received: sign={sign!r}")
    unsigned = [method.name for method in methods if not method.is_signed]
    if sign != _POSITIVE and unsigned:
        raise ValueError(
            f"Expected methods that tell for from against a class for sign={sign!r}. "
            f"Received: {', '.join(unsigned)}, whose map has no sign."
        )
