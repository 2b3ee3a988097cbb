"""Sources for bulk runs, and what a run must have left behind."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from eli5 import bulk
from helpers.cli_helpers import saved

PictureBytes = dict[str, bytes]


def picture_bytes(number: int) -> bytes:
    """Return a picture of two colours whose heatmap no other number's equals."""
    picture = Image.new("RGB", (40, 30), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 1 + number % 39, 1 + number // 39 % 29))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def make_photos(folder: Path, n: int, broken: Sequence[int] = ()) -> list[str]:
    """Write pictures into a folder and folders in it; return their ids, in the source's order."""
    names = [f"{number % 3}/{number:05d}.png" for number in range(n)]
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = picture_bytes(number)
        path.write_bytes(content[:50] if number in broken else content)
    return sorted(names)


def make_tar(path: Path, contents: PictureBytes, mode: str = "w") -> Path:
    """Write a tar file as WebDataset does: beside each picture a file that is none."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in contents.items():
            for member, data in ((name, content), (f"{name.rpartition('.')[0]}.cls", b"1")):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def write_parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def read_rows(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read all parts of a run with nothing of this project."""
    paths = sorted(Path(folder, "parts").glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def check_complete(out: Path, ids: Sequence[str], failed: Sequence[str] = ()) -> None:
    """Check that each id is there once and in order, each overlay is a picture, nothing is left."""
    rows = read_rows(out)
    assert [row["id"] for row in rows] == list(ids)
    assert {row["id"] for row in rows if not row["ok"]} == set(failed)
    for row in rows:
        assert row["ok"] == (not row["error"])
        if row["ok"]:
            assert len(row["heatmap"]) == row["height"] * row["width"]
            with Image.open(out / row["overlay"]) as overlay:
                overlay.load()
        else:
            assert row["overlay"] is None
    assert not [path for path in out.rglob(".*") if path.is_file()]
    assert not list((out / "fragments").iterdir())
    (state,) = bulk.status(out)
    assert state.is_done
    assert (state.done.items, state.done.failed) == (len(ids), len(failed))


def small_model(folder: Path) -> str:
    """Save a classifier of two colours that is quick to compile."""
    from helpers.cli_helpers import colour_model

    return saved(colour_model(size=(8, 8, 3)), folder)


def command(*argv: object) -> list[str]:
    return [sys.executable, "-m", "eli5", "bulk", *map(str, argv)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "KERAS_BACKEND": keras.backend.backend(), **more}


def start(*argv: object, **variables: str) -> subprocess.Popen[str]:
    """Start a run in a process of its own."""
    return subprocess.Popen(
        command(*argv),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**variables),
        text=True,
    )


def check_kills(
    n_kills: int, model: str, folder: Path, n: int, argv: Sequence[str], **variables: str
) -> None:
    """Kill a run at random moments, start it again each time, and count the rows in the end."""
    photos, out, whole = folder / "photos", folder / "out", folder / "whole"
    ids = make_photos(photos, n, broken=[3, n // 2])
    failed = [name for name in ids if int(name[2:7]) in (3, n // 2)]
    begun = time.monotonic()
    start(model, photos, "--out", whole, *argv, **variables).communicate(timeout=600)
    usual, kills, rng = time.monotonic() - begun, 0, random.Random(0)
    for _ in range(10 * n_kills):
        if kills == n_kills:
            break
        kills += _is_killed(start(model, photos, "--out", out, *argv, **variables), usual, rng)
        # What is done already is to be done again, or there would soon be nothing left to kill.
        if (out / "summary.json").exists():
            for part in sorted((out / "parts").glob("*.parquet"))[::2]:
                part.unlink()
            (out / "summary.json").unlink()
    assert kills == n_kills
    process = start(model, photos, "--out", out, *argv, **variables)
    _, error = process.communicate(timeout=600)
    found = [row["id"] for row in read_rows(out)]
    lost, doubled = len({*ids} - {*found}), len(found) - len({*found})
    seconds = time.monotonic() - begun
    print(f"\n{kills} kills, {n} pictures: {lost} lost, {doubled} doubled; {seconds:.0f} s")
    assert process.returncode == 1, error  # two pictures are broken
    check_complete(out, ids, failed)
    assert read_rows(out) == read_rows(whole)


def _is_killed(process: subprocess.Popen[str], usual: float, rng: random.Random) -> bool:
    """Kill a run, from its first moment, in which nothing may be there, on; or it ends before."""
    until = time.monotonic() + usual * rng.uniform(0.05, 1.0)
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    was_running = process.poll() is None
    process.kill()
    process.communicate()
    return was_running


# Python runs it before anything else, in each process that has its folder in PYTHONPATH.
_HOSTILE = """
import os, re, signal, time
from PIL import Image

plain = Image.open

def abort(*_):
    os.abort()

def killed(*_):  # as Linux does where memory runs out; it takes whom this says
    with open("/proc/self/oom_score_adj") as file, open(os.environ["TOLD"], "w") as told:
        told.write(file.read())
    os.kill(os.getpid(), signal.SIGKILL)

def hang(*_):
    while True:
        time.sleep(1)

def stuck(*_):  # and keeps Python's lock
    re.match("(a*)*b", "a" * 60)

def open_or_harm(file, *arguments, **options):
    start = file.read(8)
    for harm in (abort, killed, hang, stuck):
        if start.startswith(harm.__name__.upper().encode()):
            harm()
    file.seek(0)
    return plain(file, *arguments, **options)

Image.open = open_or_harm
"""


def hostile_decoders(folder: Path) -> str:
    """Return a PYTHONPATH with which a picture aborts, kills, hangs or blocks its process.

    It is one that starts with ABORT, KILLED, HANG or STUCK.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_HOSTILE)
    return os.pathsep.join((str(folder), *filter(None, [os.environ.get("PYTHONPATH")])))
