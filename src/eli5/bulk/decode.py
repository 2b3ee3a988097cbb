"""Items are read and decoded in threads, ahead of the model."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from eli5.bulk.sources.items import SourceItem
from eli5.loading.errors import UserError, shortened
from eli5.loading.files import decode_picture
from eli5.loading.stream import StreamItem

if TYPE_CHECKING:
    from eli5.loading.models import LoadedModel

_GREY_SIDES = (224, 512)  # pixels; models that take any size mostly take these
_OVERLAY = 1024  # pixels, the longer side of an overlay; whole photos would fill the memory


def decode_ahead(
    items: Iterable[SourceItem],
    decode: Callable[[int, SourceItem], StreamItem],
    pool: ThreadPoolExecutor,
    ahead: int,
) -> Iterator[tuple[SourceItem, StreamItem]]:
    """Decode items in threads, and yield them in their order.

    `ahead` is how many are decoded before they are due; so many are in memory.
    """
    numbered = enumerate(items)
    waiting: deque[tuple[SourceItem, Future[StreamItem]]] = deque()
    try:
        while True:
            for number, item in islice(numbered, ahead + 1 - len(waiting)):
                waiting.append((item, pool.submit(decode, number, item)))
            if not waiting:
                return
            item, future = waiting.popleft()
            # Without what it was read from, which may be its content.
            yield item._replace(read=bytes), future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def make_decoder(
    loaded: LoadedModel, preprocess: str | None, *, overlays: bool
) -> Callable[[int, SourceItem], StreamItem]:
    """Return what reads an item: into a doc, and for overlays its picture, or into a problem.

    Raises UserError if the model takes no pictures, or it is not known how to preprocess them.
    """
    from PIL import Image

    from eli5.loading.preprocess import picture_to_doc

    picture_to_doc(loaded, Image.new("RGB", (64, 64), "gray"), preprocess)
    # Without one, explain_predictions would make a picture of each doc.
    stand_in = Image.new("RGB", (1, 1))

    def decode(number: int, item: SourceItem) -> StreamItem:
        try:
            picture = decode_picture(io.BytesIO(item.read()), item.path)
            doc, _ = picture_to_doc(loaded, picture, preprocess)
            if overlays and max(picture.size) > _OVERLAY:
                picture.thumbnail((_OVERLAY, _OVERLAY))
            return StreamItem(number, doc, picture if overlays else stand_in)
        except UserError as error:
            return StreamItem(number, problem=shortened(error.lines[0]))
        except OSError as error:
            return StreamItem(number, problem=f"It cannot be read: {error}")
        # Whatever else a library makes of a broken file, such as a lack of memory: one item's.
        except Exception as error:
            return StreamItem(number, problem=shortened(f"{type(error).__name__}: {error}"))

    return decode


def neutral_items(loaded: LoadedModel, preprocess: str | None) -> Iterator[StreamItem]:
    """Yield grey pictures that no model refuses for what they are, each larger than the last.

    They are of the model's own size, where it has one; then all are the same.
    """
    from PIL import Image

    from eli5.loading.preprocess import picture_to_doc

    for side in _GREY_SIDES:
        doc, _ = picture_to_doc(loaded, Image.new("RGB", (side, side), "gray"), preprocess)
        yield StreamItem(0, doc, Image.new("RGB", (1, 1)))
