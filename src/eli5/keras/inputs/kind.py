"""What differs between pictures, texts and series: one object per kind holds all of it.

A new kind (audio, say) is one file with one object, and one entry in `eli5.keras.inputs.sample`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from eli5.keras.engine import Site, Trace
from eli5.placement import Placement

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.base import Explanation
    from eli5.keras.inputs.sample import DocOptions, Sample
    from eli5.keras.methods.method import Method

Array = np.ndarray[Any, Any]


class Words(NamedTuple):
    """What people call the things of a kind."""

    noun: str  # one doc: ``"text"``
    explained: str  # the input that is explained, of several: ``"the text"``
    region: str  # a cell of a layer's map
    cell: str  # a cell of the input's
    unit: str = ""  # what follows the number of cells: ``" tokens"``


class Kind:
    """A kind of input; the defaults are those of pictures."""

    name: str
    words: Words
    options: tuple[str, ...]  # the arguments of a call that say that a doc is of this kind
    # Which ranks the explained one of several inputs has: those looked for first, then second.
    input_ranks: tuple[tuple[int, ...], ...]
    can_mirror = False  # whether a mirrored doc is a doc again, so that it can be augmented by it

    def check_options(self, about: DocOptions) -> Any:
        """Return what the caller says of a doc in the kind's own form, checked without the model.

        TypeError or ValueError if it is of a wrong type, or does not agree with itself.
        """
        raise NotImplementedError

    def recognises(self, values: Array, trace: Trace) -> bool:
        """Tell whether a doc of which nobody says what it is, is of this kind."""
        raise NotImplementedError

    def size(self, values: Array, channels_first: bool) -> tuple[int, ...]:
        """Return how many cells the explained input has along each axis; ValueError if none."""
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

        ValueError if what the caller says does not fit the doc.
        """
        return sample

    def fit(self, maps: Array, placement: Placement) -> tuple[Array, Placement]:
        """Return a layer's maps (..., *grid) with the cells that the heatmap of this kind has."""
        return maps, placement

    def method_defaults(self, method: Method, sample: Sample) -> dict[str, Any]:
        """Return the options of a black-box method that this kind needs other defaults for."""
        return {}

    def window(self, window: Any, values: Array) -> Any:
        """Return a window of the input that a caller gave as one int, as the method takes it."""
        return window

    def shown(self, maps: Array, heatmaps: Array) -> Array:
        """Return what is visible of K maps; a target of which nothing is gets a warning."""
        return heatmaps

    def unprepared(self, sample: Sample) -> str:
        """Say that a doc is not prepared as the model was trained; nothing if it may well be."""
        return ""

    def image(self, sample: Sample) -> Image | None:
        """Return the picture that all explanations of the doc show."""
        return None

    def finish(self, expl: Explanation, sample: Sample, cells: Sequence[int]) -> Explanation:
        """Put into an explanation what belongs to this kind; it is changed."""
        return expl


def input_site(sample: Sample, trace: Trace) -> Site:
    """Return the explained input itself, or what stands for it, as a site."""
    call = sample.stand_in
    if call is not None:
        return Site(
            call.operation(),
            call.nth,
            call.path,
            call.channels_first,
            has_channels=sample.kind.has_channels(sample.values),
            is_input=True,
            shape=call.shape,
            dtype=call.dtype,
        )
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
