"""A source that is another than the one that was listed: no id is lost or doubled in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eli5 import bulk
from eli5.bulk.plan import Plan, make_plan, read_items, read_shards
from eli5.bulk.sources import find_source
from helpers.bulk_helpers import make_tar, picture_bytes, read_rows, small_model, write_parquet
from helpers.cli_helpers import run

N = 20
NAMES = [f"{number:02}.png" for number in range(N)]
Write = Callable[[Path, list[str]], Path]


def parquet(folder: Path, names: list[str]) -> Path:
    pictures = [picture_bytes(NAMES.index(name)) for name in names]
    return write_parquet(folder / "source.parquet", {"id": names, "image": pictures})


def tar(folder: Path, names: list[str]) -> Path:
    contents = {name: picture_bytes(NAMES.index(name)) for name in names}
    return make_tar(folder / "source.tar", contents)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


OTHERS = "holds others, or in another order, by now"


@pytest.mark.parametrize(
    ("write", "names", "how", "workers"),
    [
        (parquet, NAMES[::-1], OTHERS, None),
        (parquet, NAMES[::-1], OTHERS, 1),
        (parquet, [*NAMES[1:], NAMES[0]], OTHERS, None),
        (parquet, NAMES[::-1][:12], "has become shorter by now", None),
        (tar, NAMES[::-1], OTHERS, None),
        (tar, NAMES[:12], "has become shorter by now", None),
    ],
)
def test_rows_in_another_order_end_the_run(
    write: Write,
    names: list[str],
    how: str,
    workers: int | None,
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, out = write(tmp_path, NAMES), tmp_path / "out"
    bulk.explain(model, source, out, shard_size=5)
    for part in sorted((out / "parts").iterdir())[2:]:  # as if it had been killed
        part.unlink()
    (out / "summary.json").unlink()
    before = read_rows(out)
    assert len(before) == 10
    write(tmp_path, names)
    argv = ["bulk", model, source, "--out", out, *(["--workers", workers] if workers else [])]
    ended = run(capsys, *argv)
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == (
        "eli5: error: Expected SOURCE to hold the items that were listed when the run began, in "
        f"their order. Received: {source}, which {how}. Put back what it was, or take a new --out"
    )
    assert read_rows(out) == before
    write(tmp_path, NAMES)
    bulk.explain(model, source, out)
    assert sorted(row["id"].removeprefix("source.tar/") for row in read_rows(out)) == NAMES


def test_a_list_may_change_as_the_plan_has_its_own(model: str, tmp_path: Path) -> None:
    for name in NAMES[:4]:
        (tmp_path / name).write_bytes(picture_bytes(NAMES.index(name)))
    source, out = tmp_path / "list.txt", tmp_path / "out"
    source.write_text("\n".join(NAMES[:4]))
    bulk.explain(model, source, out, shard_size=2)
    sorted((out / "parts").iterdir())[1].unlink()
    source.write_text("\n".join(NAMES[:4][::-1]))
    bulk.explain(model, source, out)
    assert [row["id"] for row in read_rows(out)] == NAMES[:4]
    # But what the plan has is to stay.
    sorted((out / "parts").iterdir())[1].unlink()
    listing = out / "listing.jsonl"
    listing.write_bytes(b"".join(listing.read_bytes().splitlines(keepends=True)[::-1]))
    with pytest.raises(ValueError, match=r"listing\.jsonl, which holds others"):
        bulk.explain(model, source, out)


def test_pieces_of_a_shard_are_compared_as_a_whole(tmp_path: Path) -> None:
    source = parquet(tmp_path, NAMES)
    make_plan(str(tmp_path), Plan("a", "mark", {}, 8), find_source(str(source)))
    first, *_ = read_shards(str(tmp_path))
    assert [item.id for item in read_items(first, 2, 4)] == NAMES[2:4]
    # What stands in the piece is the same, and its neighbours are not.
    parquet(tmp_path, [*NAMES[:7], NAMES[9], NAMES[7], *NAMES[10:], NAMES[8]])
    with pytest.raises(ValueError, match="holds others, or in another order"):
        list(read_items(first, 2, 4))
    # A plan of before, without the mark, has nothing to compare.
    assert [item.id for item in read_items(first._replace(ids=""), 2, 4)] == NAMES[2:4]
