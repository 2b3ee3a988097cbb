"""What is wrong with what a bulk run is asked for, said before anything is written."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from eli5 import bulk
from eli5.bulk.driver import drive
from eli5.bulk.executors.pool import thread_variables
from eli5.bulk.plan import PLAN
from eli5.bulk.results.run_folder import is_at_work, locked
from eli5.checks import need
from eli5.targets import Region
from helpers.bulk_helpers import make_photos, small_model
from helpers.cli_helpers import colour_model, saved


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_photos(tmp_path / "photos", 3)
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"shard_size": 0}, ValueError, "Expected `shard_size` >= 1. Received: shard_size=0"),
        ({"workers": 0}, ValueError, "Expected `workers` >= 1"),
        ({"batch_size": 2.5}, TypeError, "Expected `batch_size` to be an integer"),
        ({"top": True}, TypeError, "Expected `top` to be an integer"),
        ({"dtype": "int8"}, ValueError, r"Expected `dtype` to be one of .*dtype='int8'"),
        ({"method": "nope"}, ValueError, "nope"),
        ({"layer": 1.5}, TypeError, "layer"),
        ({"score": "best"}, ValueError, "score"),
        ({"no_option": 1}, TypeError, "no_option"),
        (
            {"preprocess": "zip"},
            ValueError,
            r"Expected `preprocess` to be one of \('tf', .* or None",
        ),
        ({"labels": [1, 2, 3]}, TypeError, "Expected `labels` to be a file or a list of names"),
        ({"labels": "no.txt"}, ValueError, "which does not exist"),
        ({"weights": "no.h5"}, ValueError, "which does not exist"),
        ({"model": "no.keras"}, ValueError, "which does not exist"),
        ({"model": "NoSuchNet"}, ValueError, "Expected `model` to be"),
        ({"source": "nowhere"}, ValueError, "Expected `source` to be .* which does not exist"),
        ({"score": lambda outputs: outputs[:, 0]}, TypeError, "numbers, strings, or lists"),
        ({"model": None}, TypeError, "Expected `model` to be a file"),
        ({"model": b"m.keras"}, TypeError, "Expected `model` to be a file"),
        ({"source": b"photos"}, TypeError, "Expected `source` to be a string or a path. .*b'photo"),
        ({"out": b"out"}, TypeError, "Expected `out` to be a string or a path"),
        ({"weights": b"w.h5"}, TypeError, "Expected `weights` to be a string or a path"),
        ({"method": 5}, TypeError, "Expected `method` to be a method's name.* Received: method=5"),
        ({"labels": 5}, TypeError, "Expected `labels` to be a file or a list of names. .*=5"),
        ({"preprocess": []}, TypeError, r"Expected `preprocess` to be one of .* or None. .*=\[\] "),
        ({"ray": 5}, TypeError, "Expected `ray` to be a string or None. Received: ray=5"),
        (
            {"cpus_per_worker": -1},
            ValueError,
            "Expected `cpus_per_worker` to be finite and >= 0. .*=-1",
        ),
        ({"cpus_per_worker": 0}, ValueError, "Expected `cpus_per_worker` > 0. .*=0"),
        (
            {"gpus_per_worker": -1},
            ValueError,
            "Expected `gpus_per_worker` to be finite and >= 0. .*=-1",
        ),
        ({"gpus_per_worker": "1"}, TypeError, "Expected `gpus_per_worker` to be a number"),
        ({"overlays": "no"}, TypeError, "Expected `overlays` to be True or False. .*='no'"),
        ({"retry_failed": 1}, TypeError, "Expected `retry_failed` to be True or False"),
        ({"batch_size": None}, TypeError, "Expected `batch_size` to be an integer. .*=None"),
        ({"top_targets": 2}, TypeError, "Expected no `top_targets` for a bulk run: give `top`"),
        ({"methods": ["Saliency"]}, TypeError, "Expected no `methods` .*: give `method`"),
        ({"class_names": ["a"]}, TypeError, "Expected no `class_names` .*: give `labels`"),
        (
            {"target": Region(1)},
            TypeError,
            r"no `target` .*explain_predictions.*=Region\(class_id=1",
        ),
        (
            {"detector": len},
            TypeError,
            "no `detector` .*: it goes with `target`, which bulk runs do",
        ),
        ({"shard_size": 10**30}, ValueError, "Expected `shard_size` <= 1000000. Received: "),
        (
            {"out": "http://host/x"},
            ValueError,
            "Expected `out` to be .* not read. Received: out='http",
        ),
        ({"out": "memory://x", "workers": 2}, ValueError, "`out` to be a folder that all workers"),
        ({"out": "memory://x", "ray": "local"}, ValueError, "`out` to be a folder that all work"),
    ],
)
def test_what_is_asked_for(
    asked: dict[str, Any], kind: type[Exception], message: str, model: str, photos: Path
) -> None:
    out = photos.parent / "out"
    with pytest.raises(kind, match=message):
        bulk.explain(**{"model": model, "source": photos, "out": out, **asked})
    assert not (out / PLAN).exists() or asked.get("model") == "NoSuchNet"


def test_a_model_object_goes_to_no_other_process(photos: Path) -> None:
    with pytest.raises(TypeError, match=r"\(of type Sequential\). Save it first: model.save"):
        bulk.explain(colour_model(), photos, photos.parent / "out")


def test_a_model_whose_pixels_nobody_knows(photos: Path) -> None:
    model = saved(colour_model(keras.layers.Activation("linear")), photos.parent)
    with pytest.raises(ValueError, match="Expected `preprocess`, because the model does not start"):
        bulk.explain(model, photos, photos.parent / "out")


def test_a_layer_that_does_not_exist_ends_the_run(model: str, photos: Path) -> None:
    out = photos.parent / "out"
    with pytest.raises(ValueError, match="no_such_layer"):
        bulk.explain(model, photos, out, layer="no_such_layer")
    assert not list((out / "parts").iterdir())


def file(out: Path) -> None:
    out.write_text("")


def other_files(out: Path) -> None:
    out.mkdir()
    (out / "thesis.doc").write_text("")


def parts_of_something_else(out: Path) -> None:
    (out / "parts").mkdir(parents=True)


def newer_plan(out: Path) -> None:
    out.mkdir()
    (out / PLAN).write_text('{"format": 99}')


def broken_plan(out: Path) -> None:
    out.mkdir()
    (out / PLAN).write_text("[")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (file, "Expected `out` to be a folder. Received: .* which is a file"),
        (other_files, "Expected `out` to be a new or empty folder, .* which holds other files"),
        (parts_of_something_else, "Expected `out` to be a new or empty folder"),
        (newer_plan, "to be a plan that this version of eli5 has written"),
        (broken_plan, "to be a plan that this version of eli5 has written"),
    ],
)
def test_a_folder_that_is_not_ours(
    make: Callable[[Path], None], message: str, model: str, photos: Path
) -> None:
    out = photos.parent / "out"
    make(out)
    before = sorted(out.rglob("*"))
    with pytest.raises(ValueError, match=message):
        bulk.explain(model, photos, out)
    assert sorted(out.rglob("*")) == before


def test_what_an_interrupted_listing_leaves_is_ours(model: str, photos: Path) -> None:
    out = photos.parent / "out"
    (out / ".plan-abc").mkdir(parents=True)
    (out / ".plan-abc" / "shards.jsonl").write_text("half")
    (out / "lock").write_text("")
    (out / "listing.jsonl").write_text("half")
    assert bulk.explain(model, photos, out).n_items == 3
    assert not (out / ".plan-abc").exists()


def test_one_run_at_a_time(model: str, photos: Path) -> None:
    out = photos.parent / "out"
    bulk.explain(model, photos, out)
    assert bulk.status(out)[0].at_work is False
    with locked(str(out)):
        assert is_at_work(str(out))
        assert bulk.status(out)[0].at_work is True
        with pytest.raises(ValueError, match="on which one is at work right now"):
            bulk.explain(model, photos, out)
    assert is_at_work(str(out)) is False


def test_parts_that_somebody_removes(
    model: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removing(job: Any, folder: str, *rest: Any) -> None:
        drive(job, folder, *rest)
        next(Path(folder, "parts").iterdir()).unlink()

    monkeypatch.setattr("eli5.bulk.run.drive", removing)
    with pytest.raises(ValueError, match="less than was written"):
        bulk.explain(model, photos, photos.parent / "out")
    assert not (photos.parent / "out" / "summary.json").exists()


def test_no_run_has_no_status(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"that a bulk run has made. .*plan\.json"):
        bulk.status(tmp_path)


@pytest.mark.parametrize(
    ("module", "extra"), [("pyarrow.parquet", "bulk"), ("fsspec", "bulk"), ("ray", "ray")]
)
def test_a_library_that_is_missing(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, model: str, photos: Path
) -> None:
    found = importlib.import_module

    def missing(name: str) -> Any:
        if name == module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return found(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=rf'pip install "eli5-keras\[{extra}\]"'):
        need(module)
    with pytest.raises(ModuleNotFoundError, match=rf"eli5-keras\[{extra}\]"):
        bulk.explain(model, photos, photos.parent / "out", ray="local")


def test_threads_are_never_none() -> None:
    assert set(thread_variables(0.5).values()) == {"1"}
    assert set(thread_variables(2.9).values()) == {"2"}


def test_bulk_starts_no_fork() -> None:
    source = Path(bulk.__file__).parent / "executors" / "processes.py"
    assert 'get_context("spawn")' in source.read_text(encoding="utf-8")
    assert "spawn" in multiprocessing.get_all_start_methods()
