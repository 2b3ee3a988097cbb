"""Options that several commands have, and how what is typed becomes what Python takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.commands.methods import complete_methods
from eli5.cli.console import UserError, print_notice, shortened

AT_LEAST_ONE = Parameter(validator=Number(gte=1))
Methods = Annotated[
    list[str] | None,
    Parameter(name="--method", metavar="NAME[:OPTION=VALUE,…]", completer=complete_methods),
]
MethodOptions = Annotated[list[str] | None, Parameter(name="--option", metavar="NAME=VALUE")]


def _read_id(_: Any, tokens: Sequence[Any]) -> int | str:
    """Return a number as one, and all else as a name: `1.5` is none, and is not rounded."""
    typed = str(tokens[0].value)
    return int(typed) if re.fullmatch(r"\s*[+-]?[0-9]+\s*", typed) else typed


IdOrName = Annotated[int | str, Parameter(converter=_read_id)]
Classes = Annotated[list[IdOrName] | None, Parameter(name="--class", metavar="CLASS")]
Sign = Literal["positive", "negative"]
Flag = Annotated[bool, Parameter(show_default=False)]
AllowFailed = Annotated[int, Parameter(metavar="N", validator=Number(gte=0))]
AsJson = Annotated[bool, Parameter(name="--json", show_default=False)]


@Parameter(name="*")  # the command line has its fields as options, and not the object
@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """What is explained of each picture or text, and how.

    Parameters
    ----------
    classes
        Explain this class, by its number or its name; may be given several times. [default: the
        likeliest class]
    top
        Explain this many classes, the likeliest first.
    methods
        Explain by this method, as `RISE`, or with options of its own as `RISE:n_masks=200,cells=6`;
        may be given several times. `eli5 methods` lists them. [default: Grad-CAM;
        LayerCAM for a detector's boxes]
    method_options
        An option of the methods, as `n_masks=200` or `baseline=blur`; may be given several times.
        Or one of those that have no other name here: input, output, grid, data_format, fusion.
    sign
        Explain what speaks for the class, or against it (`negative`).
    layer
        Name or index of the layer that is explained; the name with its path, as `base/conv`, where
        it is nested. `eli5 layers` lists them. [default: the last with a map over the picture, or
        over the tokens]
    score
        What is explained: the log-odds of the class, what speaks for it and not for others
        (`log-odds`); its score before the final softmax or sigmoid (`logit`); the model's output
        (`output`); or the log-odds where the model ends in a softmax or sigmoid, else the output
        (`auto`).
    task
        What the model's outputs are, where it does not tell: the logits of classes, or values.
    labels
        A text file of class names: line i, counted from 0, names class i.
    batch_size
        How many pictures or texts, or variants of one, the model sees at once. So many are in
        memory.
    grade
        Grade each map: how far it can be trusted, by at most 40 more passes of the model.
    as_json
        Print a line of JSON per picture or text and method, and nothing else.
    allow_failed
        Let the exit code be 0 if at most so many of several pictures or texts failed.
    """

    classes: Classes = None
    top: Annotated[int | None, AT_LEAST_ONE] = None
    methods: Methods = None
    method_options: MethodOptions = None
    sign: Sign = "positive"
    layer: IdOrName | None = None
    score: Literal["auto", "log-odds", "logit", "output"] = "auto"
    task: Literal["classification", "regression"] | None = None
    labels: Path | None = None
    batch_size: Annotated[int, AT_LEAST_ONE] = 8
    grade: Flag = False
    as_json: AsJson = False
    allow_failed: AllowFailed = 0

    def check(self) -> None:
        """Raise UserError if classes and their number are both asked for, or options are none."""
        check_classes(class_=self.classes, top=self.top)
        read_methods(self.methods)
        read_options(self.method_options)


DEFAULT_OPTIONS = ExplainOptions()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a model file is loaded.

    Parameters
    ----------
    imports
        Import this module first, which registers layers of your own with Keras; may be given
        several times. It is looked for in the current folder, too.
    allow_code
        Let the model file run code: for `Lambda` layers and classes from anywhere. Only for files
        that you trust.
    """

    imports: Annotated[list[str] | None, Parameter(name="--import", metavar="MODULE")] = None
    allow_code: Flag = False

    def for_python(self) -> dict[str, Any]:
        """Return what `eli5.loading.models.load` and `eli5.bulk.explain` take."""
        return {"imports": self.imports or (), "allow_code": self.allow_code}

    def warn(self) -> None:
        """Say what is allowed."""
        if self.allow_code:
            print_notice(
                "Warning: with --allow-code the model file may run any code on this machine. "
                "Do so only with files that you trust."
            )


DEFAULT_MODEL_OPTIONS = ModelOptions()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Look:
    """How overlays and pages are drawn.

    Parameters
    ----------
    colormap
        Colours of heatmaps: the name of a colormap of matplotlib. [default: viridis, or coolwarm]
    signed
        Draw what speaks against the class, too, in a second colour.
    """

    colormap: str | None = None
    signed: Flag = False

    def options(self) -> dict[str, Any]:
        """Return those that were given, as `eli5.format_as_image` takes them."""
        colormap = {} if self.colormap is None else {"colormap": self.colormap}
        return {**colormap, **({"signed": True} if self.signed else {})}

    def check(self, *, is_drawn: bool) -> None:
        """Raise UserError if nothing is drawn, or if there is no such colormap."""
        if (look := self.options()) and not is_drawn:
            raise UserError(
                "Expected --colormap and --signed only where something is drawn. Received: "
                f"{', '.join(f'--{name}' for name in look)}. Add --out overlay.png, or a folder"
            )
        if self.colormap is not None:
            from eli5.formatters.overlay.options import make_options

            try:
                make_options(**look)
            except ValueError as error:
                raise UserError(str(error)) from error


DEFAULT_LOOK = Look()


def check_classes(**ways: Any) -> None:
    """Raise UserError if classes are chosen in more than one way; ``class_`` is ``--class``."""
    flags = {f"--{name.rstrip('_').replace('_', '-')}": value for name, value in ways.items()}
    given = [f"{flag}={value}" for flag, value in flags.items() if value]
    if len(given) > 1:
        raise UserError(
            f"Expected either {' or '.join(flags)}. Received: both, {' and '.join(given)}"
        )


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return options that a flag of their own does not stand for; Keras is started."""
    from eli5.keras.inputs.sample import DocOptions
    from eli5.keras.pipeline.request import make_request

    free = ("input", "output", "grid", "data_format", "fusion")
    others = {"images", "docs", "grade", *DocOptions._fields, *(make_request.__kwdefaults__ or ())}
    for name in sorted(options.keys() & (others - set(free))):
        raise UserError(
            f"Expected an option of a method, or one of {', '.join(free)}. Received: --option "
            f"{name}={options[name]}. eli5 explain --help lists what has a name of its own"
        )
    if isinstance(options.get("grid"), list):
        options["grid"] = tuple(options["grid"])
    return options


def check_request(methods: Sequence[Method] | None, options: dict[str, Any]) -> list[Method]:
    """Return the methods by their proper names, each once; Keras is started.

    Without any it is the one that is taken for what is asked. UserError if methods or options are
    none, or do not go together.
    """
    from eli5.keras.methods.lookup import find_method
    from eli5.keras.pipeline.request import make_request

    named: list[Method] = []
    try:
        # As they were typed: D-RISE is RISE, but no other score's.
        request = make_request(methods=methods and list(methods), **options)
        for one in methods or [request.methods[0].method.name]:
            name, own = (one, {}) if isinstance(one, str) else one
            proper = find_method(name).name
            method: Method = (proper, own) if own else proper
            if method not in named:
                named.append(method)
    except (TypeError, ValueError) as error:
        raise UserError(shortened(str(error))) from error
    return named


# ---- methods and their options -------------------------------------------------------------------

Method = str | tuple[str, dict[str, Any]]


def read_methods(typed: Sequence[str] | None) -> list[Method]:
    """Return methods as Python takes them, of ``"LIME"`` and ``"RISE:n_masks=200"``, each once."""
    methods: list[Method] = []
    for one in typed or ["Grad-CAM"]:
        name, colon, rest = one.partition(":")
        # A comma may stand within a value, such as a patch of 8,8.
        options = re.split(r",(?=\s*\w+\s*=)", rest) if colon else []
        flag = f"--method {name}:n_masks=200"
        method: Method = (name, _as_dict(options, f"--method {one}", flag)) if options else name
        if method not in methods:
            methods.append(method)
    return methods


def read_options(typed: Iterable[str] | None) -> dict[str, Any]:
    """Return the options of ``["n_masks=200", "baseline=blur"]``; UserError if one is no pair."""
    return _as_dict(typed or (), "--option", "--option n_masks=200")


def _as_dict(typed: Iterable[str], flag: str, example: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for one in typed:
        name, _, value = one.partition("=")
        name, value = name.strip().replace("-", "_"), value.strip()
        received = f"{flag} {one}" if flag == "--option" else flag
        if not (name.isidentifier() and value):
            raise UserError(
                f"Expected an option of a method as NAME=VALUE, such as {example}. "
                f"Received: {received}"
            )
        if name in options:
            raise UserError(f"Expected each option of a method once. Received: {received}, twice")
        options[name] = read_value(value)
    return options


def read_value(typed: str) -> Any:
    """Return a number, true, false, none or a list of numbers, as JSON or Python write it; or text.

    ``"200"``, ``"0.5"``, ``"True"``, ``"8,8"``, ``"[8, 8]"``, ``"blur"``.
    """
    python = {"None": "null", "True": "true", "False": "false"}.get(typed.capitalize(), typed)
    for text in (python, f"[{typed}]") if "," in typed else (python,):
        with suppress(ValueError):
            return json.loads(text)
    return typed
