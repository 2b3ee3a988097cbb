"""What is said of pictures or texts: of each, the warnings, and in the end what they came to."""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eli5.cli.console import as_typed, print_fact, print_notice, print_text
from eli5.cli.progress import pace
from eli5.loading.files import RECORDS

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.cli.output_folder import OutputFolder
    from eli5.loading.stream import StreamResult


def as_lines(explanations: Sequence[Explanation], **names: str) -> list[str]:
    """Return a line of JSON per explanation: the names, and what `eli5.format_as_dict` gives."""
    from eli5.formatters.as_dict import format_as_dict

    return [as_line({**names, **format_as_dict(expl)}) for expl in explanations]


def as_line(record: Mapping[str, Any]) -> str:
    """Return one line of JSON, without its end; in ASCII, whatever letters a name has."""
    return json.dumps(record, allow_nan=False)


def as_row(name: str, expl: Explanation) -> str:
    """Return a name, classes and scores in one line."""
    from eli5.formatters.text import in_order, number, one_line, target_label

    scores = [f"{target_label(one)} {number(one.score)}" for one in expl.targets]
    return in_order(f"{one_line(name)}: {', '.join(scores)}")


_MOST_SAID, _MOST_KEPT = 5, 1000  # kinds of them
_NUMBER = re.compile(r"^Doc \d+: ")


@contextmanager
def collected_warnings() -> Iterator[Counter[str]]:
    """Count the warnings that are for users; a developer's would only bury them."""
    counts: Counter[str] = Counter()

    def count(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = _NUMBER.sub("", str(message))
        # There may be as many as pictures, where each has a number of its own in it.
        if text in counts or len(counts) < _MOST_KEPT:
            counts[text] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = count
        yield counts


def worded(counts: Counter[str], known: str = "") -> list[str]:
    """Return the warnings, the most frequent first, but for those that `known` has in it."""
    lines = [
        f"{text} ({n} times)" if n > 1 else text
        for text, n in counts.most_common()
        if text not in known
    ]
    more = len(lines) - _MOST_SAID
    return [*lines[:_MOST_SAID], *([f"And {more} other warnings."] if more > 0 else [])]


@dataclass
class RunSummary:
    """What is known of a run; it does not grow with the pictures.

    Attributes
    ----------
    total : int
        How many are to be explained.
    backend : str
    loading, seconds : float
        How long it took to get ready, and then for all of them.
    n_explained, n_skipped : int
    input : str
        How the first became the model's input.
    has_other_inputs : bool
        Whether others became one of another size.
    facts : dict of str
        What all explanations have alike, and their methods and layers.
    """

    total: int
    backend: str
    loading: float
    seconds: float = 0.0
    n_explained: int = 0
    n_skipped: int = 0
    input: str = ""
    has_other_inputs: bool = False
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def n_done(self) -> int:
        """The number of those that are explained or skipped."""
        return self.n_explained + self.n_skipped

    def note_input(self, description: str) -> None:
        """Note how one became the model's input."""
        self.has_other_inputs |= self.input not in ("", description)
        self.input = self.input or description

    def add(self, result: StreamResult) -> None:
        """Count one of them."""
        if result.problem:
            self.n_skipped += 1
            return
        self.n_explained += 1
        if not self.facts:
            explanations = result.explanations
            layers = dict.fromkeys(expl.layer for expl in explanations if expl.layer)
            self.facts = {
                "Model": explanations[0].estimator,
                "Method": ", ".join(str(expl.method) for expl in explanations),
                "Layer": ", ".join(layers),
            }


def print_summary(
    summary: RunSummary, heading: str, notes: Sequence[str], output: OutputFolder | None
) -> None:
    """Print how many were explained, how, and where the results are.

    Parameters
    ----------
    summary : RunSummary
    heading : str
        Of the line that counts them.
    notes : sequence of str
        Warnings.
    output : OutputFolder, optional
        Where the results are.
    """
    if output is None and summary.n_explained:
        print_text("")  # below the rows
    rate = pace(summary.n_done, summary.n_done, summary.seconds)
    facts = {
        heading: _counts(summary),
        **summary.facts,
        "Input": summary.input + (", and other sizes" if summary.has_other_inputs else ""),
        "Time": f"{summary.seconds:.1f} s on {summary.backend} ({rate}), "
        f"after {summary.loading:.1f} s of loading",
    }
    for name, fact in facts.items():
        if fact:
            print_fact(name, fact)
    print_warnings(notes)
    if output is not None and output.pages:
        print_fact("Written", _written(output))


def print_warnings(notes: Sequence[str]) -> None:
    """Print warnings among the facts."""
    for note in notes:
        print_fact("Warning", as_typed(note), "yellow")


def print_notices(summary: RunSummary, notes: Sequence[str]) -> None:
    """Print only what is amiss, on standard error: standard output belongs to the results."""
    for note in notes:
        print_notice(note)
    if summary.n_skipped:
        print_notice(f"{_counts(summary)}.")


def _counts(summary: RunSummary) -> str:
    return f"{summary.n_explained} explained, {summary.n_skipped} skipped"


def _written(output: OutputFolder) -> str:
    first, *others = output.pages
    pages = [str(first), *([_counted(len(others), "more page")] if others else [])]
    overlays = [_counted(output.n_overlays, "overlay")] if output.n_overlays else []
    return ", ".join([*pages, RECORDS, *overlays])


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
