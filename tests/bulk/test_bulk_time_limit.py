"""A picture that takes too long, or more memory than there is, fails alone; the run goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eli5 import bulk
from helpers.bulk_helpers import check_complete, make_photos, read_rows, small_model

LIMIT = 4.0  # seconds; a good picture takes a thousandth of that


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def _decoders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let pictures that start with HANG hang until the test ends, and BIG ones find no memory."""
    is_over, plain = threading.Event(), Image.open

    def open_or_hang(file: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(file, Path):  # what the test itself reads
            return plain(file, *arguments, **options)
        start = file.read(4)
        file.seek(0)
        if start == b"HANG":
            is_over.wait()
        if start == b"BIG":
            raise MemoryError
        return plain(file, *arguments, **options)

    monkeypatch.setattr(Image, "open", open_or_hang)
    yield
    is_over.set()


def decoding_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("eli5-decode")]


@pytest.mark.usefixtures("_decoders")
def test_more_pictures_hang_than_there_are_threads(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 12)
    hanging, big = ids[1:7], ids[9]
    for name in hanging:
        (photos / name).write_bytes(b"HANG")
    (photos / big).write_bytes(b"BIG")
    bulk.explain(model, photos, out, shard_size=12, batch_size=4, time_limit=LIMIT, overlays=True)
    check_complete(out, ids, failed=[*hanging, big])
    errors = [row["error"] for row in read_rows(out) if not row["ok"]]
    expected = "Expected a picture that is read and decoded within 4 s (`time_limit`). It was not."
    assert errors[:6] == [expected] * 6
    assert errors[6].endswith("which cannot be read: MemoryError")
    # Python does not wait for them at its end.
    assert all(thread.daemon for thread in decoding_threads())


@pytest.mark.usefixtures("_decoders")
def test_threads_end_with_their_shard(model: str, tmp_path: Path) -> None:
    before = len(decoding_threads())
    ids = make_photos(tmp_path / "photos", 6)
    (tmp_path / "photos" / ids[5]).write_bytes(b"HANG")
    summary = bulk.explain(
        model, tmp_path / "photos", tmp_path / "out", shard_size=2, time_limit=LIMIT
    )
    assert summary.n_failed == 1
    # The one that hangs is left; the others end as soon as they look for the next item.
    until = time.monotonic() + 60
    while len(decoding_threads()) > before + 1:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("limit", "kind", "message"),
    [
        ("1", TypeError, "Expected `time_limit` to be a number"),
        (0, ValueError, "Expected `time_limit` > 0"),
        (float("inf"), ValueError, "Expected `time_limit` to be finite"),
    ],
)
def test_limits_that_are_none(limit: Any, kind: type[Exception], message: str, model: str) -> None:
    with pytest.raises(kind, match=message):
        bulk.explain(model, "photos", "out", time_limit=limit)
