"""``eli5 serve`` as a process: how it begins, and how it ends."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from eli5.cli import main
from eli5.demo import MODEL
from eli5.loading.errors import UserError
from eli5.server.running import Settings, _address, _listen, is_loopback, make_rules
from helpers.cli_helpers import TIMEOUT, fails


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command, and yield it with the address that it prints."""
    command = [sys.executable, "-m", "eli5", "serve", str(MODEL), "--port", "0", *arguments]
    # A child inherits that Ctrl-C is ignored, as a shell has it for jobs in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as running:
        signal.signal(signal.SIGINT, before)
        try:
            assert running.stdout is not None
            line = running.stdout.readline()
            found = re.fullmatch(r"Serving (http://\S+)\n", line)
            assert found, (line, running.stderr and running.stderr.read())
            yield running, found[1]
        finally:
            running.kill()


SLOW = {"example": "scene.png", "method": "RISE", "options": "n_masks=100", "arrays": "false"}


def test_it_serves_and_drains_at_sigterm() -> None:
    with process() as (running, address):
        answers: list[int] = []

        def ask() -> None:
            parts: Any = {name: (None, value) for name, value in SLOW.items()}
            answer = httpx2.post(f"{address}api/explain", files=parts, timeout=TIMEOUT)
            answers.append(answer.status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        while httpx2.get(f"{address}api/health").json()["waiting"] != 1:
            pass
        running.send_signal(signal.SIGTERM)
        asking.join(TIMEOUT)
        assert answers == [200]  # what was under way is answered
        assert running.wait(TIMEOUT) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""


def test_ctrl_c_ends_it_at_once() -> None:
    with process("--host", "0.0.0.0") as (running, address):
        name, port, token = re.fullmatch(  # type: ignore[union-attr]
            r"http://(.+):(\d+)/\?token=(\S{32})", address
        ).groups()
        assert name == socket.gethostname()
        here = f"http://127.0.0.1:{port}/api/health"
        assert httpx2.get(here).status_code == 401
        assert httpx2.get(here, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        with socket.create_connection(("127.0.0.1", int(port))) as client:
            client.sendall(b"POST /api/explain HTTP/1.1\r\n")
            running.send_signal(signal.SIGINT)
            assert running.wait(TIMEOUT) == 130  # although a client is not done yet


def test_a_model_that_fails_to_load_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "broken.keras").write_bytes(b"no model")
    assert "Expected MODEL to be a file as Keras" in fails(
        capsys, "serve", tmp_path / "broken.keras"
    )
    assert "which does not exist" in fails(capsys, "serve", tmp_path / "missing.keras")
    assert "Expected --labels once, or 1 times" in fails(
        capsys, "serve", MODEL, "--labels", "a", "--labels", "b"
    )
    assert "--labels=none.txt" in fails(capsys, "serve", MODEL, "--labels", "none.txt")
    assert "at least 16" in fails(capsys, "serve", MODEL, "--token", "short")
    assert "--examples=nowhere" in fails(
        capsys, "serve", MODEL, "--examples", "nowhere", "--port", "0"
    )
    assert "nowhere" in fails(capsys, "serve", MODEL, "--gallery", "nowhere", "--port", "0")


def test_an_address_that_cannot_be_had(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"--port={port}" in fails(capsys, "serve", MODEL, "--port", port)
    assert "--host=203.0.113.9" in fails(capsys, "serve", MODEL, "--host", "203.0.113.9")


def test_without_its_libraries(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eli5.cli.commands.serve.find_spec", lambda name: None)
    assert 'pip install "eli5-keras[serve]"' in fails(capsys, "serve", MODEL)


def test_the_browser_is_opened(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(
        "eli5.server.running.serve",
        lambda _, settings, ready, __: ready(f"http://x:{settings.port}/"),
    )
    assert main(["serve", str(MODEL), "--open", "--port", "9000"]) == 0
    assert opened == ["http://x:9000/"]
    assert capsys.readouterr().out.startswith("Serving http://x:9000/\n")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.168.0.1", False), ("example.org", False),
        ("localhost.example.org", False),
    ],
)  # fmt: skip
def test_any_host_but_loopback_asks_for_a_token(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
    rules = make_rules(Settings(host=host), 8501)
    assert bool(rules.token) != expected
    given = make_rules(Settings(host=host, token="a-token-of-mine-of-24"), 8501)
    assert given.token == "a-token-of-mine-of-24"
    assert rules.has_any_address == (host in ("0.0.0.0", "::"))


def test_an_address_of_loopback_is_its_own() -> None:
    assert "127.0.0.2" in make_rules(Settings(host="127.0.0.2"), 8501).hosts


def test_a_token_is_quoted_in_the_address() -> None:
    token = 'abc&def#gh+ijk%41;l"m'
    address = _address(Settings(), 8501, token)
    assert parse_qs(urlsplit(address).query) == {"token": [token]}


def test_the_second_of_two_servers_is_told_before_it_loads_anything() -> None:
    with _listen(Settings(port=0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(UserError, match="Expected `port` to be free"):
            _listen(Settings(port=port))
