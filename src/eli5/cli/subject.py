"""What a run explains, pictures or texts, as far as the two differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.cli.options import Ready

__all__ = ["Job", "Prepared", "Steps", "Terms"]


class Terms(NamedTuple):
    """What a run's subjects are called.

    Attributes
    ----------
    several : str
        ``"pictures"``
    heading : str
        Of the line that counts them.
    key : str
        Of their names in lines of JSON.
    written : str
        Heading of the line that names the file of a single one.
    """

    several: str
    heading: str
    key: str
    written: str


class Prepared(NamedTuple):
    """One subject as the model takes it.

    Attributes
    ----------
    doc : Any
    beside : Any
        What belongs to the doc.
    said : str
        How it became the doc.
    problem : str
        Why it cannot be explained, if so.
    """

    doc: Any = None
    beside: Any = None
    said: str = ""
    problem: str = ""


class Steps(NamedTuple):
    """What is done once the model is there.

    Attributes
    ----------
    prepare : callable
        Makes a `Prepared` of what was read.
    explain : callable
        Takes ``docs``, ``beside`` and ``targets``, which may be iterators, and explains one after
        the other, as `eli5.explain_predictions` does.
    """

    prepare: Callable[[Any], Prepared]
    explain: Callable[..., Iterator[list[Explanation]]]


class Job(NamedTuple):
    """What is explained.

    Attributes
    ----------
    terms : Terms
    names : list of str
        One per subject.
    problems, results : list of str
        What cannot be looked through, and what was made by this command and is left out.
    read : callable
        Reads the subject of a number; UserError if it cannot.
    label : callable
        Says which subject it is, from its number and what was read.
    begin : callable
        Gives the steps for a model.
    row : callable
        Says in lines what came of a subject, from its name and its explanations.
    overlays : callable, optional
        Gives the pictures that a folder of results holds, one per subject.
    base : Path, optional
        The folder from which names on a page start.
    """

    terms: Terms
    names: Sequence[str]
    problems: Sequence[str]
    results: Sequence[str]
    read: Callable[[int], Any]
    label: Callable[[int, Any], str]
    begin: Callable[[Ready], Steps]
    row: Callable[[str, Sequence[Explanation]], str]
    overlays: Callable[[], list[Path]] | None = None
    base: Path | None = None
