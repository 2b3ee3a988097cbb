"""Print what ``eli5 serve`` costs beside the same explanations in a loop of Python.

    python benchmarks/serve.py [--clients 8] [--each 50] [--memory 2000] [--model MobileNetV2]

The model is one of keras.applications, with random weights. The loop decodes the same file each
time, makes the doc and explains it by Grad-CAM. Each client sends the file anew and reads JSON with
the map. Loop and server run in turn, in ten rounds, never at the same time; the medians are
printed, in explanations per second, and the processor's time for each. Memory is that of the
server's process (RSS), after the first tenth and at the end.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import psutil
from PIL import Image

_SIDE = 224

_ROUNDS = 10

_LOOP = """
import sys
from time import perf_counter
import eli5
from eli5.loading.files import decode_picture
from eli5.loading.models import load
from eli5.loading.preprocess import picture_to_doc

options = {"methods": ["Grad-CAM"], "top_targets": 1}
photo, loaded = open(sys.argv[2], "rb").read(), load(sys.argv[1], None)

def explain():
    image = decode_picture(photo, "photo.jpg")
    doc, _ = picture_to_doc(loaded, image, "tf")
    return eli5.explain_prediction(loaded.model, doc, image=image, **options)

explain(), explain()
print("ready", flush=True)
for line in sys.stdin:
    begun = perf_counter()
    for _ in range(int(line)):
        explain()
    print(int(line) / (perf_counter() - begun), flush=True)
"""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--each", type=int, default=50, help="explanations of each client")
    parser.add_argument("--memory", type=int, default=2000, help="explanations; 0 for none")
    parser.add_argument("--model", default="MobileNetV2", help="one of keras.applications")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, photo = _files(Path(folder), arguments.model)
        for name, value in _measure(model, photo, arguments).items():
            print(f"{name:42} {value}")


def _files(folder: Path, name: str) -> tuple[str, str]:
    """Save a model and a photo."""
    import keras

    model = getattr(keras.applications, name)(weights=None, input_shape=(_SIDE, _SIDE, 3))
    model.save(folder / "model.keras")
    picture = Image.effect_noise((640, 480), 80).convert("RGB")
    picture.save(folder / "photo.jpg", quality=90)
    return str(folder / "model.keras"), str(folder / "photo.jpg")


def _measure(model: str, photo: str, arguments: argparse.Namespace) -> dict[str, str]:
    command = [sys.executable, "-m", "eli5", "serve", model, "--preprocess", "tf", "--port", "0"]
    begun = perf_counter()
    with _started(*command) as server:
        address = _line(server).split()[1]
        ready = perf_counter()
        body = _body(Path(photo).read_bytes())
        _ask(address, body, 1)
        first = perf_counter() - ready
        with _started(sys.executable, "-c", _LOOP, model, photo) as loop:
            _line(loop)
            found = {
                **_compare(server, loop, address, body, arguments),
                "seconds until it serves, warmed up": f"{ready - begun:.1f}",
                "seconds for the first picture": f"{first:.2f}",
            }
        if arguments.memory:
            found |= _memory(server.pid, address, body, arguments)
    return found


@contextmanager
def _started(*command: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints."""
    if process.stdout is None or not (line := process.stdout.readline()):
        raise SystemExit("Expected a line. Received: none, the process has ended")
    return line


def _compare(
    server: subprocess.Popen[str],
    loop: subprocess.Popen[str],
    address: str,
    body: bytes,
    arguments: argparse.Namespace,
) -> dict[str, str]:
    """Let loop and server explain in turn."""
    each = max(arguments.each // _ROUNDS, 1)
    n = each * arguments.clients
    before = [_seconds(one.pid) for one in (server, loop)]
    rates = []
    for _ in range(_ROUNDS):
        if loop.stdin is not None:
            print(n, file=loop.stdin, flush=True)
        alone = float(_line(loop))
        rates.append((alone, _rate(address, body, arguments.clients, each)))
    spent = [_seconds(one.pid) - was for one, was in zip((server, loop), before, strict=True)]
    alone, served = (statistics.median(column) for column in zip(*rates, strict=True))
    share = statistics.median(served / alone for alone, served in rates)
    per_one = [1000 * one / (n * _ROUNDS) for one in spent]
    return {
        "explanations per second, loop": f"{alone:.1f}",
        f"explanations per second, {arguments.clients} clients": f"{served:.1f}",
        "as a share of the loop": f"{share:.2f}",
        "ms of the processor each, server and loop": f"{per_one[0]:.0f}, {per_one[1]:.0f}",
    }


def _seconds(pid: int) -> float:
    """Return how much time of the processor a process has had."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _rate(address: str, body: bytes, n_clients: int, each: int) -> float:
    threads = [threading.Thread(target=_ask, args=(address, body, each)) for _ in range(n_clients)]
    begun = perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return n_clients * each / (perf_counter() - begun)


def _memory(pid: int, address: str, body: bytes, arguments: argparse.Namespace) -> dict[str, str]:
    process, each = psutil.Process(pid), arguments.memory // (10 * arguments.clients)
    sizes = []
    for _ in range(10):
        _rate(address, body, arguments.clients, each)
        sizes.append(process.memory_info().rss / 2**20)
    return {
        f"MiB after {arguments.memory // 10:,} explanations": f"{sizes[0]:.0f}",
        f"MiB after {arguments.memory:,}": f"{sizes[-1]:.0f}",
    }


def _body(photo: bytes) -> bytes:
    """Return the form with the photo."""
    file = io.BytesIO()
    for name, value in {"top": "1", "method": "Grad-CAM"}.items():
        file.write(f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode())
        file.write(f"{value}\r\n".encode())
    head = '--x\r\nContent-Disposition: form-data; name="picture"; filename="photo.jpg"\r\n\r\n'
    file.write(head.encode() + photo + b"\r\n--x--\r\n")
    return file.getvalue()


def _ask(address: str, body: bytes, n: int) -> None:
    """Ask so many times, one after the other, on one connection."""
    connection = HTTPConnection(urlsplit(address).netloc)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for _ in range(n):
        connection.request("POST", "/api/explain", body, headers)
        response = connection.getresponse()
        answer = json.load(response)
        if response.status != 200:
            raise SystemExit(f"Expected an explanation. Received: {answer}")
    connection.close()


if __name__ == "__main__":
    main()
