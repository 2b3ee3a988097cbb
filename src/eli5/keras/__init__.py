"""Explain Keras models: the documented functions are in `explain_prediction` and `gradcam`."""

from eli5.keras import explain_prediction, gradcam, methods
from eli5.keras.engine import forget
from eli5.keras.explain_prediction import explain_prediction_keras
from eli5.keras.methods import METHODS
from eli5.keras.pipeline.attention_maps import attention_maps
from eli5.keras.pipeline.target_layers import target_layers

__all__ = [
    "METHODS",
    "attention_maps",
    "explain_prediction",
    "explain_prediction_keras",
    "forget",
    "gradcam",
    "methods",
    "target_layers",
]


def __dir__() -> list[str]:
    return [*(name for name in globals() if name.startswith("__")), *__all__]
