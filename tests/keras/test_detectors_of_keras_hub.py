"""KerasHub's detectors, small and randomly initialised: scores, boxes and gradients by hand."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.targets import Box, Detection, Objects
from helpers.gradients import input_gradient
from helpers.models import sample, with_weights

# It needs tensorflow-text, which is not built for every platform.
keras_hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")

Array = np.ndarray[Any, Any]
SIDE = 64
DOC = sample((SIDE, SIDE, 3))
# On the others each case would be compiled.
ON_TORCH = pytest.mark.skipif(keras.backend.backend() != "torch", reason="the same on each")


def retinanet() -> keras.Model:
    inputs = keras.Input((SIDE, SIDE, 3))
    x, levels = inputs, {}
    for level in range(1, 6):
        x = layers.Conv2D(4, 3, 2, padding="same", activation="relu")(x)
        levels[f"P{level}"] = x
    encoder = keras.Model(inputs, x)
    encoder.pyramid_outputs = {name: levels[name] for name in ("P3", "P4", "P5")}
    backbone = keras_hub.models.RetinaNetBackbone(
        encoder, min_level=3, max_level=5, use_p5=False, image_shape=(SIDE, SIDE, 3)
    )
    return keras_hub.models.RetinaNetObjectDetector(
        backbone, num_classes=4, bounding_box_format="yxyx", pre_logits_num_conv_layers=1
    )


def dfine() -> keras.Model:
    encoder = keras_hub.models.HGNetV2Backbone(
        stem_channels=[3, 8, 8],
        stackwise_stage_filters=[
            [8, 8, 16, 1, 1, 3], [16, 8, 32, 1, 1, 3], [32, 8, 32, 1, 1, 3], [32, 8, 32, 1, 1, 3]
        ],
        apply_downsample=[False, True, True, True],
        use_lightweight_conv_block=[False, False, True, True],
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 32, 32, 32],
        embedding_size=8,
        use_learnable_affine_block=True,
        hidden_act="relu",
        image_shape=(SIDE, SIDE, 3),
        out_features=["stage3", "stage4"],
    )  # fmt: skip
    backbone = keras_hub.models.DFineBackbone(
        backbone=encoder,
        decoder_in_channels=[16, 16],
        encoder_hidden_dim=16,
        num_labels=4,
        num_denoising=0,
        hidden_dim=16,
        learn_initial_query=False,
        num_queries=12,
        anchor_image_size=(SIDE, SIDE),
        feat_strides=[16, 32],
        num_feature_levels=2,
        encoder_in_channels=[32, 32],
        encode_proj_layers=[1],
        num_attention_heads=2,
        encoder_ffn_dim=16,
        num_encoder_layers=1,
        hidden_expansion=0.34,
        depth_multiplier=0.5,
        eval_idx=-1,
        num_decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
        decoder_n_points=[2, 2],
        lqe_hidden_dim=8,
        num_lqe_layers=2,
        out_features=["stage3", "stage4"],
        image_shape=(SIDE, SIDE, 3),
    )
    return keras_hub.models.DFineObjectDetector(backbone, num_classes=4, bounding_box_format="yxyx")


# The raw scores, and the layers of the feature pyramid that are taken.
KINDS = {
    "RetinaNet": (retinanet, "cls_logits", [f"output_conv_P{level}" for level in (3, 4, 5)]),
    "DFine": (dfine, "logits", ["hybrid_encoder"]),
}
# JAX compiles it for a minute and more, with its gradient by hand: `make test-places` waits for it.
if keras.backend.backend() == "jax" and "ELI5_MOVING_MODELS" not in os.environ:
    del KINDS["DFine"]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def detector(kind: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = KINDS[kind][0]()
    if kind == "RetinaNet":
        model = with_weights(model, seed=1)  # those of DFine are made for its queries
    # Random weights are sure of nothing, those of DFine less so.
    least = 0.3 if kind == "RetinaNet" else 0.02
    decoder = keras_hub.layers.NonMaxSuppression(
        "yxyx", from_logits=True, confidence_threshold=least
    )
    model.prediction_decoder = decoder
    return model


def kept(detector: keras.Model) -> dict[str, Array]:
    """Return what the decoder keeps, boxes as ``xyxy``."""
    found = detector.decode_predictions(detector(DOC, training=False), DOC)
    found = {name: ops.convert_to_numpy(value)[0] for name, value in found.items()}
    n = int(found.pop("num_detections"))
    found["boxes"] = found["boxes"][:, [1, 0, 3, 2]]
    return {name: value[:n] for name, value in found.items()}


def test_detections_are_the_decoder_s_and_gradients_those_by_hand(
    kind: str, detector: keras.Model
) -> None:
    name = KINDS[kind][1]
    right = kept(detector)
    assert len(right["boxes"])
    (target,) = eli5.explain_prediction(
        detector, DOC, target=Detection(0), method="Gradient × Input"
    ).targets
    np.testing.assert_allclose(target.region.xyxy, right["boxes"][0], rtol=1e-4, atol=1e-3)
    assert target.target == right["labels"][0]
    np.testing.assert_allclose(target.proba, right["confidence"][0], rtol=1e-4)
    logits = ops.convert_to_numpy(detector(DOC, training=False)[name])[0, :, target.target]
    distances = np.abs(logits - target.explained)
    number = int(distances.argmin())
    assert distances[number] < 1e-4

    def score(doc: Any) -> Any:
        return detector(doc, training=False)[name][0, number, target.target]

    by_hand = (input_gradient(score, DOC)[0] * DOC[0]).sum(axis=-1)
    np.testing.assert_allclose(target.attribution, by_hand, atol=1e-4 * np.abs(by_hand).max())


@ON_TORCH
def test_boxes_and_objects_by_default(kind: str, detector: keras.Model) -> None:
    right = kept(detector)
    boxes = np.clip(right["boxes"], 0, SIDE)
    number = int(np.argmax((boxes[:, 2:] - boxes[:, :2]).min(axis=1) > 3))
    box, label = boxes[number], int(right["labels"][number])
    expl = eli5.explain_prediction(detector, DOC, target=[Box(box, label), Objects(label)])
    one, several = expl.targets
    assert expl.method == "LayerCAM"
    assert all(part in expl.layer for part in KINDS[kind][2])
    np.testing.assert_allclose(one.proba, right["confidence"][number], rtol=1e-4)
    np.testing.assert_allclose(
        several.region.boxes, right["boxes"][right["labels"] == label], rtol=1e-4, atol=1e-3
    )


@ON_TORCH
def test_no_format_is_given_for_a_model_that_is_known(detector: keras.Model) -> None:
    with pytest.raises(ValueError, match="no format for the boxes of a model that is known"):
        eli5.explain_prediction(detector, DOC, target=Detection(0), detector="xyxy")
    with pytest.raises(ValueError, match=r"Detection\(100\), where it keeps \d+ of class"):
        eli5.explain_prediction(detector, DOC, target=Detection(100))
