"""Measure bulk runs: against decoding and predicting, by the core, and with nothing left to do.

    KERAS_BACKEND=jax python benchmarks/bulk.py [serial|processes|ray|resume|loop ...] [--images N]

Pictures and parts are made for it in a temporary folder. Start-up and compiling are left out, as
they do not grow with the number of pictures; but for the loop, which is what one would write
without bulk runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timing import compare

from eli5.bulk import filesystem
from eli5.bulk.executors.pool import thread_variables
from eli5.bulk.options import make_job
from eli5.bulk.plan import Plan, make_plan, read_items, read_shards
from eli5.bulk.results import parts
from eli5.bulk.sources import find_source
from eli5.bulk.worker import Task, Worker

BATCH, SHARD = 32, 64
RESUMED = 10_000


def main() -> None:
    """Print what was asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*MEASURES, []], default=[])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, photos = _make_model(Path(folder)), _make_photos(Path(folder), options.images)
        for name in options.what or MEASURES:
            MEASURES[name](model, photos, Path(folder), options.cores)


def measure_serial(model: str, photos: Path, folder: Path, cores: int) -> None:
    """Compare a worker with decoding and `model.predict`, one after the other in one process."""
    del cores
    job = make_job(model, preprocess="tf", batch_size=BATCH)
    task = _one_task(photos, folder / "serial")
    run = Worker(job, str(folder / "serial")).run
    predict = _predicting(model, task)
    cost = compare(lambda: run(task, lambda *_: None), predict, pairs=5, warm=1)
    begun = time.perf_counter()
    run(task, lambda *_: None)
    rate = task.high / (time.perf_counter() - begun)
    _print("serial", 1 / cost.ratio, f"of decoding and predicting; {rate:.1f} per second", 0.9)


def _one_task(photos: Path, folder: Path) -> Task:
    source = find_source(str(photos))
    make_plan(str(folder), Plan(str(photos), "mark", {}, 10**9), source)
    parts.prepare_folders(str(folder))
    (shard,) = read_shards(str(folder))
    return Task(shard, 0, shard.n)


def _predicting(model: str, task: Task) -> Callable[[], None]:
    import keras

    from eli5.loading.files import decode_picture
    from eli5.loading.models import LoadedModel
    from eli5.loading.preprocess import picture_to_doc

    loaded = LoadedModel(keras.saving.load_model(model, compile=False))

    def decode(ref: Any) -> Any:
        picture = decode_picture(ref.read(), ref.path)
        return picture_to_doc(loaded, picture, "tf")[0]

    def predict() -> None:
        found = list(read_items(task.shard))
        for start in range(0, len(found), BATCH):
            docs = np.concatenate([decode(ref) for ref in found[start : start + BATCH]])
            loaded.model.predict(docs, batch_size=BATCH, verbose=0)

    return predict


def measure_processes(model: str, photos: Path, folder: Path, cores: int) -> None:
    """Compare as many processes as cores with one process on one core."""
    argv = ("--workers", str(cores))
    _measure_scaling("processes", model, photos, folder, cores, argv)


def measure_ray(model: str, photos: Path, folder: Path, cores: int) -> None:
    """Compare as many actors as cores with one process on one core."""
    argv = ("--ray", "local", "--workers", str(cores))
    _measure_scaling("ray", model, photos, folder, cores, argv)


def _measure_scaling(
    name: str, model: str, photos: Path, folder: Path, cores: int, argv: tuple[str, ...]
) -> None:
    one = _rate(model, photos, folder / f"{name}-1", 1, "--workers", "1")
    all_ = _rate(model, photos, folder / f"{name}-n", cores, *argv)
    alone, together = _predict_rate(model, 1), _predict_rate(model, cores)
    scaled, most = all_ / one / cores, together / alone / cores
    said = f"per core; {one:.1f} per second on one, {all_:.1f} on {cores}; predict keeps {most:.2f}"
    _print(name, scaled, said, 0.8)


_PREDICTING = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[2])})
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1], compile=False)
docs = np.zeros((32, 224, 224, 3), "float32")
times = []
for _ in range(20):
    begun = time.perf_counter()
    model.predict(docs, verbose=0)
    times.append(time.perf_counter() - begun)
print(32 / sorted(times)[10])
"""


def _predict_rate(model: str, cores: int) -> float:
    """Return how many pictures per second as many plain processes as cores predict together.

    Cores share memory and caches, and a machine may share its cores: no program scales further.
    """
    used = sorted(os.sched_getaffinity(0))[:cores]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PREDICTING, model, str(core)],
            stdout=subprocess.PIPE,
            env={**os.environ, **thread_variables(1)},
        )
        for core in used
    ]
    return sum(float(one.communicate()[0]) for one in running)


def _rate(model: str, photos: Path, out: Path, cores: int, *argv: str) -> float:
    """Return how many pictures per second the workers explain once all are at work."""
    used = sorted(os.sched_getaffinity(0))[:cores]
    common = ["--preprocess", "tf", "--shard-size", str(SHARD), "--batch-size", str(BATCH)]
    command = [sys.executable, "-m", "eli5", "bulk", model, str(photos), "--out", str(out)]
    subprocess.run(
        ["taskset", "-c", ",".join(map(str, used)), *command, *common, *argv],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    counts = [parts.read_counts(str(part)) for part in (out / "parts").iterdir()]
    # The median, so that those do not count in which a worker has compiled.
    return cores * SHARD / statistics.median(one.seconds for one in counts)


_LOOP = """
import json, sys, time
begun = time.perf_counter()
from pathlib import Path
import keras
import eli5
def read(path):
    picture = keras.utils.load_img(path, target_size=(224, 224))
    return keras.applications.mobilenet_v2.preprocess_input(keras.utils.img_to_array(picture))[None]
model = keras.saving.load_model(sys.argv[1], compile=False)
docs = map(read, sorted(Path(sys.argv[2]).iterdir()))
start, busy = time.perf_counter(), time.process_time()
for _ in eli5.explain_predictions(model, docs):
    pass
end = time.perf_counter()
print(json.dumps([end - begun, (time.process_time() - busy) / (end - start)]))
"""


def measure_loop(model: str, photos: Path, folder: Path, cores: int) -> None:
    """Compare a run with as many workers as cores with a loop in one process, start-up and all.

    A loop whose backend has all cores at work already leaves little to gain.
    """
    done = subprocess.run(
        [sys.executable, "-c", _LOOP, model, str(photos)], check=True, stdout=subprocess.PIPE
    )
    seconds, busy = json.loads(done.stdout)
    begun = time.perf_counter()
    command = [sys.executable, "-m", "eli5", "bulk", model, str(photos), "--preprocess", "tf"]
    options = ["--out", str(folder / "loop"), "--workers", str(cores)]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    share = (time.perf_counter() - begun) / seconds
    said = f"of the loop's {seconds:.1f} s, in which {busy:.2f} of {cores} cores are busy"
    _print("loop", share, said, 0.7, at_least=False)


def measure_resume(model: str, photos: Path, folder: Path, cores: int) -> None:
    """Time a run with nothing left to do, with its summary and without."""
    del photos, cores
    from eli5 import bulk

    names, out = folder / "list.txt", folder / "resumed"
    names.write_text("\n".join(f"{number:07}.png" for number in range(RESUMED)))
    _simulate(model, names, out)
    for kind in ("no summary", "summary"):
        begun = time.perf_counter()
        summary = bulk.explain(model, names, out, preprocess="tf", shard_size=1)
        seconds = time.perf_counter() - begun
        if summary.n_shards != RESUMED:
            raise RuntimeError(f"{summary.n_shards} parts were found")
        _print(f"resume, {kind}", seconds, f"seconds for {RESUMED} parts", 2.0, at_least=False)


def _simulate(model: str, names: Path, out: Path) -> None:
    """Write the plan of a run and, for each of its shards, a part."""
    from eli5.bulk.job import fingerprint, ingredients

    made_from = ingredients(make_job(model, preprocess="tf"))
    plan = Plan(str(names), fingerprint(made_from), made_from, 1)
    make_plan(str(out), plan, find_source(str(names)))
    parts.prepare_folders(str(out))
    draft, counts = str(out / "one"), parts.Counts(1, 0, 1.0, 1.0)
    with parts.new_part(draft, "float32", lambda: counts) as part:
        part.add([parts.Row("a", "a", False, "simulated")])
    for shard in read_shards(str(out)):
        shutil.copy(draft, filesystem.join(str(out), "parts", parts.part_name(shard)))
    os.unlink(draft)


def _print(name: str, value: float, unit: str, goal: float, *, at_least: bool = True) -> None:
    is_met = value >= goal if at_least else value <= goal
    sign = ">=" if at_least else "<="
    print(f"{name:<20} {value:6.2f} {unit}; goal {sign} {goal} {'ok' if is_met else 'NO'}")


def _make_model(folder: Path) -> str:
    import keras

    model = keras.applications.MobileNetV2(weights=None)
    model.save(folder / "model.keras")
    return str(folder / "model.keras")


def _make_photos(folder: Path, n: int) -> Path:
    """Write JPEG files of the size of small photos."""
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(n):
        coarse = Image.fromarray(rng.integers(0, 255, (30, 40, 3), "uint8"))
        coarse.resize((640, 480)).save(folder / "photos" / f"{number:05}.jpg", quality=90)
    return folder / "photos"


MEASURES = {
    "serial": measure_serial,
    "processes": measure_processes,
    "ray": measure_ray,
    "resume": measure_resume,
    "loop": measure_loop,
}

if __name__ == "__main__":
    main()
