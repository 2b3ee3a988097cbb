"""A target: the object that knows what is explained.

It is checked against the model's outputs, picks the number that is differentiated, and says what
that is called. Methods and engine know none of this. A new kind of target is one file with one
such class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.base import TargetExplanation
from eli5.checks import is_integer, wrong_type
from eli5.placement import Placement

Array = np.ndarray[Any, Any]

# An array (B, K), or a dict of arrays (B, K, ...).
Targets = Any

# ``select(outputs, activation_of, targets, score) -> (scores (B, K), report)``, traced into the
# engine's program; hashable, as equal ones make one program. See `eli5.keras.engine.Query`.
Select = Callable[..., tuple[Any, dict[str, Any]]]


class Output(NamedTuple):
    """The explained output, as far as it is known before the model runs.

    Attributes
    ----------
    name : str
        Its key, or path, in a dict; the name of its layer; or its number.
    spec : keras.KerasTensor
        For one sample.
    activation : str or None
        The softmax, sigmoid or log_softmax that it comes from.
    size : tuple of int
        The cells of the explained input, ``(H, W)`` of a picture.
    data_format : {"channels_first", "channels_last"} or None
        What the caller says.
    outputs : spec, or a list, tuple or dict of them
        All that the model returns; None is what is no tensor.
    model : keras.Model
    placement : Placement or None
        Where its cells lie in the explained input, if that is known.
    """

    name: str
    spec: keras.KerasTensor
    activation: str | None
    size: tuple[int, ...]
    data_format: str | None
    outputs: Any
    model: keras.Model
    placement: Placement | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape for one sample, batch axis included."""
        return tuple(self.spec.shape)


class Head(NamedTuple):
    """What the units of the explained output stand for.

    Attributes
    ----------
    n_targets : int
        How many targets there are to choose from; 0 if there are none. One unit that stands for two
        classes has two.
    n_units : int
    activation : str or None
        The softmax, sigmoid or log_softmax that the output comes from.
    is_regression : bool
        Whether the units are values and no classes.
    are_logits : bool
        Whether the output of a model without such an activation is taken for logits, because the
        caller says so.
    details : Any
        What else the kind of target knows of the output; it hashes.
    """

    n_targets: int = 0
    n_units: int = 1
    activation: str | None = None
    is_regression: bool = False
    are_logits: bool = False
    details: Any = None

    @property
    def is_binary(self) -> bool:
        """Whether one unit stands for two classes: it is high for the second."""
        return self.n_units == 1 and self.n_targets == 2

    @property
    def has_logits(self) -> bool:
        """Whether the logits of the classes are known."""
        return self.activation is not None or self.are_logits

    @property
    def has_probabilities(self) -> bool:
        """Whether the output is a probability; a log_softmax gives none."""
        return self.activation in ("softmax", "sigmoid")


class SimilarClasses(NamedTuple):
    """What a score is contrasted with: ``y_c - gamma * mean(y_d)``, arXiv:2501.11309.

    Similar are the `n_similar` classes ``d`` whose scores are closest to ``y_c``, or all others if
    there are fewer.
    """

    n_similar: int
    gamma: float


class ScoreKind(NamedTuple):
    """Which number of a target is explained: ``"log-odds"``, say, and what it is contrasted with.

    Methods that are defined on another number than the rest take their own, in the same run.
    """

    name: str
    contrast: SimilarClasses | None = None


class Levels(NamedTuple):
    """What a detector says of candidates that lie on the grids of a feature pyramid."""

    n_candidates: int
    # ``select(candidates)`` picks two scores of some of them: of their classes and their boxes.
    select: Callable[[tuple[int, ...]], Select]


class Target:
    """What is explained.

    What is asked of one sample are its K *targets*: an array, or a dict of arrays, with an axis of
    K behind the batch axis, ``(1, K, ...)``. They are an input of the compiled program: what
    differs from doc to doc, a mask or a box, belongs there and nowhere else.
    """

    score: Any  # hashable: what tells programs for one target from those for another
    # Whether it is the score of a class, which methods may contrast with those of others.
    has_class: bool
    # Whether it is about a place in the picture: a layer close to the output then shows little but
    # that place, and the one with the coarsest maps is taken unless another is named.
    is_of_a_place: bool = False
    argument: str  # how it is asked for, for errors: "a callable `score`"
    default_method = "Grad-CAM"
    has_boxes = False  # whether it is what D-RISE explains

    def suits(self, spec: keras.KerasTensor) -> bool:
        """Tell whether it can be asked of an output, where nobody says of which."""
        return True

    def check(self, output: Output) -> Head:
        """Return what the units of the output stand for; ValueError if it has no such number."""
        raise NotImplementedError

    def outputs_of(self, output: int, outputs: Any) -> list[int]:
        """Return which of the model's outputs the score is made of, as far as that is known."""
        return [output]

    def rows(self, asked: Sequence[Any] | None, head: Head) -> Targets:
        """Return the targets of one doc as `select` takes them.

        `asked` are what the caller says of this doc alone, class ids or objects of `eli5.targets`;
        None if nothing. TypeError or ValueError if one of them is not in the model's output.
        """
        raise NotImplementedError

    def kind(
        self, head: Head, contrast: SimilarClasses | None = None, *, on_logits: bool
    ) -> ScoreKind:
        """Return which number a method explains, which may be defined on logits alone."""
        raise NotImplementedError

    def kind_where_hidden(self, head: Head) -> ScoreKind:
        """Return which number a method explains that hides parts of the input.

        Another than that of a gradient may mean more where the input is another.
        """
        return self.kind(head, on_logits=False)

    def levels(self, head: Head) -> Levels | None:
        """Return what tells at which layers the score comes about, if that is several."""
        return None

    def select(
        self,
        output: int,
        head: Head,
        kinds: tuple[ScoreKind, ...],
        sign: int = 1,
        reported: tuple[ScoreKind, ...] = (),
    ) -> Select:
        """Return what picks the scores in the engine's program.

        Parameters
        ----------
        output : int
            Which output of the model, in the order of `keras.tree.flatten`.
        head : Head
        kinds : tuple of ScoreKind
            One block of K columns of scores for each.
        sign : int
            -1 to explain what lowers the score.
        reported : tuple of ScoreKind
            Of which kinds the scores leave the program, too: ``explained``, shape (B, K, kinds),
            beside the model's own ``outputs``, shape (B, K), and the ``targets`` with all that was
            left open, so that they mean the same for any variant of the sample: class ids in the
            place of ranks. And ``found``, arrays (B, K, ...), if `check_found` looks at some. None
            if no target is open and the scores are all that is wanted: many samples are then not
            ranked for nothing.
        """
        raise NotImplementedError

    def check_found(self, found: Mapping[str, Array], targets: Targets, head: Head) -> None:
        """Raise ValueError if what is asked of one doc turns out not to be there.

        `found` and `targets` are its own of what was reported, (K, ...); see `select`.
        """

    def describe(self, asked: Sequence[Any] | None, head: Head) -> Iterator[str]:
        """Say, in sentences, what a reader must know of how the targets of one doc were read."""
        yield from ()

    def name(self, head: Head, kind: ScoreKind) -> str:
        """Name the number that is differentiated, for people: ``"the model's output"``."""
        raise NotImplementedError

    def explanation(
        self, target: Any, numbers: Mapping[str, float], head: Head, kind: ScoreKind
    ) -> TargetExplanation:
        """Return the explanation of one target, without its maps.

        `target` is its own of the targets, `numbers` of what else was reported; see `select`.
        """
        raise NotImplementedError


def find_output(
    model: keras.Model,
    outputs: Any,
    output: Any,
    suits: Callable[[keras.KerasTensor], bool] | None = None,
) -> tuple[int, str]:
    """Return which output is meant, in the order of `keras.tree.flatten`, and its name.

    Parameters
    ----------
    model : keras.Model
    outputs : spec, or a list, tuple or dict of them
        What the model returns; None is what is no tensor.
    output : None, str or int
        The key in a dict (``"maps/0"`` of what is in a list within it), the name in a functional
        model, or the index, in the order in which the
        model declares them; None is the first
        that is a tensor.
    suits : callable, optional
        ``suits(spec)`` tells, where `output` is None, which of the tensors may be meant; the first
        if there is none.

    Raises
    ------
    TypeError
        If `output` is of another type.
    ValueError
        If there is no such output.
    """
    names = name_outputs(model, outputs)
    is_tensor = [spec is not None for spec in keras.tree.flatten(outputs)]
    tensors = [name for name, is_one in zip(names, is_tensor, strict=True) if is_one]
    if output is None and tensors:
        declared = [one for one in _declared_names(model, outputs, names) if one in tensors]
        specs = dict(zip(names, keras.tree.flatten(outputs), strict=True))
        suited = (one for one in declared if suits is None or suits(specs[one]))
        first = next(suited, declared[0])
        return names.index(first), first
    if not (isinstance(output, str) or is_integer(output) or output is None):
        raise wrong_type("output", output, "None, a name or an index")
    if not tensors:
        raise ValueError(
            f"Expected a model that returns a tensor. Received: model {model.name!r}, which "
            f"returns {keras.tree.map_structure(lambda _: None, outputs)}"
        )
    found = None
    if isinstance(output, str) and output in names:
        found = names.index(output)
    elif is_integer(output) and -len(names) <= output < len(names):
        found = names.index(_declared_names(model, outputs, names)[output])
    if found is not None and is_tensor[found]:
        return found, names[found]
    none = "" if found is None else ", which is no tensor"
    raise ValueError(
        f"Expected `output` to be one of {tensors} or an index below {len(names)}. "
        f"Received: output={output!r}{none}"
    )


def _declared_names(model: keras.Model, outputs: Any, names: list[str]) -> list[str]:
    """Return the names in the order of the model; it returns the keys of a dict sorted."""
    if not isinstance(outputs, dict):
        return names
    try:
        declared = model.output
    except (AttributeError, ValueError):  # a subclass declares none
        declared = outputs
    return list(_leaves(_named(declared if isinstance(declared, dict) else outputs)))


def _leaves(named: Any) -> Iterator[str]:
    """Return the names in a structure in the order in which they stand there."""
    if isinstance(named, str):
        yield named
        return
    for one in named.values() if isinstance(named, dict) else named:
        yield from _leaves(one)


def name_outputs(model: keras.Model, outputs: Any) -> list[str]:
    """Name the outputs, in the order of `keras.tree.flatten`: by key, by layer, or by number."""
    if isinstance(outputs, dict):
        return list(keras.tree.flatten(_named(outputs)))
    n_outputs = len(keras.tree.flatten(outputs))
    names = getattr(model, "output_names", None) or []
    return list(names) if len(names) == n_outputs else list(map(str, range(n_outputs)))


def _named(outputs: Any, path: str = "") -> Any:
    """Return a structure with the path of each output in its place: ``"probs"``, ``"maps/0"``."""
    if isinstance(outputs, dict):
        return {
            key: _named(one, f"{path}/{key}" if path else str(key)) for key, one in outputs.items()
        }
    if isinstance(outputs, list | tuple):
        return [_named(one, f"{path}/{k}") for k, one in enumerate(outputs)]
    return path
