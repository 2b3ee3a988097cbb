"""Optional libraries, or one line that says how to get them."""

from __future__ import annotations

import importlib
from typing import Any

_EXTRAS = {"fsspec": "bulk", "pyarrow": "bulk", "pyarrow.parquet": "bulk", "ray": "ray"}


def need(module: str) -> Any:
    """Import an optional library; ModuleNotFoundError names the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Expected {module.partition('.')[0]} to be installed, for bulk runs. Received: "
            f'{error}. Install it: pip install "eli5-keras[{_EXTRAS[module]}]"',
            name=error.name,
        ) from error
