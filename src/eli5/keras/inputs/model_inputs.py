"""A model's inputs: their shapes, a doc checked against them, and which of several is explained."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.advice import doc_advice, fits, model_advice, number_advice, shape_advice
from eli5.checks import check_no_mask, is_integer, wrong_type
from eli5.keras import engine
from eli5.keras.inputs.kind import Kind

Array = np.ndarray[Any, Any]

# Models that were called here: what is still not built is not used.
_called: weakref.WeakSet[keras.Model] = weakref.WeakSet()
_lock = threading.RLock()

IMAGE_RANKS = (3, 4, 5)  # (1, H, W), (1, H, W, C), and volumes and videos (1, D, H, W, C)

# Of which rank the explained one of several inputs is, where nobody says of which kind it is.
_RANKS = ((4, 5), (3,))


class ModelInputs(NamedTuple):
    """A doc as the model takes it."""

    arrays: Any  # as they are fed to the model, batch axis included
    input_index: int  # which of them is explained, in the order of `keras.tree.flatten`
    name: str | None  # its name, where there are several
    values: Array  # that one as it came


class UnsupportedDocError(ValueError):
    """Model and doc are of no kind that can be explained."""

    def __init__(self, model: keras.Model, reason: str = "") -> None:
        advice = ', try passing the "image" argument if explaining an image model'
        reason = f": {reason}" if reason else advice
        super().__init__(f'model "{model.name}" is not supported{reason}.')


def take_doc(
    model: keras.Model,
    doc: Any,
    input: str | int | None = None,
    kind: Kind | None = None,
    *,
    is_ready: bool = False,
) -> ModelInputs:
    """Check a doc, build the model if it never was, and find the input that is explained.

    Parameters
    ----------
    model : keras.Model
    doc : numpy.ndarray, or a list or dict of them
    input : str or int, optional
        The name or index of the explained input. None: the only one that has the rank of the kind.
    kind : Kind, optional
        What the explained input is, if anybody says it.
    is_ready : bool
        Whether the model has taken such a doc before, and is built.

    Raises
    ------
    TypeError, ValueError
        If the doc does not fit the model, or if there is no such input, or None leaves a choice.
    UnsupportedDocError
        If nobody says what the doc is, and it has a rank that cannot be explained.
    """
    check_doc(model, doc)
    doc = keras.tree.map_structure(_plain, doc)
    if not is_ready:
        if isinstance(model, keras.Sequential) and not model.layers:
            raise UnsupportedDocError(model, "" if kind is None else "it has no layers")
        if kind is None and isinstance(doc, np.ndarray):
            _check_rank(model, doc)
        ensure_built(model, doc)
    arrays = named_arrays(model, doc)
    index = _find_explained(arrays, input, kind)
    name = list(arrays)[index] if len(arrays) > 1 else None
    return ModelInputs(standardize(doc), index, name, list(arrays.values())[index])


def _plain(array: Array) -> Array:
    """Return an array of no subclass, as some of them slice oddly, that all libraries can read."""
    dtype = array.dtype.newbyteorder("=") if array.itemsize <= 8 else "float64"
    return np.asarray(array, dtype)


def _check_rank(model: keras.Model, doc: Array) -> None:
    """Refuse what cannot be explained before a model is built for it."""
    shapes = input_shapes(model)
    ranks = {doc.ndim} if shapes is None else set(map(len, shapes.values()))
    if ranks & set(IMAGE_RANKS):
        return
    parts = engine.parts_of(model)
    has_embedding = any(isinstance(part, keras.layers.Embedding) for part in parts)
    if doc.ndim != 2 or not (model.built or has_embedding):
        raise UnsupportedDocError(model)


def input_shapes(model: keras.Model) -> dict[str, tuple[int | None, ...]] | None:
    """Return the shape of each input by its name, or None if the model does not tell it.

    A model that was never built, or a subclass that declares no input, does not.
    """
    inputs = _declared_inputs(model)
    if inputs is None:
        shape = getattr(model, "input_shape", None)  # as a subclass may say
        return {"doc": tuple(shape)} if isinstance(shape, tuple) else None
    if isinstance(inputs, dict):
        return {str(name): tuple(inputs[name].shape) for name in inputs}
    return {tensor.name: tuple(tensor.shape) for tensor in keras.tree.flatten(inputs)}


def integer_inputs(model: keras.Model) -> set[str]:
    """Return the names of the inputs that the model declares as integers."""
    inputs = _declared_inputs(model)
    named = inputs if isinstance(inputs, dict) else {t.name: t for t in keras.tree.flatten(inputs)}
    return {str(name) for name in named if "int" in str(getattr(named[name], "dtype", ""))}


def _declared_inputs(model: keras.Model) -> Any:
    """Return the symbolic input(s) in the structure that the model takes, or None."""
    for name in ("input", "inputs"):  # a Sequential has the second only
        try:
            inputs = getattr(model, name)
        except (AttributeError, ValueError):  # as Keras says that there is none, or none yet
            continue
        if keras.tree.flatten(inputs):
            return inputs
    return None


def check_doc(model: keras.Model, doc: Any) -> None:
    """Check that `doc` is one sample of the model's input, as the model takes it.

    TypeError if an input is not a NumPy array of numbers, ValueError if a shape is not the model's
    input shape with batch size 1, or an input is missing.
    """
    shapes = input_shapes(model)
    if shapes is not None and len(shapes) == 1 and not isinstance(doc, dict):
        _check_array("doc", doc, next(iter(shapes.values())))
        return
    if not isinstance(doc, list | tuple | dict):
        if shapes is not None:
            raise ValueError(
                f"Expected `doc` to be a list or dict of {len(shapes)} arrays, for the model's "
                f"inputs {list(shapes)}. Received: doc of type {type(doc).__name__}. Give "
                f"{{{', '.join(f'{name!r}: ...' for name in shapes)}}}"
            )
        _check_array("doc", doc, None)
        return
    arrays = named_arrays(model, doc)
    if shapes is not None and shapes.keys() != arrays.keys():
        raise ValueError(
            f"Expected `doc` to hold the model's inputs {list(shapes)}. Received: {list(arrays)}"
        )
    for name, array in arrays.items():
        where = f"doc[{name!r}]" if isinstance(doc, dict) else f"doc[{list(arrays).index(name)}]"
        _check_array(where, array, None if shapes is None else shapes.get(name))


def named_arrays(model: keras.Model, doc: Any) -> dict[str, Any]:
    """Return the arrays of `doc` by name, in the order of `keras.tree.flatten`."""
    if isinstance(doc, dict):
        return {name: doc[name] for name in keras.tree.flatten({key: key for key in doc})}
    if isinstance(doc, list | tuple):
        names = list(input_shapes(model) or ())
        if names and len(names) != len(doc):
            raise ValueError(
                f"Expected `doc` to hold {len(names)} arrays, for the model's inputs {names}. "
                f"Received: {len(doc)}"
            )
        return dict(zip(names or map(str, range(len(doc))), doc, strict=True))
    return {"doc": doc}


def _check_array(where: str, array: Any, shape: tuple[int | None, ...] | None) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"Expected `{where}` to be a NumPy array. Received: {where} of type "
            f"{type(array).__name__}. {doc_advice(where, array, shape and (1, *shape[1:]))}."
        )
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"Expected `{where}` to be a NumPy array of numbers. "
            f"Received: {where}.dtype={array.dtype}.{number_advice(where, array)}"
        )
    expected = (1, *(shape[1:] if shape is not None else (None,) * (max(array.ndim, 1) - 1)))
    if not fits(array.shape, expected):
        raise ValueError(
            f"Expected `{where}` of shape {expected}: the model's input shape with batch size 1. "
            f"Received: {where}.shape={array.shape}.{shape_advice(where, array.shape, expected)}"
        )
    check_no_mask(where, array)


def _find_explained(arrays: dict[str, Array], input: Any, kind: Kind | None) -> int:
    """Return which input is explained, in the order of `keras.tree.flatten`."""
    names = list(arrays)
    if input is None:
        likely = _likely_inputs([array.ndim for array in arrays.values()], kind)
        if len(names) == 1 or len(likely) == 1:
            return likely[0] if len(names) > 1 else 0
    elif not (isinstance(input, str) or is_integer(input)):
        raise wrong_type("input", input, "None, a name or an index")
    elif input in names:
        return names.index(input)
    elif is_integer(input) and -len(names) <= input < len(names):
        return int(input) % len(names)
    explained = "explained" if kind is None else kind.words.explained
    raise ValueError(
        f"Expected `input` to say which of the inputs is {explained}: one of {names}, or an "
        f"index. Received: input={input!r}"
    )


def _likely_inputs(ranks: list[int], kind: Kind | None) -> list[int]:
    for expected in _RANKS if kind is None else kind.input_ranks:
        likely = [k for k, rank in enumerate(ranks) if rank in expected]
        if likely:
            return likely
    return []


def blank_doc(model: keras.Model) -> Any:
    """Return a sample of zeros, as the model takes it; ValueError if it does not tell its size."""
    shapes = input_shapes(model)
    if shapes is None or any(None in shape[1:] for shape in shapes.values()):
        raise ValueError(
            f"Expected `doc`, as model {model.name!r} does not tell the size of its input. "
            f"Received: doc=None, with input shapes {shapes}"
        )
    doc = keras.tree.map_structure(
        lambda tensor: np.zeros(
            (1, *tensor.shape[1:]), keras.backend.standardize_dtype(tensor.dtype)
        ),
        _declared_inputs(model),
    )
    return doc[0] if isinstance(doc, list) and len(doc) == 1 else doc


def find_fixed_batch(model: keras.Model, inputs: ModelInputs) -> int | None:
    """Return the one number of samples that the model takes at once, or None if it takes any.

    It is that of the states that a recurrent layer keeps; or what the model declares, if it proves
    to take no other: a `Sequential` declares the batch that it happened to see first.
    """
    kept = [int(state.shape[0]) for state in engine.kept_states(model)]
    if kept:
        return kept[0]
    shapes = list((input_shapes(model) or {}).values())
    declared = next((shape[0] for shape in shapes if shape and shape[0] is not None), None)
    if declared is None:
        return None
    traces = []
    try:
        for n in (1, 2) if declared == 1 else (1,):
            arrays = repeat_doc(inputs.arrays, n)
            traces.append(engine.trace(model, arrays, inputs.input_index).outputs)
    except Exception:  # whatever a model raises on another number of samples
        return int(declared)
    specs = [[one.shape for one in keras.tree.flatten(out) if one is not None] for out in traces]
    is_free = specs[0] == specs[-1] and all(shape[:1] in ((), (1,)) for shape in specs[0])
    return None if is_free else int(declared)


def repeat_doc(inputs: Any, n: int) -> Any:
    """Return the inputs of one doc as those of n, all the same."""
    if n == 1:
        return inputs
    return keras.tree.map_structure(lambda x: np.repeat(x, n, axis=0), inputs)


def read_output(model: keras.Model, arrays: Any, call: engine.Call, n_samples: int = 1) -> Array:
    """Return what a call gives for the inputs of one doc; the model takes `n_samples` at once."""
    site = engine.Site(call.operation(), call.nth, call.path, shape=call.shape, dtype=call.dtype)
    query = engine.Query(None, _no_scores, (site,), read=True)
    targets = np.zeros((n_samples, 1), "int32")
    (_, ((output, _),)), _ = engine.evaluate(model, repeat_doc(arrays, n_samples), targets, query)
    return np.asarray(output[: call.shape[0]])


def _no_scores(outputs: Any, activation_of: Any, targets: Any, score: Any) -> tuple[Any, Any]:
    return keras.ops.cast(targets, "float32"), {}


def ensure_built(model: keras.Model, doc: Any) -> None:
    """Build a model that has not seen its input shape yet, for any batch size."""
    if engine.is_known(model):
        return
    with _lock:
        if model in _called or (model.built and all(layer.built for layer in model.layers)):
            return
        if isinstance(model, keras.Sequential) and isinstance(doc, np.ndarray):
            keeps_state = any(getattr(part, "stateful", False) for part in engine.parts_of(model))
            model.build((1 if keeps_state else None, *doc.shape[1:]))
        else:
            # A subclass may say that it is built when its layers are not; only a call, outside of
            # any trace, makes sure.
            with _same_state(model):
                model(standardize(doc), training=False)
        _called.add(model)


@contextlib.contextmanager
def _same_state(model: keras.Model) -> Iterator[None]:
    """Undo what a call assigns: a recurrent layer may keep a state, a model count its calls."""
    before = [(one, keras.ops.convert_to_numpy(one)) for one in model.non_trainable_variables]
    yield
    for variable, value in before:
        variable.assign(value)
    known = {id(variable) for variable, _ in before}
    for state in engine.kept_states(model):
        if id(state) not in known:
            state.assign(np.zeros(state.shape, state.dtype))


def standardize(doc: Any) -> Any:
    """Return floats in Keras's float type, as `Model.predict` feeds them; integers stay.

    They are of a type that the backend has; ValueError for numbers that are too large for it.
    """
    return keras.tree.map_structure(_standardized, doc)


def _standardized(array: Array) -> Array:
    kind, floatx = array.dtype.kind, keras.config.floatx()
    if kind == "f":
        try:
            with np.errstate(over="raise"):
                return array.astype(floatx, copy=False)
        except FloatingPointError:
            raise _too_large(array, float(np.finfo(floatx).max), floatx) from None
    widest = np.iinfo(engine.widest_integer())
    if kind in "iu" and (array.itemsize > widest.dtype.itemsize or array.dtype == np.uint64):
        if array.min() < widest.min or array.max() > widest.max:
            raise _too_large(array, widest.max, str(widest.dtype))
        return array.astype(widest.dtype)
    return array


def _too_large(array: Array, most: float, dtype: str) -> ValueError:
    return ValueError(
        f"Expected `doc` to hold numbers up to {most:g}, as {dtype} has them. Received: an array "
        f"of {array.dtype} with numbers from {array.min():g} to {array.max():g}. Scale them first, "
        f"or give integers as numbers with a point: doc.astype('{keras.config.floatx()}')."
    )


def check_model(model: Any) -> None:
    """Raise TypeError if `model` is no Keras model."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"Expected `model` to be a keras.Model. Received: model of type "
            f"{type(model).__name__}: {model_advice(model)}"
        )
