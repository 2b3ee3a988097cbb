"""Whose a folder of results is: of a run that failed at once, of two that begin together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest

from eli5 import bulk
from eli5.bulk import filesystem, plan
from eli5.bulk.results import run_folder
from eli5.bulk.results.run_folder import locked
from helpers.bulk_helpers import check_complete, make_photos, read_rows, small_model
from helpers.cli_helpers import colour_model, saved


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_photos(tmp_path / "photos", 3)
    return tmp_path / "photos"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# ---- a first start that failed -------------------------------------------------------------------


@pytest.mark.parametrize("remote", [False, True])
def test_what_failed_at_once_keeps_nothing_from_its_folder(
    photos: Path, tmp_path: Path, *, remote: bool
) -> None:
    model = saved(colour_model(keras.layers.Activation("linear"), size=(8, 8, 3)), tmp_path)
    out = f"memory://{tmp_path.name}" if remote else str(tmp_path / "out")
    with pytest.raises(ValueError, match="Expected `preprocess`"):
        bulk.explain(model, photos, out)
    with pytest.raises(ValueError, match="no_such_layer"):
        bulk.explain(model, photos, out, preprocess="unit", layer="no_such_layer")
    summary = bulk.explain(model, photos, out, preprocess="unit", overlays=True)
    assert summary.folder == out
    assert (summary.n_items, summary.n_failed) == (3, 0)
    (state,) = bulk.status(out)
    assert state.made_from["preprocess"] == "unit"


def test_overlays_that_no_part_tells_of_go(model: str, photos: Path, out: Path) -> None:
    with pytest.raises(ValueError, match="no_such_layer"):
        bulk.explain(model, photos, out, layer="no_such_layer")
    (out / "overlays" / "00000000").mkdir(parents=True)
    (out / "overlays" / "00000000" / "old.jpg").write_bytes(b"old")
    bulk.explain(model, photos, out, overlays=True)
    assert not (out / "overlays" / "00000000" / "old.jpg").exists()
    check_complete(out, [row["id"] for row in read_rows(out)])


def test_a_plan_that_somebody_works_on_is_kept(model: str, photos: Path, out: Path) -> None:
    with pytest.raises(ValueError, match="no_such_layer"):
        bulk.explain(model, photos, out, layer="no_such_layer")
    before = (out / "plan.json").read_bytes()
    with locked(str(out)):
        summary = bulk.explain(model, photos, out)
    assert Path(summary.folder).parent == out
    assert (out / "plan.json").read_bytes() == before


def test_a_plan_is_gone_before_its_shards_are_replaced(
    model: str, photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="no_such_layer"):
        bulk.explain(model, photos, out, layer="no_such_layer")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(filesystem, "write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        bulk.explain(model, photos, out)
    assert not (out / "plan.json").exists()
    monkeypatch.undo()
    assert bulk.explain(model, photos, out).folder == str(out)


# ---- two runs that begin together ----------------------------------------------------------------


def test_a_run_that_came_first_keeps_its_folder(
    model: str, photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, calls = run_folder.find_run_folder, 0

    def overtaken(*asked: Any) -> Any:
        nonlocal calls
        calls += 1
        found = find(*asked)
        if calls == 1:  # the other comes and goes before the lock is had
            bulk.explain(model, photos, out, dtype="float16")
        return found

    monkeypatch.setattr(run_folder, "find_run_folder", overtaken)
    summary = bulk.explain(model, photos, out)
    assert Path(summary.folder).parent == out
    assert [one.made_from["dtype"] for one in bulk.status(out)] == ["float16", "float32"]


# ---- folders that cannot be written to -----------------------------------------------------------


@pytest.mark.parametrize("name", ["/proc/x", "/proc/1/x/y", "photos/0/00000.png/x"])
def test_a_place_without_folders(name: str, model: str, photos: Path) -> None:
    place = photos.parent / name
    with pytest.raises(ValueError, match=r"Expected `out` to be a folder that can be written to"):
        bulk.explain(model, photos, place)


def test_a_disk_that_is_full_before_the_plan_is_made(
    model: str, photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(plan, "_shard", full)
    with pytest.raises(ValueError, match=r"with room for the list .* for .*/out: .*No space left"):
        bulk.explain(model, photos, out)
    monkeypatch.undo()
    monkeypatch.setattr(filesystem, "publish", full)
    with pytest.raises(ValueError, match=r"that can be written to\. .*No space left on device\.$"):
        bulk.explain(model, photos, out)
