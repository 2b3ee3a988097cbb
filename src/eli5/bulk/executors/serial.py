"""All the work in the calling process, one task after the other."""

from __future__ import annotations

from eli5.bulk.executors.events import Advanced, Finished, Lost, Tell, Warned
from eli5.bulk.job import Job
from eli5.bulk.worker import Stopped, Task, start_worker
from eli5.loading.errors import UserError, shortened

__all__ = ["open_serial"]


class _Serial:
    """A pool of one; see `eli5.bulk.executors.Pool`."""

    def __init__(self, job: Job, folder: str) -> None:
        self.warned: list[str] = []
        self.run = start_worker(job, folder, self.warned.append)
        self.task: Task | None = None

    def has_room(self) -> bool:
        return self.task is None

    def give(self, task: Task) -> None:
        self.task = task

    def wait(self, _: float, tell: Tell) -> None:
        if self.warned:
            messages, self.warned = self.warned, []
            tell(Warned(tuple(messages)))
        if self.task is None:
            return
        task, self.task = self.task, None
        try:
            counts = self.run(task, lambda done, failed: tell(Advanced(task, done, failed)))
        except (Stopped, UserError):
            raise
        except Exception as error:  # a backend may raise anything, of a lack of memory say
            tell(Lost(task, shortened(f"{type(error).__name__}: {error}")))
        else:
            tell(Finished(task, counts))

    def close(self) -> None:
        self.task = None


def open_serial(job: Job, folder: str) -> _Serial:
    """Load the model in this process."""
    return _Serial(job, folder)
