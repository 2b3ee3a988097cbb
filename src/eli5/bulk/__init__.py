"""From one picture to millions: a plan of shards, on one machine or on a Ray cluster.

A *source* is listed once into a *plan* of ordered *shards*. *Executors* give shards to *workers*,
each of which loads the model once; the *driver* decides what is next. A shard's result is one
*part*, a Parquet file, so what is done is what has its part.

The public names are loaded on first use (PEP 562), so that the command line can show progress and
handle Ctrl-C as bulk runs do without loading what they need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eli5.bulk.estimation import Estimate, estimate
    from eli5.bulk.results.reading import BulkResults, read
    from eli5.bulk.results.summary import Status, Summary, status
    from eli5.bulk.run import explain

__all__ = ["BulkResults", "Estimate", "Status", "Summary", "estimate", "explain", "read", "status"]

_HOME = {
    "BulkResults": "eli5.bulk.results.reading",
    "Estimate": "eli5.bulk.estimation",
    "Status": "eli5.bulk.results.summary",
    "Summary": "eli5.bulk.results.summary",
    "estimate": "eli5.bulk.estimation",
    "explain": "eli5.bulk.run",
    "read": "eli5.bulk.results.reading",
    "status": "eli5.bulk.results.summary",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'eli5.bulk' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
