"""Explain Keras models: the documented functions are in `explain_prediction` and `gradcam`."""

from eli5.keras import gradcam
from eli5.keras.explain_prediction import explain_prediction_keras
from eli5.keras.methods import METHODS
from eli5.keras.pipeline.plan import target_layers

__all__ = ["METHODS", "explain_prediction_keras", "gradcam", "target_layers"]
