"""Explain each kind of model of the tests on each backend, and write the table of what works.

``python benchmarks/kinds.py [--write docs/models.md]``; each backend runs in its own process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pages import as_table, write_between

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("jax", "tensorflow", "torch")


def main() -> None:
    """Print the table, or write it into a page between its two markers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page to write the table into")
    parser.add_argument("--backend", choices=BACKENDS, help="print one backend's results as JSON")
    options = parser.parse_args()
    if options.backend:
        print(json.dumps(measure()))
        return
    text = describe({backend: run(backend) for backend in BACKENDS})
    if options.write is None:
        print(text)
    else:
        write_between(options.write, "kinds", text)


def run(backend: str) -> dict[str, str]:
    """Return the results of one backend."""
    done = subprocess.run(
        [sys.executable, __file__, "--backend", backend],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure() -> dict[str, str]:
    """Return for each kind how far its heatmaps are from those of the plain network."""
    sys.path.insert(0, str(ROOT / "tests"))
    import eli5
    from helpers.model_kinds import KINDS, flat, picture

    def explain(model: Any, doc: Any, **given: Any) -> dict[int, Any]:
        explanation = eli5.explain_prediction(model, doc, top_targets=4, **given)
        return {target.target: target.heatmap for target in explanation.targets}

    plain = explain(flat(), picture(), layer="last")
    results = {}
    for name, kind in KINDS.items():
        try:
            found = explain(kind.make(), kind.doc(picture()), **kind.options)
        except Exception as error:
            results[name] = f"no: {type(error).__name__}"
            continue
        difference = max(abs(found[target] - plain[target]).max() for target in plain)
        results[name] = f"{difference:.0e}" if difference > 1e-5 else "equal"
    return results


def describe(results: dict[str, dict[str, str]]) -> str:
    """Return the results as a Markdown table, under a line that says where it comes from."""
    origin = (
        "Made by `python benchmarks/kinds.py --write docs/models.md`: the largest difference to "
        'the heatmaps of the same network built flat; "equal" is at most 1e-5.'
    )
    kinds = next(iter(results.values()))
    rows = [[kind, *(found[kind] for found in results.values())] for kind in kinds]
    return f"{origin}\n\n{as_table(['Kind', *results], rows)}"


if __name__ == "__main__":
    main()
