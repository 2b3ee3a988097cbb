"""What is known of a method, and which options it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from eli5.keras.methods.smoothing import Smoothing


class Method(NamedTuple):
    """One method, as `eli5.keras.METHODS` lists it.

    Attributes
    ----------
    name : str
        The canonical name.
    function : callable
        The formula ``(activations, gradients, *, options) -> map``, of one attention ``(weights,
        gradients, *, options) -> matrix``, or the black-box method ``(probe, *, options) ->
        Attributions``. Its keyword-only parameters are the options.
    paper : str
    cost : str
        In runs of the model.
    at : {"layer", "input", "attention"}
        Whose grid the map has; of an attention, that of the tokens that it is between.
    is_black_box : bool
        Whether `function` asks a `Probe` and is no formula.
    is_smoothable : bool
        Whether a black-box method can be averaged over copies of the doc, as each formula can.
    is_signed : bool
        Whether what speaks against a class can be told from what speaks for it.
    is_rectified : bool
        Whether the map ends in a ReLU, and shows nothing of what speaks against the class.
    has_class : bool
        False where the map is the same for each class.
    shows : str
        What a high value means, for people; ``{score}``, ``{raises}``, ``{region}`` and
        ``{place}`` are filled in.
    is_per_step : bool
        Whether the map of a series has one number per step, where it would otherwise have one per
        step and channel.
    leaves_out : bool
        Whether parts of the doc are hidden as a whole, so that tokens can be left out.
    hides : bool
        Whether it asks for scores of the doc with parts of it hidden, and for no gradient.
    good_for : str
        When one takes it, in one line for people.
    needs : {"", "hessian", "contrast", "gap-dense", "blocks"}
        What a formula asks for beyond the gradients: the Hessian's product with the activations, a
        contrasted score, a head of global average pooling and one dense layer, or the score of the
        tokens of each block.
    join : callable or None
        Of an attention method: ``(steps, sizes) -> Relevance``; see
        `eli5.keras.methods.attention.roll_out`.
    """

    name: str
    function: Callable[..., Any]
    paper: str
    cost: str
    at: Literal["layer", "input", "attention"] = "layer"
    is_black_box: bool = False
    is_smoothable: bool = False
    is_signed: bool = True
    is_rectified: bool = False
    has_class: bool = True
    shows: str = "the higher, the more the {region} {raises} {score}"
    is_per_step: bool = False
    leaves_out: bool = False
    hides: bool = False
    needs: Literal["", "hessian", "contrast", "gap-dense", "blocks"] = ""
    good_for: str = ""
    join: Callable[..., Any] | None = None

    @property
    def own_options(self) -> dict[str, Any]:
        """The options of `function` with their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    @property
    def options(self) -> dict[str, Any]:
        """All options with their defaults, those of the smoothing among them."""
        smoothing = Smoothing()._asdict() if self.smooths else {}
        return smoothing | self.own_options

    @property
    def is_on_logits(self) -> bool:
        """Whether it is defined on the logits of the classes, and on no other number."""
        return self.needs in ("contrast", "gap-dense")

    @property
    def smooths(self) -> bool:
        """Whether the options of the smoothing are the method's, too."""
        return self.is_smoothable or not (self.is_black_box or self.at == "attention")
