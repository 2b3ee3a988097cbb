"""What is tested on one backend alone, and what some builds of a backend cannot run."""

from __future__ import annotations

from typing import Any

import keras
import pytest

BACKEND = keras.backend.backend()

# On PyTorch, which compiles nothing.
ONCE = pytest.mark.skipif(BACKEND != "torch", reason="the same on each backend")


def skip_what_cannot_run(name: str, model: keras.Model, doc: Any) -> None:
    """Skip where TensorFlow has no convolutions with channels first, as in some CPU builds."""
    if "first" not in name or BACKEND != "tensorflow":
        return
    try:
        model.predict(doc, verbose=0)
    except Exception as error:
        pytest.skip(f"this build of TensorFlow cannot run the model itself: {type(error)}")
