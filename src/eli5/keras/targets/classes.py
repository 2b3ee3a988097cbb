"""Classes as targets: those that are asked for, or the likeliest, and which number of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eli5.base import TargetExplanation
from eli5.checks import (
    expect_list,
    is_integer,
    listed,
    shown,
    wrong_type,
)
from eli5.keras.targets.class_names import Names, check_number_of_names, ids_of, name_of
from eli5.keras.targets.class_scores import TOP, SelectClasses
from eli5.keras.targets.target import Array, Head, Output, ScoreKind, Select, SimilarClasses, Target

SCORES = ("auto", "log-odds", "logit", "output")
TASKS = ("classification", "regression")

_OF_MAPS = " Of a segmenter ask for a class: target=eli5.targets.Region(0)."


class ClassTarget(Target):
    """Classes of a classifier: those of a doc, or the likeliest; see `eli5.explain_prediction`.

    The values of a regression are targets as well, each of its own.
    """

    has_class = True
    argument = "a class"

    def __init__(
        self,
        score: str,
        top_targets: int | None = None,
        names: Names = None,
        classes: Sequence[Any] | None = None,
        task: str | None = None,
    ) -> None:
        self.score: str = score
        self._top_targets = top_targets
        self._names = names
        self._classes = classes
        self._task = task

    def check(self, output: Output) -> Head:
        shape, activation = output.shape, output.activation
        if len(shape) not in (1, 2):
            raise ValueError(
                "Expected a classifier, a model with an output of shape (1, n_classes). Received: "
                f"a model with output shape {shape}. Give `score=` a callable that takes the "
                "outputs and returns the number to explain, or name another output: `output=`."
                f"{_OF_MAPS if len(shape) > 2 else ''}"
            )
        n_units = 1 if len(shape) == 1 else int(shape[1])
        if not n_units:
            raise ValueError(
                "Expected a model with at least one class. Received: a model with output shape "
                f"{shape}. Name another output: `output=`."
            )
        head = self._read_head(n_units, activation)
        if self.score == "logit" and not head.has_logits:
            raise ValueError(
                'Expected a model that ends in a softmax or a sigmoid for score="logit". Received: '
                'a model without one at its end. If it ends in logits, use score="output", or say '
                'so: task="classification".'
            )
        advice = ""
        if n_units == 1 and not head.is_binary:
            advice = 'If its one unit is the logit of two classes, say so: task="classification"'
        check_number_of_names(self._names, head.n_targets, advice)
        return head

    def _read_head(self, n_units: int, activation: str | None) -> Head:
        is_declared = self._task == "classification"
        are_logits = activation is None and (is_declared or self.score == "log-odds")
        is_regression = self._task == "regression" or (
            n_units == 1 and activation is None and not are_logits
        )
        is_binary = n_units == 1 and not is_regression and (are_logits or activation == "sigmoid")
        return Head(2 if is_binary else n_units, n_units, activation, is_regression, are_logits)

    def rows(self, asked: Sequence[int] | None, head: Head) -> Array:
        ids, most = asked, head.n_targets
        if self._classes is not None:
            ids = ids_of(self._classes, self._names, most)
        if ids is None:
            return self._default_row(most)
        if not all(0 <= class_id < most for class_id in ids):
            two = ", whose unit stands for two classes" if head.is_binary else ""
            raise ValueError(
                f"Expected a class id in [0, {most}), as the model's output has shape "
                f"(1, {head.n_units}){two}. Received: targets={list(ids)!r}"
            )
        return np.array([ids], dtype="int32")

    def _default_row(self, n_targets: int) -> Array:
        if self._task == "regression":
            return np.zeros((1, 1), "int32")  # values have no rank
        n_top = self._top_targets or 1
        if n_top > n_targets:
            raise ValueError(
                f"Expected `top_targets` of at most {n_targets}, the number of the model's "
                f"classes. Received: top_targets={n_top}"
            )
        return TOP - np.arange(n_top, dtype="int32")[None]

    def kind(
        self, head: Head, contrast: SimilarClasses | None = None, *, on_logits: bool
    ) -> ScoreKind:
        name = self.score
        if name == "auto":
            is_class = head.has_logits and not head.is_regression
            name = "log-odds" if is_class else "output"
        if name == "log-odds" and on_logits:
            name = "logit"
        return ScoreKind(name, contrast)

    def select(
        self,
        output: int,
        head: Head,
        kinds: tuple[ScoreKind, ...],
        sign: int = 1,
        reported: tuple[ScoreKind, ...] = (),
    ) -> Select:
        return SelectClasses(output, head, kinds, sign, reported)

    def name(self, head: Head, kind: ScoreKind) -> str:
        if kind.name == "output":
            return "the model's output"
        if kind.name == "log-odds":
            return "the log-odds of the class"
        return f"the score before the final {head.activation}" if head.activation else "the logit"

    def explanation(
        self, target: Any, numbers: Mapping[str, float], head: Head, kind: ScoreKind
    ) -> TargetExplanation:
        class_id = int(target)
        value, proba = numbers["outputs"], None
        if not head.is_regression:
            if head.has_probabilities:
                proba = value
            elif self._task == "classification":
                proba = numbers["probabilities"]
        return TargetExplanation(
            class_id,
            proba=proba,
            score=value,
            class_name=name_of(self._names, class_id),
            explained=numbers["explained"],
            explained_name=f"contrasted {kind.name}" if kind.contrast else kind.name,
        )


def check_classes(classes: Any) -> list[Any]:
    """Return `classes` as a list; TypeError or ValueError if it is none, or empty."""
    items = listed(classes)  # once, as it may be a generator
    classes = classes if items is None else items
    advice = f"Give a list: classes={_as_classes(classes)}"
    found = expect_list("classes", classes, _is_class, "a list of class ids and names", advice)
    if not found:
        raise ValueError("Expected `classes` to hold at least one class. Received: classes=[]")
    return found


def check_targets(targets: Any) -> None:
    """Raise TypeError or ValueError if `targets` is neither None nor a list with one integer.

    The error ends in the call that works.
    """
    if targets is None:
        return
    works = f"classes={_as_classes(targets)}"
    if not isinstance(targets, list):
        mended = f"[{int(targets)}]" if is_integer(targets) and targets >= 0 else "[0]"
        raise wrong_type(
            "targets",
            targets,
            "None or a list with one class id",
            f"One class is asked for with targets={mended}, several, by id or name, with {works}",
        )
    if len(targets) != 1:
        raise ValueError(
            "Expected `targets` to be a list with one class id. Received: "
            f"targets={shown(targets)} with {len(targets)} items. Ask for several with {works}"
        )
    if not is_integer(targets[0]):
        raise TypeError(
            "Expected the class id in `targets` to be an integer. Received: "
            f"targets={shown(targets)} with an item of type {type(targets[0]).__name__}. Names, "
            f"and several classes, are asked for with {works}"
        )


def _as_classes(given: Any) -> list[Any]:
    """Return what a caller may have meant, as `classes` takes it."""
    items = listed(given)
    items = [given] if items is None else items
    good = [int(one) if is_integer(one) else one for one in items if _is_class(one)]
    good = [one for one in good if isinstance(one, str) or one >= 0]
    return good if good and len(good) == len(items) and len(good) <= _SHOWN else [0, "dog"]


def _is_class(value: Any) -> bool:
    return is_integer(value) or isinstance(value, str)


_SHOWN = 5  # classes in the call that an error shows


def as_class_ids(targets: Any) -> list[int]:
    """Return one doc's class ids as a list; TypeError if it is neither an id nor a list of them."""
    items = listed(targets)
    ids = [targets] if items is None else items
    if not ids or not all(map(is_integer, ids)):
        raise TypeError(
            "Expected a doc's entry in `targets` to be a class id or a list of them. Received: "
            f"{shown(targets)} (of type {type(targets).__name__}). The same classes of all docs, "
            f"by id or name, are asked for with classes={_as_classes(targets)}"
        )
    return [int(one) for one in ids]
