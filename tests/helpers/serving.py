"""A real server for tests, on a port of its own, in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import keras
from PIL import Image

from eli5.cli.commands.serve import as_command
from eli5.demo import SCENE
from eli5.server.app import make_app
from eli5.server.guard import Rules
from eli5.server.jobs import Queue
from eli5.server.running import make_server
from eli5.server.site import Site

TIMEOUT = 30  # seconds for whatever a test waits for


class Running(NamedTuple):
    """A server that runs: where, and what it has."""

    port: int
    site: Site

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.address, timeout=TIMEOUT, verify=False, **options)


def make_site(models: Any, n_places: int = 16, seconds: float = 60) -> Site:
    """Return a site whose one example is the demo's picture."""
    return Site(models, Queue(2, n_places, seconds), {"scene.png": SCENE}, as_command=as_command)


@contextmanager
def serving(site: Site, rules: Rules | None = None) -> Iterator[Running]:
    """Run a server until the context ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = make_server(make_app(site, rules or Rules(cookie=f"eli5-{port}")), 5)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Running(port, site)
    finally:
        server.should_exit = True
        thread.join(TIMEOUT)
    assert not thread.is_alive()


def saved_series_model(folder: Path) -> Path:
    """Save a classifier of 32 steps of two channels."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((32, 2)),
            layers.Conv1D(4, 5, padding="same", activation="relu", name="steps"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.save(folder / "series.keras")
    return folder / "series.keras"


def wait_for(condition: Any) -> None:
    """Wait until something holds, for ten seconds at most."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def scene() -> bytes:
    """Return the file of the demo's picture."""
    return SCENE.read_bytes()


def photo(width: int = 60, height: int = 40, kind: str = "PNG") -> bytes:
    """Return the file of a picture."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, kind)
    return file.getvalue()


def raw(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send bytes as they are, and return all that comes back until the server ends it."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
        with contextlib.suppress(OSError):  # the server has heard enough
            for part in parts:
                client.sendall(part)
                time.sleep(pause)
        return received(client)


def received(client: socket.socket) -> bytes:
    """Return all that comes until the other side ends it."""
    answer = b""
    with contextlib.suppress(OSError):  # it ended while we still sent
        while piece := client.recv(2**16):
            answer += piece
    return answer


def status(answer: bytes) -> int:
    """Return the status of an answer as it came over the wire."""
    return int(answer.split(b" ", 2)[1])


def head(
    port: int, target: str = "/", method: str = "GET", host: str | None = None, **headers: str
) -> bytes:
    """Return the first lines of a request; ``_`` in a header's name stands for a dash."""
    named = {"Host": host or f"127.0.0.1:{port}", **headers}
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
