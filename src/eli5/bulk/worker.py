"""A worker: it loads the model once, and then explains one task after the other."""

from __future__ import annotations

import re
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from eli5 import limits
from eli5.bulk import filesystem
from eli5.bulk.job import Job
from eli5.bulk.plan import Shard, read_items
from eli5.bulk.results import parts
from eli5.bulk.results.parts import Row
from eli5.bulk.results.records import keep_record
from eli5.bulk.results.run_folder import FRAGMENTS, OVERLAYS, PARTS
from eli5.bulk.sources.items import SourceItem
from eli5.loading.errors import UserError, shortened
from eli5.loading.files import FIRST_FRAME, decode_picture, has_frames
from eli5.loading.quiet import import_keras
from eli5.loading.stream import StreamItem, StreamResult, can_explain, explain_stream

if TYPE_CHECKING:
    from eli5.base import Explanation

Advance = Callable[[int, int], None]

_GREY_SIDES = (224, 512)  # pixels; models that take any size mostly take these
_OVERLAY = 1024  # pixels, the longer side of an overlay; whole photos would fill the memory
# Without a picture, explain_predictions would make one of each doc.
_STAND_IN = Image.new("RGB", (1, 1))


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


class Worker:
    """Explains tasks of the run in a folder; UserError if the model cannot be loaded.

    Its `warnings` are what must be known of the model or its labels.
    """

    def __init__(self, job: Job, folder: str) -> None:
        import_keras()
        from eli5.loading import models

        self.job, self.folder = job, folder
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")  # a developer's would only bury those for users
            warnings.simplefilter("always", UserWarning)
            weights = None if job.weights is None else Path(job.weights)
            code = {"imports": job.imports, "allow_code": job.allow_code}
            self.loaded = models.load(job.model, weights, **code)  # type: ignore[arg-type]
            names = models.class_names(self.loaded, job.labels)
            # Fails now if the model takes no pictures, or nobody knows how to preprocess them.
            self._grey_item(64)
        self.warnings = tuple(dict.fromkeys(shortened(str(one.message)) for one in caught))
        self.options: dict[str, Any] = {
            **job.options,
            "methods": [(name, job.method_options.get(name, {})) for name in job.methods],
            "class_names": names,
            "batch_size": job.batch_size,
            "grade": job.grade,
            "progress": False,  # the driver shows it
        }
        self.has_worked = False
        shape = self.loaded.model.output_shape
        self.n_classes = shape[-1] if isinstance(shape, tuple) else len(job.labels or ())

    def run(self, task: Task, advance: Advance) -> parts.Counts:
        """Explain a task, write its part, and return what is in it.

        After each item `advance` is called with the numbers of items that are done and that have
        failed; it may raise `Stopped`. Raises UserError if the model cannot explain anything.
        """
        items: list[SourceItem] = []  # in their order, as far as they have been read
        with warnings.catch_warnings():
            # They are in the descriptions, and pictures that are too large raise.
            warnings.simplefilter("ignore")
            results = explain_stream(
                self._explain,
                self._decoded(task, items),
                self.job.batch_size,
                has_worked=self.has_worked,
                try_model=self._can_explain_grey,
            )
            counts = self._write(task, items, results, advance)
        self.has_worked = self.has_worked or counts.failed < counts.items
        return counts

    def _explain(self, docs: Any, metadata: Any) -> Any:
        import eli5

        images, targets = zip(*metadata, strict=True)
        chosen = {} if self.job.class_column is None else {"targets": targets}
        options = {"images": images, **chosen, **self.options}
        return eli5.explain_predictions(self.loaded.model, docs, **options)

    def _can_explain_grey(self) -> bool:
        """Tell whether a picture that no model refuses for what it shows can be explained."""
        return any(can_explain(self._explain, self._grey_item(side)) for side in _GREY_SIDES)

    def _grey_item(self, side: int) -> StreamItem:
        return StreamItem(0, self._doc(Image.new("RGB", (side, side), "gray")), (_STAND_IN, 0))

    def _doc(self, picture: Image.Image) -> Any:
        from eli5.loading.preprocess import picture_to_doc

        return picture_to_doc(self.loaded, picture, self.job.preprocess)[0]

    def _decoded(self, task: Task, items: list[SourceItem]) -> Iterator[StreamItem]:
        """Yield the items of a task in their order, decoded in threads ahead of the model.

        One that hangs becomes a problem; its thread is left behind, and another takes its place.
        """
        numbered = enumerate(read_items(*task))
        # So the next batch is ready while the model works; so many pictures are in memory.
        ahead = 2 * self.job.batch_size
        waiting: deque[tuple[SourceItem, _Decoding]] = deque()
        threads = _Threads(self.job.threads, self.job.time_limit)
        try:
            while True:
                while len(waiting) <= ahead and _has_room(one for one, _ in waiting):
                    if (pair := next(numbered, None)) is None:
                        break
                    waiting.append((pair[1], threads.submit(partial(self._decode, *pair))))
                if not waiting:
                    return
                item, decoding = waiting.popleft()
                # Without what it was read from, which may be its content.
                items.append(item._replace(read=bytes))
                limit = f"{self.job.time_limit:g} s (`time_limit`)"
                problem = f"Expected a picture that is read and decoded within {limit}. It was not."
                yield threads.result(decoding) or StreamItem(len(items) - 1, problem=problem)
        finally:
            threads.close()

    def _decode(self, number: int, item: SourceItem) -> StreamItem:
        """Read an item: into a doc, and for overlays its picture, or into a problem."""
        try:
            picture = decode_picture(item.read(), item.path, self.job.frame)
            note = FIRST_FRAME if self.job.frame is None and has_frames(picture) else ""
            doc = self._doc(picture)
            target = self._class_id(item)
            if self.job.overlays and max(picture.size) > _OVERLAY:
                picture.thumbnail((_OVERLAY, _OVERLAY))
            shown = picture if self.job.overlays else _STAND_IN
            return StreamItem(number, doc, (shown, target), note=note)
        except UserError as error:
            problem = error.lines[0]
        except OSError as error:
            problem = f"It cannot be read: {error}"
        # Whatever else a library makes of a broken file, such as a lack of memory: one item's.
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        return StreamItem(number, problem=shortened(problem))

    def _class_id(self, item: SourceItem) -> int:
        """Return which class is explained of an item; UserError if its column names none."""
        if self.job.class_column is None:
            return 0
        from eli5.loading.models import class_of_label

        names = self.options["class_names"]
        return class_of_label(item.label, names, self.n_classes, self.job.class_column)

    def _write(
        self, task: Task, items: list[SourceItem], results: Iterator[StreamResult], advance: Advance
    ) -> parts.Counts:
        begun = time.time()
        done = failed = 0

        def count() -> parts.Counts:
            now = time.time()
            return parts.Counts(done, failed, now - begun, now)

        path = parts.fragment_path(self.folder, *task)
        if task.is_whole:
            path = filesystem.join(self.folder, PARTS, parts.part_name(task.shard))
        with (
            keep_record(self.folder, *task, count) as write_record,
            parts.new_part(path, self.job.dtype, count) as part,
        ):
            for result in results:
                rows = self._rows(task, items[result.number], result)
                part.add(rows)
                done += 1
                failed += not rows[0].ok
                write_record()
                advance(done, failed)
        return count()

    def _rows(self, task: Task, item: SourceItem, result: StreamResult) -> list[Row]:
        if problem := result.problem or parts.not_finite(result.explanations):
            return [Row(item.id, item.path, False, problem)]
        for expl in result.explanations if result.note else ():
            expl.description = f"{expl.description or ''}\n{result.note}".strip()
        overlay = None
        if self.job.overlays:
            try:
                content = _draw_overlay(result.explanations, self.job.look)
            except ValueError as error:  # its format may not hold so many pixels
                return [Row(item.id, item.path, False, str(error))]
            overlay = f"{OVERLAYS}/{_overlay_name(task, result.number, item)}"
            path = filesystem.join(self.folder, overlay)
            with filesystem.write_errors(path):
                filesystem.write_aside(path, content, filesystem.join(self.folder, FRAGMENTS))
        return parts.rows_of(item.id, item.path, result.explanations, overlay, self.job.dtype)


def _has_room(waiting: Iterable[SourceItem]) -> bool:
    """Tell whether another picture's file may be taken into the memory."""
    return sum(item.size for item in waiting) <= limits.WAITING_BYTES


# Not those of `concurrent.futures`: Python waits for them at its end, so one that hangs would keep
# the process for ever.
class _Threads:
    """Threads that decode one item after the other, in the order in which they come."""

    def __init__(self, n: int, time_limit: float) -> None:
        self.time_limit, self.n_begun = time_limit, 0
        self.queue: SimpleQueue[_Decoding | None] = SimpleQueue()
        for _ in range(n):
            self._start()

    def _start(self) -> None:
        self.n_begun += 1
        name = f"eli5-decode-{self.n_begun}"
        threading.Thread(target=_decode_all, args=(self.queue,), name=name, daemon=True).start()

    def submit(self, decode: Callable[[], StreamItem]) -> _Decoding:
        """Let a thread decode an item as soon as it is free."""
        decoding = _Decoding(decode)
        self.queue.put(decoding)
        return decoding

    def result(self, decoding: _Decoding) -> StreamItem | None:
        """Wait for the oldest item that is waited for; None if it takes too long once it began."""
        while not decoding.is_done.wait(decoding.time_left(self.time_limit)):
            if not decoding.time_left(self.time_limit):
                decoding.is_left = True
                self._start()
                return None
        return decoding.item

    def close(self) -> None:
        """Let all threads end that can, without what has not begun."""
        with suppress(Empty):
            while True:
                self.queue.get_nowait()
        for _ in range(self.n_begun):
            self.queue.put(None)


class _Decoding:
    """What is to be decoded, and what came of it."""

    def __init__(self, decode: Callable[[], StreamItem]) -> None:
        self.decode = decode
        self.item: StreamItem | None = None
        self.begun: float | None = None
        self.is_done = threading.Event()
        self.is_left = False  # nobody waits for it any more

    def time_left(self, limit: float) -> float:
        """Return how many seconds it may still take, of those that it has once it has begun."""
        return limit if self.begun is None else max(0.0, self.begun + limit - time.monotonic())


def _decode_all(queue: SimpleQueue[_Decoding | None]) -> None:
    while decoding := queue.get():
        decoding.begun = time.monotonic()
        decoding.item = decoding.decode()
        decoding.is_done.set()
        if decoding.is_left:  # another has this one's place
            return


def _draw_overlay(explanations: Sequence[Explanation], look: dict[str, Any]) -> bytes:
    from eli5.formatters.picture_file import format_as_picture_file

    # The overlays of several methods are one picture.
    shown: Any = explanations if len(explanations) > 1 else explanations[0]
    return format_as_picture_file(shown, ".jpg", name="the overlay", **look)


def _overlay_name(task: Task, number: int, item: SourceItem) -> str:
    """Return a name that no other item has: a folder per shard, and there the item's number."""
    tail = re.sub(r"[^\w.-]+", "_", item.id.rpartition("/")[2], flags=re.ASCII)[-60:]
    return f"{task.shard.number:08d}/{task.low + number:06d}-{tail}.jpg"
