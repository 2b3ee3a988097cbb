"""Explanations while a model is trained: one file per place that they are logged to."""

from eli5.callbacks.explain_callback import ExplainCallback

__all__ = ["ExplainCallback"]
