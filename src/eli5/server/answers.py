"""What a client gets: JSON, HTML, and the files that can be downloaded."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from PIL import Image

from eli5.base import Explanation, Explanations
from eli5.formatters.as_dict import SCHEMA_VERSION, format_as_dict
from eli5.formatters.html import format_as_html, format_as_page
from eli5.formatters.jinja import render
from eli5.formatters.picture_file import format_as_picture_file
from eli5.metrics import deletion, insertion
from eli5.metrics.result import MetricResult
from eli5.saving.explanation_file import write_json
from eli5.server.explaining import Explained, explain, place_mask
from eli5.server.fields import Asked
from eli5.server.jobs import Job
from eli5.server.models import ServedModel
from eli5.server.refusal import RefusedError
from eli5.server.site import Site
from eli5.server.snippets import as_python

_CURVES = {"Deletion": (deletion, "lower"), "Insertion": (insertion, "higher")}
_WIDTH, _HEIGHT = 400, 200  # of the chart, in its own units


class Result(NamedTuple):
    """What can be downloaded after an answer."""

    explained: Sequence[Explained]
    asked: Asked

    @property
    def explanations(self) -> Explanations:
        """All of them, each with the model that it is of."""
        return Explanations([one.explanations for one in self.explained])


def make_answer(
    site: Site, models: Sequence[ServedModel], asked: Asked, job: Job
) -> dict[str, Any]:
    """Explain, and return the answer; what can be downloaded is kept."""
    explained = [explain(served, asked, job) for served in models]
    result = Result(explained, asked)
    key = secrets.token_hex(16)
    site.results.put(key, _without_docs(result), _n_bytes(result))
    first = explained[0]
    answer: dict[str, Any] = {
        "version": SCHEMA_VERSION,
        "result": key,
        "name": first.document.name,
        "size": first.document.size,
        "digest": "" if asked.picture is None else asked.picture.digest,
        "explanations": list(_records(result)),
        "python": [as_python(one, asked) for one in explained],
        "command": [site.as_command(one, asked) for one in explained],
        "has_mask": _has_mask(result),
        "warnings": job.warnings,
    }
    if asked.curves:
        answer["curves"] = _curves(first, job)
    if asked.html:
        answer["html"] = _html(result)
        answer["curves_html"] = _draw_curves(answer["curves"]) if answer.get("curves") else ""
    return answer


def _without_docs(result: Result) -> Result:
    """Return what can be downloaded without what was sent."""
    explained = [
        one._replace(document=one.document._replace(doc=None, about={})) for one in result.explained
    ]
    return Result(explained, replace(result.asked, picture=None, series=None, text=""))


def _n_bytes(result: Result) -> int:
    """Return how much memory pictures and maps take."""
    size = 0
    for expl in result.explanations:
        size += 4 * expl.image.width * expl.image.height if expl.image is not None else 0
        maps = [one for t in expl.targets or () for one in (t.heatmap, t.attribution)]
        size += sum(one.nbytes for one in maps if one is not None)
    return size


def _records(result: Result) -> Iterator[dict[str, Any]]:
    for one in result.explained:
        for expl in one.explanations:
            shown = expl if result.asked.arrays else _without_arrays(expl)
            yield {"model": one.served.name, **format_as_dict(shown)}


def _without_arrays(expl: Explanation) -> Explanation:
    targets = [
        replace(one, heatmap=None, attribution=None, region=_without_mask(one.region))
        for one in expl.targets or ()
    ]
    return replace(expl, targets=targets)


def _without_mask(region: Any) -> Any:
    return None if getattr(region, "mask", None) is not None else region


def _curves(explained: Explained, job: Job) -> list[dict[str, Any]]:
    try:
        return _measure_curves(explained, job)
    except (TypeError, ValueError) as error:  # of what cannot be asked with parts left out
        job.warnings.append(f"There are no curves: {error}")
        return []


def _html(result: Result) -> str:
    shown = _cards(result)
    return format_as_html(shown, include_styles=False, signed=result.asked.signed)


def _cards(result: Result) -> Explanation | list[Explanation]:
    """Return what has a card each; to compare, each class has its own."""
    is_split = result.asked.split
    if len(result.explanations) == 1 and not is_split:
        return result.explanations[0]
    # The headline is what they differ in; the picture is that of all.
    found = [
        replace(expl, source=_headline(result, one.served, expl))
        for one in result.explained
        for expl in one.explanations
    ]
    if not is_split:
        return found
    return [replace(one, targets=[target]) for one in found for target in one.targets or ()]


def _headline(result: Result, served: ServedModel, expl: Explanation) -> str | None:
    if len(result.explained) == 1:
        return None  # then it is the method
    return served.name if len(result.asked.method) < 2 else f"{served.name}: {expl.method}"


# ---- curves --------------------------------------------------------------------------------------


def _measure_curves(explained: Explained, job: Job) -> list[dict[str, Any]]:
    """Return the deletion and insertion curves of the first map.

    ValueError if there are none, as of a detector's boxes.
    """
    expl, document = explained.explanations[0], explained.document
    docs = [document.doc] if isinstance(document.doc, str) else document.doc
    about = {k: v for k, v in document.about.items() if k in ("time", "channel_names")}
    curves = []
    for done, (name, (measure, better)) in enumerate(_CURVES.items()):
        job.tell(name, done, len(_CURVES))
        result: MetricResult = measure(explained.served.model, docs, [expl], **about)
        (points,) = result.curves
        curves.append(
            {
                "name": name,
                "better": better,
                "area": result.mean,
                "baseline": result.baseline,
                "share": points["share"].tolist(),
                "score": points["score"].tolist(),
                "of": result.score,
            }
        )
    return curves


def _draw_curves(curves: list[dict[str, Any]]) -> str:
    """Return the chart as HTML, with the numbers as a table for who does not see it."""
    lines = [{**one, "path": _path(one["share"], one["score"])} for one in curves]
    return render("curves.html", package="eli5.server", curves=lines, width=_WIDTH, height=_HEIGHT)


def _path(shares: list[float], scores: list[float]) -> str:
    points = (
        f"{share * _WIDTH:.1f} {(1 - min(max(score, 0.0), 1.0)) * _HEIGHT:.1f}"
        for share, score in zip(shares, scores, strict=True)
    )
    return f"M{' L'.join(points)}"


# ---- downloads -----------------------------------------------------------------------------------


def download(result: Result, ending: str) -> tuple[bytes, str]:
    """Return a file and its type; RefusedError with 404 if there is none of that ending."""
    if ending not in _FILES:
        raise RefusedError(404, f"Expected one of {', '.join(_FILES)}")
    write, kind = _FILES[ending]
    try:
        return write(result), kind
    except (TypeError, ValueError) as error:
        raise RefusedError(404, str(error)) from error


def _page(result: Result) -> bytes:
    names = ", ".join(one.served.name for one in result.explained)
    title = f"What {names} looked at"
    return format_as_page(result.explanations, title, signed=result.asked.signed).encode()


def _picture(result: Result) -> bytes:
    return format_as_picture_file(result.explanations, ".png", signed=result.asked.signed)


def _has_mask(result: Result) -> bool:
    return result.explained[0].served.asks == "pixels" and bool(result.asked.places)


def _mask(result: Result) -> bytes:
    """Return what was drawn as a picture of its size, as ``eli5 explain`` takes it."""
    if not _has_mask(result):
        raise ValueError("Expected a region that was drawn. Received: none")
    document = result.explained[0].document
    mask = place_mask(result.asked.places[0], document._replace(seen=document.size))
    file = io.BytesIO()
    Image.fromarray(mask).convert("L").save(file, "PNG")
    return file.getvalue()


_FILES: dict[str, tuple[Callable[[Result], bytes], str]] = {
    "html": (_page, "text/html; charset=utf-8"),
    "png": (_picture, "image/png"),
    "json": (lambda result: write_json(result.explanations), "application/json"),
    "mask.png": (_mask, "image/png"),
}


def as_line(content: Any) -> bytes:
    """Return a line of JSON."""
    return json.dumps(content, allow_nan=False).encode() + b"\n"
