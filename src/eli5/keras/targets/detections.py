"""A detector's boxes as targets: kept ones, any others, all of a class, and one that is missing."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from eli5.base import TargetExplanation
from eli5.checks import wrong_type
from eli5.keras.targets.box_scores import (
    D_RISE,
    NEAREST,
    OPEN,
    Details,
    Mode,
    SelectBoxes,
    SelectReaction,
)
from eli5.keras.targets.boxes import Size, in_pixels
from eli5.keras.targets.class_names import Names, check_number_of_names, id_of, name_of
from eli5.keras.targets.detectors import make_detector, read_specs
from eli5.keras.targets.proposals import CONFIDENCE, MOST_KEPT
from eli5.keras.targets.target import (
    Array,
    Head,
    Levels,
    Output,
    ScoreKind,
    Select,
    SimilarClasses,
    Target,
    Targets,
)
from eli5.targets import Box, Detection, Missing, Objects
from eli5.targets.boxes import OBJECTIVES

_MODES: dict[type, Mode] = {
    Box: Mode.BOX,
    Detection: Mode.DETECTION,
    Objects: Mode.OBJECTS,
    Missing: Mode.MISSING,
}
_MOST: dict[type, int] = {Objects: MOST_KEPT, Missing: NEAREST}
_OUTSIDE = 1.0  # pixels that a box may reach out of the picture, by rounding
_NO_BOX = 0.1  # below this IoU no candidate is the box
# What candidates are if their format is what was said, and which share at least. A model that is
# not trained may well have boxes elsewhere.
_READ_RIGHT = {
    "proper": (0.5, "with their ends last"),
    "large": (0.5, "larger than one pixel"),
    "inside": (0.1, "at least in part within the picture"),
}


class BoxTarget(Target):
    """Candidates of a detector; see `eli5.targets`."""

    has_class = False
    argument = "`target`, a box of a detector"
    default_method = "LayerCAM"

    def __init__(
        self, asked: Sequence[Any], score: str, names: Names, detector: Any = None
    ) -> None:
        self._score = score
        # An adapter of the user's is handed on to `select`, and tells programs apart.
        self.score: Any = detector if callable(detector) else f"boxes {score} {detector}"
        self._detector = detector
        self._asked = asked
        self._names = names

    @property
    def has_boxes(self) -> bool:  # type: ignore[override]
        return self._score == "auto" and not any(isinstance(one, Objects) for one in self._asked)

    def check(self, output: Output) -> Head:
        detector = make_detector(output, self._detector)
        boxes, scores = read_specs(detector, output.outputs, self._detector)
        n_candidates, n_classes = int(boxes.shape[1]), int(scores.shape[2])
        check_number_of_names(self._names, n_classes)
        kinds = {type(one) for one in self._asked}
        details = Details(
            detector,
            n_candidates,
            most=max(_MOST.get(kind, 1) for kind in kinds),
            decodes=bool(kinds & {Detection, Objects}),
            has_boxes=any(getattr(one, "objective", "class") != "class" for one in self._asked),
        )
        return Head(n_classes, n_classes, None, False, True, details)

    def outputs_of(self, output: int, outputs: Any) -> list[int]:
        specs = keras.tree.flatten(outputs)
        return [k for k, spec in enumerate(specs) if spec is not None and len(spec.shape) > 2]

    def rows(self, asked: Sequence[Any] | None, head: Head) -> Targets:
        """Return the targets of one doc; see `eli5.keras.targets.box_scores`."""
        rows = [self._row(one, head) for one in (self._asked if asked is None else asked)]
        return {name: np.stack([row[name] for row in rows])[None] for name in rows[0]}

    def _row(self, asked: Any, head: Head) -> dict[str, Any]:
        details: Details = head.details
        self._check_like(asked, details)
        size = details.detector.size
        has_box = isinstance(asked, Box | Missing)
        box = _read(asked, size) if has_box else np.array([0, 0, size[1], size[0]], "float32")
        class_id = OPEN
        if getattr(asked, "class_id", None) is not None:
            class_id = id_of(asked.class_id, self._names, head.n_targets)
        objective = OBJECTIVES.index(getattr(asked, "objective", "class"))
        row: dict[str, Any] = {
            "mode": np.int32(_MODES[type(asked)]),
            "class_id": np.int32(class_id),
            "rank": np.int32(getattr(asked, "k", 0)),
            "box": box,
            "objective": np.int32(objective),
            "index": np.zeros(details.most, "int32"),
            "weight": np.zeros(details.most, "float32"),
            "boxes": np.zeros((details.most, 4), "float32"),
            "classes": np.zeros(head.n_units, "float32"),
            "is_found": np.bool_(False),
        }
        return row

    def _check_like(self, asked: Any, details: Details) -> None:
        """Raise TypeError if the program of the first doc's targets cannot do for another."""
        if type(asked) not in _MODES:
            known = ", ".join(kind.__name__ for kind in _MODES)
            raise wrong_type("target", asked, f"one of a detector, as the others are: {known}")
        if isinstance(asked, Objects) and asked.boxes is not None:
            raise ValueError(
                "Expected Objects without `boxes`, which are found. Received: "
                f"target={asked!r}. Ask for boxes of your own with Box"
            )
        fits = (
            details.decodes >= isinstance(asked, Detection | Objects)
            and details.most >= _MOST.get(type(asked), 1)
            and details.has_boxes >= (getattr(asked, "objective", "class") != "class")
        )
        if not fits:
            first = ", ".join(dict.fromkeys(type(one).__name__ for one in self._asked))
            raise wrong_type(
                "target",
                asked,
                f"of the kind and the objective of the first doc's, {first}",
                "Ask in a call each",
            )

    def kind(
        self, head: Head, contrast: SimilarClasses | None = None, *, on_logits: bool
    ) -> ScoreKind:
        return ScoreKind("log-odds" if self._score == "auto" else self._score)

    def kind_where_hidden(self, head: Head) -> ScoreKind:
        # Where the picture is another, another candidate may have the object. Several boxes are not
        # compared with.
        return ScoreKind(D_RISE) if self.has_boxes else self.kind(head, on_logits=False)

    def levels(self, head: Head) -> Levels:
        details: Details = head.details
        return Levels(details.n_candidates, functools.partial(SelectReaction, details.detector))

    def select(
        self,
        output: int,
        head: Head,
        kinds: tuple[ScoreKind, ...],
        sign: int = 1,
        reported: tuple[ScoreKind, ...] = (),
    ) -> Select:
        return SelectBoxes(head, kinds, sign, reported)

    def check_found(self, found: Mapping[str, Array], targets: Targets, head: Head) -> None:
        _check_reading(found, head)
        modes = targets["mode"]
        for k, mode in enumerate(modes):
            own = {name: values[k] for name, values in found.items()}
            target = {name: values[k] for name, values in targets.items()}
            if mode in (Mode.DETECTION, Mode.OBJECTS):
                self._check_kept(own, target)
            elif mode == Mode.BOX and own["iou"] < _NO_BOX:
                raise ValueError(
                    f"Expected a box that one of the model's {head.details.n_candidates} "
                    f"candidates overlaps, by an IoU of {_NO_BOX} at least. Received: "
                    f"{_in_words(target['box'])}, where the best has "
                    f"{float(own['iou']):.2g}. Why there is none is asked for with "
                    f"eli5.targets.Missing"
                )
            elif mode == Mode.MISSING and not target["weight"].any():
                raise ValueError(
                    "Expected a box that at least one of the model's candidates overlaps. "
                    f"Received: {_in_words(target['box'])}, which none does"
                )

    def _check_kept(self, found: Mapping[str, Array], target: Mapping[str, Array]) -> None:
        """Raise ValueError if the decoder keeps no such box, or one that is not among the raw."""
        n, rank, class_id = int(found["n_kept"]), int(target["rank"]), int(target["class_id"])
        if not found["n_found"]:
            ids, counts = np.unique(found["labels"][:n], return_counts=True)
            there = ", ".join(
                f"{count} of class {self._named(int(one))}"
                for one, count in zip(ids, counts, strict=True)
            )
            asked = f"Detection({rank})"
            if target["mode"] == Mode.OBJECTS:
                asked = f"Objects({class_id})"
            none = f"none, as the highest confidence is {float(found['confidence']):.2g}"
            raise ValueError(
                f"Expected a box that the model's decoder keeps. Received: target={asked}, where "
                f"it keeps {there or none}. Ask for one of these, for a Box, or why there is none: "
                "eli5.targets.Missing(xyxy, class_id)"
            )
        if found["iou"] < 0.5:
            raise ValueError(
                "Expected the boxes of the decoder to be among the candidates. Received: the "
                f"decoder's {_in_words(target['box'])}, and {_in_words(found['box'])} as the "
                "nearest candidate. A box without area, or other raw outputs than those that the "
                "decoder takes, do that: ask for a Box, or give `detector`"
            )

    def _named(self, class_id: int) -> str:
        name = name_of(self._names, class_id)
        return f"{class_id} {name!r}" if name else f"{class_id}"

    def describe(self, asked: Sequence[Any] | None, head: Head) -> Iterator[str]:
        details: Details = head.details
        if details.decodes and not details.detector.has_decoder:
            yield (
                "The model has no decoder: the boxes are those that non-maximum suppression per "
                f"class keeps, of a confidence above {CONFIDENCE}."
            )

    def name(self, head: Head, kind: ScoreKind) -> str:
        if kind.name == D_RISE:
            return "the likeness of the best candidate to the box and its class"
        what = "score" if head.details.has_boxes else kind.name
        return f"the {what} of the candidates of the box"

    def explanation(
        self, target: Any, numbers: Mapping[str, float], head: Head, kind: ScoreKind
    ) -> TargetExplanation:
        class_id = int(target["class_id"])
        return TargetExplanation(
            class_id,
            proba=numbers["probabilities"],
            score=numbers["outputs"],
            class_name=name_of(self._names, class_id),
            explained=numbers["explained"],
            explained_name=_score_name(target, kind),
            region=_region(target, class_id, head.details.detector.size),
        )


def _score_name(target: Any, kind: ScoreKind) -> str:
    if kind.name == D_RISE:
        return kind.name
    objective = OBJECTIVES[int(target["objective"])]
    several = "mean " if target["mode"] in (Mode.OBJECTS, Mode.MISSING) else ""
    names = {"class": kind.name, "box": "IoU", "both": f"{kind.name} + log IoU"}
    return several + names[objective]


def _region(target: Any, class_id: int, size: Size) -> Any:
    """Return where a target is, with all that was found out.

    Of a box that reaches out of the picture what is in it, so that it can be asked for again.
    """
    height, width = size
    inside = np.clip(target["box"], 0, (width, height, width, height))
    is_there = inside[0] < inside[2] and inside[1] < inside[3]
    box = tuple(map(float, inside if is_there else target["box"]))
    if target["mode"] == Mode.OBJECTS:
        return Objects(class_id, target["boxes"][target["weight"] > 0])
    if target["mode"] == Mode.MISSING:
        return Missing(box, class_id)
    return Box(box, class_id, objective=OBJECTIVES[int(target["objective"])])


def _read(asked: Any, size: Size) -> Array:
    """Return a box in pixels; ValueError if it is not within the picture."""
    box = in_pixels(asked.xyxy, asked.format, size)
    height, width = size
    ends = np.array([width, height, width, height], "float32")
    if (box < -_OUTSIDE).any() or (box > ends + _OUTSIDE).any():
        raise ValueError(
            f"Expected a box within the picture that the model takes, {width} pixels wide and "
            f"{height} high. Received: {asked!r}, which is {_in_words(box)} as xyxy. Of a picture "
            'of another size give shares of it: format="rel_xyxy"; say with `format` how a box is '
            "written; or cut off what is outside"
        )
    return np.clip(box, 0, ends)


def _in_words(box: Array) -> str:
    return f"({', '.join(f'{float(one):.4g}' for one in box)})"


def _check_reading(found: Mapping[str, Array], head: Head) -> None:
    """Raise ValueError if boxes or scores look to be of another kind than they were read as."""
    lowest, highest = float(found["lowest"][0]), float(found["highest"][0])
    if lowest >= 0 and highest <= 1 and head.details.n_candidates * head.n_units > 1:
        raise ValueError(
            "Expected logits for scores that no activation of the model has made. Received: "
            f"numbers from {lowest:.2g} to {highest:.2g}, which look like probabilities. Say so "
            "with an adapter: detector=lambda outputs: eli5.targets.Candidates(boxes, scores, "
            "are_logits=False)"
        )
    wrong = [one for name, one in _READ_RIGHT.items() if found[name][0] < one[0]]
    if wrong:
        share, what = wrong[0]
        raise ValueError(
            f"Expected {share:.0%} of the model's boxes, read as pixels, to be {what}, at least. "
            f"Received: others, such as {_in_words(found['box'][0])}. Say how they are written: "
            'detector="rel_xyxy", say, or in the Candidates of an adapter'
        )
