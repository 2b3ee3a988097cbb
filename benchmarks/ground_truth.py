"""Measure all methods against attributions that are known, as `eli5 benchmark` does.

    python benchmarks/ground_truth.py [--write]

With it, the tables in docs/methods.md and docs/ground-truth.md are replaced.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
from pathlib import Path

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from pages import as_table, write_between

import eli5
from eli5.ground_truth.agreement import in_words
from eli5.ground_truth.report import BenchmarkReport
from eli5.ground_truth.sets import SETS

SCRIPT = "benchmarks/ground_truth.py"
DOCS = Path(__file__).resolve().parents[1] / "docs"
_HIGH, _LOW = 0.95, 0.3


def main() -> None:
    """Print the tables, and write them where asked for."""
    options = _parse()
    begun = time.perf_counter()
    report = eli5.benchmark(n_docs=options.docs, seed=options.seed, progress=True)
    tables = {
        ("methods.md", "ground-truth"): f"{_origin(report)}\n\n{method_table(report)}",
        ("ground-truth.md", "problems"): f"{_about_problems()}\n\n{problem_table(report)}",
        ("ground-truth.md", "seconds"): seconds_table(report),
    }
    for (page, name), text in tables.items():
        print(text, end="\n\n")
        if options.write:
            write_between(DOCS / page, name, text)
    print(f"{time.perf_counter() - begun:.0f} s in all", file=sys.stderr)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--docs", type=int, default=8, help="of each problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="replace the tables in the docs")
    return parser.parse_args()


def method_table(report: BenchmarkReport) -> str:
    """Return the agreement of each method with the truth, per set, as a Markdown table."""
    head = ["Method", *report.sets, "Impossible", "Share error"]
    rows = []
    for method in report.methods:
        *cells, impossible, _ = report.cells(method)
        share = in_words(report.mean(method, None, "share error"), "{:.0%}")
        rows.append([*(cell.replace("*", r"\*") for cell in cells), impossible, share])
    return as_table(head, rows)


def problem_table(report: BenchmarkReport) -> str:
    """Return which methods agree with the truth of each problem, and which do not."""
    rows = []
    for (set_name, problem), example in report.examples.items():
        found = {row.method: row.agreement for row in report.rows if row.problem == problem}
        known = {name: value for name, value in found.items() if value is not None}
        best = [name for name, value in known.items() if value >= _HIGH]
        worst = [name for name, value in known.items() if value <= _LOW]
        rows.append([set_name, problem, example.about, ", ".join(best), ", ".join(worst)])
    head = ["Set", "Problem", "What it asks", f"At {_HIGH:g} or above", f"At {_LOW:g} or below"]
    return as_table(head, rows)


def seconds_table(report: BenchmarkReport) -> str:
    """Return what the sets cost, all methods together."""
    sums = {
        name: sum(row.seconds for row in report.rows if row.set == name) for name in report.sets
    }
    rows = [[name, SETS[name].about, f"{seconds:.0f}"] for name, seconds in sums.items()]
    rows.append(["all", "", f"{sum(sums.values()):.0f}"])
    made = textwrap.fill(
        f"With {report.n_docs} docs of each problem on {keras.backend.backend()} and "
        f"{os.cpu_count()} cores:",
        width=120,
    )
    return f"{made}\n\n{as_table(['Set', 'What it is', 'Seconds, all methods'], rows)}"


def _origin(report: BenchmarkReport) -> str:
    command = " ".join([SCRIPT, *sys.argv[1:]])
    return textwrap.fill(
        f"Made by `python {command}` with Keras {keras.__version__} on {keras.backend.backend()}, "
        f"{report.n_docs} docs of each problem, seed {report.seed}: the agreement (Pearson's "
        "correlation) of each method's maps with the truth, the mean over the problems of a set; "
        "with a star where the method is not applicable to all of them. Impossible: the share of "
        "all heat on places that the score provably cannot see. Share error: by how much the share "
        "of the heat on the watermark misses the share that the score has of it. The first two "
        "rows cannot be right, and show what chance gives.",
        width=120,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _about_problems() -> str:
    return f"Made by `python {' '.join([SCRIPT, *sys.argv[1:]])}`, as the table of methods."


if __name__ == "__main__":
    main()
