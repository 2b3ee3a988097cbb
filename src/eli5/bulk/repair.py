"""Parts that are made again: those that are damaged, and, if wanted, those with failed pictures."""

from __future__ import annotations

import json
import os
import time

from eli5.bulk import filesystem as storage
from eli5.bulk.results import parts
from eli5.bulk.results.run_folder import PARTS, RETRY, SUMMARY
from eli5.bulk.results.summary import read_counts

__all__ = ["drop_damaged", "drop_failed", "end_retry"]

_MAGIC = b"PAR1"  # how a Parquet file begins and ends; before its end stands its footer's length


def drop_damaged(folder: str) -> int:
    """Remove the parts that are cut short, say after a loss of power; tell how many there were.

    Only their first and last bytes are read, and none at a URL, where a part is put as a whole.
    """
    if storage.is_remote(folder):
        return 0
    return _drop(folder, [name for name in parts.finished(folder) if _is_damaged(folder, name)])


def drop_failed(folder: str) -> int:
    """Remove the parts with failed pictures, and tell how many there were.

    A file notes when that was: if the run is interrupted and wanted again, what has been tried
    since then is not tried once more.
    """
    names = parts.planned(folder)
    counts = read_counts([storage.join(folder, PARTS, name) for name in names])
    since = _since(folder)
    failed = [
        name for name, one in zip(names, counts, strict=True) if one.failed and one.finished < since
    ]
    if failed:
        content = json.dumps({"since": since}).encode()
        storage.write_whole(storage.join(folder, RETRY), content)
    return _drop(folder, failed)


def end_retry(folder: str) -> None:
    """Note that the run is finished."""
    storage.remove(storage.join(folder, RETRY))


def _drop(folder: str, names: list[str]) -> int:
    if names:
        storage.remove(storage.join(folder, SUMMARY))
    for name in names:
        storage.remove(storage.join(folder, PARTS, name))
    return len(names)


def _since(folder: str) -> float:
    path = storage.join(folder, RETRY)
    if not storage.exists(path):
        return time.time()
    try:
        return float(json.loads(storage.read_bytes(path))["since"])
    except (ValueError, TypeError, LookupError):
        return time.time()


def _is_damaged(folder: str, name: str) -> bool:
    path = os.path.join(folder, PARTS, name)
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < 12:
            return True
        file.seek(0)
        head = file.read(4)
        file.seek(size - 8)
        tail = file.read(8)
    footer = int.from_bytes(tail[:4], "little")
    return not (head == tail[4:] == _MAGIC and footer <= size - 12)
