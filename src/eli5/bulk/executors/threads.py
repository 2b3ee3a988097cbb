"""How many threads the backends may use, said to each in its own variable."""

from __future__ import annotations

import os

__all__ = ["available_cores", "thread_variables"]

# OpenMP (PyTorch, NumPy), XLA (JAX), and TensorFlow twice.
_VARIABLES = ("OMP_NUM_THREADS", "NPROC", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def available_cores() -> int:
    """Return how many cores this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_variables(cores: float) -> dict[str, str]:
    """Return environment variables, which must be set before a backend is imported.

    Parameters
    ----------
    cores : float
        Less than one counts as one.
    """
    return dict.fromkeys(_VARIABLES, str(max(1, int(cores))))
