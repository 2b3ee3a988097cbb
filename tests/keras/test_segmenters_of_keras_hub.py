"""KerasHub's segmenters, small and randomly initialised: scores and gradients by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import eli5
from eli5.targets import Pixel, Region
from helpers.gradients import input_gradient
from helpers.models import sample, with_weights
from helpers.segmenters import mean_score

# It needs tensorflow-text, which is not built for every platform.
keras_hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")

Array = np.ndarray[Any, Any]
SIDE = 64
# What differs in no backend runs on the fastest.
ONCE = pytest.mark.skipif(keras.backend.backend() != "torch", reason="runs on PyTorch")
DOC = sample((SIDE, SIDE, 3))


def segformer() -> keras.Model:
    encoder = keras_hub.models.MiTBackbone(
        image_shape=(SIDE, SIDE, 3),
        num_layers=2,
        hidden_dims=[8, 16],
        layerwise_depths=[1, 1],
        layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1],
        layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2],
        max_drop_path_rate=0.1,
    )
    backbone = keras_hub.models.SegFormerBackbone(image_encoder=encoder, projection_filters=16)
    return keras_hub.models.SegFormerImageSegmenter(backbone=backbone, num_classes=5)


def deeplab() -> keras.Model:
    encoder = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64, 64],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
        image_shape=(SIDE, SIDE, 3),
    )
    backbone = keras_hub.models.DeepLabV3Backbone(
        image_encoder=encoder,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P4",
        dilation_rates=[2],
        upsampling_size=4,
        projection_filters=8,
        image_shape=(SIDE, SIDE, 3),
    )
    return keras_hub.models.DeepLabV3ImageSegmenter(backbone=backbone, num_classes=5)


@pytest.fixture(scope="module", params=[segformer, deeplab], ids=["SegFormer", "DeepLabV3"])
def segmenter(request: pytest.FixtureRequest) -> keras.Model:
    return with_weights(request.param(), seed=1)


def softmax(logits: Array) -> Array:
    exps = np.exp(logits.astype("float64") - logits.max(axis=-1, keepdims=True))
    return np.asarray(exps / exps.sum(axis=-1, keepdims=True))


def test_scores_and_gradients_are_those_by_hand(segmenter: keras.Model) -> None:
    outputs = np.asarray(segmenter.predict(DOC, verbose=0)[0])
    p = softmax(outputs)
    class_id = int(np.bincount(p.argmax(axis=-1).ravel()).argmax())
    mask = p.argmax(axis=-1) == class_id
    asked = [Region(class_id), Pixel(5, 60)]
    expl = eli5.explain_prediction(segmenter, DOC, target=asked, method="Gradient × Input")
    region, pixel = expl.targets
    np.testing.assert_allclose(region.explained, mean_score(p, class_id, mask), rtol=1e-4)
    assert region.region == Region(class_id, mask)
    assert pixel.target == p[5, 60].argmax()
    others = np.arange(p.shape[-1]) != class_id

    def score(doc: Any) -> Any:
        logits = ops.reshape(segmenter(doc, training=False), (-1, p.shape[-1]))
        logits = ops.take(logits, np.flatnonzero(mask), axis=0)
        beside = ops.take(logits, np.flatnonzero(others), axis=1)
        return ops.mean(logits[:, class_id] - ops.logsumexp(beside, axis=-1))

    right = (input_gradient(score, DOC)[0] * DOC[0]).sum(axis=-1)
    np.testing.assert_allclose(region.attribution, right, atol=1e-4 * np.abs(right).max())


@ONCE
@pytest.mark.filterwarnings("ignore:.*heatmap of target")
def test_grad_cam_takes_coarse_maps(segmenter: keras.Model) -> None:
    (target,) = eli5.explain_prediction(
        segmenter, DOC, target=Pixel(5, 60), sign="positive"
    ).targets
    assert max(target.attribution.shape) <= SIDE // 4


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="passes, but is long to compile")
def test_the_masks_of_segment_anything() -> None:
    encoder = keras_hub.models.ViTDetBackbone(
        hidden_size=16,
        num_layers=2,
        intermediate_dim=32,
        num_heads=2,
        global_attention_layer_indices=[1],
        patch_size=16,
        num_output_channels=8,
        window_size=2,
        image_shape=(SIDE, SIDE, 3),
    )
    prompts = keras_hub.layers.SAMPromptEncoder(
        hidden_size=8,
        image_embedding_size=(SIDE // 16, SIDE // 16),
        input_image_size=(SIDE, SIDE),
        mask_in_channels=16,
    )
    decoder = keras_hub.layers.SAMMaskDecoder(
        num_layers=1,
        hidden_size=8,
        intermediate_dim=16,
        num_heads=2,
        embedding_dim=8,
        num_multimask_outputs=3,
        iou_head_depth=2,
        iou_head_hidden_dim=8,
    )
    backbone = keras_hub.models.SAMBackbone(
        image_encoder=encoder, prompt_encoder=prompts, mask_decoder=decoder
    )
    model = with_weights(keras_hub.models.SAMImageSegmenter(backbone=backbone), seed=1)
    doc = {
        "images": DOC,
        "points": np.array([[[20.0, 30.0]]], "float32"),
        "labels": np.ones((1, 1), "float32"),
        "boxes": np.array([[[[10.0, 10.0], [50.0, 40.0]]]], "float32"),
        "masks": np.zeros((1, 1, SIDE // 4, SIDE // 4, 1), "float32"),
    }
    logits = ops.convert_to_numpy(model(doc, training=False)["masks"])[0]
    sizes = (logits > 0).sum(axis=(1, 2))
    number = int(sizes.argmax())
    expl = eli5.explain_prediction(
        model, doc, target=Region(number), input="images", method="Gradient × Input"
    )
    (target,) = expl.targets
    mask = logits[number] > 0
    assert target.region == Region(number, mask)
    np.testing.assert_allclose(target.explained, logits[number][mask].mean(), rtol=1e-4)
