"""The service of docs/serving.md is run as it stands there."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.demo import SCENE

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
SERVICE, WARM_UP = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)

pytest.importorskip("fastapi")
testclient = pytest.importorskip("fastapi.testclient")


@pytest.fixture
def settled(service: dict[str, Any]) -> None:
    """Wait for work that a test before has left on the threads, as after a time-out."""
    for _ in range(service["N_PLACES"]):
        assert service["places"].acquire(timeout=60)
    for _ in range(service["N_PLACES"]):
        service["places"].release()


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    """Return what the module on the page defines; its warm-up is that of the first client."""
    names: dict[str, Any] = {"__name__": "service"}
    exec(SERVICE, names)
    names["threads"].shutdown = lambda **_: None  # for the next client
    return names


def jpeg() -> bytes:
    file = io.BytesIO()
    with Image.open(SCENE) as scene:
        scene.convert("RGB").resize((200, 100)).save(file, "JPEG")
    return file.getvalue()


def compiled(caplog: pytest.LogCaptureFixture) -> int:
    return sum(one.getMessage().startswith("Compiling") for one in caplog.records)


@pytest.mark.usefixtures("settled")
def test_it_is_warm_before_it_answers(
    service: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    eli5.keras.forget(service["model"])
    with caplog.at_level(logging.INFO), testclient.TestClient(service["app"]) as client:
        assert compiled(caplog) == 1
        assert client.get("/health").json() == {"status": "ready"}
        caplog.clear()
        for _ in range(2):
            answer = client.post("/explain", content=jpeg())
            assert answer.status_code == 200, answer.text
    assert compiled(caplog) == 0
    assert answer.headers["X-Class"] in service["class_names"]
    assert 0 < float(answer.headers["X-Probability"]) <= 1
    assert Image.open(io.BytesIO(answer.content), formats=("PNG",)).size == (200, 100)


@pytest.mark.parametrize(
    ("changes", "content", "code"),
    [
        ({}, b"no picture", 415),
        ({}, jpeg()[:500], 415),
        ({"LARGEST": 100}, jpeg(), 413),
        ({"TIMEOUT": 0.0}, jpeg(), 504),
    ],
)
def test_what_it_refuses(
    service: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    content: bytes,
    code: int,
) -> None:
    for name, value in changes.items():
        monkeypatch.setitem(service, name, value)
    client = testclient.TestClient(service["app"])  # outside of `with`: no second warm-up
    assert client.post("/explain", content=content).status_code == code


@pytest.mark.usefixtures("settled")
def test_it_is_busy_and_free_again(service: dict[str, Any]) -> None:
    client, places = testclient.TestClient(service["app"]), service["places"]
    taken = 0
    while places.acquire(blocking=False):
        taken += 1
    refused = client.post("/explain", content=jpeg())
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    for _ in range(taken):
        places.release()
    assert taken == service["N_PLACES"]
    assert client.post("/explain", content=jpeg()).status_code == 200


def test_the_calls_of_the_page_warm_up(service: dict[str, Any]) -> None:
    doc = np.ones((1, 128, 128, 3), keras.config.floatx())
    exec(WARM_UP, {"model": service["model"], "doc": doc})
