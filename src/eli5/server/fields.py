"""What can be asked in a request: one table, of which the parser and the OpenAPI document are made.

Each field is read from text and checked here as far as no model is needed. Nothing of it names a
file of this machine: models and examples are found by their names among those that are served.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from eli5 import limits
from eli5.checks import is_integer, is_number
from eli5.keras import METHODS
from eli5.keras.methods.lookup import find_method
from eli5.loading.typed_options import read_value, split_options
from eli5.server.refusal import RefusedError
from eli5.server.uploads import Form, Upload

SCORES = ("auto", "log-odds", "logit", "output")
SIGNS = ("positive", "negative")
ASKS = ("present", "missing")

_MOST_CLASSES, _MOST_PLACES, _MOST_POINTS, _MOST_METHODS = 32, 16, 2000, 12
_LONGEST = 200  # characters of a name
_DEFAULT_TOP = 5

Place = tuple[str, tuple[float, ...]]
"""``("box", (left, top, right, bottom))`` or ``("lasso", (x, y, x, y, ...))``, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, checked; see `FIELDS`."""

    model: tuple[str, ...] = ()
    picture: Upload | None = None
    digest: str = ""
    example: str = ""
    text: str = ""
    series: Upload | None = None
    method: tuple[str, ...] = ()
    options: dict[str, Any]
    layer: str = ""
    score: str = "auto"
    sign: str = "positive"
    classes: tuple[int | str, ...] = ()
    top: int = _DEFAULT_TOP
    places: tuple[Place, ...] = ()
    ask: str = "present"
    signed: bool = False
    grade: bool = False
    curves: bool = False
    arrays: bool = True
    html: bool = False
    split: bool = False


class Field(NamedTuple):
    """One field of the form.

    Attributes
    ----------
    name, about : str
    read : callable
        From a value's text to what `Asked` has; ValueError, with what was expected, if it is none.
    schema : dict
        Of OpenAPI.
    most : int
        How often it may be given.
    target : str
        The field of `Asked`, where that is called otherwise.
    """

    name: str
    about: str
    read: Callable[[str], Any]
    schema: dict[str, Any]
    most: int = 1
    target: str = ""


def read_asked(form: Form) -> Asked:
    """Return what a form asks for; RefusedError with 400 if it is not as `FIELDS` has it."""
    known = {field.name: field for field in FIELDS}
    if not (form.fields.keys() <= known.keys() and form.files.keys() <= FILES.keys()):
        raise _wrong(
            f"Expected the fields {', '.join(known)} and the files {', '.join(FILES)}. Received: "
            "another one"
        )
    values: dict[str, Any] = {"options": {}}
    for name, given in form.fields.items():
        if name in known and any(given):
            _read_field(known[name], [one for one in given if one], values)
    values |= form.files
    if "series" in form.fields and "series" not in form.files:
        values["series"] = Upload("series.csv", form.fields["series"][0].encode())
    asked = Asked(**values)
    n_maps = max(len(asked.method), 1) * max(len(asked.classes) or asked.top, len(asked.places))
    if n_maps > limits.SERVED_MAPS:
        raise _wrong(f"Expected at most {limits.SERVED_MAPS} maps. Received: {n_maps}")
    _check_options(asked)
    return asked


def _read_field(field: Field, given: list[str], values: dict[str, Any]) -> None:
    if len(given) > field.most:
        raise _wrong(f"Expected {field.name} at most {field.most} times. Received: {len(given)}")
    try:
        read = [field.read(one) for one in given]
    except ValueError as error:
        raise _wrong(f"Expected {field.name} to be {error}") from None
    target = field.target or field.name
    if field.most == 1:
        values[target] = read[0]
    else:
        values[target] = (*values.get(target, ()), *read)


def _wrong(message: str) -> RefusedError:
    return RefusedError(400, f"{message}.")


def _check_options(asked: Asked) -> None:
    """Refuse options that no method has, and numbers that would take all memory or days."""
    methods = asked.method or ("Grad-CAM",)
    known = {name for one in methods for name in METHODS[one].options}
    for name, value in asked.options.items():
        if name not in known:
            raise _wrong(f"Expected options of {', '.join(methods)}: {', '.join(sorted(known))}")
        values = value if isinstance(value, list) else [value]
        most = 2**32 if name == "seed" else limits.SERVED_OPTION
        if not all(_is_plain(one, most) for one in values) or len(values) > 4:
            raise _wrong(
                f"Expected the option {name} to be a number of at most {most}, true, false, a word "
                "or a few numbers"
            )
        if isinstance(value, list):
            asked.options[name] = tuple(value)


def _is_plain(value: Any, most: float) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if is_integer(value) or is_number(value):
        return -most <= value <= most
    return isinstance(value, str) and re.fullmatch(r"\w{1,20}", value) is not None


# ---- how each is read ----------------------------------------------------------------------------


def _name(text: str) -> str:
    if len(text) > _LONGEST or not text.isprintable():
        raise ValueError(f"a name of at most {_LONGEST} characters")
    return text


def _method(text: str) -> str:
    try:
        return find_method(_name(text)).name
    except (TypeError, ValueError):
        raise ValueError(f"one of {', '.join(METHODS)}") from None


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("a SHA-256 in hexadecimal digits")
    return text


def _class(text: str) -> int | str:
    return int(text) if re.fullmatch(r"\d{1,9}", text) else _name(text)


def _options(text: str) -> dict[str, Any]:
    pairs = [one.partition("=") for one in split_options(_name(text))]
    if not all(name.strip().isidentifier() and value.strip() for name, _, value in pairs):
        raise ValueError("NAME=VALUE, such as n_masks=200, with commas between several")
    return {name.strip(): read_value(value.strip()) for name, _, value in pairs}


def _top(text: str) -> int:
    if not re.fullmatch(r"\d{1,2}", text) or not 1 <= int(text) <= _MOST_CLASSES:
        raise ValueError(f"a number from 1 to {_MOST_CLASSES}")
    return int(text)


def _flag(text: str) -> bool:
    known = {"true": True, "1": True, "on": True, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError("true or false")
    return known[text.lower()]


def _box(text: str) -> Place:
    numbers = _numbers(text, "LEFT,TOP,RIGHT,BOTTOM in pixels of the picture, such as 10,20,60,80")
    if len(numbers) != 4 or numbers[0] >= numbers[2] or numbers[1] >= numbers[3]:
        raise ValueError("LEFT,TOP,RIGHT,BOTTOM in pixels of the picture, such as 10,20,60,80")
    return "box", numbers


def _lasso(text: str) -> Place:
    expected = f"X,Y X,Y X,Y in pixels of the picture, 3 to {_MOST_POINTS} corners"
    numbers = _numbers(text.replace(" ", ","), expected)
    if len(numbers) % 2 or not 6 <= len(numbers) <= 2 * _MOST_POINTS:
        raise ValueError(expected)
    return "lasso", numbers


def _numbers(text: str, expected: str) -> tuple[float, ...]:
    parts = text.split(",")
    if not all(re.fullmatch(r"\d{1,6}(\.\d{1,6})?", one.strip()) for one in parts):
        raise ValueError(expected)
    return tuple(map(float, parts))


def _one_of(*names: str) -> tuple[Callable[[str], str], dict[str, Any]]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return text

    return read, {"type": "string", "enum": list(names)}


_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}
_FILE = {"type": "string", "format": "binary"}

FILES = {
    "picture": "A picture, as a file of at most 20 MB.",
    "series": "A table, as CSV: a line per step, a column per channel; a first line of names, and "
    "a first column called time, may be there. As a file or as text.",
}
FIELDS = (
    Field(
        "model",
        "Which of the served models; the first if not given. Several are compared.",
        _name,
        _TEXT,
        most=4,
    ),
    Field("digest", "A picture that was sent before, by its SHA-256.", _digest, _TEXT),
    Field("example", "One of the server's examples, by its name.", _name, _TEXT),
    Field("text", "A text, for a model of texts.", str, _TEXT),
    Field("series", FILES["series"], str, _TEXT),
    Field(
        "method",
        "By which method; several are compared.",
        _method,
        {"type": "string", "enum": list(METHODS)},
        _MOST_METHODS,
    ),
    Field("options", "Options of the methods, as n_masks=200,cells=6.", _options, _TEXT),
    Field("layer", "The target layer, for methods that have one.", _name, _TEXT),
    Field("score", "Which number is explained.", *_one_of(*SCORES)),
    Field("sign", "What speaks for the class, or against it.", *_one_of(*SIGNS)),
    Field("class", "A class, by its number or its name.", _class, _TEXT, _MOST_CLASSES, "classes"),
    Field("top", "How many of the likeliest classes.", _top, {"type": "integer"}),
    Field("box", "LEFT,TOP,RIGHT,BOTTOM in pixels.", _box, _TEXT, _MOST_PLACES, "places"),
    Field("lasso", "Corners as X,Y X,Y X,Y in pixels.", _lasso, _TEXT, _MOST_PLACES, "places"),
    Field("ask", "Of a detector: why there is a box, or why there is none.", *_one_of(*ASKS)),
    Field("signed", "Draw what speaks against, too, in a second colour.", _flag, _FLAG),
    Field("grade", "Grade the maps: how far they can be trusted.", _flag, _FLAG),
    Field("curves", "Add deletion and insertion curves of the first class.", _flag, _FLAG),
    Field("arrays", "Whether the answer has the maps as lists of numbers.", _flag, _FLAG),
    Field("html", "Whether the answer has the explanations as HTML, too.", _flag, _FLAG),
    Field("split", "Of HTML: a card for each class.", _flag, _FLAG),
)
