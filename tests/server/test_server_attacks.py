"""What strangers may try: each is refused with the right status, and nothing is left behind."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from PIL import Image

from eli5 import limits
from eli5.server import running
from eli5.server.fields import FIELDS
from eli5.server.guard import Rules
from eli5.server.models import ServedModel
from helpers.serving import (
    TIMEOUT,
    Running,
    head,
    make_site,
    photo,
    raw,
    scene,
    serving,
    status,
    wait_for,
)

pytestmark = pytest.mark.filterwarnings("always::UserWarning")

TOKEN = "a-token-of-24-characters"
MARKUP = "<script>alert(1)</script>"
TRAVERSAL = "../../../../../../etc/passwd"


@pytest.fixture(autouse=True)
def _nothing_is_left(server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing be written, and see that the server answers as before."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was to be written to disk")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    yield
    settle(server)
    assert b'"waiting":0' in raw(server.port, head(server.port, "/api/health"))


def settle(server: Running) -> None:
    """Wait until nothing is explained and nothing is read any more."""
    for _ in range(600):
        if not (server.site.queue.n_taken or server.site.n_reading):
            return
        time.sleep(0.05)
    raise AssertionError("a place in the queue was not given back")


def is_plain(answer: bytes) -> bool:
    """Tell whether an answer is an error without anything of the server's code in it."""
    return not any(word in answer for word in (b"Traceback", b'File "', b".py", b"/eli5/"))


# ---- who asks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8501", 403),
        ("10.0.0.1", 403),
        ("[::2]", 403),
        ("127.0.0.1@evil.example", 400),
        ("evil.example#127.0.0.1", 400),
        ("127.0.0.1/evil.example", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_another_host(server: Running, host: str, expected: int) -> None:
    lines = f"GET /explain HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = raw(server.port, lines.encode())
    assert status(answer) == expected
    assert is_plain(answer)


def test_no_host_and_two_hosts(server: Running) -> None:
    assert status(raw(server.port, b"GET /explain HTTP/1.0\r\n\r\n")) == 400
    two = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert status(raw(server.port, two)) == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "[::1]:80", "LOCALHOST"])
def test_own_hosts_are_served(server: Running, host: str) -> None:
    assert status(raw(server.port, head(server.port, "/explain", host=host))) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "file://",
        "http://localhost.evil.example",
        "chrome-extension://abc",
    ],
)
@pytest.mark.parametrize("path", ["/api/explain", "/api/health"])
def test_another_origin(server: Running, origin: str, path: str) -> None:
    method = "POST" if path.endswith("explain") else "GET"
    answer = raw(server.port, head(server.port, path, method, Origin=origin, Content_Length="0"))
    assert status(answer) == 403
    assert b"access-control" not in answer.lower()


@pytest.mark.parametrize(
    ("method", "mode", "dest", "site"),
    [
        ("POST", "no-cors", "empty", "cross-site"),
        ("POST", "navigate", "document", "cross-site"),
        ("POST", "cors", "empty", "same-site"),
        ("GET", "navigate", "iframe", "cross-site"),
        ("GET", "no-cors", "image", "cross-site"),
        ("GET", "no-cors", "script", "same-site"),
    ],
)
def test_what_a_foreign_page_fetches(
    server: Running, method: str, mode: str, dest: str, site: str
) -> None:
    sent = {"Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": dest, "Sec_Fetch_Site": site}
    path = "/api/explain" if method == "POST" else "/api/examples/0"
    answer = raw(server.port, head(server.port, path, method, Content_Length="0", **sent))
    assert status(answer) == 403


def test_a_link_on_a_foreign_page_may_be_followed(server: Running) -> None:
    sent = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    answer = raw(server.port, head(server.port, "/explain", Sec_Fetch_Site="cross-site", **sent))
    assert status(answer) == 200


@pytest.fixture(scope="module")
def locked(served_models: dict[str, ServedModel]) -> Iterator[Running]:
    """Return a server that asks for a token, and is patient for half a second alone."""
    rules = Rules(token=TOKEN, cookie="eli5-test", body_seconds=0.5)
    with serving(make_site(served_models), rules) as found:
        yield found


@pytest.mark.parametrize("path", ["/", "/explain", "/api/health", "/styles.css", "/static/app.js"])
@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer " + TOKEN[:-1]},
        {"Cookie": "eli5-test=wrong"},
        {"Cookie": f"other={TOKEN}"},
        {"Cookie": "\x01=;;=\x02"},
    ],
    ids=lambda sent: "-".join(f"{k}-{v}" for k, v in sent.items()).replace("\x01", "") or "none",
)
def test_no_token_or_a_wrong_one(locked: Running, path: str, sent: dict[str, str]) -> None:
    answer = raw(locked.port, head(locked.port, path, **sent))
    assert status(answer) in (400, 401)  # 400 by the parser, of what is no header
    assert TOKEN.encode() not in answer


@pytest.mark.parametrize(
    "query", ["token=wrong", "token=", f"tokens={TOKEN}", f"x=1&token={TOKEN}x"]
)
def test_a_wrong_token_in_the_address(locked: Running, query: str) -> None:
    assert status(raw(locked.port, head(locked.port, f"/explain?{query}"))) == 401


def test_the_token_is_taken_from_the_address_once(locked: Running) -> None:
    with locked.client() as client:
        answer = client.get(f"/explain?example=scene.png&token={TOKEN}")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/explain?example=scene.png"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/explain").status_code == 200  # by the cookie
        assert client.post(f"/explain?token={TOKEN}").status_code == 405
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx2.get(f"{locked.address}/api/health", headers=headers).status_code == 200


def test_the_token_leads_to_no_other_host(locked: Running) -> None:
    with locked.client() as client:
        target = f"//evil.example/?token={TOKEN}"
        answer = raw(locked.port, head(locked.port, target))
        assert b"location: /evil.example/\r\n" in answer.lower()
        assert client.get("/").status_code == 401


# ---- what is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?model=model&example=scene.png", "?_method=POST"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_is_explained_by_get(server: Running, method: str, query: str) -> None:
    assert status(raw(server.port, head(server.port, f"/api/explain{query}", method))) == 405


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/explain", "/api/explain", "/api/examples/0"])
def test_other_methods(server: Running, method: str, path: str) -> None:
    answer = raw(server.port, head(server.port, path, method, X_HTTP_Method_Override="POST"))
    assert status(answer) == 405
    assert b"allow: " in answer.lower()


@pytest.mark.parametrize("path", ["/", "/explain", "/gallery", "/api/health", "/api/layers"])
def test_pages_take_no_post(server: Running, path: str) -> None:
    assert status(raw(server.port, head(server.port, path, "POST", Content_Length="0"))) == 405


def test_a_websocket(server: Running) -> None:
    sent = {"Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "x" * 22}
    answer = raw(server.port, head(server.port, "/api/explain", **sent))
    assert status(answer) == 400
    assert b"101" not in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "sent",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2**20 + b"\r\n\r\n",
        b"POST /api/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Content-Length: 2\r\n\r\n",
        b"POST /api/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n X: folded\r\nA B: c\r\n\r\n",
        b"\r\n" * 5 + b"\xff" * 50 + b"\r\n\r\n",
    ],
    ids=[
        "http-2", "tls", "no-path", "null", "long-header", "negative-length", "two-lengths",
        "odd-encoding", "odd-header", "garbage",
    ],
)  # fmt: skip
def test_what_is_no_http(server: Running, sent: bytes) -> None:
    answer = raw(server.port, sent)
    assert status(answer) in (400, 501)
    assert is_plain(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../guard.py",
        "/static/%2e%2e/guard.py",
        "/static/..%2fguard.py",
        "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/..\\guard.py",
        "/static/app.js%00.css",
        "/api/examples/../../../etc/passwd",
        "/api/examples/-1",
        "/api/examples/99999999999999999999",
        "/api/results/../html",
        "/api/results/0/..%2f..%2fhtml",
        "/gallery/../../etc/passwd",
        "/etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/gallery?page=../../etc/passwd",
        "/gallery?page=0",
        "/api/layers/../../x",
    ],
)
def test_a_path_that_leads_elsewhere(server: Running, path: str) -> None:
    answer = raw(server.port, head(server.port, path))
    found = status(answer)
    assert found in (400, 404) or (path.startswith("/gallery?") and found == 200)
    assert b"root:" not in answer
    assert b"def check_request" not in answer


@pytest.mark.parametrize(
    "value", [TRAVERSAL, MARKUP, "\u202egnp.exe", "a\x00b", "{{7*7}}", "'; --"]
)
@pytest.mark.parametrize(
    "field", [one.name for one in FIELDS if one.name not in ("text", "series")]
)
def test_a_field_names_no_file_and_holds_no_markup(server: Running, field: str, value: str) -> None:
    form = {"example": "scene.png", field: value}
    with server.client() as client:
        answer = client.post(
            "/api/explain", files={name: (None, one) for name, one in form.items()}
        )
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert is_plain(answer.content)
    assert "root:" not in answer.text


def test_a_layer_is_looked_for_among_those_of_the_model(server: Running) -> None:
    with server.client() as client:
        answer = client.get("/api/layers", params={"model": TRAVERSAL})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (TRAVERSAL, "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        (f"{MARKUP}.png", "script>.png"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("a\u200b\u2066b\u2069.png", "a__b_.png"),
        ('"><img src=x onerror=alert(1)>.png', "%22><img src=x onerror=alert(1)>.png"),
        ("x" * 500, "x" * 120),
        ("", "upload"),
        ("-rf.png", "-rf.png"),
    ],
)
def test_a_file_is_called_what_may_be_shown(server: Running, name: str, shown: str) -> None:
    with server.client() as client:
        files = {"picture": (name or "/", photo(), "image/png")}
        answer = client.post("/api/explain", files={**files, "html": (None, "true")}).json()
        page = client.get(f"/api/results/{answer['result']}/html").text
    assert answer["name"] == shown
    for html in (answer["html"], page):
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "\u202e" not in html
    assert all(" -rf" not in one for one in answer["command"])


# ---- too much, and too slow ----------------------------------------------------------------------


def test_a_gigabyte_that_is_declared(server: Running) -> None:
    sent = head(server.port, "/api/explain", "POST", Content_Length=str(2**30))
    answer = raw(server.port, sent)
    assert status(answer) == 413
    assert not server.site.n_reading


def test_a_gigabyte_that_is_streamed(server: Running) -> None:
    start = head(
        server.port,
        "/api/explain",
        "POST",
        Transfer_Encoding="chunked",
        Content_Type="multipart/form-data; boundary=x",
    )
    first = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
    chunk = b"%x\r\n%s\r\n" % (2**20, bytes(2**20))
    chunks = [chunk] * 1024
    answer = raw(server.port, start, b"%x\r\n%s\r\n" % (len(first), first), *chunks)
    assert not answer or status(answer) == 413  # it may end while we still send
    settle(server)


def test_a_body_that_is_larger_than_declared(server: Running) -> None:
    sent = head(server.port, "/api/explain", "POST", Content_Length="10")
    assert status(raw(server.port, sent, b"x" * 1000)) in (400, 415)


@pytest.mark.parametrize("length", ["1", "99"])
def test_a_body_where_none_belongs(server: Running, length: str) -> None:
    answer = raw(server.port, head(server.port, "/explain", Content_Length=length), b"x")
    assert status(answer) == 400


def test_a_slow_body(locked: Running) -> None:
    start = head(
        locked.port,
        "/api/explain",
        "POST",
        Content_Length="1000",
        Content_Type="multipart/form-data; boundary=x",
        Authorization=f"Bearer {TOKEN}",
    )
    first = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
    assert status(raw(locked.port, start, first, *[b"a"] * 8, pause=0.1)) == 408
    settle(locked)


def test_a_slow_head(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_HEADER_SECONDS", 0.3)
    assert raw(server.port, b"GET / HTTP/1.1\r\n", *[b"X: y\r\n"] * 8, pause=0.1) == b""
    assert raw(server.port) == b""  # who says nothing


@pytest.mark.parametrize("n_fields", [limits.SERVED_FIELDS + 1, 2000])
def test_many_fields(server: Running, n_fields: int) -> None:
    with server.client() as client:
        files = [("class", (None, "1"))] * n_fields
        assert client.post("/api/explain", files=files).status_code == 400


def test_a_long_field(server: Running) -> None:
    with server.client() as client:
        files = {"text": (None, "x" * (limits.SERVED_FIELD_BYTES + 1))}
        assert client.post("/api/explain", files=files).status_code == 400


def test_two_pictures(server: Running) -> None:
    with server.client() as client:
        files = [("picture", ("a.png", photo())), ("picture", ("b.png", photo()))]
        assert client.post("/api/explain", files=files).status_code == 400


@pytest.mark.parametrize(
    "options",
    [
        "n_masks=1000000000", "n_masks=1e999", "n_masks=nan", "n_masks=[1,2,3,4,5]", "n_masks=",
        "steps=10", "baseline=/etc/passwd", "n_masks=200,targets=[1]", "progress=true",
        "class_names=x", "n_masks={}", "cells=[[1]]",
    ],
)  # fmt: skip
def test_options_that_are_none(server: Running, options: str) -> None:
    form = {"example": "scene.png", "method": "RISE", "options": options}
    with server.client() as client:
        answer = client.post("/api/explain", files={k: (None, v) for k, v in form.items()})
    assert answer.status_code == 400


# ---- pictures that are none ----------------------------------------------------------------------


def png_bomb() -> bytes:
    """Return a small PNG that would unpack to 10 GB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10**7))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def gif_bomb() -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 65_000, 65_000, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, 65_000, 65_000, 0) + b"\x08\x01\x00\x00;"


def tiff_bomb() -> bytes:
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "TIFF")
    content = bytearray(file.getvalue())
    start = struct.unpack_from("<I", content, 4)[0]
    for k in range(struct.unpack_from("<H", content, start)[0]):
        entry = start + 2 + 12 * k
        if struct.unpack_from("<H", content, entry)[0] in (256, 257):
            struct.pack_into("<HII", content, entry + 2, 4, 1, 200_000)
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        png_bomb(), gif_bomb(), tiff_bomb(), b"", b"no picture", photo()[:-40], scene()[:100],
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run", b"PK\x03\x04" + bytes(99),
    ],
    ids=["png", "gif", "tiff", "empty", "text", "cut", "cut-scene", "svg", "eps", "zip"],
)  # fmt: skip
def test_a_picture_that_is_none_or_too_much(server: Running, content: bytes) -> None:
    with server.client() as client:
        answer = client.post("/api/explain", files={"picture": ("a.png", content, "image/png")})
    assert answer.status_code == 415
    assert is_plain(answer.content)


# ---- forms that are none -------------------------------------------------------------------------

PART = b'--x\r\nContent-Disposition: form-data; name="example"\r\n\r\nscene.png\r\n'


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("multipart/form-data", PART + b"--x--\r\n", 400),
        ("multipart/form-data; boundary=", PART + b"--x--\r\n", 400),
        ("multipart/form-data; boundary=" + "x" * 5000, PART, 400),
        ("multipart/form-data; boundary=y", PART + b"--x--\r\n", 400),
        ("multipart/form-data; boundary=x", PART.replace(b'; name="example"', b""), 400),
        ("multipart/form-data; boundary=x", PART.replace(b"form-data", b"\xff\x00"), 400),
        ("multipart/form-data; boundary=x", PART[:30], 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"\x00" * 4000, 400),
        ("multipart/form-data; boundary=x; charset=no-such", PART[:-9], 400),
        ("application/x-www-form-urlencoded", b"example=scene.png", 415),
        ("application/json", b'{"example": "scene.png"}', 415),
        ("text/plain", PART, 415),
        ("", PART, 415),
    ],
    ids=range(14),
)
def test_a_broken_form(server: Running, kind: str, body: bytes, expected: int) -> None:
    sent = head(
        server.port, "/api/explain", "POST", Content_Type=kind, Content_Length=str(len(body))
    )
    answer = raw(server.port, sent, body)
    assert status(answer) == expected
    assert is_plain(answer)


@pytest.mark.parametrize("field", [one.name for one in FIELDS if one.name != "series"])
def test_a_file_where_a_value_belongs(server: Running, field: str) -> None:
    with server.client() as client:
        files: Any = [("example", (None, "scene.png")), (field, ("model", b"model"))]
        answer = client.post("/api/explain", files=files)
    assert answer.status_code == 400
    assert is_plain(answer.content)


def test_a_value_where_a_file_belongs(server: Running) -> None:
    with server.client() as client:
        answer = client.post("/api/explain", files={"picture": (None, "/etc/passwd")})
    assert answer.status_code == 400


def test_a_large_picture_for_a_model_of_any_size(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SERVED_SHOWN_PIXELS", 100 * 100)
    with server.client() as client:  # of 128 x 128, as the model sees it
        answer = client.post("/api/explain", files={"example": (None, "scene.png")})
    assert answer.status_code == 413


def test_an_unknown_field(server: Running) -> None:
    with server.client() as client:
        for name in ("weights", "path", "__class__", "allow_code", "model[]"):
            files = {"example": (None, "scene.png"), name: (None, "x")}
            assert client.post("/api/explain", files=files).status_code == 400


# ---- many at once, and who goes away -------------------------------------------------------------


def multipart(**fields: str) -> bytes:
    """Return the whole request of a form."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    body = "".join([*parts, "--x--\r\n"])
    lines = (
        "POST /api/explain HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n"
    )
    return f"{lines}\r\n{body}".encode()


SLOW = {"example": "scene.png", "method": "RISE", "options": "n_masks=2000", "arrays": "false"}


def test_a_burst_of_requests(served_models: dict[str, ServedModel]) -> None:
    n_clients, n_each = 50, int(os.environ.get("ELI5_BURST", "500")) // 50
    request = multipart(example="scene.png", arrays="false")
    found: Counter[int] = Counter()

    def burst(port: int) -> None:
        for _ in range(n_each):
            with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
                client.sendall(request)
                found[int(client.recv(12)[9:])] += 1

    with serving(make_site(served_models, n_places=4)) as own:
        threads = [threading.Thread(target=burst, args=(own.port,)) for _ in range(n_clients)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(TIMEOUT * n_each)
        settle(own)
        with own.client() as client:
            assert client.get("/api/health").json()["waiting"] == 0
    assert found[200] > 0
    assert found[429] > n_each
    assert found.keys() == {200, 429}
    assert found.total() == n_clients * n_each


def test_a_full_queue_refuses(served_models: dict[str, ServedModel]) -> None:
    with serving(make_site(served_models, n_places=1)) as own:
        with socket.create_connection(("127.0.0.1", own.port)) as first:
            first.sendall(multipart(**SLOW))
            wait_for(lambda: own.site.queue.n_taken == 1)
            with own.client() as client:
                files = {"example": (None, "scene.png")}
                refused = client.post("/api/explain", files=files)
                assert refused.status_code == 429
                assert refused.headers["retry-after"] == "1"
        settle(own)  # whoever waited has gone away: the place is free again


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_who_goes_away_ends_the_explanation(server: Running, accept: str) -> None:
    request = multipart(**SLOW).replace(b"Host:", f"Accept: {accept}\r\nHost:".encode())
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(request)
        wait_for(lambda: server.site.queue.n_taken == 1)
    begun = time.monotonic()
    settle(server)
    assert time.monotonic() - begun < 10  # 2,000 masks take longer


def test_who_goes_away_within_a_body(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(multipart(**SLOW)[:-40])
        wait_for(lambda: server.site.n_reading == 1)
    settle(server)


def test_what_takes_too_long(served_models: dict[str, ServedModel]) -> None:
    with serving(make_site(served_models, seconds=0.5)) as own, own.client() as client:
        files: Any = {name: (None, value) for name, value in SLOW.items()}
        answer = client.post("/api/explain", files=files)
        assert answer.status_code == 504
        lines = client.post(
            "/api/explain", files=files, headers={"Accept": "application/x-ndjson"}
        ).text.splitlines()
        assert json.loads(lines[-1])["status"] == 504
        settle(own)


def test_what_fails_within_tells_nothing(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr("eli5.server.api.make_answer", fail)
    with server.client() as client:
        files = {"example": (None, "scene.png")}
        for accept in ("application/json", "application/x-ndjson"):
            answer = client.post("/api/explain", files=files, headers={"Accept": accept})
            assert "its own output says why" in answer.text
            assert "secret" not in answer.text
            assert is_plain(answer.content)
    assert "a secret of the server" in caplog.text


@pytest.mark.parametrize(
    "path", ["/explain", "/gallery", "/api", "/api/health", "/static/app.js", "/no"]
)
def test_every_answer_forbids_what_is_not_needed(server: Running, path: str) -> None:
    with server.client() as client:
        headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers
