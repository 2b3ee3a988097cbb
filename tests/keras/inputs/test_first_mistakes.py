"""What is given at first in the place of a doc or a model, and the call that the error names."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import PIL
import pytest
from keras import layers
from PIL import Image

import eli5
from helpers.backend_limits import ONCE
from helpers.models import with_weights

pytestmark = ONCE  # what is told before a model runs

Array = np.ndarray[Any, Any]
SIZE = (12, 20, 3)


class Frame:
    """A table, as pandas has them."""

    columns = ("a", "b")
    shape = SIZE

    def to_numpy(self) -> Array:
        return picture()


class Tensor:
    """A tensor, as TensorFlow has them."""

    shape = (1, *SIZE)

    def numpy(self) -> Array:
        return picture()[None]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    num_batches = 1

    def __getitem__(self, index: int) -> Any:
        return picture()[None]


def picture() -> Array:
    return np.random.default_rng(0).uniform(0, 1, SIZE).astype("float32")


def open_picture(mode: str, width: int = 20) -> Image.Image:
    return Image.fromarray((255 * picture()).astype("uint8")).resize((width, 12)).convert(mode)


# What is given, and what the call that is named makes of it.
NO_ARRAYS: dict[str, Callable[[], Any]] = {
    "numbers": lambda: picture().tolist(),
    "tensor of the backend": lambda: keras.ops.convert_to_tensor(picture()[None]),
    "tensor without a batch axis": lambda: keras.ops.convert_to_tensor(picture()),
    "tensor": Tensor,
    "table": Frame,
    "picture": lambda: open_picture("RGB"),
    "large picture": lambda: open_picture("RGB", 33),
    "grey picture": lambda: open_picture("L"),
    "picture of a palette": lambda: open_picture("P"),
    "generator": lambda: iter([picture()[None]]),
    "list of docs": lambda: [picture()[None]] * 2,
    "dataset": lambda: Batches(),
}
ARRAYS: dict[str, Array] = {
    "no batch axis": picture(),
    "batch": np.stack([picture()] * 3),
    "a batch axis too many": picture()[None, None],
    "channels first": picture().transpose(2, 0, 1)[None],
    "turned": picture().transpose(1, 0, 2)[None],
    "grey": picture()[None, ..., 0],
    "small": picture()[None, :9, :9],
    "objects": picture()[None].astype(object),
    "complex": picture()[None].astype(complex),
}


def named_call(model: keras.Model, doc: Any) -> tuple[Exception, Any]:
    """Return the error for a doc, and what the call gives that it names."""
    with pytest.raises((TypeError, ValueError), match="Expected `doc`") as caught:
        eli5.explain_prediction(model, doc)
    call = re.findall("`([^`]*)`", str(caught.value))[1]
    names = {"doc": doc, "np": np, "keras": keras, "eli5": eli5, "model": model}
    return caught.value, eval(call, names)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("name", [*NO_ARRAYS, *ARRAYS])
def test_the_call_that_is_named_works(classifier: keras.Model, name: str) -> None:
    doc = NO_ARRAYS[name]() if name in NO_ARRAYS else ARRAYS[name]
    error, made = named_call(classifier, doc)
    assert isinstance(error, TypeError) == (name in (*NO_ARRAYS, "objects", "complex"))
    assert len(str(error)) < 300
    if not isinstance(made, np.ndarray):  # many were explained
        made = [one.error for one in made]
        assert made == [""]
        return
    assert made.shape == (1, *SIZE)
    assert not eli5.explain_prediction(classifier, made).error


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read_as_the_model_takes_it(
    classifier: keras.Model, kind: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    open_picture("RGB", 33).save(path)
    error, made = named_call(classifier, kind(path))
    assert "Read the picture: `keras.utils.img_to_array(keras.utils.load_img(" in str(error)
    assert made.shape == (1, *SIZE)
    grey = with_weights(
        keras.Sequential([keras.Input((1, 12, 20)), layers.Permute((2, 3, 1)), layers.Conv2D(2, 3)])
    )
    assert named_call(grey, kind(path))[1].shape == (1, 1, 12, 20)
    with pytest.raises(TypeError, match=r"Received: docs of type .*`eli5\.bulk\.explain`"):
        eli5.explain_predictions(classifier, kind(path))


def test_what_is_no_source_of_docs_is_made_one(classifier: keras.Model) -> None:
    for docs, shape in ((Frame(), SIZE), (open_picture("RGB"), (1, *SIZE))):
        with pytest.raises(TypeError, match="Expected `docs` to be an array") as caught:
            eli5.explain_predictions(classifier, docs)
        made = eval(re.findall("`([^`]*)`", str(caught.value))[1], {"docs": docs, "keras": keras})
        assert np.shape(made[0] if isinstance(made, list) else made) == shape
    with pytest.raises(ValueError, match=r"shape \(N, 12, 20, 3\).*\(12, 20, 3\), one.*docs\[None"):
        eli5.explain_predictions(classifier, picture())
    with pytest.raises(TypeError, match=r"explain_predictions\(model, docs\)"):
        eli5.explain_predictions(classifier, classifier)


def test_swapped_arguments_are_told(classifier: keras.Model) -> None:
    doc = np.zeros((1, 224, 224, 3))
    expl = eli5.explain_prediction(doc, classifier)
    assert expl.error == (
        "estimator <ndarray of shape (1, 224, 224, 3), dtype float64> is not supported: it is no "
        "model, which "
        "comes first: eli5.explain_prediction(model, doc)"
    )
    assert expl.estimator == "<ndarray of shape (1, 224, 224, 3), dtype float64>"
    with pytest.raises(TypeError, match=r"<ndarray of shape .*comes first: eli5\.explain_predict"):
        eli5.explain_predictions(doc, classifier)
    with pytest.raises(TypeError, match=r"doc of type .*The model comes first: `eli5\.explain_p"):
        eli5.explain_prediction(classifier, classifier)


class Wrapper:
    def __init__(self, model: keras.Model) -> None:
        self.model = model


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda model: "MobileNetV2", "make the model: keras.applications.MobileNetV2()"),
        (lambda model: keras.applications.MobileNetV2, "as in model = MobileNetV2(...)"),
        (lambda model: keras.Sequential, "as in model = Sequential(...)"),
        (lambda model: model.layers[0], "make a model: keras.Sequential([keras.Input(shape), l"),
        (lambda model: [model, model], "explain its models one by one"),
        (Wrapper, "explain its attribute `model`"),
    ],
    ids=["name", "function", "class", "layer", "list", "wrapper"],
)
def test_what_is_nearly_a_model(classifier: keras.Model, make: Any, advice: str) -> None:
    expl = eli5.explain_prediction(make(classifier), picture()[None])
    assert advice in str(expl.error)
    with pytest.raises(TypeError, match=re.escape(advice)):
        eli5.explain_predictions(make(classifier), picture()[None])
    with pytest.raises(TypeError, match=r"to be a keras\.Model\..*" + re.escape(advice)):
        eli5.keras.target_layers(make(classifier), picture()[None])


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the wrapper is PyTorch's")
def test_a_pytorch_module_is_wrapped() -> None:
    import torch

    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.LazyLinear(2)
    )
    doc = picture().transpose(2, 0, 1)[None]
    error = str(eli5.explain_prediction(module, doc).error)
    (call,) = re.findall(r"keras\.Sequential\(.*\)\]\)", error)
    assert "\n" not in error
    module(torch.tensor(doc))
    model = eval(call, {"keras": keras, "shape": (3, 12, 20), "module": module})
    expl = eli5.explain_prediction(model, doc, method="Saliency")
    assert expl.targets[0].heatmap.shape == (12, 20)


@pytest.mark.parametrize(
    ("doc", "options"),
    [
        (picture(), {}),
        ([[1.0]], {}),
        (picture()[None], {"method": "SHAP"}),
        (picture()[None], {"class_idx": 1}),
        (picture()[None], {"targets": [9]}),
        (picture()[None], {"layer": "no such"}),
        (picture()[None], {"image": picture()}),
    ],
    ids=["shape", "list", "method", "option", "class", "layer", "image"],
)
def test_an_error_ends_at_the_function_that_was_called(
    classifier: keras.Model, doc: Any, options: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError)) as one:
        eli5.explain_prediction(classifier, doc, **options)
    with pytest.raises((TypeError, ValueError)) as shown:
        eli5.show_prediction(classifier, doc, **options)
    for caught, name in ((one, "explain_prediction"), (shown, "show_prediction")):
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert [frame.name for frame in frames[1:]] == [name]


def test_the_path_of_an_image_is_to_be_opened(classifier: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    open_picture("RGB").save(path)
    with pytest.raises(TypeError, match=r"Pillow image.*Open the file") as caught:
        eli5.explain_prediction(classifier, picture()[None], image=str(path))
    (call,) = re.findall("`(PIL.*)`", str(caught.value))
    with eval(call, {"PIL": PIL}) as image:
        assert image.size == (20, 12)


def test_few_layers_are_named_of_a_deep_model() -> None:
    body = [layers.Conv2D(2, 1) for _ in range(20)]
    top = [layers.GlobalAveragePooling2D(), layers.Dense(2)]
    model = keras.Sequential([keras.Input(SIZE), *body, *top])
    with pytest.raises(TypeError, match="which is not the name of a layer") as caught:
        eli5.explain_prediction(model, picture()[None], image="no-such-layer")
    assert str(caught.value).count("conv2d") == 8


def test_errors_of_the_other_documented_functions_are_short(classifier: keras.Model) -> None:
    keras_part = eli5.keras
    calls: list[Callable[[], Any]] = [
        lambda: keras_part.target_layers(classifier, picture()),
        lambda: keras_part.explain_prediction_keras(classifier, picture()),
        lambda: keras_part.gradcam.gradcam_backend(classifier, picture(), None, None),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="Expected `doc` of shape") as caught:
            call()
        assert len(traceback.extract_tb(caught.value.__traceback__)) < 9
        assert "check_doc" not in "".join(traceback.format_tb(caught.value.__traceback__))


def test_an_error_in_the_models_own_code_is_told_whole(doc: Array) -> None:
    class Broken(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            raise ZeroDivisionError("in the model")

        def compute_output_spec(self, x: Any) -> Any:
            return keras.KerasTensor(x.shape, x.dtype)

    body = [layers.Conv2D(2, 3), Broken(), layers.GlobalAveragePooling2D(), layers.Dense(2)]
    model = keras.Sequential([keras.Input(SIZE), *body])
    with pytest.raises(ZeroDivisionError, match="in the model") as caught:
        eli5.explain_prediction(model, doc)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "call" in names
    assert len(names) > 5


def test_ids_that_there_are_not_have_no_other_error_behind() -> None:
    body = [layers.Embedding(10, 4), layers.Conv1D(3, 3), layers.GlobalAveragePooling1D()]
    reader = keras.Sequential([keras.Input((6,), dtype="int32"), *body, layers.Dense(2)])
    with pytest.raises(ValueError, match="Expected `doc` to hold token ids") as caught:
        eli5.explain_prediction(reader, np.full((1, 6), 999))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_inputs_that_are_missing_are_named() -> None:
    a, b = keras.Input((8, 8, 3), name="a"), keras.Input((4,), name="b")
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(a))
    model = keras.Model([a, b], layers.Dense(2)(layers.Concatenate()([pooled, b])))
    with pytest.raises(ValueError, match=r"of type ndarray\. Give \{'a': \.\.\., 'b': \.\.\.\}"):
        eli5.explain_prediction(model, np.zeros((1, 8, 8, 3)))
