"""The runs of MLflow and of Weights & Biases that are active, if there are any."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eli5.callbacks.loggers import Epoch


class MLflowLogger:
    """Log one picture per method, as an image with a step; see `eli5.callbacks.loggers.Logger`."""

    def is_active(self) -> bool:
        """Tell whether the user, who alone imports MLflow, has a run active."""
        active_run = getattr(sys.modules.get("mlflow"), "active_run", None)
        return active_run is not None and active_run() is not None

    def log(self, epoch: Epoch) -> None:
        """Log at the step that `mlflow.keras` logs the epoch's metrics at."""
        mlflow: Any = sys.modules["mlflow"]
        for method, grid in epoch.grids.items():
            # Not in the background, where nobody would hear of an error.
            mlflow.log_image(grid, key=f"explanations/{method}", step=epoch.step, synchronous=True)

    def close(self) -> None:
        """Leave the run to the user."""


class WandbLogger:
    """Log one picture per method; see `eli5.callbacks.loggers.Logger`.

    A row of the run's history ends when someone commits it. If this did so at once, a user who logs
    the epoch's metrics later with ``step=epoch`` would find that step closed, and lose them. So the
    pictures wait in the open row, and only a row that nobody else has closed until the next epoch
    is closed here.
    """

    def __init__(self) -> None:
        self._waiting: tuple[Any, int] | None = None

    def is_active(self) -> bool:
        """Tell whether the user, who alone imports the library, has a run active."""
        return getattr(sys.modules.get("wandb"), "run", None) is not None

    def log(self, epoch: Epoch) -> None:
        """Add the pictures, and the epoch's number as Keras counts, to the open row."""
        wandb: Any = sys.modules["wandb"]
        self.close()
        pictures = {
            f"explanations/{method}": wandb.Image(grid, caption=f"Epoch {epoch.number}")
            for method, grid in epoch.grids.items()
        }
        wandb.run.log({**pictures, "explanations/epoch": epoch.step}, commit=False)
        self._waiting = wandb.run, wandb.run.step

    def close(self) -> None:
        """Close the row with the last pictures, if it is still open."""
        waiting, self._waiting = self._waiting, None
        run = getattr(sys.modules.get("wandb"), "run", None)
        if waiting is not None and run is not None and waiting == (run, run.step):
            run.log({}, commit=True)
