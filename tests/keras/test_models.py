"""Any Keras model: the heatmap does not depend on how the network was put together."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
import eli5.keras
from helpers.backend_limits import skip_what_cannot_run
from helpers.model_kinds import (
    GRID,
    KINDS,
    SIZE,
    Kind,
    chain,
    flat,
    functional_base,
    head,
    like_flat,
    nested_functional,
    picture,
    siamese,
    two_images,
    two_outputs,
)
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]


@functools.cache
def expected() -> dict[int, Any]:
    """Return the explanation of each class of the plain network."""
    explanation = eli5.explain_prediction(flat(), picture(), layer="last", top_targets=4)
    return {target.target: target for target in explanation.targets}


def test_the_plain_network_tells_its_classes_apart() -> None:
    heatmaps = [target.heatmap for target in expected().values()]
    assert all(heatmap.shape == GRID and heatmap.max() == 1 for heatmap in heatmaps)
    differences = [np.abs(a - b).max() for i, a in enumerate(heatmaps) for b in heatmaps[:i]]
    assert min(differences) > 0.1


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_of_model_gives_the_heatmap_of_the_plain_network(name: str) -> None:
    kind = KINDS[name]
    model = kind.make()
    skip_what_cannot_run(name, model, kind.doc(picture()))
    explanation = eli5.explain_prediction(model, kind.doc(picture()), top_targets=4, **kind.options)
    assert str(explanation.layer).startswith(kind.layer)
    assert {target.target for target in explanation.targets} == set(expected())
    for target in explanation.targets:
        plain = expected()[target.target]
        assert target.score == pytest.approx(plain.score, abs=max(kind.atol, 1e-4))
        np.testing.assert_allclose(target.heatmap, plain.heatmap, atol=kind.atol)
    assert explanation.image.size in [(SIZE[1], SIZE[0]), (2 * SIZE[1], 2 * SIZE[0])]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_loaded_model_is_explained_as_the_saved_one(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{ending}"
    nested_functional().save(path)
    explanation = eli5.explain_prediction(keras.saving.load_model(path), picture(), targets=[1])
    assert explanation.layer == "base/last"
    np.testing.assert_allclose(explanation.targets[0].heatmap, expected()[1].heatmap, atol=1e-5)


# Names, paths, indices, calls


@pytest.mark.parametrize("layer", ["last", "base/last", -3, 1])
def test_a_nested_layer_is_named_plainly_or_by_its_path(layer: Any) -> None:
    explanation = eli5.explain_prediction(nested_functional(), picture(), layer=layer, targets=[1])
    assert explanation.layer == ("base/last" if isinstance(layer, str) else "base")
    np.testing.assert_allclose(explanation.targets[0].heatmap, expected()[1].heatmap, atol=1e-5)


def twins() -> keras.Model:
    inputs = keras.Input(SIZE)
    sides = [functional_base(name)(inputs) for name in ("left", "right")]
    model = keras.Model(inputs, chain(layers.Add(name="sum")(sides), head()))
    return with_weights(model)


def test_a_plain_name_of_two_layers_is_refused() -> None:
    message = r"name of one layer. Received: layer='last', .*'left/last', 'right/last'"
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(twins(), picture(), layer="last")
    assert eli5.explain_prediction(twins(), picture(), layer="right/last").layer == "right/last"


def shared_terms(call: int) -> Array:
    """Return the heatmap of one call of the siamese net, from its parts, written out."""
    model = siamese()
    weights = flat().get_weights()
    inputs = picture() if call == 0 else np.flip(picture(), axis=1)
    activations = model.get_layer("shared").predict(inputs, verbose=0)[0]
    sign = 1 if call == 0 else -1  # the model subtracts the second call's pooled features
    cam = np.maximum(sign * activations @ weights[-2][:, 3], 0)
    return cam / cam.max()


@pytest.mark.parametrize(
    ("layer", "call"),
    [("shared", 1), (("shared", 0), 0), (("shared", 1), 1), (("shared/last", -2), 0), (None, 1)],
)
def test_a_layer_that_is_called_twice_counts_by_one_call(layer: Any, call: int) -> None:
    explanation = eli5.explain_prediction(
        siamese(), picture(), layer=layer, targets=[3], score="logit"
    )
    heatmap = explanation.targets[0].heatmap
    np.testing.assert_allclose(heatmap, shared_terms(call), atol=1e-5)
    assert np.abs(heatmap - shared_terms(1 - call)).max() > 0.1


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (("shared", 2), ValueError, r"in \[-2, 2\), as the model calls it 2 time"),
        (("shared", -3), ValueError, r"in \[-2, 2\)"),
        (("nope", 0), ValueError, "layer='nope'"),
        (("shared", True), TypeError, r"layer=\('shared', True\)"),
        ((None, 0), TypeError, r"layer=\(None, 0\)"),
        (("shared", 0, 1), TypeError, "of type tuple"),
    ],
)
def test_a_bad_call_is_refused(layer: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(siamese(), picture(), layer=layer)


class Detour(keras.Model):  # type: ignore[misc]
    """A model with a layer that it does not always call."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.unused = [layers.Conv2D(4, 3, name="used"), *head()], layers.Dense(2)

    def call(self, x: Any) -> Any:
        return chain(x, self.steps)


@pytest.mark.filterwarnings("ignore:`build..` was called on layer")
def test_a_layer_that_is_not_reached_is_refused() -> None:
    model = Detour()
    model(picture())
    with pytest.raises(ValueError, match=r"not reached when it runs.*'used'"):
        eli5.explain_prediction(model, picture(), layer=model.unused)


# Several inputs and outputs


def test_the_other_input_is_explained_when_asked() -> None:
    model, docs = two_images(), [picture(), np.abs(sample(SIZE, seed=5))]
    for index, (name, layer) in enumerate([("left", "last"), ("right", "other")]):
        explanation = eli5.explain_prediction(model, docs, input=name, targets=[1])
        assert explanation.layer == layer
        assert eli5.explain_prediction(model, docs, input=index, targets=[1]) == explanation
        as_dict = dict(zip(("left", "right"), docs, strict=True))
        assert eli5.explain_prediction(model, as_dict, input=name, targets=[1]) == explanation
    left = eli5.explain_prediction(model, docs, input="left", targets=[1])
    alone = eli5.explain_prediction(flat(None), picture(), targets=[1], layer="last")
    np.testing.assert_allclose(left.targets[0].heatmap, alone.targets[0].heatmap, atol=1e-5)


@pytest.mark.parametrize(
    ("doc", "options", "error", "message"),
    [
        (lambda p: [p, p], {}, ValueError, r"which of the inputs is explained: one of \['left'"),
        (lambda p: [p, p], {"input": "top"}, ValueError, "Received: input='top'"),
        (lambda p: [p, p], {"input": 2}, ValueError, "Received: input=2"),
        (lambda p: [p, p], {"input": 1.0}, TypeError, r"input=1.0 \(of type float"),
        (lambda p: [p, p], {"input": True}, TypeError, "of type bool"),
        (lambda p: p, {}, ValueError, r"list or dict of 2 arrays.*\['left', 'right'\].*ndarray"),
        (lambda p: [p], {}, ValueError, r"2 arrays, .*\['left', 'right'\]. Received: 1"),
        (lambda p: [p, p[:, :5]], {}, ValueError, r"`doc\[1\]` of shape \(1, 24, 40, 3\)"),
        (lambda p: [p, [1]], {}, TypeError, r"`doc\[1\]` to be a NumPy array.*of type list"),
        (lambda p: {"left": p, "up": p}, {}, ValueError, r"hold the model's inputs \['left', 'ri"),
        (
            lambda p: {"left": p, "right": p[0]},
            {},
            ValueError,
            r"`doc\['right'\]` of shape \(1, 24, 40, 3\)",
        ),
    ],
)
def test_bad_inputs_are_refused(
    doc: Any, options: Any, error: type[Exception], message: str
) -> None:
    model = two_images()
    with pytest.raises(error, match=message):
        eli5.explain_prediction(model, doc(picture()), **options)
    assert (
        eli5.explain_prediction(model, [picture(), picture()], input=0, targets=[1]).layer == "last"
    )


@pytest.mark.parametrize("as_dict", [False, True])
def test_each_output_has_its_own_explanation(as_dict: bool) -> None:
    model = two_outputs(as_dict)()
    outputs = keras.tree.flatten(model(picture()))
    names = ["aux", "main"] if as_dict else ["main", "aux"]
    for output in ("main", "aux"):
        value = keras.ops.convert_to_numpy(outputs[names.index(output)])
        key = output if as_dict else names.index(output)
        explanation = eli5.explain_prediction(model, picture(), output=key, top_targets=2)
        assert explanation.layer == ("last" if output == "main" else "aux_conv")
        assert explanation.targets[0].score == pytest.approx(value.max(), abs=1e-6)
    first = eli5.explain_prediction(model, picture())
    assert first.layer == "last"


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_callable_sees_all_outputs_or_the_one_that_is_named() -> None:
    model = two_outputs(as_dict=True)()
    values = keras.tree.map_structure(keras.ops.convert_to_numpy, model(picture()))
    both = eli5.explain_prediction(
        model, picture(), score=lambda outputs: outputs["main"][:, 0] + outputs["aux"][:, 1]
    )
    one = eli5.explain_prediction(model, picture(), output="aux", score=lambda aux: aux[:, 1])
    total = values["main"][0, 0] + values["aux"][0, 1]
    assert both.targets[0].score == pytest.approx(total, abs=1e-5)
    assert one.targets[0].score == pytest.approx(values["aux"][0, 1], abs=1e-5)


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        ("side", ValueError, r"one of \['aux', 'main'\] or an index below 2.*output='side'"),
        (2, ValueError, "Received: output=2"),
        (1.0, TypeError, r"output=1.0 \(of type float"),
        (False, TypeError, "of type bool"),
    ],
)
def test_a_bad_output_is_refused(output: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(two_outputs(as_dict=True)(), picture(), output=output)


# Regression, binary and multi-label heads, and an output per pixel


def with_head(activation: str | None, units: int) -> keras.Model:
    return flat(activation, units)


def test_one_linear_unit_is_a_regression() -> None:
    model = with_head(None, 1)
    explanation = eli5.explain_prediction(model, picture())
    (target,) = explanation.targets
    assert explanation.is_regression
    assert (target.target, target.proba) == (0, None)
    assert target.score == pytest.approx(model.predict(picture(), verbose=0)[0, 0], abs=1e-5)
    assert "model's output" in str(explanation.description)


def test_one_sigmoid_unit_is_the_second_of_two_classes() -> None:
    model = with_head("sigmoid", 1)
    explanation = eli5.explain_prediction(model, picture(), targets=[1])
    assert not explanation.is_regression
    assert explanation.targets[0].target == 1
    assert explanation.targets[0].proba == explanation.targets[0].score
    assert "which stands for two classes: target 1 has its value" in str(explanation.description)
    linear = eli5.explain_prediction(with_head(None, 1), picture())
    np.testing.assert_allclose(explanation.targets[0].heatmap, linear.targets[0].heatmap, atol=1e-5)


def test_an_output_without_a_class_axis_is_one_unit() -> None:
    inputs = keras.Input(SIZE)
    x = layers.Flatten()(layers.Conv2D(2, 3, name="last")(inputs))
    model = with_weights(keras.Model(inputs, keras.ops.mean(x, axis=-1)))
    explanation = eli5.explain_prediction(model, picture(), score="output", layer="last")
    assert explanation.targets[0].target == 0
    assert explanation.is_regression


def test_labels_of_a_multi_label_head_are_explained_one_by_one() -> None:
    model, linear = with_head("sigmoid", 4), with_head(None, 4)
    for target in range(4):
        one, two = (
            eli5.explain_prediction(m, picture(), targets=[target]).targets[0]
            for m in (model, linear)
        )
        np.testing.assert_allclose(one.heatmap, two.heatmap, atol=1e-5)


def test_an_output_per_pixel_is_explained_by_a_callable() -> None:
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="features")(inputs)
    model = with_weights(keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax")(x)))
    with pytest.raises(ValueError, match=r"Expected a classifier.*\(1, 24, 40, 3\).*`score=`"):
        eli5.explain_prediction(model, picture())
    with pytest.warns(UserWarning, match="comes from layer 'features' place by place"):
        explanation = eli5.explain_prediction(
            model, picture(), layer="features", score=lambda masks: masks[:, 5, 7, 0]
        )
    assert explanation.targets[0].heatmap.shape == SIZE[:2]
    prediction = model.predict(picture(), verbose=0)[0, 5, 7, 0]
    assert explanation.targets[0].score == pytest.approx(prediction, abs=1e-5)


# Grey pictures, volumes, videos


def test_a_grey_picture_has_a_map_too() -> None:
    inputs = keras.Input((24, 40, 1))
    model = with_weights(keras.Model(inputs, chain(inputs, [layers.Conv2D(3, 3), *head()])))
    explanation = eli5.explain_prediction(model, np.abs(sample((24, 40, 1))), top_targets=4)
    assert explanation.targets[0].heatmap.shape == (22, 38)
    assert explanation.image.mode == "L"


def volume(data_format: str = "channels_last") -> keras.Model:
    shape = (6, 10, 14, 2) if data_format == "channels_last" else (2, 6, 10, 14)
    inputs = keras.Input(shape)
    x = layers.Conv3D(4, 3, activation="relu", name="last", data_format=data_format)(inputs)
    x = layers.GlobalAveragePooling3D(data_format=data_format)(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="top")(x))
    with_weights(model).set_weights([np.abs(weight) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_volume_has_a_map_of_rank_3(data_format: str) -> None:
    model, doc = volume(data_format), sample((6, 10, 14, 2))
    fed = doc if data_format == "channels_last" else np.moveaxis(doc, -1, 1)
    skip_what_cannot_run(data_format, model, fed)
    explanation = eli5.explain_prediction(model, fed, targets=[1], score="logit")
    assert explanation.layer == "last"
    last = keras.Model(model.inputs, model.get_layer("last").output).predict(fed, verbose=0)[0]
    activations = last if data_format == "channels_last" else np.moveaxis(last, 0, -1)
    kernel = model.get_layer("top").get_weights()[0]
    cam = np.maximum(activations @ kernel[:, 1], 0)
    assert cam.shape == (4, 8, 12)
    np.testing.assert_allclose(explanation.targets[0].heatmap, cam / cam.max(), atol=1e-5)
    assert explanation.image.size == (4 * 14, 10)


def test_a_video_is_explained_frame_by_frame() -> None:
    inputs = keras.Input((5, 12, 16, 3))
    conv = layers.Conv2D(4, 3, activation="relu", name="conv")
    x = layers.TimeDistributed(conv, name="frames")(inputs)
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling3D()(x)))
    explanation = eli5.explain_prediction(
        with_weights(model), np.abs(sample((5, 12, 16, 3))), top_targets=3
    )
    assert explanation.layer == "frames"
    assert explanation.targets[0].heatmap.shape == (5, 10, 14)


# Bad models


@pytest.mark.filterwarnings("ignore:The heatmap of target")  # its weights are random
def test_a_failed_first_call_does_not_spoil_the_next() -> None:
    model = KINDS["subclass, attributes"].make().__class__()
    with pytest.raises(ValueError, match=r"min_ndim|rank|shape|dimension"):
        eli5.explain_prediction(model, np.zeros((1, 5, 5), "float32"), image=None)
    assert eli5.explain_prediction(model, picture(), top_targets=4).layer == "last"


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_a_quantized_head_is_explained_within_its_precision() -> None:
    model = flat()
    model.quantize("int8")
    explanation = eli5.explain_prediction(model, picture(), targets=[1])
    assert np.abs(explanation.targets[0].heatmap - expected()[1].heatmap).max() < 0.05


def test_target_layers_are_listed_in_execution_order() -> None:
    found = eli5.keras.target_layers(nested_functional())
    assert [(layer.name, layer.grid) for layer in found] == [
        ("base/first", (24, 40)),
        ("base/norm", (24, 40)),
        ("base/act", (24, 40)),
        ("base/last", GRID),
    ]
    twice = eli5.keras.target_layers(siamese(), picture())
    assert [layer.nth for layer in twice] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_target_layers_need_a_doc_where_the_size_is_open() -> None:
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, chain(inputs, [layers.Conv2D(2, 3, name="conv"), *head()]))
    with pytest.raises(ValueError, match=r"Expected `doc`, as model .* does not tell the size"):
        eli5.keras.target_layers(model)
    (found,) = eli5.keras.target_layers(model, np.zeros((1, 9, 14, 3)))
    assert found.grid == (7, 12)


def test_kinds_are_complete() -> None:
    assert all(isinstance(kind, Kind) for kind in KINDS.values())
    assert like_flat(flat()).count_params() == flat().count_params()


# Videos that are summed up, inputs that share a layer, orders


def video(*steps: layers.Layer) -> keras.Model:
    model = keras.Sequential([keras.Input((4, 12, 16, 3)), *steps, layers.Dense(3)])
    with_weights(model).set_weights([np.abs(weight) for weight in model.get_weights()])
    return model


def test_pooled_frames_are_no_tokens() -> None:
    model = video(
        layers.TimeDistributed(layers.Conv2D(4, 3), name="frames"),
        layers.TimeDistributed(layers.GlobalAveragePooling2D()),
        layers.LSTM(4),
    )
    explanation = eli5.explain_prediction(model, np.abs(sample((4, 12, 16, 3))))
    assert explanation.layer == "frames"
    assert explanation.targets[0].heatmap.shape == (4, 10, 14)
    assert eli5.keras.target_layers(model)[0].grid == (4, 10, 14)


def test_a_video_that_is_summed_up_has_a_map_of_one_frame() -> None:
    model = video(
        layers.ConvLSTM2D(4, 3, padding="same", name="sum"), layers.GlobalAveragePooling2D()
    )
    explanation = eli5.explain_prediction(model, np.abs(sample((4, 12, 16, 3))))
    assert explanation.layer == "sum"
    assert explanation.targets[0].heatmap.shape == (12, 16)
    assert explanation.image.size == (16, 12)


def pair() -> keras.Model:
    """Return a functional model that calls one layer for each of two pictures."""
    left, right = keras.Input(SIZE, name="left"), keras.Input(SIZE, name="right")
    shared = layers.Conv2D(4, 3, activation="relu", name="shared")
    pooled = [layers.GlobalAveragePooling2D()(shared(x)) for x in (left, right)]
    model = keras.Model([left, right], layers.Dense(3, name="top")(layers.Concatenate()(pooled)))
    with_weights(model).set_weights([np.abs(weight) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("layer", [None, "shared"])
def test_a_shared_layer_counts_by_the_call_that_sees_the_picture(layer: Any) -> None:
    model, docs = pair(), [np.abs(sample(SIZE, seed)) for seed in (1, 2)]
    shared, kernel = model.get_layer("shared"), model.get_layer("top").get_weights()[0]
    for k, name in enumerate(("left", "right")):
        activations = keras.ops.convert_to_numpy(shared(docs[k]))[0]
        cam = activations @ kernel[4 * k : 4 * k + 4, 1]
        found = eli5.explain_prediction(model, docs, input=name, layer=layer, targets=[1])
        np.testing.assert_allclose(found.targets[0].heatmap, cam / cam.max(), atol=1e-5)


def test_a_call_that_sees_the_other_picture_is_refused() -> None:
    model, docs, refused = pair(), [picture(), picture()], 0
    for nth in (0, 1):
        try:
            eli5.explain_prediction(model, docs, input="left", layer=("shared", nth))
        except ValueError as error:
            refused += "which sees other inputs alone" in str(error)
    assert refused == 1


def test_outputs_in_a_dict_count_in_the_order_of_their_declaration() -> None:
    model = two_outputs(as_dict=True)()
    first = eli5.explain_prediction(model, picture())
    assert first == eli5.explain_prediction(model, picture(), output=0)
    assert first == eli5.explain_prediction(model, picture(), output="main")
    assert first != eli5.explain_prediction(model, picture(), output=1)


def test_target_layers_of_a_sequential_need_no_doc() -> None:
    assert [layer.grid for layer in eli5.keras.target_layers(flat())][-1] == GRID
