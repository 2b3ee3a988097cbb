"""Why one and not the other as target: the difference of two scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from eli5.base import TargetExplanation
from eli5.checks import is_integer, wrong_type
from eli5.keras.targets.class_names import Names, id_of
from eli5.keras.targets.classes import ClassTarget
from eli5.keras.targets.pixels import PixelTarget
from eli5.keras.targets.target import (
    Head,
    Output,
    ScoreKind,
    Select,
    SimilarClasses,
    Target,
    Targets,
)
from eli5.targets import Contrast


class ContrastTarget(Target):
    """Differences of the scores of two classes, or of two regions; see `eli5.targets.Contrast`.

    What one of the two is, is known to the target that would explain it alone.
    """

    has_class = False
    argument = "`target`, a contrast"

    def __init__(self, asked: Sequence[Any], score: str, names: Names) -> None:
        self.score: str = score
        self._asked = asked
        self._names = names
        self._of_classes = _is_of_classes(asked[0])
        if self._of_classes:
            self._one: Target = ClassTarget(score, names=names)
        else:
            self._one = PixelTarget((), score, names)
        self.is_of_a_place = self._one.is_of_a_place

    def suits(self, spec: keras.KerasTensor) -> bool:
        return self._one.suits(spec)

    def check(self, output: Output) -> Head:
        head = self._one.check(output)
        if self._of_classes and head.n_targets < 2:
            raise ValueError(
                "Expected a model with several classes for a Contrast. Received: a model with "
                f"output shape {output.shape}"
            )
        return head

    def rows(self, asked: Sequence[Any] | None, head: Head) -> Targets:
        """Return the targets of both, as ``{"a": ..., "b": ...}``."""
        asked = self._asked if asked is None else asked
        for one in asked:
            if not isinstance(one, Contrast) or _is_of_classes(one) != self._of_classes:
                expected = "a Contrast of what the others are, too: of classes, or of regions"
                raise wrong_type("target", one, expected)
        return {side: self._one.rows(self._side(asked, side, head), head) for side in ("a", "b")}

    def _side(self, asked: Sequence[Any], side: str, head: Head) -> list[Any]:
        given = [getattr(one, side) for one in asked]
        if not self._of_classes:
            return given
        return [id_of(one, self._names, head.n_targets, side) for one in given]

    def kind(
        self, head: Head, contrast: SimilarClasses | None = None, *, on_logits: bool
    ) -> ScoreKind:
        # The difference of two logits is the logarithm of how much likelier a is than b.
        is_plain = self._of_classes and self.score == "auto"
        return self._one.kind(head, on_logits=is_plain)

    def select(
        self,
        output: int,
        head: Head,
        kinds: tuple[ScoreKind, ...],
        sign: int = 1,
        reported: tuple[ScoreKind, ...] = (),
    ) -> Select:
        return _SelectDifference(self._one.select(output, head, kinds, sign, reported))

    def check_found(self, found: Mapping[str, Any], targets: Targets, head: Head) -> None:
        for side, own in found.items():
            self._one.check_found(own, targets[side], head)

    def describe(self, asked: Sequence[Any] | None, head: Head) -> Iterator[str]:
        if not self._of_classes:
            both = [(one.a, one.b) for one in (self._asked if asked is None else asked)]
            yield from self._one.describe([one for pair in both for one in pair], head)

    def name(self, head: Head, kind: ScoreKind) -> str:
        return f"the difference of {self._one.name(head, kind)}"

    def explanation(
        self, target: Any, numbers: Mapping[str, float], head: Head, kind: ScoreKind
    ) -> TargetExplanation:
        kinds = {"logit": "logits", "output": "outputs"}
        sides = {side: self._one.explanation(target[side], numbers, head, kind) for side in "ab"}
        said = [_said(side) for side in sides.values()]
        return TargetExplanation(
            " and not ".join(said),
            score=numbers["outputs"],
            explained=numbers["explained"],
            explained_name=f"difference of {kinds.get(kind.name, kind.name)}",
            region=sides["a"].region,
        )


def _is_of_classes(asked: Any) -> bool:
    return is_integer(asked.a) or isinstance(asked.a, str)


def _said(target: TargetExplanation) -> str:
    name = target.class_name or f"class {target.target}"
    return name if target.region is None else f"{name} {target.region.phrase}"


@dataclass(frozen=True)
class _SelectDifference:
    """The scores of one side less those of the other."""

    select: Select

    def __call__(
        self, outputs: Any, activation_of: Any, targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        sides = {k: self.select(outputs, activation_of, targets[k], score) for k in ("a", "b")}
        (a, of_a), (b, of_b) = sides["a"], sides["b"]
        scores = keras.tree.map_structure(ops.subtract, a, b)
        if not of_a:
            return scores, {}
        report = {name: of_a[name] - of_b[name] for name in ("outputs", "explained")}
        report["targets"] = {side: of["targets"] for side, (_, of) in sides.items()}
        report["found"] = {k: of["found"] for k, (_, of) in sides.items() if "found" in of}
        return scores, report
