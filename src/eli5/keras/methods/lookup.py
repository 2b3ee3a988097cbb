"""Which methods are asked for, and which options go to which."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from eli5.checks import (
    did_you_mean,
    expect_choice,
    expect_integer,
    expect_number,
    is_integer,
    listed,
    shown,
    wrong_type,
    wrong_value,
)
from eli5.keras.methods import METHODS
from eli5.keras.methods.method import Method
from eli5.keras.methods.smoothing import Smoothing, make_smoothing

# What other packages call the arguments of a call, by what they are called here.
_ARGUMENTS = {
    "targets": "category category_id category_index class_id class_idx class_index class_label idx "
    "index label label_id label_index labels output_index pred_class pred_index "
    "target_category target_class target_id target_idx target_index target_label y",
    "layer": "conv_layer conv_layer_name last_conv_layer last_conv_layer_name layer_id layer_idx "
    "layer_index layer_name layer_names layers penultimate_layer target_layer target_layers",
    "top_targets": "k n_top num_top top top_k top_labels top_n topk",
}
_NAMED = {other: name for name, others in _ARGUMENTS.items() for other in others.split()}
_ADVICE = {
    "image": "Of many docs it is a list: images=[image]",
    "images": "Of one doc it is image=images[0]",
    "grade": "It is an option of eli5.explain_prediction and eli5.explain_predictions",
    "alpha": "In eli5.show_prediction it is called alpha_limit",
    "cmap": "In eli5.show_prediction it is called colormap",
    **dict.fromkeys(
        ("alpha_limit", "colormap", "percentile", "resampling_filter", "signed"),
        "It is an option of eli5.show_prediction and eli5.format_as_image",
    ),
}

# Other names that are in use.
_ALIASES = {
    "drise": "rise",  # of boxes, which give it another score
    "gradcampp": "gradcam++",
    "gradcamplusplus": "gradcam++",
    "gradientinput": "gradientxinput",
    "chefer": "transformerattribution",
    "ig": "integratedgradients",
    "inputxgradient": "gradientxinput",
    "rollout": "attentionrollout",
}

# By what is found in a name, the nearest to a method that there is not; the first counts.
_NEAREST = {
    "gradientshap": "Integrated Gradients",
    "explainer": "KernelSHAP",
    "shap": "KernelSHAP",
    "anchor": "LIME",
    "deeplift": "Integrated Gradients",
    "lrp": "Integrated Gradients",
    "relevance": "Integrated Gradients",
    "expectedgrad": "Integrated Gradients",
    "guidedgradcam": "HiResCAM",
    "guided": "Saliency",
    "deconv": "Saliency",
    "vanilla": "Saliency",
    "backprop": "Saliency",
    "fullgrad": "LayerCAM",
    "cam++": "Grad-CAM++",
    "ablation": "Occlusion",
    "permutation": "Occlusion",
    "perturbation": "Occlusion",
    "attention": "Attention Rollout",
    "rollout": "Attention Rollout",
    "chefer": "Transformer Attribution",
    "gradients": "Saliency",
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
    own = check_heads(own) if method.at == "attention" else own
    return ChosenMethod(method, own, make_smoothing(options if method.smooths else {}))


def check_heads(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an attention method, checked, in a form that hashes.

    Which heads and layers there are, only the model tells.
    """
    checked = dict(options)
    if checked.get("head") is not None:
        checked["head"] = expect_integer("head", checked["head"], least=0)
    if checked.get("layers") is not None:
        checked["layers"] = _layer_numbers(checked["layers"])
    if "discard" in checked:
        checked["discard"] = expect_number("discard", checked["discard"], least=0)
        if checked["discard"] >= 1:
            raise wrong_value("discard", checked["discard"], "a share below 1")
    return checked


def _layer_numbers(given: Any) -> tuple[int, ...]:
    numbers = [given] if is_integer(given) else list(given) if isinstance(given, range) else None
    numbers = listed(given) if numbers is None else numbers
    if numbers is None or not all(map(is_integer, numbers)):
        raise wrong_type(
            "layers", given, "the number of an attention, or a list or range of them, as range(6)"
        )
    if not numbers or len({*numbers}) < len(numbers):
        raise wrong_value("layers", given, "to name each attention once, and one at least")
    return tuple(map(int, numbers))


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
    if name in METHODS:
        return METHODS[name]
    table = {_plain(canonical): method for canonical, method in METHODS.items()}
    plain = _ALIASES.get(_plain(name), _plain(name))
    if plain in table:
        return table[plain]
    near = _near(plain, table)
    known = "in `eli5.keras.METHODS`" if near else ", ".join(METHODS)
    raise ValueError(f"Expected one of the methods {known}. Received: method={name!r}.{near}")


def _near(plain: str, table: Mapping[str, Method]) -> str:
    """Return what to write in the place of a method that there is not; nothing if nobody knows."""
    known = next((name for part, name in _NEAREST.items() if part in plain), None)
    for cutoff in (0.8, 0.6):  # a slip of the pen, before and after what there may be elsewhere
        if close := difflib.get_close_matches(plain, table, n=1, cutoff=cutoff):
            return f" Did you mean method={table[close[0]].name!r}?"
        if known is not None:
            return f" The nearest to it is method={known!r}."
    return ""


def is_named(method: Any, name: str) -> bool:
    """Tell whether a method is asked for by this name, in any spelling."""
    return isinstance(method, str) and _plain(method) == _plain(name)


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
        if name not in known and (advice := _argument_advice(name, value)):
            raise TypeError(
                f"Expected an option of the method. Received: {name}={shown(value)}. {advice}"
            )
        if name not in known:
            meant = did_you_mean(name.casefold(), [*others, *known])
            having = "; ".join(f"{m}: {', '.join(its) or 'none'}" for m, its in options_of.items())
            raise TypeError(
                f"Expected an option of the method. Received: {name}={shown(value)}. "
                f"{meant and meant + ' '}Options are, of {having}."
            )


def _argument_advice(name: str, value: Any) -> str:
    """Return what to write for what other packages, or other calls, name so; else nothing."""
    meant = _NAMED.get(name)
    if meant is None:
        return _ADVICE.get(name, "")
    if meant != "targets":
        return f"It is called `{meant}` here: {meant}={shown(value)}"
    if isinstance(value, str):
        return f"A class is asked for by name with classes=[{shown(value)}]"
    asked = f"[{value if is_integer(value) else 281}]"
    return f"A class is asked for with targets={asked}; of many docs, with classes={asked}"


def _check_sign(methods: Sequence[Method], sign: str) -> None:
    expect_choice("sign", sign, SIGNS)
    unsigned = [method.name for method in methods if not method.is_signed]
    if sign != _POSITIVE and unsigned:
        raise ValueError(
            f"Expected methods that tell for from against a class for sign={sign!r}. "
            f"Received: {', '.join(unsigned)}, whose map has no sign."
        )
