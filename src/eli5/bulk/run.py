"""`eli5.bulk.explain`: from a source to a folder of results."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any

from eli5.bulk import filesystem
from eli5.bulk.cutting import Cutter
from eli5.bulk.driver import count_remaining, drive
from eli5.bulk.executors.pool import ExecutorOptions
from eli5.bulk.job import Job, fingerprint, ingredients
from eli5.bulk.options import expect_path, expect_shard_size, make_job, sizes_of
from eli5.bulk.plan import Plan, make_plan, read_plan
from eli5.bulk.results import parts
from eli5.bulk.results.run_folder import (
    FRAGMENTS,
    PARTS,
    RETRY,
    SUMMARY,
    claim_run_folder,
    forget_plan,
)
from eli5.bulk.results.summary import (
    Summary,
    find_damaged,
    read_all_counts,
    read_summary,
    write_summary,
)
from eli5.bulk.shard_sizes import probe_size
from eli5.bulk.signals import stop_between_batches
from eli5.bulk.sources import find_source
from eli5.bulk.worker import Stopped
from eli5.checks import expect_flag, expect_integer, expect_number, expect_type, need, wrong_value
from eli5.loading.errors import UserError
from eli5.progress import notify, notify_every, show_progress

_ROUNDS = 3  # in which parts are found to be damaged, until it is not chance
_UNKNOWN_WORKERS = 8  # of a cluster that is filled; so many begin with a probe
_LISTING = 10.0  # seconds between two lines as long as a source is listed

_Path = str | os.PathLike[str]


def explain(
    model: _Path,
    source: _Path,
    out: _Path,
    *,
    method: str | Sequence[Any] = "Grad-CAM",
    top: int | None = None,
    classes: Sequence[int | str] | None = None,
    class_column: str | None = None,
    layer: int | str | None = None,
    score: str = "auto",
    preprocess: str | None = None,
    labels: _Path | Sequence[str] | None = None,
    weights: _Path | None = None,
    overlays: bool = False,
    colormap: str | None = None,
    signed: bool = False,
    frame: int | None = None,
    imports: Sequence[str] = (),
    allow_code: bool = False,
    shard_size: int | None = None,
    batch_size: int = 32,
    time_limit: float = 60.0,
    workers: int | None = None,
    ray: str | None = None,
    cpus_per_worker: float = 1.0,
    gpus_per_worker: float = 0.0,
    dtype: str = "float32",
    grade: bool = False,
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
    method : str, or sequence of str or pairs
        A pair is a name and a dict of options of its own: ``("RISE", {"n_masks": 200})``.
    top : int, optional
        How many classes are explained, the likeliest first; one if nothing is said.
    classes : sequence of int and str, optional
        Explain these classes of each picture, by id or by name.
    class_column : str, optional
        A column of the source, which is CSV or Parquet: the class to explain of each picture, by id
        or by name.
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
    colormap, signed
        Of the overlays; see `eli5.format_as_image`.
    frame : int, optional
        Which frame of a picture with several is explained; the first if not given.
    imports : sequence of str
        Modules that workers import before they load the model, as they register layers with Keras.
    allow_code : bool
        Whether the model file may run code of its own; only for files that you trust.
    shard_size : int, optional
        How many items a part is for: what is lost at most if a worker is. If not given, as many as
        take a worker less than a minute, and fewer where others would have nothing to do. A plan
        that is there keeps its own.
    batch_size : int
        How many pictures the model sees at once.
    time_limit : float
        How many seconds a picture may take to be read and decoded; one that takes longer has
        failed.
    workers : int, optional
        So many processes, each with its part of the cores. If not given, this process works alone;
        with `ray`, the cluster is filled.
    ray : str, optional
        The address of a Ray cluster, or ``"local"``.
    cpus_per_worker, gpus_per_worker : float
        What a worker takes of a Ray cluster.
    dtype : {"float32", "float16"}
        Of the heatmaps in the parts.
    grade : bool
        Whether each map is graded, by at most 40 more passes of the model; see `eli5.base.Grade`.
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
        If something is wrong with an argument, nothing can be explained by the model, or nothing
        can be written.
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
    begun = monotonic()
    for module in ("fsspec", "pyarrow.parquet", *(["ray"] if ray is not None else [])):
        need(module)
    name, top_folder = expect_path("source", source), filesystem.absolute(expect_path("out", out))
    given_size = expect_shard_size(shard_size)
    expect_flag("progress", progress)
    expect_flag("retry_failed", retry_failed)
    executor = _check_executor(workers, ray, cpus_per_worker, gpus_per_worker)
    _check_out(top_folder, executor)
    job = make_job(
        model,
        method=method,
        top=top,
        classes=classes,
        class_column=class_column,
        layer=layer,
        score=score,
        preprocess=preprocess,
        labels=labels,
        weights=weights,
        overlays=overlays,
        colormap=colormap,
        signed=signed,
        frame=frame,
        imports=imports,
        allow_code=allow_code,
        batch_size=batch_size,
        time_limit=time_limit,
        dtype=dtype,
        grade=grade,
        **options,
    )
    made_from = ingredients(job)  # reads the whole model file, once
    size = given_size or sizes_of(job).grain
    about = (filesystem.absolute(name), fingerprint(made_from), made_from, size)
    plan = Plan(*about, is_final=given_size is not None)
    summary, n = _run(job, top_folder, executor, plan, retry_failed=retry_failed, shown=progress)
    seconds = monotonic() - begun
    notify(f"{n} pictures in {seconds:.1f} s, {n / seconds:.3g} per second.", shown=progress)
    return summary


def _check_executor(workers: Any, ray: Any, cpus: Any, gpus: Any) -> ExecutorOptions:
    if workers is not None:
        expect_integer("workers", workers, least=1)
    expect_type("ray", ray, (str, type(None)), "a string or None")
    if expect_number("cpus_per_worker", cpus, least=0) == 0:
        raise wrong_value("cpus_per_worker", cpus, "> 0")
    expect_number("gpus_per_worker", gpus, least=0)
    return ExecutorOptions(workers, ray, cpus, gpus)


def _check_out(out: str, executor: ExecutorOptions) -> None:
    if out.startswith(("http://", "https://")):
        raise wrong_value("out", out, "to be a folder, or a URL that can be written to, not read")
    if out.startswith("memory://") and not executor.is_this_process:
        advice = "Each process has its own memory: leave `workers` and `ray` out"
        raise wrong_value("out", out, "to be a folder that all workers see", advice)


def _run(
    job: Job, out: str, executor: ExecutorOptions, plan: Plan, *, retry_failed: bool, shown: bool
) -> tuple[Summary, int]:
    """Find the run's folder, plan what is to be done there if nobody has, and do it.

    Returns what came of it, and how many items were not done before.
    """
    tell = partial(notify, shown=shown)
    with claim_run_folder(out, plan) as (folder, differences):
        filesystem.remove(filesystem.join(folder, FRAGMENTS))  # nothing of it counts any more
        if differences:
            tell(f"{out} holds a run that differs in {', '.join(differences)}.")
            tell(f"The results of this one go to {folder}.")
        old = read_plan(folder)
        is_old = old is not None and old.is_same_run(plan)
        if old is not None and is_old:
            plan = old
        else:
            forget_plan(folder)
            plan = _list(job, folder, out, executor, plan, shown=shown)
        _tell_beginning(job, executor, plan, tell, is_old=is_old)
        with stop_between_batches() as stop_signal:
            try:
                if retry_failed and (n_failed := drop_damaged(folder) + drop_failed(folder)):
                    tell(f"Shards with pictures that failed, explained again: {n_failed}.")
                n_new = count_remaining(folder).n_items
                summary = _finish(job, folder, executor, plan, stop_signal, shown=shown)
            except UserError:
                # On a disk, a lock tells that nobody works on a plan without parts.
                if filesystem.is_remote(folder):
                    forget_plan(folder)
                raise
            filesystem.remove(filesystem.join(folder, RETRY))
            return summary, n_new


def _list(
    job: Job, folder: str, out: str, executor: ExecutorOptions, plan: Plan, *, shown: bool
) -> Plan:
    """List the source into a plan, of shards of the size that was asked for or of grains."""
    tell_if_due = notify_every(_LISTING, shown=shown)
    workers = executor.workers or (1 if executor.is_this_process else _UNKNOWN_WORKERS)
    probe = None if plan.is_final else partial(probe_size, workers=workers, sizes=sizes_of(job))
    return make_plan(
        folder,
        plan,
        find_source(plan.source, job.class_column),
        out,
        lambda n: tell_if_due(f"listing the source: {n} so far"),
        probe,
    )


def _tell_beginning(
    job: Job, executor: ExecutorOptions, plan: Plan, tell: Callable[[str], None], *, is_old: bool
) -> None:
    tell(
        f"{plan.n_items} pictures of {plan.source}, explained with {os.path.basename(job.model)} "
        f"on {job.backend} by {' and '.join(job.methods)}, {executor.in_words}."
    )
    if plan.is_final:
        why = "as the run was planned" if is_old else "as asked for"
        tell(f"Parts of at most {plan.shard_size} pictures, {why}.")
    else:
        tell("How many pictures a part has follows when the rate is known.")


def _finish(
    job: Job,
    folder: str,
    executor: ExecutorOptions,
    plan: Plan,
    stop_signal: Callable[[], int],
    *,
    shown: bool,
) -> Summary:
    tell, remaining = partial(notify, shown=shown), count_remaining(folder)
    if remaining.n_items + remaining.done_items != plan.n_items:
        raise UserError(
            f"Expected the list of shards in {folder} to be that of all {plan.n_items} pictures. "
            f"Received: one of {remaining.n_items + remaining.done_items}. Take another folder."
        )
    if not remaining.n_shards and (summary := read_summary(folder)):
        return summary
    for _ in range(_ROUNDS):
        _explain_remaining(job, folder, executor, plan, stop_signal, shown=shown)
        if not (n_damaged := drop_damaged(folder)):
            return write_summary(folder, plan)
        tell(f"Damaged parts that are made again: {n_damaged}.")
    raise UserError(
        f"Expected {filesystem.join(folder, PARTS)} to lie on a disk that gives back what was "
        f"written to it. Received: {n_damaged} damaged parts, {_ROUNDS} times in a row"
    )


def _explain_remaining(
    job: Job,
    folder: str,
    executor: ExecutorOptions,
    plan: Plan,
    stop_signal: Callable[[], int],
    *,
    shown: bool,
) -> None:
    tell, remaining = partial(notify, shown=shown), count_remaining(folder)
    if not remaining.n_shards:
        return
    parts.prepare_folders(folder)
    if remaining.done_items:
        tell(f"{remaining.done_items} of {plan.n_items} are done already; going on.")
    try:
        with show_progress(plan.n_items, remaining.done_items, shown=shown, every=60.0) as progress:
            above = partial(notify, shown=shown)
            is_final = (read_plan(folder) or plan).is_final  # maybe since it was read
            cutter = None if is_final else Cutter(folder, sizes_of(job), above)
            drive(job, folder, executor, remaining, progress.update, stop_signal, cutter)
    except Stopped:
        done = count_remaining(folder).done_items
        tell(f"Stopped with {done} of {plan.n_items} done. To go on, run it again.")
        if stop_signal() == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(128 + stop_signal()) from None  # the exit code, as shells have it
    if count_remaining(folder).n_shards:
        raise UserError(
            f"Expected {filesystem.join(folder, PARTS)} to keep the parts of this run. Received: "
            "less than was written. Run it again, and let nothing else remove files there."
        )


def drop_damaged(folder: str) -> int:
    """Remove the parts that are damaged, and tell how many there were; all of them are read."""
    paths = [filesystem.join(folder, PARTS, name) for name in parts.planned_parts(folder)]
    damaged = find_damaged(paths)
    for path in damaged:
        filesystem.remove(path)
    return len(damaged)


def drop_failed(folder: str) -> int:
    """Remove the parts with failed pictures, and tell how many there were.

    A file notes that it is done: a run that is interrupted and wanted again drops none once more.
    """
    note = filesystem.join(folder, RETRY)
    if filesystem.exists(note):
        return 0
    paths = [filesystem.join(folder, PARTS, name) for name in parts.planned_parts(folder)]
    counts = zip(paths, read_all_counts(paths), strict=True)
    failed = [path for path, one in counts if one.failed]
    for path in failed:
        filesystem.remove(path)
    if failed:
        filesystem.remove(filesystem.join(folder, SUMMARY))
        filesystem.write_whole(note, b"{}")
    return len(failed)
