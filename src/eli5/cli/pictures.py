"""Pictures as what is explained."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from eli5.cli.overlay_names import name_overlays
from eli5.cli.report import as_row
from eli5.cli.subject import Job, Prepared, Steps, Terms
from eli5.loading import files

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.cli.image_paths import Found
    from eli5.cli.options import Ready

__all__ = ["picture_job"]

_TERMS = Terms("pictures", "Images", "path", "Overlay")


def picture_job(found: Found, preprocess: str | None) -> Job:
    """Return what explains the pictures that were found.

    Parameters
    ----------
    found : Found
    preprocess : str, optional
        See `eli5.loading.preprocess.picture_to_doc`.
    """

    def begin(ready: Ready) -> Steps:
        prepare = functools.partial(_prepare, ready, preprocess)
        return Steps(prepare, functools.partial(_explain, ready))

    return Job(
        terms=_TERMS,
        names=found.paths,
        problems=found.problems,
        results=found.results,
        read=lambda number: files.read_picture(found.paths[number]),
        label=lambda number, image: f"{found.paths[number]} ({image.width}x{image.height})",
        begin=begin,
        row=lambda name, explanations: as_row(name, explanations[0]),
        overlays=lambda: name_overlays(found.paths, found.base),
        base=found.base,
    )


def _prepare(ready: Ready, preprocess: str | None, picture: Image) -> Prepared:
    from eli5.loading.preprocess import picture_to_doc

    doc, said = picture_to_doc(ready.loaded, picture, preprocess)
    return Prepared(doc, picture, said)


def _explain(
    ready: Ready, docs: Iterable[Any], beside: Iterable[Image], targets: Iterable[Any] | None
) -> Iterator[Any]:
    import eli5

    options = ready.options
    return eli5.explain_predictions(
        ready.loaded.model, docs, images=beside, targets=targets, **options
    )
