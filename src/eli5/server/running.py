"""Run the server, from its models to its end: Ctrl-C at once, SIGTERM when all is answered."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from eli5 import limits
from eli5.bulk.signals import handled
from eli5.loading.errors import UserError
from eli5.server.app import make_app
from eli5.server.explaining import Explained
from eli5.server.fields import Asked
from eli5.server.gallery import find_examples, open_gallery
from eli5.server.guard import Rules
from eli5.server.jobs import Queue
from eli5.server.models import ModelSource, load_models, warm_up
from eli5.server.site import Site

_HEADER_SECONDS = 10.0  # within which the head of a request must be there
_IDLE_SECONDS = 30  # that a connection is kept without a request
_CONNECTIONS = 512  # at once
_N_THREADS = 2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How it is served.

    Parameters
    ----------
    host : str
        The address to listen at.
    port : int
        0 for any that is free.
    token : str
        What clients must know; made anew where the host is not loopback and none is given.
    examples, gallery : str, optional
        A folder of pictures; and explanations, or another such folder.
    n_places : int
        Of explanations that are made or wait.
    seconds : float
        Which one may take.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    token: str = ""
    examples: str | None = None
    gallery: str | None = None
    n_places: int = 16
    seconds: float = 120.0


def serve(
    sources: Sequence[ModelSource],
    settings: Settings,
    ready: Callable[[str], None],
    as_command: Callable[[Explained, Asked], str],
) -> None:
    """Serve models until a signal ends it.

    Parameters
    ----------
    sources : sequence of ModelSource
    settings : Settings
    ready : callable
        Called with the address, its token in it, when explanations can be asked for.
    as_command : callable
        See `eli5.server.site.Site`.

    Raises
    ------
    UserError
        If a model cannot be loaded, there is nothing in a folder, or the address cannot be had.
    """
    with _listen(settings) as listener:
        site = make_site(sources, settings)
        site.as_command = as_command
        for served in site.models.values():
            warm_up(served)
        port = listener.getsockname()[1]
        rules = make_rules(settings, port)
        server = make_server(make_app(site, rules), settings.seconds)
        server.ready = lambda: ready(_address(settings, port, rules.token))
        asyncio.run(server.serve(sockets=[listener]))


def make_site(sources: Sequence[ModelSource], settings: Settings) -> Site:
    """Return what is served; see `serve`."""
    gallery, pictures = open_gallery(settings.gallery)
    examples = pictures if settings.examples is None and pictures else {}
    examples = examples or find_examples(settings.examples) | pictures
    models = load_models(sources)
    return Site(models, Queue(_N_THREADS, settings.n_places, settings.seconds), examples, gallery)


def make_rules(settings: Settings, port: int) -> Rules:
    """Return what is asked of requests; on another host than loopback that is a token, too."""
    if is_loopback(settings.host):
        own = frozenset({settings.host.lower()})
        return Rules(own, token=settings.token, cookie=f"eli5-{port}")
    any_address = settings.host in ("0.0.0.0", "::")
    hosts = {settings.host, *([socket.gethostname()] if any_address else [])}
    token = settings.token or secrets.token_urlsafe(24)
    return Rules(frozenset(map(str.lower, hosts)), any_address, token, f"eli5-{port}")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(settings: Settings, port: int, token: str) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if settings.host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://{host}:{port}/" + (f"?token={quote(token, safe='')}" if token else "")


def _listen(settings: Settings) -> socket.socket:
    """Return a socket that listens at the address; who asks waits until the models are loaded.

    So of two servers that are started at once the second is told, before it has loaded anything.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise UserError(
            "Expected `port` to be free, at an address of this machine. Received: host="
            f"{settings.host}, port={settings.port}: {error}. With port=0 any free one is taken"
        ) from error
    return listener


# ---- uvicorn -------------------------------------------------------------------------------------


def make_server(app: Any, seconds: float) -> Server:
    """Return what runs an application; it gives what is under way so many seconds at its end."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # anybody could write them
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=int(seconds),
        h11_max_incomplete_event_size=limits.SERVED_HEADER_BYTES,
        backlog=1024,
    )
    return Server(config)


class Server(uvicorn.Server):
    """Uvicorn's server, which ends at once by Ctrl-C, and by SIGTERM when all is answered."""

    ready: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and tell."""
        await super().startup(sockets)
        self.ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle the two signals as all of the package's commands do."""
        at_once = handled(lambda number: os._exit(128 + number), signal.SIGINT)
        with at_once, handled(self._drain, signal.SIGTERM):
            yield

    def _drain(self, number: int) -> None:
        if self.should_exit:
            os._exit(128 + number)
        self.should_exit = True


class _Protocol(H11Protocol):
    """Uvicorn's protocol, which waits for the head of a request no longer than it should."""

    _end: float | None = None  # of the waiting, on the loop's clock

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._wait()
        else:
            self._end = None

    def _wait(self) -> None:
        # A client that sends a byte now and then gets no more time by it.
        self._end = self._end or self.loop.time() + _HEADER_SECONDS
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_at(self._end, self.timeout_keep_alive_handler)
