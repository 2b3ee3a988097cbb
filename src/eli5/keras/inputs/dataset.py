"""Docs of any kind of source, one by one, each with what the caller says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set, Sized
from typing import Any

import keras
import numpy as np

from eli5.advice import docs_advice, fits, is_dataset
from eli5.checks import wrong_type
from eli5.keras.inputs.model_inputs import input_shapes
from eli5.keras.inputs.sample import DocOptions, check_doc_options
from eli5.keras.targets.classes import as_class_ids
from eli5.keras.targets.make_target import as_targets


def read_docs(
    model: keras.Model, docs: Any, about: DocOptions, per_doc: dict[str, Iterable[Any] | None]
) -> Iterator[tuple[Any, DocOptions]]:
    """Return an iterator over docs, with what is said of each.

    `about` is said of all docs; `per_doc` has, by the name of a field of `DocOptions`, an entry per
    doc, or None. TypeError or ValueError at once if `docs` is no source of docs, or holds another
    number of them than there are entries; later if an entry is wrong.
    """
    check_docs(docs)
    _check_is_several(model, docs)
    check_doc_options(about._replace(tokens=per_doc.get("tokens")))
    rows = with_entries(stream_docs(model, docs), per_doc, count_docs(model, docs))
    return (
        (doc, about._replace(number=number, **_with_targets(own)))
        for number, (doc, own) in enumerate(rows)
    )


def _with_targets(own: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a doc with its targets checked, of whichever kind they are."""
    rest = {name: value for name, value in own.items() if name not in ("target", "targets")}
    if "targets" in own:
        rest["targets"] = as_class_ids(own["targets"])
    if "target" in own:
        rest["targets"] = as_targets(own["target"])
    return rest


def with_entries(
    docs: Iterator[Any], per_doc: Mapping[str, Iterable[Any] | None], n_docs: int | None = None
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Return an iterator over docs, each with its own entry of what has one per doc.

    TypeError or ValueError at once if that is nothing of the kind, or of another number than the
    docs, as far as that is known; else when one of them has come to its end before the other.
    """
    given = {name: values for name, values in per_doc.items() if values is not None}
    for name, values in given.items():
        _check_entries(_PLURALS.get(name, name), values, n_docs)
    return _with_entries(docs, given)


# What the entries of a field are called where there is one per doc.
_PLURALS = {"image": "images"}


def _check_entries(name: str, values: Any, n_docs: int | None) -> None:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise wrong_type(name, values, "None or to hold one entry per doc")
    n_values = len(values) if isinstance(values, Sized) else n_docs
    if None not in (n_docs, n_values) and n_docs != n_values:
        raise ValueError(
            f"Expected one entry in `{name}` per doc, {n_docs} of them. Received: {n_values}"
        )


def _with_entries(
    docs: Iterator[Any], per_doc: dict[str, Iterable[Any]]
) -> Iterator[tuple[Any, dict[str, Any]]]:
    streams = {name: iter(values) for name, values in per_doc.items()}
    number = -1
    for number, doc in enumerate(docs):
        yield doc, {name: _next_entry(name, values, number) for name, values in streams.items()}
    for name, values in streams.items():
        if any(True for _ in values):
            raise ValueError(
                f"Expected one entry in `{_PLURALS.get(name, name)}` per doc, {number + 1} of "
                "them. Received: more"
            )


def _next_entry(name: str, values: Iterator[Any], number: int) -> Any:
    try:
        return next(values)
    except StopIteration:
        raise ValueError(
            f"Expected one entry in `{_PLURALS.get(name, name)}` per doc. Received: {number} for "
            "more docs"
        ) from None


def check_docs(docs: Any) -> None:
    """Check what can be said of `docs` before the first is taken.

    TypeError if they cannot be iterated over, ValueError if a `keras.utils.PyDataset` has no end.
    """
    if isinstance(docs, keras.utils.PyDataset):
        if docs.num_batches is None:
            raise ValueError(
                "Expected a `keras.utils.PyDataset` with an end. Received: one whose `num_batches` "
                "is None. Take as many batches from it as you need."
            )
    elif not _has_order(docs) or getattr(docs, "ndim", None) == 0 or _is_table(docs):
        raise TypeError(
            "Expected `docs` to be an array, an iterable of docs in an order, or a dataset. "
            f"Received: docs of type {type(docs).__name__}{docs_advice(docs)}"
        )
    for key, array in docs.items() if isinstance(docs, dict) else ():
        if not (isinstance(array, np.ndarray) and array.ndim):
            expected = "an array of N docs, as all inputs in a dict of them"
            raise wrong_type(f"docs[{key!r}]", array, expected)


def _has_order(docs: Any) -> bool:
    """Tell whether docs come one after the other; what is in a string, or in a set, does not."""
    is_other = isinstance(docs, str | bytes | bytearray | memoryview | Set) or (
        isinstance(docs, Mapping) and not isinstance(docs, dict)
    )
    return isinstance(docs, Iterable) and not is_other


def _is_table(docs: Any) -> bool:
    """Tell a table of pandas and the like, out of which the names of its columns come."""
    return hasattr(docs, "to_numpy") and hasattr(docs, "columns")


def _check_is_several(model: keras.Model, docs: Any) -> None:
    """Raise ValueError for an array of one doc without a batch axis: its rows are no docs."""
    shapes = list((input_shapes(model) or {}).values())
    if len(shapes) == 1 and isinstance(docs, np.ndarray) and fits(docs.shape, shapes[0][1:]):
        sizes = "".join(f", {size}" for size in docs.shape)
        raise ValueError(
            f"Expected `docs` of shape (N{sizes}). Received: docs.shape={docs.shape}, one doc "
            "without a batch axis. Give `docs[None]`"
        )


def count_docs(model: keras.Model, docs: Any) -> int | None:
    """Return how many docs there are, or None if that is not known before the end."""
    if isinstance(docs, dict) or _is_list_of_inputs(model, docs):
        return max(map(len, keras.tree.flatten(docs)), default=0)
    if is_dataset(docs) or not hasattr(docs, "__len__"):
        return None
    return len(docs)


def stream_docs(model: keras.Model, docs: Any) -> Iterator[Any]:
    """Yield one doc after the other, each with a batch axis of 1, as the model takes it.

    Parameters
    ----------
    model : keras.Model
    docs : Any
        Checked. An array ``(N, ...)``; for a model with several inputs a list or dict of such
        arrays; a `keras.utils.PyDataset`, a ``tf.data.Dataset`` or a torch ``DataLoader`` of
        batches or of single docs, with labels or without; any other iterable of docs.

    Raises
    ------
    ValueError
        If there are more docs for one input than for another.
    """
    if isinstance(docs, np.ndarray | dict) or _is_list_of_inputs(model, docs):
        yield from _rows(docs)
        return
    for element in _elements(docs):
        if _is_nested(element):
            yield element  # the check of each doc says better what is wrong
        else:
            yield from _split(model, keras.tree.map_structure(_own_array, element))


def _is_nested(element: Any) -> bool:
    """Tell a doc that is no list or dict of arrays, but of further lists; one may hold itself."""
    inner = element.values() if isinstance(element, dict) else element
    is_container = isinstance(element, dict | list | tuple)
    return is_container and any(isinstance(one, dict | list | tuple) for one in inner)


def _is_list_of_inputs(model: keras.Model, docs: Any) -> bool:
    """Tell whether a list holds one array per input, and not one doc after the other."""
    n_inputs = len(input_shapes(model) or ())
    return (
        isinstance(docs, list)
        and len(docs) == n_inputs > 1
        and all(isinstance(array, np.ndarray) for array in docs)
    )


def _elements(docs: Any) -> Iterator[Any]:
    if isinstance(docs, keras.utils.PyDataset):
        docs = map(docs.__getitem__, range(docs.num_batches))
        has_labels = True
    else:
        has_labels = is_dataset(docs)
    for element in docs:
        yield keras.utils.unpack_x_y_sample_weight(element)[0] if has_labels else element


def _own_array(tensor: Any) -> Any:
    """Return an array of its own; a tensor may be another library's than the backend's.

    A copy, because readers of videos fill one and the same array again and again.
    """
    if hasattr(tensor, "detach"):  # PyTorch, on any device
        tensor = tensor.detach().cpu()
    if isinstance(tensor, np.ma.MaskedArray):  # to be refused with its mask
        return tensor
    return np.array(tensor) if hasattr(tensor, "shape") else tensor


def _split(model: keras.Model, element: Any) -> Iterator[Any]:
    """Yield the docs of a batch, or the one doc that has no batch axis."""
    surplus = _surplus(model, element)
    if surplus == 0:
        yield from _rows(element)
    elif surplus == -1:
        yield keras.tree.map_structure(lambda array: array[None], element)
    else:
        yield element  # as above


def _surplus(model: keras.Model, element: Any) -> int | None:
    """Return by how much the rank of the first input exceeds a batch's; None if it has none."""
    leaves = keras.tree.flatten(element)
    if not leaves or not all(isinstance(leaf, np.ndarray) for leaf in leaves):
        return None
    shapes = input_shapes(model)
    if not shapes:
        return 0 if all(leaf.ndim for leaf in leaves) else None
    name, shape = next(iter(shapes.items()))
    # By name, as a dict's arrays come sorted and the model's inputs as they are declared.
    first = element.get(name) if isinstance(element, dict) else leaves[0]
    return getattr(first, "ndim", 0) - len(shape)


def _rows(arrays: Any) -> Iterator[Any]:
    n_rows = {len(array) for array in keras.tree.flatten(arrays) if np.ndim(array)}
    if len(n_rows) > 1:
        raise ValueError(
            f"Expected as many docs for each input. Received: {sorted(n_rows)} of them"
        )
    for row in range(max(n_rows, default=0)):
        yield keras.tree.map_structure(lambda array, r=row: array[r : r + 1], arrays)
