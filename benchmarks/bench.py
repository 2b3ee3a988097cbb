"""Measure what explanations cost, in units of what the backend itself takes.

    python benchmarks/bench.py [--backend all] [--only CASE ...] [--pairs N] [--json FOLDER]

Each row shows a ratio within one run, with its quartiles, and the goal. `benchmarks/report.py`
makes tables of the JSON files.
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
# Of `cases.CASES`, which cannot be imported before a backend is chosen.
CASE_NAMES = (
    "grad-cam", "methods", "ablation", "attention", "perturbation", "gradients", "targets",
    "metrics", "first-call", "memory", "throughput", "import", "profile", "peers",
)  # fmt: skip


def main() -> None:
    """Print the rows; with ``--backend all`` each backend runs in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=[*BACKENDS, "all"])
    parser.add_argument("--only", nargs="*", default=[], choices=CASE_NAMES, metavar="CASE")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument(
        "--json", type=Path, metavar="FOLDER", help="write BACKEND.json into this folder"
    )
    parser.add_argument(
        "--eli5-python", metavar="PATH", help="the Python of an environment with eli5 0.16"
    )
    options = parser.parse_args()
    if options.eli5_python:
        os.environ["ELI5_PYTHON"] = options.eli5_python
    failed = False
    for backend in BACKENDS if options.backend == "all" else [options.backend]:
        if backend is not None and os.environ.get("KERAS_BACKEND") != backend:
            done = subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--backend", backend],
                env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
                check=False,  # the others are measured all the same
            )
            failed = failed or done.returncode != 0
        else:
            measure(options)
    sys.exit(failed)


def measure(options: argparse.Namespace) -> None:
    """Print the rows of the backend at hand."""
    import keras
    from cases import CASES
    from facts import facts
    from peers import PEERS
    from rows import as_line

    backend = keras.backend.backend()
    print(f"== {backend}", flush=True)
    found: dict[str, Any] = {"facts": facts(peer.package for peer in PEERS.values()), "rows": []}
    for name, case in CASES.items():
        if options.only and name not in options.only:
            continue
        for row in case(options.pairs):
            print(as_line(row), flush=True)
            found["rows"].append({"case": name, **row._asdict()})
            if options.json:  # after each row: a run that is cut off keeps what it has
                options.json.mkdir(parents=True, exist_ok=True)
                text = json.dumps(found, indent=1, ensure_ascii=False)
                (options.json / f"{backend}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
