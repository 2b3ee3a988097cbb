"""How many threads the backends may use, said to each in its own variable."""

from __future__ import annotations

__all__ = ["thread_variables"]

# OpenMP (PyTorch, NumPy), XLA (JAX), and TensorFlow twice.
_VARIABLES = ("OMP_NUM_THREADS", "NPROC", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def thread_variables(cores: float) -> dict[str, str]:
    """Return environment variables, which must be set before a backend is imported.

    Parameters
    ----------
    cores : float
        Less than one counts as one.
    """
    return dict.fromkeys(_VARIABLES, str(max(1, int(cores))))
