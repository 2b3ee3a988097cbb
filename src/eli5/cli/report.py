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

from eli5.cli.console import print_fact, print_notice, print_text
from eli5.cli.image_paths import RECORDS
from eli5.cli.progress import pace

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.cli.results import Results
    from eli5.cli.subject import Terms
    from eli5.loading.stream import Explained

__all__ = [
    "Tally",
    "as_line",
    "as_lines",
    "as_row",
    "collected_warnings",
    "print_summary",
    "worded",
]


def as_lines(explanations: Sequence[Explanation], **known: str) -> list[str]:
    """Return a line of JSON per explanation: what is known, what `eli5.format_as_dict` gives."""
    from eli5.formatters.as_dict import format_as_dict

    return [as_line({**known, **format_as_dict(expl)}) for expl in explanations]


def as_line(record: Mapping[str, Any]) -> str:
    """Return one line of JSON, without its end; in ASCII, whatever letters a name has."""
    return json.dumps(record, allow_nan=False)


def as_row(name: str, expl: Explanation) -> str:
    """Return a name, classes and scores in one line."""
    from eli5.formatters.labels import number, one_line, target_label, without_bidi_controls

    scores = [f"{target_label(one)} {number(one.score)}" for one in expl.targets]
    return without_bidi_controls(f"{one_line(name)}: {', '.join(scores)}")


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
    said = [
        f"{text} ({n} times)" if n > 1 else text
        for text, n in counts.most_common()
        if text not in known
    ]
    more = [f"And {len(said) - _MOST_SAID} other warnings."] if len(said) > _MOST_SAID else []
    return said[:_MOST_SAID] + more


@dataclass
class Tally:
    """What is known of a run; it does not grow with the pictures.

    Attributes
    ----------
    terms : Terms
    total : int
        How many are to be explained.
    backend : str
    loading, seconds : float
        How long it took to get ready, and then for all of them.
    n_explained, n_skipped : int
    input : str
        How the first became the model's input.
    has_sizes : bool
        Whether others became one of another size.
    facts : dict of str
        What all explanations have alike, and their methods and layers.
    """

    terms: Terms
    total: int
    backend: str
    loading: float
    seconds: float = 0.0
    n_explained: int = 0
    n_skipped: int = 0
    input: str = ""
    has_sizes: bool = False
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def n_done(self) -> int:
        """The number of those that are explained or skipped."""
        return self.n_explained + self.n_skipped

    def note_input(self, said: str) -> None:
        """Note how one became the model's input."""
        self.has_sizes = self.has_sizes or self.input not in ("", said)
        self.input = self.input or said

    def add(self, one: Explained) -> None:
        """Count one of them."""
        if one.problem:
            self.n_skipped += 1
            return
        self.n_explained += 1
        if not self.facts:
            layers = dict.fromkeys(expl.layer for expl in one.explanations if expl.layer)
            self.facts = {
                "Model": one.explanations[0].estimator,
                "Method": ", ".join(str(expl.method) for expl in one.explanations),
                "Layer": ", ".join(layers),
            }


def print_summary(
    tally: Tally, notes: Sequence[str], results: Results | None, *, on_stderr: bool
) -> None:
    """Print how many were explained, how, and where the results are.

    Parameters
    ----------
    tally : Tally
    notes : sequence of str
        Warnings.
    results : Results, optional
        The folder that they are in.
    on_stderr : bool
        Whether standard output belongs to the results: then only what is amiss is said.
    """
    counts = f"{tally.n_explained} explained, {tally.n_skipped} skipped"
    if on_stderr:
        for note in notes:
            print_notice(note)
        if tally.n_skipped:
            print_notice(f"{counts}.")
        return
    if results is None and tally.n_explained:
        print_text("")  # below the rows
    facts = {
        tally.terms.heading: counts,
        **tally.facts,
        "Input": tally.input + (", and other sizes" if tally.has_sizes else ""),
        "Time": _time(tally),
    }
    for name, fact in facts.items():
        if fact:
            print_fact(name, fact)
    for note in notes:
        print_fact("Warning", note, "yellow")
    if results is not None and results.pages:
        print_fact("Written", _written(results))


def _time(tally: Tally) -> str:
    rate = pace(tally.n_done, tally.n_done, tally.seconds)
    return (
        f"{tally.seconds:.1f} s on {tally.backend} ({rate}), after {tally.loading:.1f} s of loading"
    )


def _written(results: Results) -> str:
    pages, n_overlays = results.pages, results.n_overlays
    overlays = [_counted(n_overlays, "overlay")] if n_overlays else []
    written = [str(pages[0]), RECORDS, *overlays]
    if len(pages) > 1:
        written.insert(1, _counted(len(pages) - 1, "more page"))
    return ", ".join(written)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
