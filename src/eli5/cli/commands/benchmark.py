"""``eli5 benchmark``: each method against attributions that are known."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.backend import start_keras
from eli5.cli.commands.methods import complete_methods
from eli5.cli.console import UserError, print_fact, print_json, print_text, shortened
from eli5.cli.interrupts import exit_at_once
from eli5.cli.options import AT_LEAST_ONE, AsJson, check_request, read_methods
from eli5.cli.output import check_folder

BENCHMARK_EXAMPLES = """**Examples**

All methods on all sets, which takes minutes:

```
eli5 benchmark --out benchmark
```

Some of them, with options of their own:

```
eli5 benchmark --method Occlusion:patch=3,stride=1 --method Grad-CAM --set hand-set --set grid
```
"""

_NAMES = "benchmark.html", "benchmark.json"


def run_benchmark(
    *,
    methods: Annotated[
        list[str] | None,
        Parameter(
            name=("--method", "--methods"),
            metavar="NAME[:OPTION=VALUE,…]",
            consume_multiple=True,
            completer=complete_methods,
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        Parameter(name=("--set", "--sets"), metavar="NAME", consume_multiple=True),
    ] = None,
    out: Annotated[Path | None, Parameter(metavar="DIR")] = None,
    docs: Annotated[int, AT_LEAST_ONE] = 8,
    seed: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare methods with attributions that are known, on models and docs made for that.

    Parameters
    ----------
    methods
        Measure this method, as `RISE`, or with options of its own as `RISE:n_masks=200,cells=6`;
        may be given several times. `eli5 methods` lists them. [default: all]
    sets
        Take this set: `hand-set`, `tasks`, `grid`, `watermark` or `sequences`; may be given several
        times. [default: all]
    out
        The folder to write benchmark.html, a page with examples, and benchmark.json to.
    docs
        How many docs of each problem; of those that cost much, half as many.
    seed
        Of all that is drawn.
    as_json
        Print one JSON document, and nothing else.
    """
    paths = [] if out is None else _paths(out)
    typed = [] if methods is None else read_methods(methods)
    begun = perf_counter()
    with exit_at_once():
        start_keras()
        import keras

        import eli5

        try:
            asked = _by_name(check_request(typed, {})) if typed else None
            report = eli5.benchmark(asked, sets, n_docs=docs, seed=seed, progress=None)
        except (TypeError, ValueError) as error:
            raise UserError(shortened(str(error))) from error
    for path in paths:
        report.save(path)
    if as_json:
        print_json(report.as_dict())
        return
    print_text(f"{report}\n")
    print_fact("Time", f"{perf_counter() - begun:.0f} s on {keras.backend.backend()}")
    if paths:
        print_fact("Written", ", ".join(map(str, paths)))


def _paths(out: Path) -> list[Path]:
    """Return the files to write, whose folder is made."""
    check_folder(out, _NAMES[1])
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Expected --out to be a folder. Received: --out={out}: {error}") from error
    return [out / name for name in _NAMES]


def _by_name(methods: list[Any]) -> dict[str, dict[str, Any]]:
    """Return the options of each method by what it is called in the report."""
    pairs = [(one, {}) if isinstance(one, str) else one for one in methods]
    names = [
        f"{name} ({', '.join(f'{key}={value}' for key, value in own.items())})" if own else name
        for name, own in pairs
    ]
    rows = zip(names, pairs, strict=True)
    return {name: {"method": method, **own} for name, (method, own) in rows}
