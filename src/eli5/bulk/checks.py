"""Checks of single arguments, so that each mistake is told of by the argument's name."""

from __future__ import annotations

import math
import os
from typing import Any

__all__ = [
    "check_flags",
    "check_numbers",
    "check_out",
    "check_paths",
    "check_renamed",
    "check_shares",
    "check_text",
]

_LARGEST_SHARD = 1_000_000  # its ids are in memory while the source is listed
# How `eli5.explain_predictions` calls what has another name, or is not to be had, in bulk.
_RENAMED = {
    "top_targets": "give `top`",
    "methods": "give `method`, which may be a list",
    "class_names": "give `labels`",
    "targets": "give `top`; single classes cannot be asked for",
    "images": "the pictures come from the source",
}


def check_numbers(*, none: tuple[str, ...] = (), **numbers: Any) -> None:
    """Check that each of these is an integer of at least 1; those named in `none` may be None."""
    for name, value in numbers.items():
        if value is None and name in none:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(
                f"Expected `{name}` to be an integer. Received: {name}={value!r} (of type "
                f"{type(value).__name__})"
            )
        if value < 1:
            raise ValueError(f"Expected `{name}` >= 1. Received: {name}={value}")
        if name == "shard_size" and value > _LARGEST_SHARD:
            raise ValueError(f"Expected `{name}` <= {_LARGEST_SHARD}. Received: {name}={value}")


def check_paths(**paths: Any) -> None:
    """Check that each of these is a path in text."""
    for name, value in paths.items():
        if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
            raise TypeError(
                f"Expected `{name}` to be a string or a path. Received: {name}={value!r} (of type "
                f"{type(value).__name__})"
            )


def check_text(**texts: Any) -> None:
    """Check that each of these is a string or None."""
    for name, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(
                f"Expected `{name}` to be a string or None. Received: {name}={value!r} (of type "
                f"{type(value).__name__})"
            )


def check_flags(**flags: Any) -> None:
    """Check that each of these is True or False: a string such as "no" would count as true."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(
                f"Expected `{name}` to be True or False. Received: {name}={value!r} (of type "
                f"{type(value).__name__})"
            )


def check_shares(cpus: Any, gpus: Any) -> None:
    """Check what a worker takes of a Ray cluster."""
    for name, value in (("cpus_per_worker", cpus), ("gpus_per_worker", gpus)):
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise TypeError(
                f"Expected `{name}` to be a number. Received: {name}={value!r} (of type "
                f"{type(value).__name__})"
            )
        is_free = name == "gpus_per_worker"  # none may be taken
        if not math.isfinite(value) or value < 0 or (value == 0 and not is_free):
            bound = ">= 0" if is_free else "> 0"
            raise ValueError(f"Expected `{name}` {bound} and finite. Received: {name}={value}")


def check_renamed(options: dict[str, Any]) -> None:
    """Check for options that have another name in bulk runs."""
    for name, advice in _RENAMED.items():
        if name in options:
            raise TypeError(
                f"Expected no `{name}` for a bulk run: {advice}. Received: {name}={options[name]!r}"
            )


def check_out(out: str, *, has_others: bool) -> None:
    """Check that results can be kept there.

    Parameters
    ----------
    out : str
    has_others : bool
        Whether other processes write, too.
    """
    kind = out.partition("://")[0] if "://" in out else ""
    if kind in ("http", "https"):
        raise ValueError(
            "Expected --out to be a folder, or a URL that can be written to. Received: "
            f"--out={out}, which can only be read"
        )
    if kind == "memory" and has_others:
        raise ValueError(
            "Expected --out to be a folder that all workers see. Received: "
            f"--out={out}, of which each process has its own. Leave --workers and --ray out"
        )
