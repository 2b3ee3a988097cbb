"""Transformers of many families, small and randomly initialised, each with a doc of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from helpers.models import sample, with_weights

SIZE = (16, 24, 3)  # in patches of 8: 2 x 3
N_TOKENS, N_WORDS = 6, 20
N_CLASSES = 3


class Family(NamedTuple):
    """A model, what is explained, and what of the tokens is known."""

    make: Callable[[], keras.Model]
    doc: Any
    n_prefix: int = 0
    options: Mapping[str, Any] = MappingProxyType({})
    n_attentions: int = 2


def picture() -> Any:
    return sample(SIZE)


def ids() -> Any:
    return np.array([[5, 3, 9, 14, 7, 2]], "int32")


def of_ids(**more: Any) -> Any:
    return {"token_ids": ids(), "padding_mask": np.ones((1, N_TOKENS), "int32"), **more}


# Two layers of two heads each.
_SMALL = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8}
_TEXT = {**_SMALL, "vocabulary_size": N_WORDS, "intermediate_dim": 16}
_GROUPED = {
    "vocabulary_size": N_WORDS,
    "num_layers": 2,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 16,
}


def hub() -> Any:
    import keras_hub

    return keras_hub.models


def headed(backbone: keras.Model, read: Callable[[Any], Any]) -> keras.Model:
    """Return a classifier on what is read of a backbone's output."""
    outputs = layers.Dense(N_CLASSES, activation="softmax")(read(backbone.output))
    return with_weights(keras.Model(backbone.input, outputs), seed=7)


def first(output: Any) -> Any:
    return output[:, 0]


def last(output: Any) -> Any:
    return output[:, -1]


def sequence(output: Any) -> Any:
    return output["sequence_output"][:, 0]


def vit() -> keras.Model:
    backbone = hub().ViTBackbone(image_shape=SIZE, patch_size=8, mlp_dim=16, **_SMALL)
    return headed(backbone, first)


def deit() -> keras.Model:
    backbone = hub().DeiTBackbone(image_shape=SIZE, patch_size=8, intermediate_dim=16, **_SMALL)
    return headed(backbone, lambda x: (x[:, 0] + x[:, 1]) / 2)


def dinov2(n_registers: int) -> keras.Model:
    backbone = hub().DINOV2Backbone(
        image_shape=(16, 16, 3),
        position_embedding_shape=(16, 16, 3),
        patch_size=8,
        intermediate_dim=16,
        num_register_tokens=n_registers,
        **_SMALL,
    )
    return headed(backbone, first)


def clip_vision() -> keras.Model:
    from keras_hub.src.models.clip.clip_vision_encoder import CLIPVisionEncoder

    encoder = CLIPVisionEncoder(
        patch_size=8, intermediate_dim=16, image_shape=(16, 16, 3), **_SMALL
    )
    return headed(encoder, first)


def clip_text() -> keras.Model:
    from keras_hub.src.models.clip.clip_text_encoder import CLIPTextEncoder

    encoder = CLIPTextEncoder(embedding_dim=8, max_sequence_length=N_TOKENS, **_TEXT)
    return headed(encoder, last)


def siglip() -> keras.Model:
    from keras_hub.src.models.siglip.siglip_vision_encoder import SigLIPVisionEncoder

    encoder = SigLIPVisionEncoder(
        patch_size=8, intermediate_dim=16, image_shape=(16, 16, 3), **_SMALL
    )
    return headed(encoder, lambda x: x)


def text(name: str, read: Callable[[Any], Any] = first, **options: Any) -> keras.Model:
    backbone = getattr(hub(), f"{name}Backbone")(**{**_TEXT, **options})
    return headed(backbone, read)


def grouped(name: str, **options: Any) -> keras.Model:
    return headed(getattr(hub(), f"{name}Backbone")(**{**_GROUPED, **options}), last)


def conformer() -> keras.Model:
    """Return attention beside convolutions over the steps of a series, as in arXiv:2005.08100."""
    inputs = keras.Input((8, 4))
    x = layers.Dense(8)(inputs)
    for number in range(2):
        y = layers.Dense(16, activation="silu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, 0.5 * layers.Dense(8)(y)])
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(2, 4, dropout=0.1, name=f"attention_{number}")(y, y)
        x = layers.Add()([x, y])
        y = layers.DepthwiseConv1D(3, padding="same", activation="silu")(
            layers.LayerNormalization()(x)
        )
        x = layers.Add()([x, layers.Dense(8)(y)])
        x = layers.LayerNormalization()(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, layers.Dense(N_CLASSES, activation="softmax")(x))
    return with_weights(model, seed=7)


class Windows(layers.Layer):  # type: ignore[misc]
    """Attention of one's own within windows of 2 x 2 tokens, as Swin has it."""

    def build(self, shape: Any) -> None:
        self.qkv, self.out = layers.Dense(3 * shape[-1]), layers.Dense(shape[-1])
        self.qkv.build(shape)
        self.out.build(shape)

    def call(self, x: Any) -> Any:
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 4, channels))
        query, key, value = ops.split(self.qkv(x), 3, axis=-1)
        weights = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1))))
        x = self.out(ops.matmul(weights, value))
        x = ops.reshape(x, (-1, height // 2, width // 2, 2, 2, channels))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))


def swin() -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(6, 4, strides=4)(inputs)
    x = layers.Add()([x, Windows(name="windows")(layers.LayerNormalization()(x))])
    x = layers.GlobalAveragePooling2D()(x)
    return with_weights(keras.Model(inputs, layers.Dense(N_CLASSES, activation="softmax")(x)))


class OwnAttention(layers.Layer):  # type: ignore[misc]
    """Attention of one's own between all places of a map, with its heads in the batch."""

    n_heads = 2

    def build(self, shape: Any) -> None:
        self.qkv, self.out = layers.Dense(3 * shape[-1]), layers.Dense(shape[-1])
        self.qkv.build(shape)
        self.out.build(shape)

    def call(self, x: Any) -> Any:
        _, height, width, channels = x.shape
        n, depth = height * width, channels // self.n_heads
        x = ops.reshape(self.qkv(x), (-1, n, 3, self.n_heads, depth))
        x = ops.reshape(ops.transpose(x, (2, 0, 3, 1, 4)), (3, -1, n, depth))
        weights = ops.softmax(ops.matmul(x[0], ops.transpose(x[1], (0, 2, 1))) / depth**0.5)
        x = ops.reshape(ops.matmul(weights, x[2]), (-1, self.n_heads, n, depth))
        x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, height, width, channels))
        return self.out(x)


def global_swin() -> keras.Model:
    """Return a Swin-like model whose windows are the whole map, of layers of one's own."""
    inputs = keras.Input((16, 24, 3))
    x = layers.Conv2D(8, 8, strides=8)(inputs)
    for _ in range(2):
        x = layers.Add()([x, OwnAttention()(layers.LayerNormalization()(x))])
        y = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(8)(y)])
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(N_CLASSES, activation="softmax")(x))
    return with_weights(model, seed=7)


_OF_IDS: dict[str, Any] = {"input": "token_ids"}
_SQUARE = sample((16, 16, 3))
FAMILIES: dict[str, Family] = {
    "ViT": Family(vit, picture(), 1),
    "DeiT": Family(deit, picture(), 2),
    "DINOv2": Family(lambda: dinov2(0), _SQUARE, 1),
    "DINOv2 with registers": Family(lambda: dinov2(4), _SQUARE, 5),
    "CLIP vision": Family(clip_vision, _SQUARE, 1),
    "SigLIP vision": Family(siglip, _SQUARE, 0, n_attentions=3),
    "Swin-like, global": Family(global_swin, picture()),
    "CLIP text": Family(clip_text, ids()),
    "BERT": Family(
        lambda: text("Bert", sequence, max_sequence_length=N_TOKENS),
        of_ids(segment_ids=np.zeros((1, N_TOKENS), "int32")),
        options=_OF_IDS,
    ),
    "DistilBERT": Family(
        lambda: text("DistilBert", max_sequence_length=N_TOKENS), of_ids(), options=_OF_IDS
    ),
    "RoBERTa": Family(
        lambda: text("Roberta", max_sequence_length=N_TOKENS), of_ids(), options=_OF_IDS
    ),
    "ALBERT": Family(
        lambda: text(
            "Albert", sequence, embedding_dim=8, max_sequence_length=N_TOKENS, num_groups=1,
            num_inner_repetitions=1,
        ),
        of_ids(segment_ids=np.zeros((1, N_TOKENS), "int32")),
        options=_OF_IDS,
    ),
    "GPT-2": Family(
        lambda: text("GPT2", last, max_sequence_length=N_TOKENS), of_ids(), options=_OF_IDS
    ),
    "Gemma": Family(lambda: grouped("Gemma", head_dim=4), of_ids(), options=_OF_IDS),
    "Llama": Family(lambda: grouped("Llama"), of_ids(), options=_OF_IDS),
    "Mistral": Family(
        lambda: grouped("Mistral", sliding_window=4), of_ids(), options=_OF_IDS
    ),
    "Conformer": Family(conformer, sample((8, 4)), options={"time": list(range(8))}),
}  # fmt: skip
