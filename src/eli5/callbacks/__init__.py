"""Explanations while a model is trained; `loggers` has one file per way to log them."""

from eli5.callbacks.explain_callback import ExplainCallback

__all__ = ["ExplainCallback"]
