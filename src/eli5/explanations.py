"""Several explanations in one list, and how one of them, or all, show, plot and save themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

_MOST_SHOWN = 3  # explanations in a repr


def missing_picture_libraries() -> list[str]:
    """Name the distributions that drawing a picture needs and that are not installed."""
    libraries = {"PIL": "Pillow", "matplotlib": "matplotlib"}
    return [name for module, name in libraries.items() if find_spec(module) is None]


# What writes and formats reads the containers, so it is imported only when it is asked for.
class Shown:
    """What an explanation and a list of them have in common."""

    def save(self: Any, path: str | PathLike[str]) -> None:
        """Write it to one file; see `eli5.save`."""
        from eli5.saving.explanation_file import save

        save(self, path)

    def plot(self: Any, *args: Any, **options: Any) -> Any:
        """Draw it with matplotlib; see `eli5.plot`."""
        from eli5.formatters.plot import plot

        return plot(self, *args, **options)

    def __str__(self: Any) -> str:
        """Return the text of `eli5.format_as_text`."""
        from eli5.formatters.text import format_as_text

        try:
            return format_as_text(self)
        except (TypeError, ValueError):  # of fields that hold what they must not
            return repr(self)

    def _repr_mimebundle_(self: Any, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from eli5.formatters.notebook import mimebundle

        return mimebundle(self, include, exclude)

    # Notebooks take the bundle above; these are for whoever asks for one format.
    def _repr_html_(self) -> str | None:
        shown: str | None = self._repr_mimebundle_(["text/html"]).get("text/html")
        return shown

    def _repr_png_(self: Any) -> bytes | None:
        if missing_picture_libraries():
            return None

        from eli5.formatters.image import overlay_png

        return overlay_png(self)


class Explanations(Shown, list[Any]):
    """A list of `eli5.Explanation` that shows, plots, prints and saves itself as one of them does.

    It is what ``methods=`` gives. In a notebook it is a gallery; all of ``eli5.format_as_…``, of
    `eli5.plot` and of `eli5.save` take it. It is a list in all else: it can be changed, and a
    slice, a sum or a copy of it is one of its kind, as is ``explanations[[2, 0]]``, and
    ``explanations[mask]`` for an array or a list of truth values. ``list(explanations)`` is a plain
    list.

    Parameters
    ----------
    explanations : Explanation or iterable, optional
        An explanation or several, such as `eli5.explain_predictions` gives. Lists in it are taken
        apart, as those that it gives for ``methods=`` are.

    Raises
    ------
    TypeError
        If there is anything else in it.
    """

    def __init__(self, explanations: Any = ()) -> None:
        from eli5.formatters.explanation_fields import flattened

        super().__init__(flattened(explanations))

    def __getitem__(self, index: Any) -> Any:
        """Return one of them, or those of a slice, of a list of numbers or of truth values."""
        if isinstance(index, slice):
            return _unchecked(super().__getitem__(index))
        if hasattr(index, "__index__") and not getattr(index, "ndim", 0):
            return super().__getitem__(index)

        import numpy as np  # which knows all the ways to choose

        return _unchecked(self[k] for k in np.arange(len(self))[index].tolist())

    def __add__(self, other: Any) -> Explanations:
        """Return these, and behind them those of another list."""
        return Explanations([self, other]) if isinstance(other, list) else NotImplemented

    def __radd__(self, other: Any) -> Explanations:
        """Return those of another list, and behind them these."""
        return Explanations([other, self]) if isinstance(other, list) else NotImplemented

    def copy(self) -> Explanations:
        """Return another list of the same explanations."""
        return _unchecked(self)

    def __repr__(self) -> str:
        """Show the first few by their fields, and how many there are."""
        more = len(self) - _MOST_SHOWN
        listed = [*map(repr, self[:_MOST_SHOWN]), *([f"... and {more} more"] if more > 0 else [])]
        return f"Explanations([{', '.join(listed)}])"


def _unchecked(explanations: Iterable[Any]) -> Explanations:
    made = Explanations()
    made.extend(explanations)
    return made


class ExplanationStream(Iterator[Any]):
    """Explanations that are made as they are asked for, each of them once.

    It can be given to whatever takes several of them, such as `eli5.save` or `eli5.Explanations`;
    ``for`` and ``next`` have them one by one, and nothing is kept.
    """

    def __init__(self, explanations: Iterator[Any]) -> None:
        self._explanations = explanations

    def __next__(self) -> Any:
        """Make the next one: an Explanation, or for ``methods=`` an `Explanations`."""
        return next(self._explanations)

    def collect(self, most: int | None = None) -> Explanations:
        """Make all that are left, or the next of them, and return them as `eli5.Explanations`.

        Parameters
        ----------
        most : int, optional
            For how many docs at most.
        """
        return Explanations(islice(self, most))

    def close(self) -> None:
        """End it, as one ends a generator: what has begun is let go."""
        if hasattr(self._explanations, "close"):
            self._explanations.close()

    def __repr__(self) -> str:
        """Say what it is; nothing is computed."""
        return "<explanations, made as they are asked for: .collect() makes all of them>"
