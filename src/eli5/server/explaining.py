"""From what is asked to explanations: the call of `eli5.explain_prediction` behind each answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from eli5.base import Explanation
from eli5.explain import explain_prediction
from eli5.keras import METHODS
from eli5.server.documents import Document, read_document
from eli5.server.fields import Asked, Place
from eli5.server.jobs import Job
from eli5.server.models import ServedModel
from eli5.server.refusal import RefusedError
from eli5.targets import Box, Detection, Missing, Pixel, Region

_GRID = 4  # times as many places of a picture are asked which classes a segmenter has there
_MOST_SHOWN = 5  # of what a model predicts, where nobody says which


class Explained(NamedTuple):
    """What came of one model.

    Attributes
    ----------
    served : ServedModel
    document : Document
    options : dict
        Of the call, beside the doc and what is said of it.
    explanations : list of Explanation
        One per method.
    """

    served: ServedModel
    document: Document
    options: dict[str, Any]
    explanations: list[Explanation]


def explain(served: ServedModel, asked: Asked, job: Job) -> Explained:
    """Explain what was sent; RefusedError if that cannot be."""
    document = read_document(served, asked)
    try:
        options = make_options(served, document, asked)
        explanations = _call(served, document, options)
    except (TypeError, ValueError) as error:
        raise RefusedError(400, str(error)) from error
    job.tell("Drawing")
    for one in explanations:
        one.source = document.name or None
    return Explained(served, document, options, list(explanations))


def make_options(served: ServedModel, document: Document, asked: Asked) -> dict[str, Any]:
    """Return the options of the call; those that are as they are by themselves are left out."""
    wishes = {
        "layer": asked.layer or None,
        "score": None if asked.score == "auto" else asked.score,
        "sign": None if asked.sign == "positive" else asked.sign,
        "grade": asked.grade or None,
    }
    return {
        "methods": list(asked.method or (_DEFAULT_METHODS[served.asks],)),
        **_ASKED[served.asks](served, document, asked),
        **{name: value for name, value in wishes.items() if value is not None},
        **asked.options,
    }


_DEFAULT_METHODS = {"classes": "Grad-CAM", "pixels": "Grad-CAM", "boxes": "LayerCAM"}


def _call(
    served: ServedModel, document: Document, options: dict[str, Any]
) -> Sequence[Explanation]:
    if all(METHODS[name].at != "layer" for name in options["methods"]):
        # Which the page keeps for the methods that have one.
        options = {name: value for name, value in options.items() if name != "layer"}
    explanations: Sequence[Explanation] = explain_prediction(
        served.model,
        document.doc,
        class_names=served.class_names,
        progress=False,
        **document.about,
        **options,
    )
    return explanations


# ---- what is asked of each kind of model ---------------------------------------------------------


def _of_classes(served: ServedModel, document: Document, asked: Asked) -> dict[str, Any]:
    if asked.classes:
        return {"classes": list(asked.classes)}
    return {"top_targets": min(asked.top, served.n_classes)}


def _of_pixels(served: ServedModel, document: Document, asked: Asked) -> dict[str, Any]:
    """Return regions: those drawn, those of the classes asked for, or of what is predicted."""
    if asked.places:
        masks = [place_mask(place, document) for place in asked.places]
        class_id = asked.classes[0] if asked.classes else None
        ids = [
            _class_in(served, document, mask) if class_id is None else class_id for mask in masks
        ]
        return {"target": [Region(one, mask) for one, mask in zip(ids, masks, strict=True)]}
    classes = asked.classes or _classes_somewhere(served, document)[: asked.top]
    return {"target": [Region(one) for one in classes]}


def place_mask(place: Place, document: Document) -> Any:
    """Return which pixels of the picture, as the model sees it, are in what was drawn."""
    size, seen = document.size or (1, 1), document.seen or (1, 1)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon(drawn_corners(place), fill=255)
    inside = np.asarray(mask.resize(seen, Image.Resampling.NEAREST)) > 0
    if not inside.any():
        raise ValueError("Expected a region with at least one pixel as the model sees the picture.")
    return inside


def drawn_corners(place: Place) -> list[tuple[float, float]]:
    """Return the corners of what was drawn, of a box those of its pixels."""
    shape, numbers = place
    if shape == "box":
        left, top, right, bottom = numbers
        numbers = (left, top, right - 1, top, right - 1, bottom - 1, left, bottom - 1)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def place_box(place: Place) -> tuple[float, ...]:
    """Return what was drawn as a box: left, top, right and bottom."""
    shape, numbers = place
    if shape == "box":
        return numbers
    x, y = numbers[::2], numbers[1::2]
    return min(x), min(y), max(x), max(y)


def _class_in(served: ServedModel, document: Document, mask: Any) -> int:
    """Return the class that is predicted in the middle of a region."""
    places = np.argwhere(mask)
    middle = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()]
    return _classes_at(served, document, [(int(middle[0]), int(middle[1]))])[0]


def _classes_somewhere(served: ServedModel, document: Document) -> list[int]:
    width, height = document.seen or (1, 1)
    shares = (np.arange(_GRID) + 0.5) / _GRID
    places = [(int(y * height), int(x * width)) for y in shares for x in shares]
    return _classes_at(served, document, places)[:_MOST_SHOWN]


def _classes_at(
    served: ServedModel, document: Document, places: Sequence[tuple[int, int]]
) -> list[int]:
    """Return the classes that a segmenter predicts at pixels, the most frequent first."""
    asked = {"target": [Pixel(*one) for one in places], "methods": ["Grad-CAM"]}
    (expl,) = _call(served, document, asked)
    ids, counts = np.unique([target.target for target in expl.targets], return_counts=True)
    return [int(ids[k]) for k in np.argsort(-counts, kind="stable")]


def _of_boxes(served: ServedModel, document: Document, asked: Asked) -> dict[str, Any]:
    """Return the boxes that were drawn, or the first that the detector keeps."""
    class_id = asked.classes[0] if asked.classes else None
    if asked.ask == "missing" and not (asked.places and asked.classes):
        raise ValueError(
            "Expected a box and a class, to tell why there is none. Received: not both"
        )
    kind: Callable[..., Any] = Missing if asked.ask == "missing" else Box
    if asked.places:
        return {
            "target": [kind(_shares(one, document), class_id, "rel_xyxy") for one in asked.places]
        }
    return {"target": [Detection(k) for k in range(_count_kept(served, document, asked.top))]}


def _shares(place: Place, document: Document) -> tuple[float, ...]:
    """Return what was drawn as a box, in shares of the picture."""
    numbers = place_box(place)
    width, height = document.size or (1, 1)
    if numbers[2] > width or numbers[3] > height:
        raise ValueError(f"Expected a box within the picture, {width}x{height}.")
    ends = (width, height, width, height)
    return tuple(one / end for one, end in zip(numbers, ends, strict=True))


def _count_kept(served: ServedModel, document: Document, most: int) -> int:
    """Return how many boxes a detector keeps, up to `most`; ValueError if there is none."""
    for k in range(most):
        try:
            _call(served, document, {"target": [Detection(k)], "methods": ["LayerCAM"]})
        except ValueError:
            if k == 0:
                raise
            return k
    return most


_ASKED: dict[str, Callable[[ServedModel, Document, Asked], dict[str, Any]]] = {
    "classes": _of_classes,
    "pixels": _of_pixels,
    "boxes": _of_boxes,
}
