"""What a backend does in three steps: arrays onto the device, a compiled program, arrays back.

Each returns when the device is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras


class Steps(NamedTuple):
    """The three steps on one backend.

    Attributes
    ----------
    put : callable
        ``put(arrays) -> tensors``
    compiled : callable
        ``compiled(program, variables)(*tensors)`` runs ``program(values, *tensors)``.
    get : callable
        ``get(tensors) -> arrays``
    """

    put: Callable[[Any], Any]
    compiled: Callable[[Callable[..., Any], Sequence[keras.Variable]], Callable[..., Any]]
    get: Callable[[Any], Any]


def steps() -> Steps:
    """Return the steps on the backend at hand."""
    return {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}[keras.backend.backend()]()


def _jax() -> Steps:
    import jax
    import numpy as np

    def compiled(program: Any, variables: Any) -> Any:
        run = jax.jit(program)
        values = [variable.value for variable in variables]
        return lambda *tensors: jax.block_until_ready(run(values, *tensors))

    return Steps(
        lambda arrays: jax.block_until_ready(jax.device_put(arrays)),
        compiled,
        lambda tensors: jax.tree.map(np.asarray, tensors),
    )


def _tensorflow() -> Steps:
    import tensorflow as tf

    def done(tensors: Any) -> Any:
        tf.test.experimental.sync_devices()
        return tensors

    def compiled(program: Any, _: Any) -> Any:
        run = tf.function(lambda *tensors: program((), *tensors), autograph=False)
        return lambda *tensors: done(run(*tensors))

    return Steps(
        lambda arrays: done(tf.nest.map_structure(tf.convert_to_tensor, arrays)),
        compiled,
        lambda tensors: tf.nest.map_structure(lambda x: x.numpy(), tensors),
    )


def _torch() -> Steps:
    import torch

    def done(tensors: Any) -> Any:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return tensors

    def compiled(program: Any, _: Any) -> Any:
        def run(*tensors: Any) -> Any:
            with torch.no_grad():
                return done(program((), *tensors))

        return run

    return Steps(
        lambda arrays: done(keras.tree.map_structure(keras.ops.convert_to_tensor, arrays)),
        compiled,
        lambda tensors: keras.tree.map_structure(lambda x: x.cpu().numpy(), tensors),
    )
