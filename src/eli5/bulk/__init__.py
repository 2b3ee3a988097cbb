"""From one picture to millions: a plan of shards, on one machine or on a Ray cluster.

A *source* is listed once into a *plan* of ordered *shards*. *Executors* give shards to *workers*,
each of which loads the model once; the *driver* decides what is next. A shard's result is one
*part*, a Parquet file, so what is done is what has its part.

The public names are loaded on first use (PEP 562), so that the command line can show progress and
handle Ctrl-C as bulk runs do without loading what they need.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eli5.bulk.estimate import Estimate, estimate
    from eli5.bulk.results.summary import Summary
    from eli5.bulk.run import explain
    from eli5.bulk.status import Status, status

__all__ = ["Estimate", "Status", "Summary", "estimate", "explain", "status"]

_HOME = {
    "Estimate": "eli5.bulk.estimate",
    "Status": "eli5.bulk.status",
    "Summary": "eli5.bulk.results.summary",
    "estimate": "eli5.bulk.estimate",
    "explain": "eli5.bulk.run",
    "status": "eli5.bulk.status",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'eli5.bulk' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # Python puts each module that it loads into its package, and `estimate` and `status` there
        # are the functions, whatever was imported first.
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
