"""What a caller asks for, checked: all that does not depend on the doc."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eli5.checks import expect_choice
from eli5.keras.inputs.kind import Kind
from eli5.keras.layers.target_layer import check_layer
from eli5.keras.layers.token_grid import check_grid
from eli5.keras.methods.fusion import FUSIONS
from eli5.keras.methods.lookup import ChosenMethod, choose_methods
from eli5.keras.pipeline.result import ClassNames, check_class_names
from eli5.keras.targets import classes as scores
from eli5.keras.targets.classes import is_integer


class Request(NamedTuple):
    """One call's options.

    See `eli5.keras.explain_prediction.explain_prediction_keras_image`.

    Attributes
    ----------
    chosen : list of ChosenMethod
        The methods with their options.
    is_list : bool
        Whether several methods were asked for, so that a list is due even for one.
    where : dict
        What `eli5.keras.pipeline.plan.prepare` must know: layer, score, input, output, ...
    """

    chosen: list[ChosenMethod]
    is_list: bool
    score: Any
    sign: int
    class_names: ClassNames | None
    fusion: str
    batch_size: int
    where: Mapping[str, Any]


def make_request(
    *,
    targets: Any = None,
    method: Any = "Grad-CAM",
    methods: Sequence[Any] | None = None,
    layer: Any = None,
    score: Any = "auto",
    sign: str = "positive",
    top_targets: int | None = None,
    class_names: ClassNames | None = None,
    input: str | int | None = None,
    output: str | int | None = None,
    grid: tuple[int, ...] | None = None,
    fusion: str = "mean",
    batch_size: int = 32,
    kind: Kind | None = None,
    mask_id: float | None = None,
    **options: Any,
) -> Request:
    """Check the options of a call.

    `kind` and `mask_id` go to `eli5.keras.pipeline.plan.prepare`. For the rest see
    `eli5.keras.explain_prediction.explain_prediction_keras_image`.
    """
    scores.check_top_targets(top_targets, targets)
    scores.check_score(score, targets, top_targets)
    check_layer(layer)
    check_grid(grid)
    check_class_names(class_names)
    expect_choice("fusion", fusion, FUSIONS)
    _check_batch_size(batch_size)
    _check_methods(methods)
    if methods is not None and method != "Grad-CAM":
        raise ValueError(
            "Expected either `method` or `methods`. Received: both, "
            f"method={method!r} and methods={methods!r}"
        )
    chosen = choose_methods(
        [method] if methods is None else methods, options, sign, _other_options()
    )
    _check_contrast(chosen, score)
    needs_layer = any(one.method.at == "layer" for one in chosen)
    if layer is not None and not needs_layer:
        raise ValueError(
            "Expected no `layer` for methods that explain the input itself. Received: "
            f"layer={layer!r} with {', '.join(one.method.name for one in chosen)}"
        )
    return Request(
        chosen,
        methods is not None,
        score,
        1 if sign == "positive" else -1,
        class_names,
        fusion,
        batch_size,
        {
            "layer": layer,
            "score": score,
            "top_targets": top_targets,
            "input": input,
            "output": output,
            "grid": grid,
            "kind": kind,
            "mask_id": mask_id,
            "needs_layer": needs_layer,
            "needs_input": any(
                one.method.at == "input" or one.method.is_black_box or one.smoothing.is_used
                for one in chosen
            ),
        },
    )


@functools.cache
def _other_options() -> tuple[str, ...]:
    """Name the options that are no method's own."""
    return "image", "images", *inspect.signature(make_request).parameters


def _check_methods(methods: Any) -> None:
    if methods is not None and not isinstance(methods, list | tuple):
        raise TypeError(
            "Expected `methods` to be a list of methods; one alone is `method=`. Received: "
            f"methods={methods!r} (of type {type(methods).__name__})"
        )


def _check_batch_size(batch_size: Any) -> None:
    if not is_integer(batch_size):
        raise TypeError(
            "Expected `batch_size` to be an integer. Received: "
            f"batch_size={batch_size!r} (of type {type(batch_size).__name__})"
        )
    if batch_size < 1:
        raise ValueError(f"Expected `batch_size` >= 1. Received: batch_size={batch_size}")


def _check_contrast(chosen: Sequence[ChosenMethod], score: Any) -> None:
    classy = [one.method.name for one in chosen if one.method.needs in ("contrast", "gap-dense")]
    if classy and callable(score):
        raise ValueError(
            f"Expected the score of a class for method={classy[0]!r}. Received: a callable "
            "`score`. Leave `score` out, or choose another method."
        )
