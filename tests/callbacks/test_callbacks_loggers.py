"""TensorBoard, MLflow and Weights & Biases: what arrives there, read back without a model."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eli5.callbacks.loggers import Epoch, make_epoch, open_loggers, tensorboard
from eli5.callbacks.loggers.active_runs import MLflowLogger, WandbLogger
from eli5.callbacks.loggers.tensorboard import TensorBoardLogger
from helpers.logged_epochs import epoch, explanation, pixels

TAGS = ("explanations/grad-cam", "explanations/gradient-x-input")


def check_grids(found: Any, logged: Epoch) -> None:
    """Check pictures by their tags against what each method's grid is to look like."""
    assert set(found) == set(TAGS)
    for tag, picture in found.items():
        np.testing.assert_array_equal(pixels(picture), pixels(logged.grids[tag[13:]]))
    assert not np.array_equal(*map(pixels, found.values()))


# ---- TensorBoard ---------------------------------------------------------------------------------


def events(path: Path) -> Iterator[Any]:
    """Yield the events of a file, checked as TensorBoard's own reader checks them."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    content, start = path.read_bytes(), 0
    while start < len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        body = content[start + 12 : start + 12 + length]
        sums = struct.unpack_from("<I", content, start + 8) + struct.unpack_from(
            "<I", content, start + 12 + length
        )
        assert sums == (masked_crc32c(content[start : start + 8]), masked_crc32c(body))
        yield Event.FromString(body)
        start += 16 + length


def pictures_of(path: Path) -> dict[int, dict[str, bytes]]:
    """Return the pictures of an event file by step and tag."""
    found: dict[int, dict[str, bytes]] = {}
    for event in events(path):
        for value in event.summary.value:
            found.setdefault(event.step, {})[value.tag] = value.image.encoded_image_string
    return found


@pytest.fixture
def event_folder(tmp_path: Path) -> Path:
    pytest.importorskip("tensorboardX")
    return tmp_path / "events"


def test_tensorboard_gets_a_grid_per_method(event_folder: Path) -> None:
    logger, logged = TensorBoardLogger(lambda: str(event_folder)), [epoch(0), epoch(4, n_targets=2)]
    assert logger.is_active()
    for one in logged:
        logger.log(one)
        (path,) = event_folder.iterdir()
        assert "tfevents" in path.name
        check_grids(pictures_of(path)[one.step], one)  # on the disk already
    logger.close()
    assert list(pictures_of(path)) == [0, 4]
    assert next(events(path)).file_version == "brain.Event:2"


def test_grids_have_the_pictures_in_their_own_size() -> None:
    logged = [explanation(0), explanation(1)]
    for one in logged:
        one.image = one.image.resize((600, 300))
    epoch = make_epoch(0, {}, [[one] for one in logged], {"alpha_limit": 0})
    (grid,) = epoch.grids.values()
    for picture in (logged[0].image, logged[1].image):
        corner = pixels(picture)[:20, :20]
        windows = np.lib.stride_tricks.sliding_window_view(pixels(grid), corner.shape)
        assert (windows == corner).all(axis=(-3, -2, -1)).any()


def test_a_second_training_gets_a_second_event_file(event_folder: Path) -> None:
    logger = TensorBoardLogger(lambda: str(event_folder))
    for step in range(3):
        logger.log(epoch(step))
        logger.close()
    logger.close()
    steps = sorted(step for path in event_folder.iterdir() for step in pictures_of(path))
    assert steps == [0, 1, 2]
    assert len(list(event_folder.iterdir())) == 3


def test_half_a_record_hides_nothing_behind_it(
    event_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = TensorBoardLogger(lambda: str(event_folder))
    logger.log(epoch(0))

    def write_half(event: Any) -> None:
        logger._writer._py_recordio_writer._writer.write(b"half a record")
        raise OSError("No space left on device")

    monkeypatch.setattr(logger._writer, "write_event", write_half)
    with pytest.raises(OSError, match="No space left"):
        logger.log(epoch(1))
    logger.log(epoch(2))
    logger.close()
    first, second = sorted(event_folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert first.read_bytes().endswith(b"half a record")
    assert list(pictures_of(second)) == [2]


def test_the_event_file_lies_where_it_is_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    own = open_loggers(tmp_path / "logs", True, False)
    for logger in own.values():
        logger.log(epoch(0))
        logger.close()
    names = sorted(path.name for path in (tmp_path / "logs" / "run-1").iterdir())
    assert [name for name in names if "tfevents" in name] == [names[1]]
    assert names[-1] == "index.html"
    (apart,) = open_loggers(None, tmp_path / "apart", False).values()
    apart.log(epoch(0))
    apart.close()
    assert ["tfevents" in path.name for path in (tmp_path / "apart").iterdir()] == [True]


def test_tensorboard_needs_neither_tensorflow_nor_torch(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    code = (
        "import runpy, sys, types\n"
        "sys.modules.update(tensorflow=None, torch=None)  # so that an import fails\n"
        "from PIL import Image\n"
        f"names = runpy.run_path({tensorboard.__file__!r})\n"
        f"logger = names['TensorBoardLogger'](lambda: {str(tmp_path)!r})\n"
        "grids = {'grad-cam': Image.new('RGB', (9, 5), 'red')}\n"
        "logger.log(types.SimpleNamespace(step=3, grids=grids))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    (path,) = tmp_path.iterdir()
    assert pixels(pictures_of(path)[3]["explanations/grad-cam"]).shape == (5, 9, 3)


# ---- MLflow --------------------------------------------------------------------------------------


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give MLflow with a store of its own, in files; one in a database needs more installed."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield mlflow
    mlflow.set_tracking_uri(before)


def test_mlflow_gets_a_grid_per_method_and_step(mlflow: Any, tmp_path: Path) -> None:
    logger, logged = MLflowLogger(), [epoch(0), epoch(4)]
    assert not logger.is_active()
    with mlflow.start_run() as run:
        assert logger.is_active()
        for one in logged:
            logger.log(one)
        logger.close()
        assert mlflow.active_run().info.run_id == run.info.run_id
    assert not logger.is_active()
    found: dict[int, dict[str, bytes]] = {0: {}, 4: {}}
    for path in (tmp_path / "mlruns").rglob("*.png"):
        assert run.info.run_id in path.parts
        # MLflow 3.0 writes "#" for a slash, and "%" between the parts.
        tag, step = re.findall(r"(.*)[+%]step[+%](\d+)[+%]", path.name)[0]
        found[int(step)][re.sub("[~#]", "/", tag)] = path.read_bytes()
    for one in logged:
        check_grids(found[one.step], one)


# ---- Weights & Biases ----------------------------------------------------------------------------


@pytest.fixture
def wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give the library with a run that writes to a file and never asks the network."""
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb = pytest.importorskip("wandb")
    settings = wandb.Settings(console="off", x_disable_stats=True, x_disable_meta=True)
    with wandb.init(project="test", mode="offline", dir=str(tmp_path), settings=settings):
        yield wandb


def history(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a finished run."""
    rows = []
    for record in finished_records(folder):
        row: dict[str, Any] = {}
        for item in record.history.item:
            *path, last = item.nested_key or [item.key]
            inner = row
            for key in path:
                inner = inner.setdefault(key, {})
            inner[last] = json.loads(item.value_json)
        rows += [row] if row else []
    return rows


def finished_records(folder: Path) -> list[Any]:
    """Return what a run has written; its helper goes on for a moment after the run is finished."""
    (path,) = folder.rglob("*.wandb")
    deadline = time.monotonic() + 30
    while True:
        found = list(records(path.read_bytes()))
        if any(record.HasField("exit") for record in found):
            return found
        assert time.monotonic() < deadline
        time.sleep(0.02)


def records(content: bytes) -> Iterator[Any]:
    """Yield the records of a log in blocks of 32 KiB, each with a header of seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    start, body = 7, b""
    while start + 7 <= len(content):
        if -start % 2**15 < 7:  # too short for a header
            start += -start % 2**15
        _, length, kind = struct.unpack_from("<IHB", content, start)
        body += content[start + 7 : start + 7 + length]
        start += 7 + length
        if kind in (1, 4) and start <= len(content):  # whole, or its last part
            yield Record.FromString(body)
            body = b""


def check_row(row: dict[str, Any], folder: Path, logged: Epoch) -> None:
    (media,) = folder.rglob("media")
    pictures = {tag: row[tag] for tag in TAGS}
    assert {one["caption"] for one in pictures.values()} == {f"Epoch {logged.number}"}
    assert row["explanations/epoch"] == logged.step
    files = {tag: (media.parent / one["path"]).read_bytes() for tag, one in pictures.items()}
    check_grids(files, logged)


def test_wandb_gets_a_row_per_epoch(wandb: Any, tmp_path: Path) -> None:
    logger, logged = WandbLogger(), [epoch(0), epoch(4)]
    assert logger.is_active()
    for one in logged:
        logger.log(one)
    logger.close()
    logger.close()
    wandb.finish()
    assert not logger.is_active()
    logger.close()
    rows = history(tmp_path)
    assert len(rows) == 2
    for row, one in zip(rows, logged, strict=True):
        check_row(row, tmp_path, one)


@pytest.mark.parametrize("order", ["before", "behind"])
@pytest.mark.parametrize("step", [True, False], ids=["with a step", "without"])
def test_wandb_loses_nothing_that_the_user_logs(
    step: bool, order: str, wandb: Any, tmp_path: Path
) -> None:
    logger, logged = WandbLogger(), [epoch(k) for k in range(3)]

    def log_loss(k: int) -> None:
        wandb.log({"loss": k / 2}, **({"step": k} if step else {}))

    for one in logged:
        if order == "before":
            log_loss(one.step)
        logger.log(one)
        if order == "behind":
            log_loss(one.step)
    logger.close()
    wandb.finish()
    rows = history(tmp_path)
    assert [row["loss"] for row in rows if "loss" in row] == [0, 0.5, 1]
    shown = [row for row in rows if TAGS[0] in row]
    for row, one in zip(shown, logged, strict=True):
        check_row(row, tmp_path, one)
    if step:
        assert len(rows) == 3
        assert [row["loss"] for row in shown] == [0, 0.5, 1]


# ---- neither -------------------------------------------------------------------------------------


def test_nobody_is_imported_who_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mlflow", "wandb")]:
        monkeypatch.delitem(sys.modules, name)
    for logger in (MLflowLogger(), WandbLogger()):
        assert not logger.is_active()
        logger.close()
    assert not {"mlflow", "wandb"} & set(sys.modules)
