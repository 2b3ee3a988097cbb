"""Parts that are made again, because pictures in them have failed."""

from __future__ import annotations

import json
import time

from eli5.bulk import filesystem
from eli5.bulk.results import parts
from eli5.bulk.results.run_folder import PARTS, RETRY, SUMMARY
from eli5.bulk.results.summary import read_all_counts


def drop_failed(folder: str) -> int:
    """Remove the parts with failed pictures, and tell how many there were.

    A file notes when that was: if the run is interrupted and wanted again, what has been tried
    since then is not tried once more.
    """
    paths = [filesystem.join(folder, PARTS, name) for name in parts.planned_parts(folder)]
    counts = read_all_counts(paths)
    note = filesystem.join(folder, RETRY)
    since = _read_time(note)
    failed = [
        path for path, one in zip(paths, counts, strict=True) if one.failed and one.finished < since
    ]
    if failed:
        filesystem.write_whole(note, json.dumps({"since": since}).encode())
        filesystem.remove(filesystem.join(folder, SUMMARY))
    for path in failed:
        filesystem.remove(path)
    return len(failed)


def _read_time(note: str) -> float:
    try:
        return float(json.loads(filesystem.read_bytes(note))["since"])
    except (FileNotFoundError, ValueError, TypeError, LookupError):
        return time.time()


def end_retry(folder: str) -> None:
    """Note that the run is finished."""
    filesystem.remove(filesystem.join(folder, RETRY))
