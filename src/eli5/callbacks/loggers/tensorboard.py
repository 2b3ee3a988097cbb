"""An event file for TensorBoard, written with tensorboardX and so without TensorFlow."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from eli5.callbacks.loggers import Epoch


class TensorBoardLogger:
    """Log one picture per method; see `eli5.callbacks.loggers.Logger`.

    `get_folder` returns the folder, or another address that tensorboardX takes; it is called at the
    first epoch. tensorboardX's `SummaryWriter` writes on a thread of its own: a full disk ends that
    thread, and a training that goes on to log would wait for it for ever. So the records are
    written here.
    """

    def __init__(self, get_folder: Callable[[], str]) -> None:
        self._get_folder = get_folder
        self._writer: Any = None

    def is_active(self) -> bool:
        """Tell that there is always a file to write to."""
        return True

    def log(self, epoch: Epoch) -> None:
        """Write the epoch's pictures, and see them on the disk."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import image

        if self._writer is None:
            self._writer = _open(self._get_folder())
        try:
            for method, grid in epoch.grids.items():
                summary = image(f"explanations/{method}", np.asarray(grid), dataformats="HWC")
                event = Event(wall_time=time.time(), step=epoch.step, summary=summary)
                self._writer.write_event(event)
            self._writer.flush()
        except BaseException:
            # Nobody can read on behind half a record: the next epoch gets another file.
            with contextlib.suppress(OSError):
                self.close()
            raise

    def close(self) -> None:
        """Close the file; the next epoch, if there is one, gets another."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _open(folder: str) -> Any:
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.record_writer import directory_check

    directory_check(folder)
    # Without it, two files that are opened within one second would be one.
    suffix = f".{os.getpid()}.{time.monotonic_ns()}"
    return EventsWriter(os.path.join(folder, "events"), suffix)
