"""Compile ahead what later explanations need: run them once, and leave out all but the run."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from eli5.checks import expect_list, is_integer, wrong_value
from eli5.keras import engine
from eli5.keras.inputs.model_inputs import input_shapes, integer_inputs, named_arrays
from eli5.keras.inputs.sample import read_sample
from eli5.keras.pipeline.explain import explain_batch
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.request import Request, make_request, split_options
from eli5.keras.pipeline.result import make_display
from eli5.keras.pipeline.run_methods import run_methods
from eli5.keras.targets.classes import check_targets

Array = np.ndarray[Any, Any]
Shape = tuple[int | None, ...]

# What tells that numbers of shape (1, T) are no token ids.
_NO_IDS = ("time", "channel_names", "image", "grid")


@engine.in_the_open
def warm_up_model(
    model: keras.Model, doc_or_shape: Any, batch_sizes: Iterable[int], **options: Any
) -> None:
    """Compile what explanations with these options run; see `eli5.warm_up`."""
    check_targets(options.get("targets"))
    about, rest = split_options(options)
    request = make_request(targets=about.targets, **rest)
    sizes = _check_sizes(batch_sizes, request.batch_size)
    has_ids = not any(options.get(name) is not None for name in _NO_IDS)
    with engine.steady():
        sample = read_sample(
            model, _as_doc(model, doc_or_shape, has_ids), about, **request.about_input
        )
        for size in sizes:
            # The model sees a batch; black-box methods, which go doc by doc, run for one of it.
            if request.grader is None:
                run_methods(make_plan(request, [sample], size))
            else:
                with warnings.catch_warnings(action="ignore", category=UserWarning):
                    explain_batch(_grading_in_any_case(request), [sample], size)
        make_display(sample)  # which loads what draws pictures


def _grading_in_any_case(request: Request) -> Request:
    """Return the request with other maps to be graded: that of a made-up doc may be empty."""
    grader = request.grader

    def grade(plan: Any, explanations: Sequence[Any]) -> None:
        for target in (target for expl in explanations for target in expl.targets):
            shape = target.attribution.shape
            target.attribution = np.arange(target.attribution.size, dtype="float32").reshape(shape)
        if grader is not None:
            grader(plan, explanations)

    return request._replace(grader=grade)


def _check_sizes(batch_sizes: Any, most: int) -> list[int]:
    """Return the sizes of the batches that the model will see, as `explain_samples` fills them."""
    sizes = expect_list("batch_sizes", batch_sizes, is_integer, "a list of integers, as (1, 8)")
    if not sizes or not all(1 <= size <= most for size in sizes):
        raise wrong_value(
            "batch_sizes",
            batch_sizes,
            f"to hold sizes from 1 to batch_size={most}",
            "Give `batch_size` as the explanations will: eli5.warm_up(model, doc, "
            "batch_sizes=(1, 64), batch_size=64)",
        )
    return list(dict.fromkeys(min(1 << (size - 1).bit_length(), most) for size in sizes))


# ---- a doc of a shape ----------------------------------------------------------------------------


def _as_doc(model: keras.Model, given: Any, has_ids: bool) -> Any:
    """Return the doc, or a made-up one of the shapes that stand in its place."""
    declared = input_shapes(model) or {}
    if _is_shape(given):
        shape = _sample_shape(tuple(given), next(iter(declared.values()), None))
        return _made_up(shape, is_integer=len(shape) == 2 and has_ids)
    if not isinstance(given, list | tuple | dict):
        return given
    named = named_arrays(model, given)
    if not named or not all(map(_is_shape, named.values())):
        return given
    integers = integer_inputs(model)
    doc = {
        name: _made_up(_sample_shape(tuple(one), declared.get(name)), is_integer=name in integers)
        for name, one in named.items()
    }
    # In the order in which they were given, which a program depends on.
    return {name: doc[name] for name in given} if isinstance(given, dict) else list(doc.values())


def _is_shape(value: Any) -> bool:
    is_list = isinstance(value, list | tuple) and len(value) > 0
    return is_list and all(size is None or is_integer(size) for size in value)


def _made_up(shape: tuple[int, ...], *, is_integer: bool) -> Array:
    """Return numbers from 1 to 2: a picture with something in it, ids that are no padding."""
    if is_integer:
        return np.ones(shape, "int64")
    return np.random.default_rng(0).uniform(1, 2, shape).astype("float32")


def _sample_shape(given: Shape, declared: Shape | None) -> tuple[int, ...]:
    """Return the shape of one sample, with what is left open as the model declares it."""
    has_batch = given[0] in (None, 1) if declared is None else len(given) == len(declared)
    first, *open_sizes = given if has_batch else (None, *given)
    known = declared[1:] if declared is not None else ()
    known = known if len(known) == len(open_sizes) else (None,) * len(open_sizes)
    sizes = [a if b is None else b for a, b in zip(known, open_sizes, strict=True)]
    if first not in (None, 1, declared and declared[0]) or None in sizes:
        raise wrong_value(
            "doc_or_shape",
            given,
            "to be a doc, or the shape of one: no size is None, and the batch size is 1 or None",
            "Call eli5.warm_up(model, (None, 224, 224, 3), batch_sizes=(1, 8))",
        )
    return 1, *(size for size in sizes if size is not None)
