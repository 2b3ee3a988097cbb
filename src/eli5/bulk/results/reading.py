"""Read the results of a run as explanations: each is decoded when it is asked for, and not before.

Of all rows only the columns that tell one explanation from the next, and that filters look at, are
read at once: some 50 bytes for each.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eli5.base import Explanation, Explanations, Grade, TargetExplanation
from eli5.bulk import filesystem
from eli5.bulk.plan import read_items, read_plan, read_shards
from eli5.bulk.results.parts import as_written, list_parts, part_errors, part_name
from eli5.bulk.results.run_folder import PARTS
from eli5.bulk.results.summary import find_runs
from eli5.checks import expect_flag, expect_list, expect_number, need, wrong_value
from eli5.loading.errors import shortened
from eli5.loading.files import decode_picture
from eli5.saving.document import decode_placement

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.bulk.sources.items import SourceItem

_HASH = re.compile(r"[0-9a-f]{32}")
_MOST_SHOWN = 24  # explanations in a notebook


class Start(NamedTuple):
    """What is read of all rows: what tells where an explanation begins, and what filters ask."""

    id: str
    ok: bool
    rank: int | None
    class_id: int | None
    class_name: str | None
    probability: float | None


class _Place(NamedTuple):
    """Where the rows of an explanation are."""

    part: int
    item: int  # in the shard, counted from 0
    start: int  # the first row in the part
    n: int


class BulkResults(Sequence[Explanation]):
    """The explanations of a bulk run, in the order of its source; `eli5.bulk.read` gives them.

    One is decoded when it is asked for by its number or by ``for``. A slice is one of these, too,
    and decodes nothing; ``.collect()`` makes `eli5.Explanations` of it, which show and save
    themselves. All that takes several explanations takes these.
    """

    def __init__(self, run: _Run, places: Sequence[_Place]) -> None:
        self._run, self._places = run, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        """Decode one of them, or choose some by a slice."""
        if isinstance(index, slice):
            return BulkResults(self._run, self._places[index])
        return self._run.decode(self._places[index])

    def collect(self) -> Explanations:
        """Decode all of them."""
        return Explanations(self)

    def __repr__(self) -> str:
        """Say how many there are; nothing is decoded."""
        return f"<{len(self)} explanations of {self._run.folder}, decoded as they are asked for>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = self[:_MOST_SHOWN].collect()._repr_mimebundle_(include, exclude)
        return bundle | {"text/plain": repr(self)}


def read(
    out: str | os.PathLike[str],
    *,
    class_name: str | Iterable[str] | None = None,
    ok: bool | None = None,
    ids: Iterable[str] | None = None,
    min_probability: float | None = None,
    pictures: bool = True,
) -> BulkResults:
    """Read the results of a bulk run as explanations, each when it is asked for.

    Parameters
    ----------
    out : str or path
        The folder or URL of a run, finished or not. Of several runs in one folder it is the first;
        those in it are named by themselves, as ``explained/run-…``.
    class_name : str or iterable of str, optional
        Those whose first class, the likeliest, has this name, or one of these; the class id, as a
        string, where classes have no names.
    ok : bool, optional
        Those that could be explained, or those that could not.
    ids : iterable of str, optional
        Those of these items.
    min_probability : float, optional
        Those whose first class has at least this probability.
    pictures : bool
        Whether the picture of each is read from the source when it is decoded. If that is gone, its
        description says so. Without pictures all is faster, and nothing but numbers can be shown.

    Returns
    -------
    BulkResults
        One explanation per item and method, with the item's id as ``source``; the ``error`` of
        those that could not be explained is in the place of targets. It is a sequence:
        ``results[:20].collect()`` are `eli5.Explanations`.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If there is no run, or one of its files is damaged or was not written by one.
    ModuleNotFoundError
        If pyarrow or fsspec is missing.
    """
    expect_flag("pictures", pictures)
    if ok is not None:
        expect_flag("ok", ok)
    if min_probability is not None and expect_number("min_probability", min_probability) > 1:
        raise wrong_value("min_probability", min_probability, "to be in [0, 1]")
    names = {"class_name": class_name, "ids": ids}
    chosen = {
        name: expect_list(name, [v] if isinstance(v, str) else v, _is_text, "a list of strings")
        for name, v in names.items()
        if v is not None
    }
    for module in ("fsspec", "pyarrow.parquet"):
        need(module)
    run = _Run(find_runs(out)[0], pictures=pictures)
    least = None if min_probability is None else float(min_probability)
    parts = range(len(run.shards))
    return BulkResults(run, [place for k in parts for place in run.find(k, chosen, ok, least)])


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


class _Run:
    """A run's folder: its parts, and where the pictures of their rows are."""

    def __init__(self, folder: str, *, pictures: bool) -> None:
        self.folder, self.has_pictures = folder, pictures
        plan, there = read_plan(folder), list_parts(folder)
        model = str(plan.made_from.get("model", "")) if plan else ""
        self.model = "" if _HASH.fullmatch(model) else model  # of a file there is no name
        self.shards = [one for one in read_shards(folder) if part_name(one) in there]
        # What was read last, as neighbours are asked for in turn.
        self._group: tuple[tuple[int, int], Any] = (-1, -1), None
        self._items: tuple[int, int, Iterator[SourceItem]] = -1, 0, iter(())
        self._picture: tuple[tuple[int, int], Image | None, str] = (-1, -1), None, ""

    def path(self, part: int) -> str:
        return filesystem.join(self.folder, PARTS, part_name(self.shards[part]))

    def find(
        self, part: int, chosen: dict[str, list[str]], ok: bool | None, least: float | None
    ) -> Iterator[_Place]:
        """Yield where the explanations of a part are that pass the filters."""
        path = self.path(part)
        with part_errors(path), filesystem.open_file(path) as file:
            table = need("pyarrow.parquet").ParquetFile(file).read(columns=list(Start._fields))
            columns = [table[name].to_pylist() for name in Start._fields]
        rows = list(map(Start, *columns))
        # One that failed has a single row, without a rank.
        starts = [k for k, row in enumerate(rows) if not row.rank]
        names = {name: set(values) for name, values in chosen.items()}
        item, before = -1, None
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
            item += rows[start].id != before
            before = rows[start].id
            if passes(rows[start], names, ok, least):
                yield _Place(part, item, start, end - start)

    def decode(self, place: _Place) -> Explanation:
        """Read the rows of an explanation, and its picture."""
        with part_errors(self.path(place.part)):
            expl = _explanation(self._rows(place), self.model)
        if self.has_pictures and not expl.error:
            expl.image, problem = self._read_picture(place, str(expl.source))
            if problem:
                expl.description = f"{expl.description or ''} The picture is missing. {problem}"
        return expl

    def _rows(self, place: _Place) -> list[dict[str, Any]]:
        pq = need("pyarrow.parquet")
        with filesystem.open_file(self.path(place.part)) as opened:
            file = pq.ParquetFile(opened)
            rows, first = [], 0
            for group in range(file.num_row_groups):
                n = file.metadata.row_group(group).num_rows
                low, high = max(place.start, first), min(place.start + place.n, first + n)
                if low < high:
                    if self._group[0] != (place.part, group):
                        self._group = (place.part, group), file.read_row_group(group)
                    rows += self._group[1].slice(low - first, high - low).to_pylist()
                first += n
        return rows

    def _read_picture(self, place: _Place, name: str) -> tuple[Image | None, str]:
        """Read a picture from the source, or say why that cannot be."""
        which = place.part, place.item
        if self._picture[0] != which:
            picture, problem = None, ""
            try:
                item = self._find_item(*which)
                if as_written(item.id) != name:
                    problem = f"In its place the source has {item.id}."
                else:
                    picture = decode_picture(item.read(), item.path)
            except (OSError, ValueError) as error:
                problem = shortened(str(error))
            self._picture = which, picture, problem
        return self._picture[1:]

    def _find_item(self, part: int, number: int) -> SourceItem:
        """Go on in the source to an item, or from the beginning of its shard if it lies behind."""
        at_part, at, items = self._items
        if at_part != part or at > number:
            at, items = 0, read_items(self.shards[part])
        for at_next, item in enumerate(items, at + 1):
            self._items = part, at_next, items
            if at_next > number:
                return item
        raise ValueError(f"{self.shards[part].file} has become shorter.")


def passes(row: Start, names: dict[str, set[str]], ok: bool | None, least: float | None) -> bool:
    """Tell whether an explanation passes the filters of `read`."""
    name = row.class_name or str(row.class_id)
    return (
        (ok is None or row.ok is ok)
        and ("class_name" not in names or (row.ok and name in names["class_name"]))
        and ("ids" not in names or row.id in names["ids"])
        and (least is None or (row.probability is not None and row.probability >= least))
    )


def _explanation(rows: Sequence[dict[str, Any]], model: str) -> Explanation:
    first = rows[0]
    if not first["ok"]:
        return Explanation(model, error=first["error"], source=first["id"])
    return Explanation(
        model,
        description=first["description"],
        error="",
        method=first["method"],
        targets=list(map(_target, rows)),
        layer=first["layer"],
        source=first["id"],
    )


def _target(row: dict[str, Any]) -> TargetExplanation:
    return TargetExplanation(
        row["class_id"],
        proba=row["probability"],
        score=row["score"],
        heatmap=np.array(row["heatmap"], np.float32).reshape(row["height"], row["width"]),
        class_name=row["class_name"],
        explained=row["explained"],
        explained_name=row["explained_name"],
        sign=row["sign"],
        placement=decode_placement(json.loads(row["placement"])),
        grade=_grade(row),
    )


def _grade(row: dict[str, Any]) -> Grade | None:
    """Read a grade; parts of earlier versions have no column of it."""
    if row.get("verdict") is None:
        return None
    return Grade(row["grade"], row["verdict"], **json.loads(row["grade_details"]))
