"""Measure what explanations cost, in units of what the backend itself takes.

    python benchmarks/bench.py [--backend all] [--only CASE ...] [--pairs N] [--json FILE]

Each row shows a ratio within one run, with its quartiles, and the goal.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

BACKENDS = ("jax", "tensorflow", "torch")


def main() -> None:
    """Print the rows; with ``--backend all`` each backend runs in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=[*BACKENDS, "all"])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for backend in BACKENDS if options.backend == "all" else [options.backend]:
        if backend is not None and os.environ.get("KERAS_BACKEND") != backend:
            arguments = [a for a in sys.argv[1:] if a not in ("--backend", *BACKENDS, "all")]
            subprocess.run(
                [sys.executable, __file__, *arguments],
                env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
                check=True,
            )
        else:
            measure(options)


def measure(options: argparse.Namespace) -> None:
    """Print the rows of the backend at hand."""
    import keras
    from cases import CASES

    print(f"== {keras.backend.backend()}", flush=True)
    rows: list[dict[str, Any]] = []
    for name, case in CASES.items():
        if options.only and name not in options.only:
            continue
        for row in case(options.pairs):
            mark = "ok" if row.is_met else "NO"
            print(
                f"{row.what:52} {row.value:8.3f} [{row.low:.3f} .. {row.high:.3f}] {row.unit:24}"
                f" goal {row.goal:g} {mark}",
                flush=True,
            )
            rows.append(row._asdict())
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
