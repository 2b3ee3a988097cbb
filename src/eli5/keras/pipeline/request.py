"""What a caller asks for, checked: all that needs no doc."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from eli5.checks import expect_choice, expect_integer, expect_type
from eli5.keras.inputs.sample import DocOptions
from eli5.keras.layers.target_layer import check_layer
from eli5.keras.layers.token_grid import check_grid
from eli5.keras.methods.fusion import FUSIONS
from eli5.keras.methods.lookup import ChosenMethod, choose_methods, is_named
from eli5.keras.targets.class_names import read_class_names
from eli5.keras.targets.make_target import make_target
from eli5.keras.targets.target import Target

DATA_FORMATS = ("channels_first", "channels_last")


class Request(NamedTuple):
    """The options of one call; see `eli5.explain_prediction`."""

    methods: list[ChosenMethod]
    is_list: bool  # whether several methods were asked for, so that a list is due even for one
    target: Target
    sign: int
    layer: Any
    input: str | int | None
    output: str | int | None
    grid: tuple[int, ...] | None
    data_format: str | None
    fusion: str
    batch_size: int
    progress: bool | None = None
    # ``grader(plan of one doc, its explanations)`` puts a grade into each of them.
    grader: Callable[[Any, Sequence[Any]], None] | None = None

    @property
    def about_input(self) -> dict[str, Any]:
        """What is said of the inputs of the model; see `eli5.keras.inputs.sample.read_sample`."""
        return {"input": self.input, "grid": self.grid, "data_format": self.data_format}

    @property
    def needs_layer(self) -> bool:
        """Whether a method explains a layer."""
        return any(one.method.at == "layer" for one in self.methods)

    @property
    def needs_attention(self) -> bool:
        """Whether a method explains what attends."""
        return any(one.method.at == "attention" for one in self.methods)

    @property
    def needs_input(self) -> bool:
        """Whether a method differentiates or changes the input."""
        return any(
            one.method.at == "input" or one.method.is_black_box or one.smoothing.is_used
            for one in self.methods
        )


def make_request(
    *,
    targets: Any = None,
    layer: Any = None,
    method: Any = None,
    methods: Sequence[Any] | None = None,
    score: Any = "auto",
    sign: str = "positive",
    classes: Iterable[Any] | None = None,
    top_targets: int | None = None,
    target: Any = None,
    detector: Any = None,
    class_names: Any = None,
    task: str | None = None,
    input: str | int | None = None,
    output: str | int | None = None,
    grid: tuple[int, ...] | None = None,
    data_format: str | None = None,
    fusion: str = "mean",
    batch_size: int = 32,
    progress: bool | None = None,
    grader: Callable[[Any, Sequence[Any]], None] | None = None,
    **method_options: Any,
) -> Request:
    """Check the options of a call; see `eli5.explain_prediction`.

    Of `targets` it is only looked at whether they are given.
    """
    explained = make_target(
        score=score,
        targets=targets,
        classes=classes,
        top_targets=top_targets,
        target=target,
        names=read_class_names(class_names),
        task=task,
        output=output,
        detector=detector,
    )
    check_layer(layer)
    grid = check_grid(grid)
    if data_format is not None:
        expect_choice("data_format", data_format, DATA_FORMATS)
    expect_choice("fusion", fusion, FUSIONS)
    expect_integer("batch_size", batch_size, least=1)
    expect_type("progress", progress, bool | None, "True, False or None")
    expect_type(
        "methods", methods, list | tuple | None, "a list of methods; one alone is `method=`"
    )
    if methods is not None and method is not None:
        raise ValueError(
            "Expected either `method` or `methods`. Received: both, "
            f"method={method!r} and methods={methods!r}"
        )
    one = explained.default_method if method is None else method
    asked = [one] if methods is None else methods
    chosen = choose_methods(asked, method_options, sign, _OTHERS)
    _check_of_boxes(asked, explained)
    request = Request(
        chosen,
        methods is not None,
        explained,
        1 if sign == "positive" else -1,
        *(layer, input, output, grid, data_format, fusion, batch_size, progress, grader),
    )
    _check_agreement(request)
    return request


def _check_of_boxes(methods: Sequence[Any], target: Target) -> None:
    """Raise ValueError if D-RISE, which is RISE with a score of boxes, is asked of something else.

    RISE would be another method under its name.
    """
    for one in methods:
        name = one[0] if isinstance(one, tuple | list) and one else one
        if is_named(name, "D-RISE") and not target.has_boxes:
            raise ValueError(
                f"Expected a box of a detector for method={name!r}, and D-RISE's own score of it. "
                f"Received: {target.argument}, of which there is none. Ask for a single box, "
                "target=eli5.targets.Detection(0), without `score`, or choose method='RISE'"
            )


# Options that are no method's own, to be guessed at where one is misspelled.
_OTHERS = ("images", *DocOptions._fields, *(make_request.__kwdefaults__ or ()))


def _check_agreement(request: Request) -> None:
    """Raise ValueError if options that are right by themselves do not go together."""
    names = [one.method.name for one in request.methods]
    on_logits = [one.method.name for one in request.methods if one.method.is_on_logits]
    if on_logits and not request.target.has_class:
        raise ValueError(
            f"Expected the score of a class for method={on_logits[0]!r}. Received: "
            f"{request.target.argument}. Leave it out, or choose another method."
        )
    if on_logits and request.target.score == "log-odds":
        raise ValueError(
            f"Expected the logits of the classes for method={on_logits[0]!r}, which is defined on "
            "them. Received: score='log-odds'. Leave `score` out: then it takes the logits, and "
            "other methods the log-odds."
        )
    if request.layer is not None and not request.needs_layer:
        advice = " Which attentions count is said by `layers`." if request.needs_attention else ""
        raise ValueError(
            "Expected no `layer` for methods that explain the input itself, or attention. "
            f"Received: layer={request.layer!r} with {', '.join(names)}.{advice}"
        )


def split_options(
    options: dict[str, Any], names: Iterable[str] = DocOptions._fields
) -> tuple[DocOptions, dict[str, Any]]:
    """Return what is said of a doc by some of the options, and the others."""
    rest = dict(options)
    return DocOptions(**{name: rest.pop(name) for name in names if name in rest}), rest
