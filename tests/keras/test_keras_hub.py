"""KerasHub's own image classifiers, small and randomly initialised."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import eli5
import eli5.keras
from helpers.models import sample, with_weights

# It needs tensorflow-text, which is not built for every platform.
keras_hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")

SIZE = (32, 48, 3)


def resnet(activation: str | None) -> keras.Model:
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=SIZE,
        name="backbone",
    )
    return keras_hub.models.ResNetImageClassifier(
        backbone, num_classes=4, activation=activation, preprocessor=preprocessor()
    )


def preprocessor() -> Any:
    converter = keras_hub.layers.ResNetImageConverter(image_size=SIZE[:2], scale=1 / 255)
    return keras_hub.models.ResNetImageClassifierPreprocessor(converter)


def vit() -> keras.Model:
    backbone = keras_hub.models.ViTBackbone(
        image_shape=SIZE,
        patch_size=8,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=16,
        name="backbone",
    )
    return with_weights(keras_hub.models.ViTImageClassifier(backbone, num_classes=4), seed=4)


def gradcam_of_resnet(model: keras.Model, doc: Any, target: int) -> Any:
    """Return the heatmap from the backbone's own output: its head is pooling and a dense layer."""
    activations = keras.ops.convert_to_numpy(model.backbone(doc, training=False))[0]
    kernel = model.output_dense.get_weights()[0]
    cam = np.maximum(activations @ kernel[:, target], 0)
    return cam / cam.max()


@pytest.mark.parametrize("activation", ["softmax", None])
def test_resnet_task_is_explained_at_the_backbones_last_map(activation: str | None) -> None:
    model, doc = resnet(activation), np.abs(sample(SIZE))
    with_weights(model).set_weights([np.abs(weight) for weight in model.get_weights()])
    score = "output" if activation is None else "logit"
    explanation = eli5.explain_prediction(model, doc, targets=[1], score=score)
    assert str(explanation.layer).startswith("backbone/stack1")
    assert explanation.targets[0].heatmap.shape == (4, 6)
    assert (explanation.targets[0].proba is None) == (activation is None)
    expected = gradcam_of_resnet(model, doc, 1)
    np.testing.assert_allclose(explanation.targets[0].heatmap, expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_vit_task_is_explained_at_the_last_tokens_that_count() -> None:
    explanation = eli5.explain_prediction(vit(), sample(SIZE), top_targets=4, score="output")
    assert str(explanation.layer).startswith("backbone/")
    assert str(explanation.layer).endswith("transformer_block_2/ln_1")
    assert {target.heatmap.shape for target in explanation.targets} == {(4, 6)}
    assert any(target.heatmap.max() == 1 for target in explanation.targets)
    names = [layer.name for layer in eli5.keras.target_layers(vit())]
    assert not any("/mha/query" in name for name in names)
