"""What differs between pictures, texts and series: one object per kind holds all of it.

A new kind (audio, say) is one file with one object, and one entry in `eli5.keras.inputs.sample`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import keras
from eli5.keras.engine import Site, Trace

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.base import Explanation
    from eli5.keras.inputs.sample import DocOptions, Sample
    from eli5.keras.methods.method import Method

Array = np.ndarray[Any, Any]


class Words(NamedTuple):
    """What people call the things of a kind.

    Attributes
    ----------
    noun : str
        One doc: ``"text"``.
    explained : str
        The input that is explained, of several: ``"the text"``.
    region, cell : str
        A cell of a layer's map, and of the input's.
    unit : str
        What follows the number of cells: ``" tokens"``.
    """

    noun: str
    explained: str
    region: str
    cell: str
    unit: str = ""


class Kind:
    """A kind of input; the defaults are those of pictures.

    Attributes
    ----------
    name : str
    words : Words
    options : tuple of str
        The arguments of a call that say that a doc is of this kind.
    input_ranks : tuple of tuples of int
        Which ranks the explained one of several inputs has: those looked for first, then second.
    can_mirror : bool
        Whether a mirrored doc is a doc again, so that it can be augmented by it.
    has_image : bool
        Whether the caller may give a picture to lay the heatmap over.
    """

    name: str
    words: Words
    options: tuple[str, ...]
    input_ranks: tuple[tuple[int, ...], ...]
    can_mirror = False
    has_image = False

    def check_options(self, about: DocOptions) -> Any:
        """Check what the caller says of a doc, before the model is looked at.

        Returns
        -------
        Any
            The same in the kind's own form; None where it has none.

        Raises
        ------
        TypeError, ValueError
            If it is of a wrong type, or does not agree with itself.
        """
        raise NotImplementedError

    def recognises(self, values: Array, trace: Trace) -> bool:
        """Tell whether a doc of which nobody says what it is, is of this kind."""
        raise NotImplementedError

    def size(self, values: Array, channels_first: bool) -> tuple[int, ...]:
        """Return how many cells the explained input has along each of its axes.

        Raises
        ------
        ValueError
            If the input does not have the shape of this kind.
        """
        raise NotImplementedError

    def input_site(self, sample: Sample, trace: Trace, *, is_needed: bool) -> Site:
        """Return the input as what is differentiated or perturbed."""
        return input_site(sample, trace)

    def has_channels(self, values: Array) -> bool:
        """Tell whether several numbers of the input are one cell: its channels."""
        return values.ndim > 3

    def per_cell(self, site: Site, values: Array) -> Site:
        """Return the input for a method with one number per cell of time, whatever the channels."""
        return site

    def complete(self, sample: Sample, trace: Trace) -> Sample:
        """Return the sample with all that the doc and the model tell about it.

        Raises
        ------
        ValueError
            If what the caller says does not fit the doc.
        """
        return sample

    def fit(self, maps: Array, site: Site, trace: Trace, size: tuple[int, ...]) -> Array:
        """Return a layer's maps (..., *grid) with the cells that the heatmap of this kind has."""
        return maps

    def method_defaults(self, method: Method, sample: Sample) -> dict[str, Any]:
        """Return the options of a black-box method that this kind needs other defaults for."""
        return {}

    def window(self, window: Any, values: Array) -> Any:
        """Return a window of the input that a caller gave as one int, as the method takes it."""
        return window

    def shown(self, maps: Array, heatmaps: Array) -> Array:
        """Return what is visible of K maps; a target of which nothing is gets a warning."""
        return heatmaps

    def image(self, sample: Sample) -> Image | None:
        """Return the picture that all explanations of the doc show."""
        return None

    def finish(self, expl: Explanation, sample: Sample, cells: Sequence[int]) -> Explanation:
        """Put into an explanation what belongs to this kind; it is changed."""
        return expl


def input_site(sample: Sample, trace: Trace) -> Site:
    """Return the explained input itself as a site."""
    return Site(
        None,
        0,
        "input",
        trace.channels_first,
        input_index=sample.input_index,
        has_channels=sample.kind.has_channels(sample.values),
        is_input=True,
        shape=sample.values.shape,
        dtype=keras.config.floatx(),
    )


def check_rank(values: Array, kind: Kind) -> None:
    """Raise ValueError if an input that is said to be a text or a series has height and width."""
    if values.ndim > 3:
        noun = kind.words.noun
        options = ", ".join(f"`{name}`" for name in kind.options)
        raise ValueError(
            f"Expected the {noun} that is described to have a shape of (1, T) or (1, T, F). "
            f"Received: an input of shape {values.shape}. Say with `input` which of several inputs "
            f"is the {noun}, or leave out {' and '.join(options.rsplit(', ', 1))}."
        )
