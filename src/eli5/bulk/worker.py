"""A worker: it loads the model once, and then explains one task after the other."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.bulk import filesystem as storage
from eli5.bulk.decode import decoded, make_decoder, neutral_items
from eli5.bulk.job import Job
from eli5.bulk.plan import Shard, refs
from eli5.bulk.results import parts
from eli5.bulk.results.rows import Row, failed_row, not_finite, rows_of
from eli5.bulk.results.run_folder import OVERLAYS, PARTS
from eli5.bulk.sources.ranges import Ref
from eli5.loading.errors import shortened
from eli5.loading.quiet import import_keras
from eli5.loading.stream import StreamItem, StreamResult, can_explain, explain_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eli5.base import Explanation

__all__ = ["Stopped", "Task", "start_worker"]

Advance = Callable[[int, int], None]


class Stopped(Exception):  # noqa: N818 - it is no error
    """The run is to end; what has been begun is dropped."""


class Task(NamedTuple):
    """Some items of a shard, from `low` to below `high`; mostly all of them."""

    shard: Shard
    low: int
    high: int

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the shard."""
        return self.high - self.low == self.shard.n


def start_worker(
    job: Job, folder: str, warn: Callable[[str], None] = warnings.warn
) -> Callable[[Task, Advance], parts.Counts]:
    """Load the model.

    Parameters
    ----------
    job : Job
    folder : str
        The run's.
    warn : callable
        Told what must be known of the model or its labels.

    Returns
    -------
    callable
        Explains a task, writes its part, and returns what it counted. Its second argument is called
        after each item, with the numbers of items that are done and that have failed, and may raise
        `Stopped`.

    Raises
    ------
    UserError
        If the model cannot be loaded, or nothing can be explained by it.
    """
    import_keras()
    import eli5
    from eli5.loading import models

    with _heard(warn):
        loaded = models.load(job.model, None if job.weights is None else Path(job.weights))
        names = models.class_names(loaded, job.labels)
        decode = make_decoder(loaded, job.preprocess, overlays=job.overlays)
    options: dict[str, Any] = {**job.options, "methods": job.methods, "class_names": names}
    pool = ThreadPoolExecutor(job.threads, thread_name_prefix="eli5-decode")
    has_worked = False

    def explain(docs: Any, metadata: Any, targets: Any) -> Any:
        return eli5.explain_predictions(
            loaded.model,
            docs,
            images=metadata,
            targets=targets,
            batch_size=job.batch_size,
            **options,
        )

    def works_with_grey() -> bool:
        neutral = neutral_items(loaded, job.preprocess)
        return any(can_explain(explain, item) for item in neutral)

    def run(task: Task, advance: Advance) -> parts.Counts:
        nonlocal has_worked
        taken: list[Ref] = []

        def items() -> Iterator[StreamItem]:
            chosen = islice(refs(task.shard), task.low, task.high)
            for ref, item in decoded(chosen, decode, pool, 2 * job.batch_size):
                taken.append(ref)
                yield item

        with warnings.catch_warnings():
            # They are in the descriptions, and pictures that are too large raise.
            warnings.simplefilter("ignore")
            results = explain_stream(
                explain, items(), job.batch_size, has_worked=has_worked, try_model=works_with_grey
            )
            counts = _write(job, folder, task, taken, results, advance)
        has_worked = has_worked or counts.failed < counts.items
        return counts

    return run


@contextmanager
def _heard(warn: Callable[[str], None]) -> Iterator[None]:
    """Hand on the warnings that are for users; a developer's would only bury them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        yield
    for message in dict.fromkeys(str(one.message) for one in caught):
        warn(shortened(message))


def _write(
    job: Job,
    folder: str,
    task: Task,
    taken: list[Ref],
    results: Iterator[StreamResult],
    advance: Advance,
) -> parts.Counts:
    begun = time.time()
    done = failed = 0

    def count() -> parts.Counts:
        now = time.time()
        return parts.Counts(done, failed, now - begun, now)

    with parts.new_part(_path(folder, task), job.dtype, count) as add:
        for one in results:
            ref = taken[one.number]
            rows = _rows(job, folder, task, ref, one)
            add(rows)
            done += 1
            failed += not rows[0].ok
            advance(done, failed)
    return count()


def _path(folder: str, task: Task) -> str:
    if task.is_whole:
        return storage.join(folder, PARTS, parts.part_name(task.shard))
    return parts.fragment_path(folder, task.shard, task.low, task.high)


def _rows(job: Job, folder: str, task: Task, ref: Ref, one: StreamResult) -> list[Row]:
    if one.problem:
        return [failed_row(ref.id, ref.path, one.problem)]
    if problem := not_finite(one.explanations):
        return [failed_row(ref.id, ref.path, problem)]
    overlay = None
    if job.overlays:
        name = _overlay_name(task, one.number, ref)
        try:
            content = _overlay(one.explanations)
        except ValueError as error:  # its format may not hold so many pixels
            return [failed_row(ref.id, ref.path, str(error))]
        parts.write_overlay(folder, name, content)
        overlay = f"{OVERLAYS}/{name}"
    return rows_of(ref.id, ref.path, one.explanations, overlay, job.dtype)


def _overlay(explanations: Sequence[Explanation]) -> bytes:
    from eli5.formatters.picture_file import format_as_picture_file

    # The overlays of several methods are one picture.
    shown: Any = explanations if len(explanations) > 1 else explanations[0]
    return format_as_picture_file(shown, ".jpg", name="the overlay")


def _overlay_name(task: Task, number: int, ref: Ref) -> str:
    """Return a name that no other item has: a folder per shard, and there the item's place."""
    tail = re.sub(r"[^\w.-]+", "_", ref.id.rpartition("/")[2], flags=re.ASCII)[-60:]
    return f"{task.shard.number:08d}/{task.low + number:06d}-{tail}.jpg"
