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

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("jax", "tensorflow", "torch")
BEGIN, END = "<!-- kinds: begin -->", "<!-- kinds: end -->"


def main() -> None:
    """Print the table, or write it into a page between its two markers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page to write the table into")
    parser.add_argument("--backend", choices=BACKENDS, help="print one backend's results as JSON")
    options = parser.parse_args()
    if options.backend:
        print(json.dumps(measure()))
        return
    table = as_table({backend: run(backend) for backend in BACKENDS})
    if options.write is None:
        print(table)
        return
    page = options.write.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    tail = rest.split(END)[1]
    options.write.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


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
    from model_kinds import KINDS, flat, picture

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


def as_table(results: dict[str, dict[str, str]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "Made by `python benchmarks/kinds.py --write docs/models.md`: the largest difference to "
        'the heatmaps of the same network built flat; "equal" is at most 1e-5.',
        "",
        f"| Kind | {' | '.join(results)} |",
        f"| --- |{' --- |' * len(results)}",
    ]
    for kind in next(iter(results.values())):
        cells = " | ".join(found[kind] for found in results.values())
        lines.append(f"| {kind} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
