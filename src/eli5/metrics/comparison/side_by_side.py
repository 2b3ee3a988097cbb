"""`eli5.compare`: methods side by side, by several metrics, on docs of any number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

import keras

from eli5.advice import check_keras_model
from eli5.checks import expect_count
from eli5.keras.inputs.dataset import count_docs, read_docs, with_entries
from eli5.keras.inputs.sample import DocOptions
from eli5.metrics.comparison.log import Log
from eli5.metrics.comparison.request import PER_DOC, Request, make_request
from eli5.metrics.comparison.result import Comparison
from eli5.metrics.comparison.run import Entry, checksum, chunks, measure_chunk
from eli5.metrics.comparison.totals import Totals
from eli5.progress import Progress, show_progress


def compare(
    model: Any,
    docs: Any,
    methods: Any,
    metrics: Any = None,
    masks: Any = None,
    targets: Any = None,
    *,
    names: Iterable[str] | None = None,
    seed: int = 0,
    examples: int = 1,
    chunk_size: int = 64,
    out: str | PathLike[str] | None = None,
    progress: bool | None = None,
    **about: Any,
) -> Comparison:
    """Compare methods on the same docs and classes by several metrics.

    Parameters
    ----------
    model : keras.Model
    docs : Any
        See `eli5.explain_predictions`: an array, a list, a generator, a dataset, of any length.
        They are gone through once; labels are left aside.
    methods : list of str, callables and pairs, or a mapping
        Methods, one of them also as a pair with its options, ``("RISE", {"n_masks": 200})``; or by
        a name of your own the options of each: ``{"fine": {"method": "Occlusion", "patch": 2}}``.
    metrics : list of str, optional
        Names from `eli5.metrics.METRICS`, in any case. SRG, single deletion, infidelity and
        complexity if not given, and energy inside where there are masks.
    masks : iterable, optional
        Per doc where the object is, see `eli5.metrics.energy_inside`; or None, of a doc that gets
        no number from the metrics that need one.
    targets : iterable of int, optional
        Per doc the class; the top prediction of each if not given.
    names : iterable of str, optional
        Per doc what it is called on the page.
    seed : int, default 0
        Of the metrics, and of the intervals. With the same seed come the same numbers, however the
        docs are cut into chunks, and whether or not a run was interrupted.
    examples : int, default 1
        How many docs of each method and metric are kept at either end, the best and the worst, as
        small pictures with small maps.
    chunk_size : int, default 64
        How many docs are in memory at once, with their maps by one method. Metrics of randomisation
        draw the weights anew for each chunk.
    out : str or path, optional
        A folder, new, empty, or of the same comparison. What has been measured is kept there, and
        the same call goes on after it was stopped. In the end it holds ``index.html``,
        ``comparison.json`` and ``table.csv``; see `Comparison.save`.
    progress : bool, optional
        Whether a bar on standard error shows how far it is; see `eli5.explain_prediction`.
    **about
        What else `eli5.metrics.deletion` takes of docs and model, without ``score``.

    Returns
    -------
    Comparison
        With a ``table`` (mean, interval, passes, seconds), ``curves``, ``examples``, ``best()``,
        ``plot()`` and ``save()``. A doc for which a method or a metric fails has NaN there, and
        ``failures`` tell why.

    Raises
    ------
    TypeError, ValueError
        If there is no such method, metric or option; see the metrics. If a method or a metric fails
        for all docs of the first chunk. If `out` holds another comparison, or the docs are not
        those that it has measured.
    BlockingIOError
        If another process works on `out`.
    """
    request = make_request(
        methods,
        metrics,
        about,
        has_masks=masks is not None,
        seed=seed,
        progress=progress,
        examples=examples,
    )
    size = expect_count("chunk_size", chunk_size)
    check_keras_model(model)
    per_doc = {name: about.get(name) for name in PER_DOC}
    entries = read_entries(model, docs, targets, masks, names, per_doc)
    return compare_entries(model, entries, request, size, out, count_docs(model, docs))


def read_entries(
    model: keras.Model, docs: Any, targets: Any, masks: Any, names: Any, per_doc: dict[str, Any]
) -> Iterator[Entry]:
    """Return an iterator over the docs, each with what is said of it; see `compare`."""
    stream = (doc for doc, _ in read_docs(model, docs, DocOptions(), {}))
    given = {"targets": targets, "masks": masks, "names": names, **per_doc}
    for number, (doc, own) in enumerate(with_entries(stream, given, count_docs(model, docs))):
        target = None if own.get("targets") is None else int(own["targets"])
        said = {name: own[name] for name in per_doc if name in own}
        name = str(own.get("names", f"doc {number}"))
        yield Entry(doc, name, target, own.get("masks"), said)


def compare_entries(
    model: keras.Model,
    entries: Iterable[Entry],
    request: Request,
    size: int,
    out: str | PathLike[str] | None = None,
    n_docs: int | None = None,
) -> Comparison:
    """Compare on these docs; see `compare`."""
    totals = Totals(request, model.name)
    per_doc = len(request.methods) * (len(request.metrics) + 1)
    total = None if n_docs is None else n_docs * per_doc
    if out is None:
        with show_progress(total, label="Comparing", noun="steps", shown=request.progress) as bar:
            _go_on(model, iter(entries), totals, size, bar)
        return totals.comparison()
    with Log(out, request.settings(model)) as log:
        stream = iter(entries)
        for part in log.parts():
            log.check(part, checksum(next(chunks(stream, part.n), [])))
            totals.add(part)
        done = totals.n * per_doc
        with show_progress(
            total, done, label="Comparing", noun="steps", shown=request.progress
        ) as bar:
            _go_on(model, stream, totals, size, bar, log)
        found = totals.comparison()
        log.finish(found)
    return found


def _go_on(
    model: keras.Model,
    stream: Iterator[Entry],
    totals: Totals,
    size: int,
    bar: Progress,
    log: Log | None = None,
) -> None:
    for chunk in chunks(stream, size):
        part = totals.add(measure_chunk(model, chunk, totals, bar))
        if log is not None:
            log.add(part)
    if not totals.n:
        raise ValueError("Expected docs, at least one. Received: none")
