"""How the outputs of a detector are read: which are the boxes, which the scores, before selection.

An adapter per family of models, of a few lines; see `eli5.targets.Candidates` for one of the user's
own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
from keras import ops

from eli5.advice import traced
from eli5.checks import shown, wrong_type
from eli5.keras import engine
from eli5.keras.targets.boxes import Size
from eli5.keras.targets.target import Output, name_outputs
from eli5.targets import Candidates
from eli5.targets.boxes import CANDIDATE_FORMATS

_ADVICE = (
    "Say how they are read, with `detector`: a function of the outputs that returns "
    "eli5.targets.Candidates(boxes, scores). help(eli5.targets.Candidates) shows one"
)


class Detector(NamedTuple):
    """A model, and how its outputs are read; it hashes, and holds the model weakly."""

    model: engine.Reference
    size: Size  # of the picture
    read: Callable[..., Candidates] | None  # ``read(outputs, detector)``; None for the user's own
    format: str  # of plain boxes
    has_decoder: bool = False

    def candidates(self, outputs: Any, adapter: Any) -> Candidates:
        """Return what the model says of each candidate; traced."""
        if self.read is not None:
            return self.read(outputs, self)
        with traced(adapter, "the callable `detector`"):
            return _checked(adapter(outputs), adapter)

    def decoded(self, outputs: Any) -> dict[str, Any]:
        """Return what the model's own decoder keeps; traced.

        A dict with ``boxes`` (B, D, 4), in the model's format, ``labels`` and ``confidence`` (B,
        D), and ``num_detections`` (B,).
        """
        model = self.model()
        fixed = keras.tree.map_structure(ops.stop_gradient, outputs)
        kept: dict[str, Any] = model.decode_predictions(fixed, _blank(fixed, self.size))
        return kept

    @property
    def decoded_format(self) -> str:
        """How the boxes of the decoder are written."""
        return str(self.model().prediction_decoder.bounding_box_format)


def make_detector(output: Output, detector: Any) -> Detector:
    """Return how the outputs of a model are read.

    Parameters
    ----------
    output : Output
    detector : callable, str or None
        The user's adapter; or the format of plain boxes.

    Raises
    ------
    ValueError
        If the model is of no family that is known, and no adapter is given, or no picture goes in.
    """
    if len(output.size) != 2:
        raise ValueError(
            "Expected a model of pictures for a target of a detector. Received: an input of "
            f"{output.size} cells"
        )
    size: Size = (output.size[0], output.size[1])
    reference = engine.Reference(output.model)
    if callable(detector):
        return Detector(reference, size, None, "xyxy")
    read = _family(output)
    if read is None:
        raise ValueError(
            "Expected a detector whose outputs are known: KerasHub's RetinaNet or DFine, or boxes "
            "(1, N, 4) beside scores (1, N, n_classes), in a list or a dict. Received: model "
            f"{output.model.name!r} with the outputs {_in_words(output)}. {_ADVICE}"
        )
    has_decoder = read is not _plain
    if has_decoder and detector is not None:
        raise ValueError(
            f"Expected no format for the boxes of a model that is known. Received: "
            f"detector={detector!r}. Leave it out"
        )
    return Detector(reference, size, read, detector or "xyxy", has_decoder)


def check_detector(detector: Any) -> None:
    """Raise TypeError or ValueError if `detector` is neither an adapter nor a format."""
    if detector is None or callable(detector) or detector in CANDIDATE_FORMATS:
        return
    formats = ", ".join(map(repr, CANDIDATE_FORMATS))
    raise wrong_type(
        "detector",
        detector,
        f"an adapter, a function of the outputs, or the format of plain boxes: {formats}",
    )


def read_specs(detector: Detector, outputs: Any, adapter: Any) -> tuple[Any, Any]:
    """Return the boxes and scores as specs, of the outputs' specs."""
    reading = _Reading(detector, adapter)
    try:
        boxes, scores = reading.symbolic_call(outputs)
    except Exception:  # Keras wraps it into one of its own, of which a user knows nothing
        if reading.error is None:
            raise
        raise reading.error from None
    return boxes, scores


class _Reading(keras.Operation):  # type: ignore[misc]
    """Reads outputs without numbers in them."""

    def __init__(self, detector: Detector, adapter: Any) -> None:
        super().__init__()
        self._detector, self._adapter = detector, adapter
        self.error: Exception | None = None

    def call(self, outputs: Any) -> Any:
        try:
            found = self._detector.candidates(outputs, self._adapter)
        except Exception as error:
            self.error = error
            raise
        return [found.boxes, found.scores]


def _checked(candidates: Any, adapter: Any) -> Candidates:
    """Return what an adapter gave; TypeError or ValueError if it is not what it should be."""
    name = getattr(adapter, "__name__", type(adapter).__name__)
    if not isinstance(candidates, Candidates):
        raise TypeError(
            "Expected the callable `detector` to return eli5.targets.Candidates. Received: "
            f"{name} returned {shown(candidates)}"
        )
    boxes, scores = (tuple(getattr(one, "shape", ())) for one in candidates[:2])
    objectness = candidates.objectness
    if (
        len(boxes) != 3
        or len(scores) != 3
        or boxes[-1] != 4
        or boxes[:2] != scores[:2]
        or (objectness is not None and tuple(objectness.shape) != boxes[:2])
    ):
        also = "" if objectness is None else f" and objectness {tuple(objectness.shape)}"
        raise ValueError(
            "Expected the callable `detector` to return boxes (B, N, 4), scores (B, N, n_classes) "
            f"and, if any, objectness (B, N). Received: {name} returned boxes {boxes}, scores "
            f"{scores}{also}"
        )
    if candidates.format not in CANDIDATE_FORMATS:
        raise ValueError(
            f"Expected `format` to be one of {', '.join(map(repr, CANDIDATE_FORMATS))}. Received: "
            f"format={candidates.format!r} of {name}"
        )
    if candidates.activation not in ("sigmoid", "softmax"):
        raise ValueError(
            "Expected `activation` to be 'sigmoid' or 'softmax'. Received: "
            f"activation={candidates.activation!r} of {name}"
        )
    return candidates


# ---- families ------------------------------------------------------------------------------------


def _family(output: Output) -> Callable[..., Candidates] | None:
    """Return the adapter of a model, told by the names of its outputs; None if there is none."""
    names = set(output.outputs) if isinstance(output.outputs, dict) else set()
    decodes = callable(getattr(output.model, "decode_predictions", None))
    if decodes and {"cls_logits", "bbox_regression"} <= names:
        return _retinanet
    if decodes and {"logits", "pred_boxes"} <= names:
        return _dfine
    return None if _plain_outputs(output.outputs) is None else _plain


def _retinanet(outputs: Any, detector: Detector) -> Candidates:
    """KerasHub's RetinaNet: its boxes are distances to anchors, as in its `decode_predictions`."""
    model = detector.model()
    anchors = model.anchor_generator(_blank(outputs, detector.size))
    boxes = keras.utils.bounding_boxes.decode_deltas_to_boxes(
        anchors=ops.concatenate(list(anchors.values()), axis=0),
        boxes_delta=outputs["bbox_regression"],
        encoded_format="center_xywh",
        anchor_format=model.anchor_generator.bounding_box_format,
        box_format=model.bounding_box_format,
        image_shape=(*detector.size, 3),
    )
    return Candidates(boxes, outputs["cls_logits"], format=model.bounding_box_format)


def _dfine(outputs: Any, detector: Detector) -> Candidates:
    """KerasHub's D-FINE: one box per query."""
    return Candidates(outputs["pred_boxes"], outputs["logits"], format="rel_center_xywh")


def _plain(outputs: Any, detector: Detector) -> Candidates:
    """Boxes and scores as they are."""
    boxes, scores = _plain_outputs(outputs) or (None, None)
    return Candidates(boxes, scores, format=detector.format)


def _plain_outputs(outputs: Any) -> tuple[Any, Any] | None:
    """Return the boxes and the scores of a list or a dict of two; None if it is none of that."""
    pairs = list(_pairs(outputs))
    return pairs[0] if len(pairs) == 1 else None


def _pairs(outputs: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(outputs, dict):
        named = [key for key in outputs if "box" in str(key).lower()]
        rest = [key for key in outputs if key not in named]
        tried = [(outputs[a], outputs[b]) for a in named for b in rest]
    elif isinstance(outputs, list | tuple) and len(outputs) == 2:
        tried = [(outputs[0], outputs[1])]
        if not _are_boxes_and_scores(*tried[0]):
            tried = [(outputs[1], outputs[0])]
    else:
        tried = []
    yield from (pair for pair in tried if _are_boxes_and_scores(*pair))


def _are_boxes_and_scores(boxes: Any, scores: Any) -> bool:
    shapes = [tuple(getattr(one, "shape", ())) for one in (boxes, scores)]
    return all(len(shape) == 3 for shape in shapes) and (
        shapes[0][-1] == 4 and shapes[0][1] == shapes[1][1]
    )


def _blank(outputs: Any, size: Size) -> Any:
    """Return pictures of nothing, of which a decoder takes the size."""
    batch = keras.tree.flatten(outputs)[0].shape[0]
    return ops.zeros((batch, *size, 3))


def _in_words(output: Output) -> str:
    specs = keras.tree.flatten(output.outputs)
    named = zip(name_outputs(output.model, output.outputs), specs, strict=True)
    return ", ".join(
        f"{name!r} {'(no tensor)' if spec is None else tuple(spec.shape)}" for name, spec in named
    )
