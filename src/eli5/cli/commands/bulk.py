"""``eli5 bulk`` and ``eli5 bulk-status``: millions of pictures, resumable, and how far they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.filesize import decimal

from eli5.cli.backend import start_keras
from eli5.cli.console import (
    UserError,
    print_error,
    print_fact,
    print_json,
    print_notice,
    print_text,
    shortened,
)
from eli5.cli.interrupts import exit_at_once
from eli5.cli.options import (
    DEFAULT_LOOK,
    DEFAULT_MODEL_OPTIONS,
    AllowFailed,
    AsJson,
    Classes,
    IdOrName,
    Look,
    MethodOptions,
    Methods,
    ModelOptions,
    Sign,
    check_classes,
    check_options,
    read_methods,
    read_options,
)
from eli5.progress import duration, pace

if TYPE_CHECKING:
    from eli5.bulk import Estimate, Status, Summary

STATUS_EXAMPLES = """**Examples**

```
eli5 bulk-status explained
eli5 bulk-status explained --json | jq '.runs[0].done.items'
```
"""

BULK_EXAMPLES = """**Examples**

What it would cost, from one batch:

```
eli5 bulk model.keras photos --out explained --dry-run
```

A folder, by four processes; killed or stopped, the same command goes on:

```
eli5 bulk model.keras photos --out explained --workers 4
```

The true class of each picture, from a column of a list:

```
eli5 bulk model.keras photos.csv --class-column label --out explained
```

Tar files on S3, by a Ray cluster, with overlays:

```
eli5 bulk model.keras "s3://bucket/photos-*.tar" --out s3://bucket/explained --overlays --ray auto
```
"""

_AtLeastOne = Number(gte=1)


def explain_bulk(
    model: str | Path,
    source: str | Path,
    /,
    *,
    out: Annotated[str | Path, Parameter(metavar="DIR")],
    methods: Methods = None,
    method_options: MethodOptions = None,
    sign: Sign = "positive",
    classes: Classes = None,
    class_column: Annotated[str | None, Parameter(metavar="COLUMN")] = None,
    top: Annotated[int | None, Parameter(validator=_AtLeastOne)] = None,
    layer: IdOrName | None = None,
    score: Literal["auto", "log-odds", "logit", "output"] = "auto",
    preprocess: Literal["tf", "torch", "caffe", "unit", "none"] | None = None,
    frame: Annotated[int | None, Parameter(metavar="N", validator=Number(gte=0))] = None,
    labels: Path | None = None,
    weights: Path | None = None,
    loading: ModelOptions = DEFAULT_MODEL_OPTIONS,
    overlays: bool = False,
    look: Look = DEFAULT_LOOK,
    shard_size: Annotated[int | None, Parameter(validator=_AtLeastOne)] = None,
    batch_size: Annotated[int, Parameter(validator=_AtLeastOne)] = 32,
    time_limit: Annotated[float, Parameter(validator=Number(gt=0))] = 60.0,
    workers: Annotated[int | None, Parameter(validator=_AtLeastOne)] = None,
    ray: Annotated[str | None, Parameter(metavar="ADDRESS")] = None,
    cpus_per_worker: Annotated[float, Parameter(validator=Number(gt=0))] = 1.0,
    gpus_per_worker: Annotated[float, Parameter(validator=Number(gte=0))] = 0.0,
    dtype: Literal["float32", "float16"] = "float32",
    grade: bool = False,
    retry_failed: bool = False,
    allow_failed: AllowFailed = 0,
    dry_run: bool = False,
) -> int:
    """Explain millions of pictures, on one machine or on a Ray cluster.

    It can be killed at any moment: the same command goes on where it was. A picture that cannot be
    explained becomes a row that says why.

    Parameters
    ----------
    model
        A `.keras` or `.h5` file, or the name of a `keras.applications` model.
    source
        A folder; a list of paths as `.txt`, `.csv`, `.tsv` or `.parquet`; `.parquet` files with
        pictures in them; or `.tar` files as WebDataset writes them. A path, a pattern in quotes, or
        a URL that fsspec knows.
    out
        The folder, or URL, that the results go to: a Parquet file per shard in `parts`, pictures in
        `overlays`, and `summary.json`.
    methods
        Explain by this method, as `RISE`, or with options of its own as `RISE:n_masks=200,cells=6`;
        may be given several times. `eli5 methods` lists them. [default: Grad-CAM]
    method_options
        An option of the methods, as `n_masks=200`; may be given several times.
    sign
        Explain what speaks for the class, or against it (`negative`).
    classes
        Explain this class, by its number or its name; may be given several times.
    class_column
        Explain of each picture the class that this column of a CSV, TSV or Parquet list says, by
        number or name: the true class, say.
    top
        Explain this many classes, the likeliest first. [default: 1]
    layer
        Name or index of the layer that is explained. [default: the last with a feature map]
    score
        What is explained; see `eli5 explain --help`.
    preprocess
        How pixels become the model's input; see `eli5 explain --help`.
    frame
        Which frame of a picture with several is explained, counted from 0. [default: 0]
    labels
        A text file of class names: line i, counted from 0, names class i.
    weights
        A local weights file, for a `keras.applications` model.
    overlays
        Write the picture under its heatmap, too.
    shard_size
        How many pictures a part is for: what is lost at most if a worker is. [default: as many as
        take less than a minute, or fewer, so that all workers have work]
    batch_size
        How many pictures the model sees at once.
    time_limit
        Seconds that a picture may take to be read and decoded; one that takes longer has failed.
    workers
        So many processes share the cores. A picture that ends its process is set aside.
        [default: this process alone; with --ray, as many as the cluster has room for]
    ray
        Let the Ray cluster at this address do the work; `local` starts one on this machine, `auto`
        finds the one that is running here.
    cpus_per_worker
        How much of a CPU each worker takes of the Ray cluster.
    gpus_per_worker
        How much of a GPU each worker takes of the Ray cluster.
    dtype
        Of the heatmaps in the parts.
    grade
        Grade each map: how far it can be trusted, by at most 40 more passes of the model.
    retry_failed
        Explain the shards in which pictures failed once more, say because a disk was away.
    allow_failed
        Let the exit code be 0 if at most so many pictures of the whole run failed.
    dry_run
        Explain one batch, tell what the whole would cost, and write nothing.
    """
    check_classes(class_=classes, top=top, class_column=class_column)
    look.check(is_drawn=overlays)
    loading.warn()
    own = read_options(method_options)
    options = {
        **look.options(), **loading.for_python(), "method": read_methods(methods),
        **({} if sign == "positive" else {"sign": sign}),
        "classes": classes, "class_column": class_column, "top": top, "frame": frame,
        "layer": layer, "score": score, "preprocess": preprocess, "labels": labels,
        "weights": weights, "overlays": overlays, "shard_size": shard_size,
        "batch_size": batch_size, "time_limit": time_limit, "dtype": dtype,
        "grade": grade,
    }  # fmt: skip
    with exit_at_once():
        start_keras()
        from eli5 import bulk

        options |= check_options(own)
    if dry_run:
        cores = _cores(workers, None if ray is None else cpus_per_worker)
        with _reported():
            estimate = bulk.estimate(model, source, workers=workers or 1, cores=cores, **options)
        _print_estimate(estimate, workers or 1, cores)
        return 0
    with _reported():
        summary = bulk.explain(
            model,
            source,
            out,
            workers=workers,
            ray=ray,
            cpus_per_worker=cpus_per_worker,
            gpus_per_worker=gpus_per_worker,
            retry_failed=retry_failed,
            progress=True,
            **options,
        )
    _print_summary(summary)
    return int(summary.n_failed > allow_failed)


@contextmanager
def _reported() -> Iterator[None]:
    """Raise errors as the user's, and print warnings at once: the end may be days away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: print_notice(str(message))
        try:
            yield
        except UserError:
            raise
        except (ImportError, NotImplementedError, TypeError, ValueError) as error:
            raise UserError(shortened(str(error))) from error


def _print_summary(summary: Summary) -> None:
    for one in summary.failures:
        print_error(f"{one['id']}: {one['error']}")
    good = summary.n_items - summary.n_failed
    failed = f", {summary.n_failed} failed" if summary.n_failed else ""
    print_fact("Images", f"{good} explained{failed}")
    print_fact("Work", f"{summary.seconds:.1f} s, of all workers together")
    print_fact("Written", f"{summary.folder}/parts: {summary.n_shards} files")


def _cores(workers: int | None, cpus: float | None) -> int:
    """Return how many cores a worker will have."""
    from eli5.bulk.executors.pool import available_cores

    have = available_cores()
    return max(1, int(have // (workers or 1) if cpus is None else min(cpus, have)))


def _print_estimate(estimate: Estimate, workers: int, cores: int) -> None:
    print_fact("Images", f"{estimate.n_items} in {estimate.n_shards} shards")
    print_fact("Shards", estimate.why)
    failed = f", of which {estimate.failed} failed" if estimate.failed else ""
    rate = f"{1 / estimate.seconds:.3g} per second with {cores} core{'' if cores == 1 else 's'}"
    print_fact("Tried", f"{estimate.sample} pictures{failed}: {rate}")
    print_fact("Start", f"{estimate.start:.1f} s per worker, to load and compile")
    for n in sorted({1, workers, 10, 100}):
        if n in (1, workers) or n <= estimate.n_shards:
            print_fact("Time", _time(estimate, n))
    print_fact("Parts", decimal(round(estimate.part_bytes * estimate.n_items)))
    if estimate.overlay_bytes:
        print_fact("Overlay", decimal(round(estimate.overlay_bytes * estimate.n_items)))


def _time(estimate: Estimate, workers: int) -> str:
    """Say how long so many workers take, at what rate, and how many of them have work."""
    seconds = estimate.duration(workers)
    rate, busy = estimate.n_items / seconds, estimate.at_work(workers)
    idle = f", of which {busy} have work" if busy < workers else ""
    return f"{duration(seconds)} with {workers} such workers{idle}: {rate:.3g} per second"


def show_bulk_status(out: str | Path, /, *, as_json: AsJson = False) -> int:
    """Tell where bulk runs stand, from their files alone.

    Parameters
    ----------
    out
        The folder or URL that `eli5 bulk` was given as `--out`.
    as_json
        Print one JSON document, and nothing else.
    """
    from eli5 import bulk

    try:
        runs = bulk.status(out)
    except (ImportError, OSError) as error:
        raise UserError(str(error)) from error
    if as_json:
        print_json({"runs": list(map(_as_dict, runs))})
        return 0
    for number, run in enumerate(runs):
        if number:
            print_text("")
        _print_run(run)
    return 0


def _as_dict(run: Status) -> dict[str, Any]:
    """Return what a run is made of, with the names of `Status` and its totals."""
    return {**run._asdict(), "done": run.done._asdict(), "is_done": run.is_done}


def _print_run(run: Status) -> None:
    done = run.done
    print_fact("Run", run.folder)
    print_fact("Source", run.source)
    print_fact("Methods", ", ".join(run.made_from["methods"]))
    print_fact("Options", ", ".join(_options(run.made_from)))
    # Of a run that nobody sees, what is under way may be of one that has been killed.
    n_sure = run.under_way if run.at_work else 0
    n_done, n_failed = done.items + n_sure, done.failed + (run.under_way_failed if n_sure else 0)
    rate = pace(done.rate, run.n_items - n_done, 1.0)
    is_running = {True: "at work", False: "nothing is at work", None: "unknown if at work"}
    state = "finished" if run.is_done else is_running[run.at_work]
    if run.at_work and rate:  # a run that was interrupted has none
        state += f", {rate}"
    print_fact("Images", f"{n_done} of {run.n_items} done, {n_failed} failed")
    if run.under_way > n_sure:
        print_fact("Begun", f"{run.under_way} more, if a run is at work")
    print_fact("Parts", f"{done.parts} of {run.n_shards}")
    print_fact("State", state)
    for one in done.failures:
        print_fact("Failed", f"{one['id']}: {one['error']}")


def _options(made_from: dict[str, Any]) -> Iterator[str]:
    """Tell runs in one folder from each other, as far as they differ in what was asked for."""
    names = ("preprocess", "overlays", "dtype")
    options = {**made_from["options"], **{name: made_from[name] for name in names}}
    return (f"{name}={value}" for name, value in options.items() if value is not None)
