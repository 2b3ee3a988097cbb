"""On what was measured: the machine and the versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import keras

DISTRIBUTIONS = {"jax": "jax", "tensorflow": "tensorflow", "torch": "torch"}


def facts(others: Iterable[str] = ()) -> dict[str, Any]:
    """Return the machine, and the versions of Python, the backend and other distributions.

    Parameters
    ----------
    others : iterable of str
        Distributions that are named if they are installed.
    """
    backend = keras.backend.backend()
    wanted = ("eli5-keras", "keras", "numpy", DISTRIBUTIONS[backend], *others)
    return {
        "backend": backend,
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "accelerator": _ACCELERATOR[backend](),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in wanted if name and (found := version(name))},
    }


def version(distribution: str) -> str:
    """Return the version of a distribution, or nothing if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _cpu() -> str:
    """Return the processor's name; Linux alone tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _on_jax() -> str:
    import jax

    device = jax.devices()[0]
    return "" if device.platform == "cpu" else device.device_kind


def _on_tensorflow() -> str:
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_device_details(device).get("device_name", "GPU")
    return ""


def _on_torch() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


_ACCELERATOR = {"jax": _on_jax, "tensorflow": _on_tensorflow, "torch": _on_torch}
