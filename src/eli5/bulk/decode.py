"""Items are read and decoded in threads, ahead of the model."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from eli5.bulk.sources.ranges import Ref
from eli5.loading.errors import UserError, shortened
from eli5.loading.files import decode_picture
from eli5.loading.stream import StreamItem

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.loading.models import LoadedModel

__all__ = ["decoded", "make_decoder", "neutral_items"]

_NEUTRAL = (224, 512)  # pixels; models that take any size mostly take these
_SHOWN = 1024  # pixels, the longer side of an overlay; whole photos would fill the memory


def decoded(
    refs: Iterable[Ref],
    decode: Callable[[int, Ref], StreamItem],
    pool: ThreadPoolExecutor,
    ahead: int,
) -> Iterator[tuple[Ref, StreamItem]]:
    """Decode items in threads, and yield them in their order.

    Parameters
    ----------
    refs : iterable of Ref
    decode : callable
        See `make_decoder`.
    pool : ThreadPoolExecutor
    ahead : int
        How many items are decoded before they are asked for. So many are in memory.
    """
    waiting: deque[tuple[Ref, Future[StreamItem]]] = deque()
    try:
        for number, ref in enumerate(refs):
            waiting.append((ref, pool.submit(decode, number, ref)))
            if len(waiting) > ahead:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    finally:
        for _, future in waiting:
            future.cancel()


def _first(waiting: deque[tuple[Ref, Future[StreamItem]]]) -> tuple[Ref, StreamItem]:
    ref, future = waiting.popleft()
    # Without what it was read from, which may be its content.
    return Ref(ref.id, ref.path, _nothing), future.result()


def _nothing() -> bytes:
    return b""


def make_decoder(
    loaded: LoadedModel, preprocess: str | None, *, overlays: bool
) -> Callable[[int, Ref], StreamItem]:
    """Return what makes an item of a reference: a doc and a picture, or a problem.

    Parameters
    ----------
    loaded : LoadedModel
    preprocess : str, optional
        See `eli5.loading.preprocess.picture_to_doc`.
    overlays : bool
        Whether the picture itself is needed.

    Raises
    ------
    UserError
        If the model takes no pictures, or nobody says how to preprocess them.
    """
    from PIL import Image

    from eli5.loading.preprocess import picture_to_doc

    picture_to_doc(loaded, Image.new("RGB", (64, 64), "gray"), preprocess)
    stand_in = Image.new("RGB", (1, 1))  # or a picture would be made of each doc

    def decode(number: int, ref: Ref) -> StreamItem:
        try:
            picture = decode_picture(io.BytesIO(ref.read()), ref.path)
            doc, _ = picture_to_doc(loaded, picture, preprocess)
            return StreamItem(number, doc, _smaller(picture) if overlays else stand_in)
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

    for side in _NEUTRAL:
        doc, _ = picture_to_doc(loaded, Image.new("RGB", (side, side), "gray"), preprocess)
        yield StreamItem(0, doc, Image.new("RGB", (1, 1)))


def _smaller(picture: Image) -> Image:
    if max(picture.size) > _SHOWN:
        picture.thumbnail((_SHOWN, _SHOWN))
    return picture
