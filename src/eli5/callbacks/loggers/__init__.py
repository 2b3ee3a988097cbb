"""The loggers that an epoch's explanations go to: one file for each."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from eli5.callbacks.loggers.folder import FolderLogger, RunFolder
from eli5.callbacks.loggers.mlflow import MLflowLogger
from eli5.callbacks.loggers.tensorboard import TensorBoardLogger
from eli5.callbacks.loggers.wandb import WandbLogger
from eli5.checks import expect_type, wrong_value

if TYPE_CHECKING:
    from eli5.callbacks.epoch import Epoch


class Logger(Protocol):
    """Where an epoch's explanations go."""

    def is_active(self) -> bool:
        """Tell whether there is something to log to at this moment."""

    def log(self, epoch: Epoch) -> None:
        """Log; raise whatever goes wrong."""

    def close(self) -> None:
        """Finish what is open; `log` may be called again later."""


def open_loggers(log_dir: Any, tensorboard: Any, active_runs: Any) -> dict[str, Logger]:
    """Return the loggers that are wanted, by the name that a warning calls them.

    See `eli5.callbacks.ExplainCallback` for the parameters and errors.
    """
    _check_log_dir(log_dir)
    _check_tensorboard(tensorboard, log_dir)
    expect_type("active_runs", active_runs, bool, "True or False")
    loggers: dict[str, Logger] = {}
    if log_dir is not None:
        run = RunFolder(log_dir)
        loggers["a folder"] = FolderLogger(run)
    if tensorboard is True:
        loggers["TensorBoard"] = TensorBoardLogger(lambda: str(run.path))
    elif tensorboard is not False:
        loggers["TensorBoard"] = TensorBoardLogger(lambda: os.fspath(tensorboard))
    if active_runs:
        loggers |= {"MLflow": MLflowLogger(), "Weights & Biases": WandbLogger()}
    if not loggers:
        raise ValueError(
            "Expected at least one logger. Received: log_dir=None, tensorboard=False and "
            "active_runs=False. Give `log_dir`."
        )
    return loggers


def _check_log_dir(log_dir: Any) -> None:
    expect_type("log_dir", log_dir, str | os.PathLike | None, "None or the path of a folder")
    if log_dir is not None and not os.fspath(log_dir):
        raise wrong_value("log_dir", log_dir, "to name a folder")
    if log_dir is not None and os.path.exists(log_dir) and not os.path.isdir(log_dir):
        raise wrong_value("log_dir", log_dir, "to be a folder", "It is a file")


def _check_tensorboard(tensorboard: Any, log_dir: Any) -> None:
    expected = "True, False or the path of a folder"
    expect_type("tensorboard", tensorboard, bool | str | os.PathLike, expected)
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
