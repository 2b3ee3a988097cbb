"""What came in the place of a model, a doc or a formula, and the call that makes one of it.

Types are told by their names, so that no library is loaded for it.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eli5.checks import shown

Shape = tuple[int | None, ...]

# Where the classes of datasets are defined whose elements are batches, with labels or without.
_DATASETS = ("tensorflow.python.data", "torch.utils.data")

# ---- a model -------------------------------------------------------------------------------------


def is_keras_model(given: Any) -> bool:
    """Tell without loading Keras: where there is a Keras model, Keras is loaded already."""
    return _is_keras(given, "Model")


def _is_keras(given: Any, *names: str) -> bool:
    found: Any = sys.modules.get("keras")
    for name in names:
        found = getattr(found, name, None)
    return found is not None and isinstance(given, found)


def check_keras_model(model: Any) -> None:
    """Raise TypeError for what is no Keras model, with what makes one of it."""
    if not is_keras_model(model):
        raise TypeError(f"Expected `model` to be a Keras 3 model. Received: {not_supported(model)}")


def not_supported(estimator: Any) -> str:
    """Say that an estimator is no Keras model, and what makes one of it."""
    return f"estimator {shown(estimator)} is not supported: {model_advice(estimator)}"


def model_advice(given: Any) -> str:
    """Return what makes a Keras model of what is none, as the end of a sentence."""
    if isinstance(given, str | os.PathLike):
        return _loading(os.fspath(given))
    if isinstance(given, type) or (_is_of(given, "builtins.function") and _is_from(given, "keras")):
        return f"it makes models; call it, as in model = {given.__name__}(...)"
    if _is_from(type(given), "tf_keras"):
        return "it is a Keras 2 model; load it with Keras 3"
    if _is_keras(given, "layers", "Layer"):
        return "it is a layer; make a model: keras.Sequential([keras.Input(shape), layer])"
    if _is_of(given, "torch.nn.modules.module.Module"):
        return (
            "it is a PyTorch module. On Keras's PyTorch backend keras.Sequential([keras.Input("
            "shape), keras.layers.TorchModuleWrapper(module)]) is a Keras model, for methods that "
            "explain the input, such as method='Saliency'"
        )
    if hasattr(given, "__array__"):
        return "it is no model, which comes first: eli5.explain_prediction(model, doc)"
    if isinstance(given, list | tuple) and any(map(is_keras_model, given)):
        return "explain its models one by one"
    if is_keras_model(getattr(given, "__dict__", {}).get("model")):
        return "explain its attribute `model`"
    return "eli5 explains Keras 3 models, such as keras.saving.load_model('model.keras') gives"


def _loading(path: Any) -> str:
    keras = sys.modules.get("keras")
    if isinstance(path, str) and keras is not None and hasattr(keras.applications, path):
        return f"it is a name; make the model: keras.applications.{path}()"
    return f"it is a path; load the model first: keras.saving.load_model({shown(path)})"


def _is_of(given: Any, name: str) -> bool:
    """Tell whether an object is of a class of this name, which may not be loaded."""
    return any(f"{cls.__module__}.{cls.__qualname__}" == name for cls in type(given).__mro__)


def _is_from(function: Any, library: str) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == library


# ---- a doc that is no array ----------------------------------------------------------------------


def doc_advice(where: str, given: Any, expected: Shape | None) -> str:
    """Return what makes a doc of what is no NumPy array, as a sentence.

    `where` is what the caller calls it, `expected` the shape of the array, if the model tells it.
    """
    if given is None:
        return "Give one sample of the model's input, with batch size 1"
    if is_keras_model(given):
        return "The model comes first: `eli5.explain_prediction(model, doc)`"
    if isinstance(given, str | os.PathLike):
        call = f"keras.utils.load_img({shown(os.fspath(given))}{_target_size(expected)})"
        call, shape = f"keras.utils.img_to_array({call})", _picture_shape(expected)
        return f"Read the picture: `{fitting(call, shape, expected) or f'{call}[None]'}`"
    if _is_of(given, "PIL.Image.Image"):
        return f"Convert it with `{_from_picture(where, given, expected)}`"
    if isinstance(given, Iterator):
        return f"Take a doc from it: `next({where})`"
    if is_dataset(given):
        return f"Many docs are explained by `eli5.explain_predictions(model, {where})`"
    if isinstance(given, list | tuple) and any(hasattr(one, "shape") for one in given):
        return f"Take a doc from it: `{where}[0]`; eli5.explain_predictions explains many"
    call = _as_array(where, given)
    return f"Convert it with `{fitting(call, _shape_of(given), expected) or call}`"


def docs_advice(given: Any) -> str:
    """Return what makes a source of docs of what is none, as a sentence; nothing if nobody knows.

    Another sentence is before it.
    """
    if is_keras_model(given):
        return ". The model comes first: `eli5.explain_predictions(model, docs)`"
    if isinstance(given, str | os.PathLike):
        return ". Read the pictures first, or explain files with `eli5.bulk.explain`"
    if _is_of(given, "PIL.Image.Image"):
        return ". Give `[keras.utils.img_to_array(docs)[None]]`"
    return f". Convert it with `{_as_array('docs', given)}`" if hasattr(given, "to_numpy") else ""


def _as_array(where: str, given: Any) -> str:
    if hasattr(given, "detach"):  # PyTorch, on any device
        return f"{where}.detach().cpu().numpy()"
    for name in ("to_numpy", "numpy"):  # of tables; of TensorFlow
        if hasattr(given, name):
            return f"{where}.{name}()"
    return f"np.asarray({where})"


def is_dataset(given: Any) -> bool:
    """Tell a dataset by where its class comes from, because its library may not be there."""
    is_other = any(cls.__module__.startswith(_DATASETS) for cls in type(given).__mro__)
    return is_other or _is_keras(given, "utils", "PyDataset")


def _shape_of(given: Any) -> Shape | None:
    """Return the shape of the array that would be made of it; None if none can be."""
    import numpy as np

    try:
        return tuple(given.shape) if hasattr(given, "shape") else np.shape(given)
    except (TypeError, ValueError):  # of lists that differ in length
        return None


# ---- pictures ------------------------------------------------------------------------------------

_CHANNELS = (1, 3, 4)


def _picture_shape(expected: Shape | None) -> Shape:
    """Return height, width and channels of the picture that a model takes; None where it is open.

    The channels are 3 unless it takes grey ones or such with an alpha channel.
    """
    if expected is None or len(expected) != 4:
        return None, None, 3
    _, first, second, last = expected
    is_first = first in _CHANNELS and last not in _CHANNELS
    return (second, last, first) if is_first else (first, second, last)


def _target_size(expected: Shape | None) -> str:
    height, width, channels = _picture_shape(expected)
    mode = {1: ", color_mode='grayscale'", 4: ", color_mode='rgba'"}.get(channels or 3, "")
    return mode if None in (height, width) else f"{mode}, target_size=({height}, {width})"


def _from_picture(where: str, picture: Any, expected: Shape | None) -> str:
    height, width, channels = _picture_shape(expected)
    mode = {1: "L", 4: "RGBA"}.get(channels or 3, "RGB")
    call = where if picture.mode == mode else f"{where}.convert('{mode}')"
    if None not in (height, width) and picture.size != (width, height):
        call = f"{call}.resize(({width}, {height}))"
    call = f"keras.utils.img_to_array({call})"
    return fitting(call, (height, width, channels), expected) or f"{call}[None]"


# ---- shapes --------------------------------------------------------------------------------------

Step = tuple[str, Callable[[Shape], Shape]]  # what is written of an array, and the shape it gives

# In the order in which they are tried; a shape that a step cannot be written for stays as it is.
_OF_BATCHES: tuple[Step, ...] = (
    ("{}[None]", lambda s: (1, *s)),
    ("{}[:1]", lambda s: (1, *s[1:]) if s[:1] > (0,) else s),
    ("{}[0]", lambda s: s[1:] if s[:1] == (1,) else s),
)
_OF_CHANNELS: tuple[Step, ...] = (
    ("{}[..., None]", lambda s: (*s, 1)),
    ("{}[..., 0]", lambda s: s[:-1] if s[-1:] == (1,) else s),
    ("{}[..., :3]", lambda s: (*s[:-1], 3) if s[-1:] == (4,) else s),
    ("np.repeat({}, 3, axis=-1)", lambda s: (*s[:-1], 3) if s[-1:] == (1,) else s),
    ("np.repeat({}[..., None], 3, axis=-1)", lambda s: (*s, 3)),
    ("np.moveaxis({}, 1, -1)", lambda s: (*s[:1], *s[2:], *s[1:2])),
    ("np.moveaxis({}, -1, 1)", lambda s: (*s[:1], *s[-1:], *s[1:-1])),
    ("np.swapaxes({}, 1, 2)", lambda s: (*s[:1], *s[2:3], *s[1:2], *s[3:])),
)


def shape_advice(where: str, shape: Shape, expected: Shape) -> str:
    """Return what makes an array of the expected shape, as a sentence; nothing if nobody knows."""
    call = fitting(where, shape, expected)
    if call is not None:
        docs = where.partition("[")[0]
        many = f"; many are explained by `eli5.explain_predictions(model, {docs})`"
        return f" Give `{call}`{many if '[:1]' in call else ''}."
    is_picture = len(shape) == len(expected) == 4 and shape[-1] == expected[-1]
    if is_picture and shape[0] == 1 and None not in expected and 0 not in shape:
        resized = f"keras.ops.image.resize({where}, {expected[1:3]})"
        return f" Resize it: `keras.ops.convert_to_numpy({resized})`."
    return ""


def fitting(call: str, shape: Shape | None, expected: Shape | None) -> str | None:
    """Return how an array of a shape is written as one of another; None if it cannot be."""
    if shape is None or expected is None:
        return None
    if fits(shape, expected):
        return call
    ways: list[tuple[Step, ...]] = [(step,) for step in (*_OF_BATCHES, *_OF_CHANNELS)]
    ways += [(first, second) for first in _OF_BATCHES for second in _OF_CHANNELS]
    for way in ways:
        written, made = call, shape
        for template, step in way:
            written, made = template.format(written), step(made)
        if fits(made, expected):
            return written
    return None


def fits(shape: Shape, expected: Shape) -> bool:
    """Tell whether an array is of a shape, of which a size may be open; an open one is not 0."""
    return len(shape) == len(expected) and all(
        bool(size) if wanted is None else size == wanted
        for size, wanted in zip(shape, expected, strict=True)
    )


# ---- numbers -------------------------------------------------------------------------------------


def number_advice(where: str, array: Any) -> str:
    """Return what makes numbers of an array's values, as a sentence; nothing if nobody knows."""
    if array.dtype.kind == "O":
        return _from_objects(where, array)
    time = f"{where}.astype('int64')"
    call = {"c": f"np.abs({where})", "M": time, "m": time}.get(array.dtype.kind)
    return f" Make numbers of it: `{call}`." if call else ""


def _from_objects(where: str, array: Any) -> str:
    import numpy as np

    if any(one is None for one in array.flat):
        return " Put numbers in the place of None."
    try:
        array.astype("float32")
    except (TypeError, ValueError):
        shapes = {np.shape(one) for one in array.flat}
        if len(shapes) == 1 and () not in shapes:
            return f" Make numbers of it: `np.stack(list({where}))`."
        return (
            f" Its items are no numbers, or differ in shape: explain them one by one, {where}[0]."
        )
    return f" Make numbers of it: `{where}.astype('float32')`."


# ---- functions of the caller's own ---------------------------------------------------------------


@contextmanager
def traced(function: Callable[..., Any], what: str) -> Iterator[None]:
    """Say of an error in a function that is traced that NumPy cannot be, where it is used.

    TypeError then, from that error; `what` names the function.
    """
    try:
        yield
    except Exception as error:
        if not _uses_numpy(function):
            raise
        name = getattr(function, "__name__", type(function).__name__)
        raise TypeError(
            f"Expected {what} to compute with `keras.ops`, as it gets tensors that are traced. "
            f"Received: {name}, which uses NumPy. Write keras.ops.mean(x) for np.mean(x), and so on"
        ) from error


def _uses_numpy(function: Any) -> bool:
    inner = function.func if isinstance(function, functools.partial) else function
    inner = inner if hasattr(inner, "__code__") else type(inner).__call__
    names = getattr(getattr(inner, "__code__", None), "co_names", ())
    known = [getattr(getattr(inner, "__globals__", {}).get(name), "__name__", "") for name in names]
    return "numpy" in (*names, *known)
