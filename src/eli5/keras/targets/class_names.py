"""Names of classes, from ids to names and back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eli5.checks import did_you_mean, is_integer, shown, wrong_type, wrong_value

# By class id, as `read_class_names` gives them.
Names = Callable[[int], Any] | dict[int, Any] | None


def read_class_names(class_names: Any) -> Names:
    """Return what `class_names` say, by class id; a function as it is.

    ``{"cat": 0}``, as Keras's ``class_indices`` are, is turned round. JSON has made strings of the
    ids in ``{"0": "cat"}``.

    Raises
    ------
    TypeError
        If they are no sequence, mapping or callable.
    ValueError
        If a mapping has no class ids, or one of them twice.
    """
    if class_names is None or callable(class_names):
        return class_names
    if isinstance(class_names, Mapping):
        return _read_mapping(class_names)
    if isinstance(class_names, Sequence | np.ndarray) and not isinstance(class_names, str | bytes):
        return dict(enumerate(class_names))
    expected = "a sequence, a mapping of class ids or a callable"
    raise wrong_type("class_names", class_names, expected)


def _read_mapping(mapping: Mapping[Any, Any]) -> dict[int, Any]:
    pairs = list(mapping.items())
    if pairs and all(isinstance(key, str) and is_integer(value) for key, value in pairs):
        pairs = [(value, key) for key, value in pairs]
    ids = [_as_id(key) for key, _ in pairs]
    if None in ids or len(set(ids)) < len(ids):
        raise wrong_value(
            "class_names",
            mapping,
            "to map each class id to its name, or each name to its class id",
            'A mapping that works: {0: "cat", 1: "dog"}',
        )
    return {int(one): name for one, (_, name) in zip(ids, pairs, strict=True) if one is not None}


def _as_id(key: Any) -> int | None:
    if is_integer(key):
        return int(key)
    return int(key) if isinstance(key, str) and key.isdecimal() else None


def check_number_of_names(names: Names, n_targets: int, advice: str = "") -> None:
    """Raise ValueError if names that are no function are not those of ``0 … n_targets - 1``."""
    if not isinstance(names, dict) or names.keys() == set(range(n_targets)):
        return
    missing = set(range(n_targets)) - names.keys()
    received = f"{len(names)} name" + "s" * (len(names) != 1)
    if len(names) == n_targets:
        received += f", none of them for class {min(missing)}"
    raise ValueError(
        f"Expected `class_names` to name each of the model's {n_targets} classes. Received: "
        f"{received}, class_names={shown(names)}. {advice or _mended(names, n_targets)}"
    )


def _mended(names: dict[int, Any], n_targets: int) -> str:
    """Return what to give in the place of names that are not those of all classes, and no more."""
    if names.keys() - set(range(n_targets)):
        return f"The model's classes are 0 to {n_targets - 1}: leave out the other names"
    one = dict(itertools.islice(names.items(), 1)) or {0: "cat"}
    return (
        "To name some of them, give a function of the class id that returns None for the others: "
        f"class_names={shown(one)}.get"
    )


def name_of(names: Names, class_id: int) -> str | None:
    """Return the name of a class, or None if it has none."""
    name = names(class_id) if callable(names) else (names or {}).get(class_id)
    return None if name is None else str(name)


def ids_of(classes: Sequence[Any], names: Names, n_targets: int) -> list[int]:
    """Return the ids of classes that are given as ids or names, each once.

    ValueError if one of them is none of the model's, or if a name is that of several.
    """
    in_list = _Argument("classes", is_list=True)
    found = [_read_id(one, names, n_targets, in_list) for one in classes]
    if not all(0 <= class_id < n_targets for class_id in found):
        raise _no_such_class("classes", list(classes), n_targets)
    return list(dict.fromkeys(found))


def id_of(class_id: Any, names: Names, n_targets: int, argument: str = "class_id") -> int:
    """Return the id of a class that is given as an id or a name; see `ids_of`."""
    found = _read_id(class_id, names, n_targets, _Argument(argument))
    if not 0 <= found < n_targets:
        raise _no_such_class(argument, class_id, n_targets)
    return found


class _Argument(NamedTuple):
    """The argument that a class is given by, or a list of them."""

    name: str
    is_list: bool = False

    def given(self, *values: Any) -> str:
        """Return how the argument is written with a value, or one of these."""
        if self.is_list:
            return f"{self.name}={list(values)!r}"
        return " or ".join(f"{self.name}={value!r}" for value in values)


def _no_such_class(argument: str, given: Any, n_targets: int) -> ValueError:
    return ValueError(
        f"Expected a class id in [0, {n_targets}), or the name of a class, in `{argument}`. "
        f"Received: {argument}={given!r}"
    )


def _read_id(value: Any, names: Names, n_targets: int, argument: _Argument) -> int:
    return int(value) if is_integer(value) else _find(str(value), names, n_targets, argument)


def _find(name: str, names: Names, n_targets: int, argument: _Argument) -> int:
    if names is None:
        raise ValueError(
            f"Expected `class_names` beside a name in `{argument.name}`. Received: "
            f"{argument.given(name)} without them. Give the names, or the id: "
            f"{argument.given(0)} to {argument.given(n_targets - 1)}"
        )
    known = {class_id: name_of(names, class_id) for class_id in range(n_targets)}
    ids = [class_id for class_id, its_name in known.items() if its_name == name]
    if len(ids) > 1:
        raise ValueError(
            f"Expected a name of one class. Received: {argument.given(name)}, which names "
            f"{len(ids)}. Give the id: {argument.given(*ids)}"
        )
    if not ids:
        meant = did_you_mean(name, filter(None, known.values()))
        raise ValueError(
            f"Expected `{argument.name}` to hold names in `class_names`. Received: "
            f"{argument.given(name)}{meant and '. '}{meant}"
        )
    return ids[0]
