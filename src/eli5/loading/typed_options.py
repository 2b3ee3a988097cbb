"""Options as people type them, ``n_masks=200,baseline=blur``, for the command line and web app."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any


def split_options(typed: str) -> list[str]:
    """Return the parts of ``"patch=8,8,baseline=blur"``: a comma may stand within a value."""
    return re.split(r",(?=\s*\w+\s*=)", typed) if typed.strip() else []


def read_value(typed: str) -> Any:
    """Return a number, true, false, none or a list of numbers, as JSON or Python write it; or text.

    ``"200"``, ``"0.5"``, ``"True"``, ``"8,8"``, ``"[8, 8]"``, ``"blur"``.
    """
    python = {"None": "null", "True": "true", "False": "false"}.get(typed.capitalize(), typed)
    for text in (python, f"[{typed}]") if "," in typed else (python,):
        with suppress(ValueError):
            return json.loads(text)
    return typed
