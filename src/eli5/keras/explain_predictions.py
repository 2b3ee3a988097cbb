"""Many docs, one Explanation after the other, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any

import keras

from eli5.keras import docs as sources
from eli5.keras import inputs
from eli5.keras.batch import Item, at_doc, explain_batch
from eli5.keras.request import Request, make_request
from eli5.keras.scores import is_integer

__all__ = ["explain_predictions_keras"]


def explain_predictions_keras(
    model: keras.Model,
    docs: Any,
    *,
    targets: Iterable[Any] | None = None,
    images: Iterable[Any] | None = None,
    batch_size: int = 32,
    progress: bool = False,
    **options: Any,
) -> Iterator[Any]:
    """Explain many predictions; see `eli5.explain_predictions`."""
    inputs.check_model(model)
    request = make_request(targets=targets, batch_size=batch_size, **options)
    sources.check_docs(docs)
    n_docs = sources.count(model, docs)
    for name, values in {"targets": targets, "images": images}.items():
        _check_per_doc(name, values, n_docs)
    explanations = _explain(model, request, _items(model, docs, targets, images))
    return _with_bar(explanations, n_docs) if progress else explanations


def _check_per_doc(name: str, values: Any, n_docs: int | None) -> None:
    if values is None:
        return
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(
            f"Expected `{name}` to be None or to hold one entry per doc. Received: "
            f"{name}={values!r} (of type {type(values).__name__})"
        )
    n_values = len(values) if isinstance(values, Sized) else n_docs
    if None not in (n_docs, n_values) and n_docs != n_values:
        raise ValueError(
            f"Expected one entry in `{name}` per doc, {n_docs} of them. Received: {n_values}"
        )


def _items(
    model: keras.Model, docs: Any, targets: Iterable[Any] | None, images: Iterable[Any] | None
) -> Iterator[Item]:
    """Yield the docs with what belongs to each, checked."""
    beside = {"targets": targets, "images": images}
    streams = {name: iter(values) for name, values in beside.items() if values is not None}
    number = -1
    for number, doc in enumerate(sources.stream(model, docs)):
        with at_doc(number):
            inputs.check_doc(model, doc)
            own = {name: _next(name, values, number) for name, values in streams.items()}
            inputs.check_image(own.get("images"))
            listed = target_list(own["targets"]) if "targets" in own else None
        yield Item(doc, listed, own.get("images"), number)
    for name, values in streams.items():
        if any(True for _ in values):
            raise ValueError(
                f"Expected one entry in `{name}` per doc, {number + 1} of them. Received: more"
            )


def _next(name: str, values: Iterator[Any], number: int) -> Any:
    try:
        return next(values)
    except StopIteration:
        raise ValueError(
            f"Expected one entry in `{name}` per doc. Received: {number} for more docs"
        ) from None


def target_list(targets: Any) -> list[int]:
    """Return one doc's class ids as a list; TypeError if it is neither an id nor a list of them."""
    is_one = not isinstance(targets, Iterable) or getattr(targets, "ndim", None) == 0
    listed = [targets] if is_one else list(targets)
    if isinstance(targets, str) or not listed or not all(map(is_integer, listed)):
        raise TypeError(
            "Expected a doc's entry in `targets` to be a class id or a list of them. Received: "
            f"{targets!r} (of type {type(targets).__name__})"
        )
    return [int(target) for target in listed]


def _explain(model: keras.Model, request: Request, items: Iterable[Item]) -> Iterator[Any]:
    """Explain batch after batch; at most one is held."""
    full = False
    for batch in _batches(items, request.batch_size):
        # A rest takes the program of the batches before it.
        is_rest = len(batch) < request.batch_size
        size = request.batch_size if full else 1 << (len(batch) - 1).bit_length()
        full = full or not is_rest
        explanations = explain_batch(
            model, request, batch, min(size, request.batch_size) if is_rest else None
        )
        del batch  # before the next is taken
        yield from explanations


def _batches(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """Yield runs of docs of equal shape, of at most `batch_size`."""
    batch: list[Item] = []
    for item in items:
        if batch and _shapes(item) != _shapes(batch[0]):
            yield batch
            batch = []
        batch.append(item)
        if len(batch) == batch_size:  # and not at the next item, which may be a bad one
            yield batch
            batch = []
    if batch:
        yield batch


def _shapes(item: Item) -> Any:
    return [(array.shape, array.dtype) for array in keras.tree.flatten(item.doc)]


def _with_bar(explanations: Iterator[Any], total: int | None) -> Iterator[Any]:
    from rich.console import Console  # comes with Keras; loaded only where a bar is shown
    from rich.progress import Progress

    # Unless told not to, it sends to standard error what the caller prints meanwhile.
    with Progress(
        console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False
    ) as progress:
        task = progress.add_task("Explaining", total=total)
        for explanation in explanations:
            yield explanation
            progress.advance(task)
