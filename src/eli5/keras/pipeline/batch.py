"""From a batch of docs to their Explanations: the line that one doc and many take."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import keras
from eli5.base import Explanation
from eli5.keras import engine
from eli5.keras.inputs import model_inputs as inputs
from eli5.keras.inputs.series import Axes, check_lengths, with_axes
from eli5.keras.inputs.text import Words, make_text, with_text
from eli5.keras.layers.gap_head import check_gap_dense
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.pipeline.plan import Preparation, prepare
from eli5.keras.pipeline.request import Request
from eli5.keras.pipeline.result import Labels, Look, compose, look_at
from eli5.keras.pipeline.run_methods import Found, Plan, attribute
from eli5.keras.targets.classes import target_array

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]


class Item(NamedTuple):
    """One doc, checked, with what belongs to it.

    Attributes
    ----------
    doc : numpy.ndarray, or a list or dict of them
    targets : sequence of int, optional
        The classes to explain.
    image : PIL.Image.Image, optional
        The picture to show.
    number : int, optional
        Which of many docs it is.
    beside : Words or Axes, optional
        What is said of a text or of a series.
    """

    doc: Any
    targets: Sequence[int] | None = None
    image: Image | None = None
    number: int | None = None
    beside: Words | Axes | None = None


@contextlib.contextmanager
def at_doc(number: int | None) -> Iterator[None]:
    """Note on an error which of many docs it was raised at."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if number is not None:
            error.add_note(f"Raised at doc {number} of `docs`, counted from 0.")
        raise


def explain_batch(
    model: keras.Model, request: Request, items: Sequence[Item], size: int | None = None
) -> list[Any]:
    """Explain docs of equal shape in one run of the model.

    Parameters
    ----------
    model : keras.Model
    request : Request
    items : sequence of Item
    size : int, optional
        Of the batch that the model sees; it is filled up with copies of the last doc.

    Returns
    -------
    list of Explanation, or of lists with one per method
        One entry per item.
    """
    first = items[0]

    def build() -> None:
        with at_doc(first.number):
            inputs.ensure_built(model, first.doc)

    with engine.steady(model, build):
        return _explain(model, request, items, size or len(items))


def _explain(model: keras.Model, request: Request, items: Sequence[Item], size: int) -> list[Any]:
    with at_doc(items[0].number):
        prepared = prepare(model, items[0].doc, items[0].targets, **request.where)
    _check_methods(prepared, request)
    batch = _fill(prepared, items, size)
    plan = Plan(request.chosen, request.score, request.sign, request.fusion, request.batch_size)
    # Before the model runs: then the docs are still in the processor's cache.
    looks = [look_at(item.doc, batch, item.image) for item in items]
    ends = [_finish(model, batch, item) for item in items]
    found, report = attribute(model, batch, plan, [end.kept for end in ends])
    labels = Labels(model.name, request.score, request.sign, request.class_names)
    return [
        _explanations(batch, request, labels, item, doc, results, report, look, end.finish)
        for doc, (item, results, look, end) in enumerate(
            zip(items, found, looks, ends, strict=True)
        )
    ]


def _check_methods(prepared: Preparation, request: Request) -> None:
    """Raise ValueError if model and doc are not what a method is defined for."""
    kind = prepared.view.kind
    if kind != "image" and any(one.smoothing.augment for one in request.chosen):
        raise ValueError(
            "Expected a picture for augment=True, which mirrors it. Received: a "
            f"{'text' if kind == 'tokens' else kind}. Smooth over noisy copies instead: n_samples=8"
        )
    needs = {one.method.needs: one.method.name for one in request.chosen}
    if "contrast" in needs and prepared.n_classes == 1:
        raise ValueError(
            f"Expected a model with several classes for method={needs['contrast']!r}, which "
            "contrasts them. Received: a model with one output unit. Choose another method."
        )
    if "gap-dense" in needs:
        if request.score == "output" and prepared.activation is not None:
            raise ValueError(
                f"Expected the class score before the final {prepared.activation} for "
                f"method={needs['gap-dense']!r}. Received: score='output'"
            )
        for site in prepared.sites:
            check_gap_dense(prepared.trace, site)


def _fill(prepared: Preparation, items: Sequence[Item], size: int) -> Preparation:
    docs = [inputs.standardize(item.doc) for item in items]
    docs += docs[-1:] * (size - len(docs))
    width = max(len(item.targets) if item.targets else prepared.targets.shape[1] for item in items)
    rows = [_row(prepared, item, width) for item in items]
    rows += rows[-1:] * (size - len(rows))
    sample = docs[0]
    if size > 1:
        sample = keras.tree.map_structure(lambda *leaves: np.concatenate(leaves), *docs)
    return prepared._replace(sample=sample, targets=np.concatenate(rows))


def _row(prepared: Preparation, item: Item, width: int) -> Array:
    """Return one doc's targets, filled up with the last to the batch's width."""
    if item.targets is None:
        return prepared.targets
    with at_doc(item.number):
        row = target_array(item.targets, None, prepared.n_classes or 1)
    return np.pad(row, ((0, 0), (0, width - row.shape[1])), mode="edge")


def _explanations(
    batch: Preparation,
    request: Request,
    labels: Labels,
    item: Item,
    doc: int,
    results: Sequence[Found],
    report: dict[str, Array],
    look: Look,
    finish: Callable[[Explanation], Explanation],
) -> Any:
    alone = batch._replace(
        sample=keras.tree.map_structure(lambda x: x[doc : doc + 1], batch.sample),
        picture=keras.tree.flatten(item.doc)[batch.input_index],
    )
    n_targets = len(item.targets) if item.targets else None
    classes, outputs = report["classes"][doc][:n_targets], report["outputs"][doc][:n_targets]
    explanations = [
        finish(
            compose(
                alone,
                one.method,
                result.first(n_targets),
                classes,
                outputs,
                labels,
                look,
                how=_how(one, request.fusion, len(batch.sites)),
                number=item.number,
            )
        )
        for one, result in zip(request.chosen, results, strict=True)
    ]
    return explanations if request.is_list else explanations[0]


class _End(NamedTuple):
    """What is done with an explanation last, and which steps of a text are no padding."""

    finish: Callable[[Explanation], Explanation]
    kept: slice | None = None


def _finish(model: keras.Model, prepared: Preparation, item: Item) -> _End:
    """Return what is done last, which depends on how the doc is seen; check what is said of it."""
    kind, beside = prepared.view.kind, item.beside
    if kind == "image":
        return _End(lambda expl: expl)
    with at_doc(item.number):
        if kind == "series":
            axes = beside if isinstance(beside, Axes) else Axes()
            check_lengths(axes, prepared.view.size[0], prepared.picture)
            return _End(functools.partial(with_axes, axes=axes))
        picture = keras.tree.flatten(item.doc)[prepared.input_index]
        words = beside if isinstance(beside, Words) else Words()
        text = make_text(prepared._replace(picture=picture), words)
        names = list(inputs.named_arrays(model, item.doc))
        name = names[prepared.input_index] if len(names) > 1 else None
        return _End(functools.partial(with_text, text=text, name=name), text.kept)


def _how(chosen: ChosenMethod, fusion: str, n_layers: int) -> list[str]:
    """Say how a map was made of several."""
    smoothing, how = chosen.smoothing, []
    if n_layers > 1 and chosen.method.at == "layer":
        how.append(f"The layers' maps are fused by their {fusion}.")
    if smoothing.is_used:
        noisy = f" {smoothing.n_samples} noisy (noise={smoothing.noise:g})"
        copies = (noisy if smoothing.n_samples else "") + (
            " augmented" if smoothing.augment else ""
        )
        how.append(f"It is the mean over{copies} copies of the doc.")
    return how
