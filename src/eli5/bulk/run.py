"""`eli5.bulk.explain`: from a source to a folder of results."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from eli5.bulk import filesystem as storage
from eli5.bulk import repair as again
from eli5.bulk.checks import (
    check_flags,
    check_numbers,
    check_out,
    check_paths,
    check_shares,
    check_text,
)
from eli5.bulk.driver import drive, find_todo
from eli5.bulk.executors import Wanted
from eli5.bulk.job import Job, fingerprint, ingredients
from eli5.bulk.optional_imports import need
from eli5.bulk.options import make_job
from eli5.bulk.plan import Plan, make_plan, read_plan
from eli5.bulk.progress import listing_told, measured
from eli5.bulk.results import parts
from eli5.bulk.results.run_folder import PARTS, forget_plan, taken
from eli5.bulk.results.summary import Summary, read_summary, write_summary
from eli5.bulk.signals import stoppable
from eli5.bulk.sources import find_source
from eli5.bulk.worker import Stopped
from eli5.loading.errors import UserError

__all__ = ["explain"]

_Path = str | os.PathLike[str]


def explain(
    model: _Path,
    source: _Path,
    out: _Path,
    *,
    method: str | Sequence[str] = "Grad-CAM",
    top: int = 1,
    layer: int | str | None = None,
    score: str = "auto",
    preprocess: str | None = None,
    labels: _Path | Sequence[str] | None = None,
    weights: _Path | None = None,
    overlays: bool = False,
    shard_size: int = 1000,
    batch_size: int = 32,
    workers: int | None = None,
    ray: str | None = None,
    cpus_per_worker: float = 1.0,
    gpus_per_worker: float = 0.0,
    dtype: str = "float32",
    retry_failed: bool = False,
    progress: bool = False,
    **options: Any,
) -> Summary:
    """Explain millions of pictures, on one machine or on a Ray cluster.

    It can be killed at any moment and called again: what is done is not done again. A picture that
    cannot be explained is a row that says why, and stops nothing.

    Parameters
    ----------
    model : str or path
        A ``.keras`` or ``.h5`` file, or the name of a ``keras.applications`` model.
    source : str or path
        A folder, a list of paths (``.txt``, ``.csv``, ``.tsv``, ``.parquet``), ``.parquet`` files
        or ``.tar`` files with pictures in them; a path, a pattern, or a URL that fsspec knows.
    out : str or path
        A folder or URL: ``parts/`` will hold a Parquet file per shard, ``overlays/`` the pictures,
        ``plan.json`` and ``summary.json`` what they are. If it holds a run of another model, source
        or option, the new run gets a folder in it; see `Summary.folder`.
    method : str, or sequence of str
    top : int
        How many classes are explained, the likeliest first.
    layer, score
        As `eli5.explain_prediction` takes them; of scores only the named ones.
    preprocess : {"tf", "torch", "caffe", "unit", "none"}, optional
        How pixels become the model's input. Needed for a file whose model does not start with a
        Rescaling or Normalization layer.
    labels : str, path or sequence of str, optional
        Names of the classes, or a text file with one per line.
    weights : str or path, optional
        A local weights file, for a ``keras.applications`` model.
    overlays : bool
        Whether the picture under its heatmap is written as well, at most 1024 pixels long.
    shard_size : int
        How many items a part is for: what is lost at most if a worker is. A plan that is there
        keeps its own.
    batch_size : int
        How many pictures the model sees at once.
    workers : int, optional
        So many processes, each with its part of the cores. If not given, this process works alone;
        with `ray`, the cluster is filled.
    ray : str, optional
        The address of a Ray cluster, or ``"local"``.
    cpus_per_worker, gpus_per_worker : float
        What a worker takes of a Ray cluster.
    dtype : {"float32", "float16"}
        Of the heatmaps in the parts.
    retry_failed : bool
        Whether the shards in which pictures failed are explained once more.
    progress : bool
        Whether standard error tells how far it is.
    **options
        Further options of the methods, such as ``n_masks``: numbers and strings.

    Returns
    -------
    Summary

    Raises
    ------
    TypeError, ValueError
        If something is wrong with what is asked for, nothing can be explained by the model, or
        nothing can be written.
    ModuleNotFoundError
        If pyarrow, fsspec or ray is missing.
    ImportError
        If what fsspec needs for a URL is missing.
    KeyboardInterrupt, SystemExit
        After Ctrl-C and SIGTERM; call it again to go on.

    Warns
    -----
    UserWarning
        What must be known of the model or its labels.
    """
    for module in ("fsspec", "pyarrow.parquet", *(["ray"] if ray is not None else [])):
        need(module)
    check_paths(source=source, out=out)
    check_numbers(none=("workers",), shard_size=shard_size, workers=workers)
    check_text(ray=ray)
    check_shares(cpus_per_worker, gpus_per_worker)
    check_flags(progress=progress, retry_failed=retry_failed)
    check_out(os.fspath(out), has_others=workers is not None or ray is not None)
    job = make_job(
        model,
        method=method,
        top=top,
        layer=layer,
        score=score,
        preprocess=preprocess,
        labels=labels,
        weights=weights,
        overlays=overlays,
        batch_size=batch_size,
        dtype=dtype,
        **options,
    )
    wanted = Wanted(workers, ray, cpus_per_worker, gpus_per_worker)
    asked = _Asked(os.fspath(source), os.fspath(out), shard_size, retry_failed, progress)
    return _run(job, asked, wanted)


class _Asked(NamedTuple):
    source: str
    out: str
    shard_size: int
    retry_failed: bool
    shown: bool


def _run(job: Job, asked: _Asked, wanted: Wanted) -> Summary:
    made_from = ingredients(job)
    mark = fingerprint(made_from)
    name, top = storage.absolute(asked.source), storage.absolute(asked.out)
    say = _say if asked.shown else _hush
    with taken(top, name, mark, made_from) as run:
        if run.others:
            say(f"{top} holds a run that differs in {', '.join(run.others)}.")
            say(f"The results of this one go to {run.path}.")
        plan = read_plan(run.path)
        if plan is None or (plan.source, plan.fingerprint) != (name, mark):
            forget_plan(run.path)
            found = find_source(name)
            tell = listing_told(shown=asked.shown)
            plan = make_plan(run.path, name, found, mark, made_from, asked.shard_size, top, tell)
        with stoppable() as stop:
            try:
                _drop(run.path, retry_failed=asked.retry_failed, say=say)
                summary = _finish(job, run.path, plan, wanted, stop, shown=asked.shown)
                again.end_retry(run.path)
                return summary
            except UserError:
                # On a disk, a lock tells that nobody works on a plan without parts.
                if storage.is_remote(run.path):
                    forget_plan(run.path)
                raise


def _drop(folder: str, *, retry_failed: bool, say: Callable[[str], None]) -> None:
    if n_damaged := again.drop_damaged(folder):
        say(f"Parts that are cut short, and made again: {n_damaged}.")
    if retry_failed and (n_failed := again.drop_failed(folder)):
        say(f"Shards with pictures that failed, explained again: {n_failed}.")


def _finish(
    job: Job, folder: str, plan: Plan, wanted: Wanted, stop: Callable[[], int], *, shown: bool
) -> Summary:
    todo = find_todo(folder)
    if todo.n_items + todo.done_items != plan.n_items:
        raise UserError(
            f"Expected the list of shards in {folder} to be that of all {plan.n_items} pictures. "
            f"Received: one of {todo.n_items + todo.done_items}. Take another --out."
        )
    if not todo.n_shards:
        return read_summary(folder) or write_summary(folder, plan)
    parts.sweep(folder)
    say = _say if shown else _hush
    if todo.done_items:
        say(f"{todo.done_items} of {plan.n_items} are done already; going on.")
    try:
        with measured(plan.n_items, todo.done_items, shown=shown) as meter:
            drive(job, folder, wanted, todo, meter, stop)
    except Stopped:
        left = find_todo(folder)
        say(
            f"Stopped with {left.done_items} of {plan.n_items} done. To go on, run the same "
            "command again."
        )
        if stop() == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(128 + stop()) from None
    if find_todo(folder).n_shards:
        raise UserError(
            f"Expected {storage.join(folder, PARTS)} to keep the parts of this run. Received: less "
            "than was written. Run the same command again, and let nothing else remove files there."
        )
    return write_summary(folder, plan)


def _say(text: str) -> None:
    sys.stderr.write(f"eli5: {text}\n")
    sys.stderr.flush()


def _hush(text: str) -> None:
    del text
