"""One picture: explained, and all of it said."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eli5.cli import files
from eli5.cli.asked import Asked, Ready, make_ready
from eli5.cli.console import UserError, print_fact, print_notice, print_text, print_whole, shortened
from eli5.cli.interrupt import ended_by_ctrl_c
from eli5.cli.output import write_output
from eli5.cli.report import as_lines, collected_warnings, worded

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.base import Explanation

__all__ = ["explain_one"]


def explain_one(asked: Asked, out: Path | None) -> None:
    """Explain the one picture that was found; print the result, and write it to a file.

    Raises
    ------
    UserError
        If anything about it is wrong.
    """
    (path,) = asked.found.paths
    with ended_by_ctrl_c(), collected_warnings() as counts:
        picture = files.read_picture(path)
        begun = perf_counter()
        ready = make_ready(asked)
        from eli5.cli.preprocess import picture_to_doc

        doc, said = picture_to_doc(ready.loaded, picture, asked.preprocess)
        loaded = perf_counter()
        explanations = _explain(asked, ready, doc, picture)
        done = perf_counter()
    if out is not None:
        shown: Any = explanations if len(explanations) > 1 else explanations[0]
        title = f"What {explanations[0].estimator} looked at in {Path(path).name}"
        write_output(shown, out, title=title)
    notes = worded(counts, known="\n".join(expl.description or "" for expl in explanations))
    if asked.as_json:
        for note in notes:
            print_notice(note)
        print_whole(as_lines(path, explanations))
        return
    _print_explanations(explanations)
    print_fact("Input", f"{path} ({picture.width}x{picture.height}) as {said}")
    seconds = f"{done - loaded:.2f} s on {ready.backend}, after {loaded - begun:.2f} s of loading"
    print_fact("Time", seconds)
    for note in notes:
        print_fact("Warning", note, "yellow")
    if out is not None:
        print_fact("Overlay", str(out))


def _explain(asked: Asked, ready: Ready, doc: Any, picture: Image) -> list[Explanation]:
    from eli5.keras.explain_prediction import explain_classes

    model = ready.loaded.model
    try:
        return list(explain_classes(model, doc, asked.classes, image=picture, **ready.options))
    except (TypeError, ValueError) as error:  # it says what does not fit this model
        raise UserError(shortened(str(error))) from error


def _print_explanations(explanations: list[Explanation]) -> None:
    from eli5.formatters.text import format_as_text

    for expl in explanations:
        print_text(f"{format_as_text(expl)}\n")
