"""The run of MLflow that is active, if there is one."""

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
