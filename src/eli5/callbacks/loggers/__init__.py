"""The places that explanations are logged to."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from eli5.callbacks.loggers.folder import Folder, Run
from eli5.callbacks.loggers.mlflow import MLflow
from eli5.callbacks.loggers.tensorboard import TensorBoard
from eli5.callbacks.loggers.wandb import WeightsAndBiases

if TYPE_CHECKING:
    from eli5.callbacks.epoch import Epoch

__all__ = ["Place", "open_places"]


class Place(Protocol):
    """Where an epoch's explanations go."""

    def is_ready(self) -> bool:
        """Tell whether there is something to log to at this moment."""

    def log(self, epoch: Epoch) -> None:
        """Log; raise whatever goes wrong."""

    def close(self) -> None:
        """Finish what is open; `log` may be called again later."""


def open_places(log_dir: Any, tensorboard: Any, active_runs: Any) -> dict[str, Place]:
    """Return the places that were asked for, by the name that a warning calls them.

    See `eli5.callbacks.ExplainCallback` for the parameters and errors.
    """
    _check_log_dir(log_dir)
    _check_tensorboard(tensorboard, log_dir)
    if not isinstance(active_runs, bool):
        raise TypeError(
            "Expected `active_runs` to be True or False. Received: "
            f"active_runs={active_runs!r} (of type {type(active_runs).__name__})"
        )
    places: dict[str, Place] = {}
    if log_dir is not None:
        run = Run(log_dir)
        places["a folder"] = Folder(run)
    if tensorboard is True:
        places["TensorBoard"] = TensorBoard(lambda: str(run.path))
    elif tensorboard is not False:
        places["TensorBoard"] = TensorBoard(lambda: os.fspath(tensorboard))
    if active_runs:
        places |= {"MLflow": MLflow(), "Weights & Biases": WeightsAndBiases()}
    if not places:
        raise ValueError(
            "Expected at least one place to log to. Received: log_dir=None, tensorboard=False and "
            "active_runs=False. Give `log_dir`."
        )
    return places


def _check_log_dir(log_dir: Any) -> None:
    if not isinstance(log_dir, str | os.PathLike | None):
        raise TypeError(
            "Expected `log_dir` to be None or the path of a folder. Received: "
            f"log_dir={log_dir!r} (of type {type(log_dir).__name__})"
        )
    if log_dir is not None and not os.fspath(log_dir):
        raise ValueError(f"Expected `log_dir` to name a folder. Received: log_dir={log_dir!r}")
    if log_dir is not None and os.path.exists(log_dir) and not os.path.isdir(log_dir):
        raise ValueError(
            f"Expected `log_dir` to be a folder. Received: log_dir={log_dir!r}, which is a file"
        )


def _check_tensorboard(tensorboard: Any, log_dir: Any) -> None:
    if not isinstance(tensorboard, bool | str | os.PathLike):
        raise TypeError(
            "Expected `tensorboard` to be True, False or the path of a folder. Received: "
            f"tensorboard={tensorboard!r} (of type {type(tensorboard).__name__})"
        )
    if tensorboard is True and log_dir is None:
        raise ValueError(
            "Expected a folder for the event file. Received: tensorboard=True and log_dir=None. "
            "Give the folder as `tensorboard`."
        )
    if tensorboard is not False and find_spec("tensorboardX") is None:
        raise ImportError(
            f"Expected tensorboardX for tensorboard={tensorboard!r}. Received: no such package. "
            "Install it with: pip install 'eli5-keras[tensorboard]'"
        )
