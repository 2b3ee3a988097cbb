"""What is said of pictures or texts: of each, the warnings, and in the end what they came to."""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eli5.cli.console import as_typed, print_fact, print_notice, print_text
from eli5.loading.files import RECORDS
from eli5.progress import pace

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.cli.output import OutputFolder


def as_lines(explanations: Sequence[Explanation], names: dict[str, str]) -> list[str]:
    """Return a line of JSON per explanation: the names, and what `eli5.format_as_dict` gives."""
    from eli5.formatters.as_dict import format_as_dict

    return [as_line({**names, **format_as_dict(expl)}) for expl in explanations]


def as_line(record: dict[str, Any]) -> str:
    """Return one line of JSON, without its end; in ASCII, whatever letters a name has."""
    return json.dumps(record, allow_nan=False)


def as_row(name: str, expl: Explanation) -> str:
    """Return a name, classes, scores and grades in one line."""
    from eli5.formatters.labels import (
        grade_in_words,
        number,
        one_line,
        target_label,
        without_bidi_controls,
    )

    grades = [f" ({grade_in_words(one.grade)})" if one.grade else "" for one in expl.targets]
    scores = [
        f"{target_label(one)} {number(one.score)}{grade}"
        for one, grade in zip(expl.targets, grades, strict=True)
    ]
    return without_bidi_controls(f"{one_line(name)}: {', '.join(scores)}")


_MOST_SHOWN, _MOST_COUNTED = 5, 1000  # kinds of them
_NUMBER = re.compile(r"^Doc \d+: ")


@contextmanager
def collected_warnings() -> Iterator[Counter[str]]:
    """Count the warnings that are for users; a developer's would only bury them."""
    counts: Counter[str] = Counter()

    def count(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = _NUMBER.sub("", str(message))
        # There may be as many as pictures, where each has a number of its own in it.
        if text in counts or len(counts) < _MOST_COUNTED:
            counts[text] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = count
        yield counts


def warning_lines(counts: Counter[str], known: str = "") -> list[str]:
    """Return the warnings, the most frequent first, but for those that `known` has in it."""
    lines = [
        as_typed(text) + (f" ({n} times)" if n > 1 else "")
        for text, n in counts.most_common()
        if text not in known
    ]
    more = len(lines) - _MOST_SHOWN
    return [*lines[:_MOST_SHOWN], *([f"And {more} other warnings."] if more > 0 else [])]


class RunSummary:
    """Counts what came of the inputs of a run, and prints it; `heading` is what they are called."""

    def __init__(self, heading: str) -> None:
        self.heading = heading
        self.n_explained = self.n_skipped = 0
        # Of the first that could be explained: model, methods and layers are those of all.
        self.first: Sequence[Explanation] = ()
        # The ways in which inputs became the model's, in the order in which they came up.
        self.conversions: dict[str, None] = {}

    def add(self, explanations: Sequence[Explanation]) -> None:
        """Count an input; without explanations it was skipped."""
        self.n_explained += bool(explanations)
        self.n_skipped += not explanations
        self.first = self.first or explanations

    def print_summary(
        self,
        notes: Sequence[str],
        backend: str,
        seconds: tuple[float, float],  # to load the model, and then for all inputs
        output: OutputFolder | None,
        *,
        as_json: bool,
    ) -> None:
        """Print how many were explained, how, the warnings, and where the results are."""
        counts = f"{self.n_explained} explained, {self.n_skipped} skipped"
        if as_json:  # standard output belongs to the results
            print_notice(*notes, *([f"{counts}."] if self.n_skipped else []))
            return
        if output is None and self.n_explained:
            print_text("")  # below the rows
        n_done = self.n_explained + self.n_skipped
        facts = {
            self.heading: counts,
            "Model": next((expl.estimator for expl in self.first), ""),
            "Method": ", ".join(str(expl.method) for expl in self.first),
            "Layer": ", ".join(dict.fromkeys(expl.layer for expl in self.first if expl.layer)),
            "Input": next(iter(self.conversions), "")
            + (", and other sizes" if len(self.conversions) > 1 else ""),
            "Time": f"{seconds[1]:.1f} s on {backend} ({pace(n_done, n_done, seconds[1])}), "
            f"after {seconds[0]:.1f} s of loading",
        }
        for name, fact in facts.items():
            if fact:
                print_fact(name, fact)
        for note in notes:
            print_fact("Warning", note, "yellow")
        if output is not None and output.pages:
            more = _counted(len(output.pages) - 1, "more page")
            written = [str(output.pages[0]), more, RECORDS, _counted(output.n_overlays, "overlay")]
            print_fact("Written", ", ".join(filter(None, written)))


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}" if n else ""
