"""Which methods are asked for, and which options go to which."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from eli5.checks import did_you_mean, expect_choice, shown, wrong_type
from eli5.keras.methods import METHODS
from eli5.keras.methods.method import Method
from eli5.keras.methods.smoothing import Smoothing, make_smoothing

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
    """A method with the options of its function that the caller gave, and the smoothing."""

    method: Method
    options: dict[str, Any]
    smoothing: Smoothing


def choose_methods(
    methods: Sequence[Any], options: Mapping[str, Any], sign: str, others: Sequence[str] = ()
) -> list[ChosenMethod]:
    """Look the methods up and hand each the options that it has.

    A method may be a pair with a dict of options of its own. `others` are arguments that are no
    options of a method, to be guessed at where one is misspelled. TypeError or ValueError if a
    method, an option or the sign is unknown, or if a method cannot serve the sign.
    """
    pairs = [one if _is_pair(one) else (one, {}) for one in methods]
    known = [find_method(method) for method, _ in pairs]
    if not known:
        raise ValueError("Expected `methods` to name at least one method. Received: methods=[]")
    _check_options(known, options, others)
    _check_sign(known, sign)
    chosen = []
    for method, (_, own) in zip(known, pairs, strict=True):
        _check_options([method], own, ())
        chosen.append(_choose(method, {**options, **own}))
    return chosen


def _is_pair(method: Any) -> bool:
    return isinstance(method, tuple | list) and len(method) == 2 and isinstance(method[1], dict)


def _choose(method: Method, options: Mapping[str, Any]) -> ChosenMethod:
    own = {name: value for name, value in options.items() if name in method.own_options}
    return ChosenMethod(method, own, make_smoothing(options if method.smooths else {}))


def find_method(method: Any) -> Method:
    """Return the method of that name, or a user's own formula as one.

    Case, spaces, ``-`` and ``_`` do not count in a name.
    """
    if isinstance(method, Method):
        return method
    if isinstance(method, str):
        return _find_name(method)
    if callable(method):
        return _own(method)
    expected = "a name from `eli5.keras.METHODS`, or a callable (activations, gradients) -> map"
    raise wrong_type("method", method, expected)


def _find_name(name: str) -> Method:
    table = {_plain(canonical): method for canonical, method in METHODS.items()}
    plain = _ALIASES.get(_plain(name), _plain(name))
    if plain in table:
        return table[plain]
    close = difflib.get_close_matches(plain, table, n=1)
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
    options_of = {method.name: list(method.options) for method in methods}
    known = [option for its_options in options_of.values() for option in its_options]
    for name, value in options.items():
        if name not in known:
            meant = did_you_mean(name.casefold(), [*others, *known])
            having = "; ".join(f"{m}: {', '.join(its) or 'none'}" for m, its in options_of.items())
            raise TypeError(
                f"Expected an option of the method. Received: {name}={shown(value)}. "
                f"{meant and meant + ' '}Options are, of {having}."
            )


def _check_sign(methods: Sequence[Method], sign: str) -> None:
    expect_choice("sign", sign, SIGNS)
    unsigned = [method.name for method in methods if not method.is_signed]
    if sign != _POSITIVE and unsigned:
        raise ValueError(
            f"Expected methods that tell for from against a class for sign={sign!r}. "
            f"Received: {', '.join(unsigned)}, whose map has no sign."
        )
