"""Many docs, one Explanation after the other, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import keras
from eli5.keras.inputs import dataset as sources
from eli5.keras.inputs import model_inputs as inputs
from eli5.keras.inputs.series import Axes, check_axes
from eli5.keras.inputs.text import Words, check_words
from eli5.keras.pipeline.batch import Item, at_doc, explain_batch
from eli5.keras.pipeline.request import Request, make_request
from eli5.keras.targets.classes import is_integer
from eli5.keras.text.strings import as_ids
from eli5.keras.text.tokenize import are_strings

__all__ = ["explain_items", "explain_predictions_keras"]


def explain_predictions_keras(
    model: keras.Model,
    docs: Any,
    *,
    targets: Iterable[Any] | None = None,
    images: Iterable[Any] | None = None,
    tokens: Iterable[Any] | None = None,
    batch_size: int = 32,
    progress: bool = False,
    **options: Any,
) -> Iterator[Any]:
    """Explain many predictions; see `eli5.explain_predictions`."""
    inputs.check_model(model)
    beside = {"targets": targets, "images": images, "tokens": tokens}
    describe, options = _describing(options, has_tokens=tokens is not None)
    sources.check_docs(docs)
    n_docs = sources.count(model, docs)
    for name, values in beside.items():
        _check_per_doc(name, values, n_docs)
    if are_strings(docs):
        model, docs, options, describe = _cut(model, docs, options, has_tokens=tokens is not None)
    request = make_request(targets=targets, batch_size=batch_size, **options)
    explanations = explain_items(model, request, _items(model, docs, beside, describe))
    return _with_bar(explanations, n_docs) if progress else explanations


# From a doc's number and its tokens to what is said of it.
Describe = Callable[[int, Any], Words | Axes | None]


def _describing(options: dict[str, Any], *, has_tokens: bool) -> tuple[Describe, dict[str, Any]]:
    """Return what says of each doc what it is, and the other options."""
    rest = dict(options)
    of_text = {name: rest.pop(name, None) for name in ("pad_value", "pad_token")}
    of_series = {name: rest.pop(name, None) for name in ("time", "channel_names")}
    is_series = any(value is not None for value in of_series.values())
    if is_series and (has_tokens or any(value is not None for value in of_text.values())):
        raise ValueError(
            "Expected docs to be texts or series. Received: options of both, "
            f"{sorted(of_text)} or `tokens`, and {sorted(of_series)}"
        )
    if is_series:
        axes = check_axes(**of_series)
        return (lambda number, tokens: axes), {"kind": "series", **rest}
    if not has_tokens:
        words = check_words(None, **of_text)
        if words == Words():
            return (lambda number, tokens: None), rest
    mask_id = check_words(None, of_text["pad_value"], None).pad_value
    return (
        lambda number, tokens: check_words(tokens, **of_text),
        {"kind": "tokens", "mask_id": mask_id, **rest},
    )


def _cut(
    model: keras.Model, docs: Any, options: dict[str, Any], *, has_tokens: bool
) -> tuple[keras.Model, Any, dict[str, Any], Describe]:
    """Return what explains strings: the model behind its tokenizer, and docs of token ids."""
    if has_tokens or options.get("kind") is not None:
        raise ValueError(
            "Expected neither `tokens` nor padding, time or names for strings. Received: docs "
            "that are strings with them"
        )
    part, _, _, own = as_ids(model, docs[0], Words(), options)
    said: dict[int, Words] = {}

    def ids() -> Iterator[Any]:
        for number, text in enumerate(docs):
            with at_doc(number):
                _, doc, said[number], _ = as_ids(model, text, Words(), options)
            yield doc

    return part, ids(), {"kind": "tokens", **own}, lambda number, _: said.pop(number)


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
    model: keras.Model, docs: Any, beside: dict[str, Iterable[Any] | None], describe: Describe
) -> Iterator[Item]:
    """Yield the docs with what belongs to each, checked."""
    streams = {name: iter(values) for name, values in beside.items() if values is not None}
    number = -1
    for number, doc in enumerate(sources.stream(model, docs)):
        with at_doc(number):
            inputs.check_doc(model, doc)
            own = {name: _next(name, values, number) for name, values in streams.items()}
            inputs.check_image(own.get("images"))
            listed = target_list(own["targets"]) if "targets" in own else None
            said = describe(number, own.get("tokens"))
        yield Item(doc, listed, own.get("images"), number, said)
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


def explain_items(model: keras.Model, request: Request, items: Iterable[Item]) -> Iterator[Any]:
    """Explain docs that are checked, batch after batch; at most one is held."""
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
