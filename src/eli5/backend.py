"""Which backend Keras takes, found without importing it, as that fixes the backend."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

DEFAULT = "tensorflow"  # what Keras takes if nobody chooses
# Those that give gradients, in the order in which they are tried.
BACKENDS = ("jax", "torch", DEFAULT)


def is_installed(name: str) -> bool:
    """Tell whether a library can be imported, without importing it."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None  # a mere folder of that name has no origin


def configured_backend() -> str:
    """Return what Keras will take: of the environment, of ``keras.json``, or its default."""
    if chosen := os.environ.get("KERAS_BACKEND"):
        return chosen
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        with open(os.path.join(home, "keras.json"), encoding="utf-8") as file:
            import json  # not above: often there is no such file

            return str(json.load(file)["backend"])
    except (OSError, ValueError, LookupError, TypeError):  # Keras does without a broken file too
        return DEFAULT


def replace_missing_default() -> None:
    """Set ``KERAS_BACKEND`` to a backend that is installed, where Keras could only fail.

    That is where nobody chose one and TensorFlow is not there. A ``keras.json`` that names
    TensorFlow is no choice: Keras writes it when it is first imported, whatever it runs on.
    """
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND") or is_installed(DEFAULT):
        return
    installed = next(filter(is_installed, BACKENDS), None)
    if installed is not None and configured_backend() == DEFAULT:
        os.environ["KERAS_BACKEND"] = installed
