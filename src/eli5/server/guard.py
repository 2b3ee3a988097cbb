"""Who may ask, for how much and for how long: what each request passes before anything else.

A page of a stranger in a user's browser can reach a server on loopback, by its address or by a name
of its own that leads there (DNS rebinding). So the host that a request names must be ours, and a
page that sends one must come from here. On another host than loopback a token is asked for.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from eli5 import limits
from eli5.server.refusal import RefusedError

_logger = logging.getLogger("eli5.server")

Scope = MutableMapping[str, Any]

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",  # the cards' proportions and the weights of words
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Rules(NamedTuple):
    """What is asked of a request.

    Attributes
    ----------
    hosts : frozenset of str
        The names by which the server is reached, beside those of loopback.
    has_any_address : bool
        Whether any address in numbers is one of these, as that of a server on all interfaces.
    token : str
        What a client must know; empty if nothing.
    cookie : str
        Under which a browser keeps the token.
    body_seconds : float
        Within which the body of a request must be there.
    """

    hosts: frozenset[str] = frozenset()
    has_any_address: bool = False
    token: str = ""
    cookie: str = "eli5"
    body_seconds: float = 60.0


class Guard:
    """An application behind `Rules`; see `eli5.server.app.make_app`."""

    def __init__(self, app: Any, rules: Rules) -> None:
        self.app, self.rules = app, rules

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request, whatever happens in it; see the ASGI specification."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            if scope["type"] != "http":
                raise RefusedError(400, "Only HTTP is spoken here.")
            response = check_request(scope, self.rules)
            bounded = _bounded(Headers(scope=scope), receive, self.rules.body_seconds)
            await (response or self.app)(scope, bounded, answer.send)
        except RefusedError as refused:
            if not answer.has_begun:
                await error_response(scope, refused, is_whole=False)(scope, receive, answer.send)
        except Exception:
            # The log is the user's own; nothing of it reaches a client.
            _logger.exception("A request failed")
            if not answer.has_begun:
                response = error_response(scope, failed(), is_whole=False)
                await response(scope, receive, answer.send)


class _Answer:
    """Sends an answer with the headers that all have."""

    def __init__(self, send: Any) -> None:
        self._send, self.has_begun = send, False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def failed() -> RefusedError:
    """Return what a client is told of an error that is ours."""
    return RefusedError(500, "The server failed; its own output says why.")


def error_response(scope: Scope, refused: RefusedError, *, is_whole: bool = True) -> Response:
    """Return the answer to who is refused: JSON for programs, else a line of text.

    The connection ends where the request may not be read to its end.
    """
    headers = refused.headers if is_whole else {**refused.headers, "Connection": "close"}
    path = str(scope.get("path", ""))
    if path == "/api" or path.startswith("/api/"):
        return JSONResponse({"error": refused.message}, refused.status, headers)
    return PlainTextResponse(f"{refused.status}: {refused.message}\n", refused.status, headers)


# ---- who asks ------------------------------------------------------------------------------------


def check_request(scope: Scope, rules: Rules) -> Response | None:
    """Refuse what is not answered; return a redirection for who brings the token."""
    headers = Headers(scope=scope)
    if "upgrade" in headers:
        raise RefusedError(400, "Only HTTP is spoken here: there is no WebSocket.")
    host = _check_host(headers, rules)
    _check_origin(scope["method"], headers, host)
    _check_method(scope["method"], headers)
    return _check_token(scope, headers, rules) if rules.token else None


def _check_host(headers: Headers, rules: Rules) -> str:
    given = headers.getlist("host")
    try:
        (host,) = given
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        raise RefusedError(400, "Expected one Host.") from None
    if not name or any(one in host for one in "/@?#\\ "):
        raise RefusedError(400, "Expected one Host.")
    if not (name in _LOOPBACK or name in rules.hosts or (rules.has_any_address and _is_ip(name))):
        raise RefusedError(403, "This host is not served here.")
    return host.lower()


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_origin(method: str, headers: Headers, host: str) -> None:
    """Refuse what a page of another origin sends, but for a link that somebody follows."""
    for origin in headers.getlist("origin"):
        scheme, _, rest = origin.lower().partition("://")
        if scheme not in ("http", "https") or rest != host:
            raise RefusedError(403, "A page of another origin may not ask here.")
    site = headers.get("sec-fetch-site", "none")
    is_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
    is_frame = headers.get("sec-fetch-dest", "document") != "document"
    if site not in ("none", "same-origin") and (is_frame or not is_link):
        raise RefusedError(403, "A page of another origin may not ask here.")


def _check_method(method: str, headers: Headers) -> None:
    if method not in ("GET", "HEAD", "POST"):
        raise RefusedError(405, "Expected GET or POST.", {"Allow": "GET, HEAD, POST"})
    length = headers.get("content-length", "0")
    if method != "POST" and (length != "0" or "transfer-encoding" in headers):
        raise RefusedError(400, "Expected no body.")
    if not length.isdecimal() or int(length) > limits.SERVED_BODY_BYTES:
        raise _too_large()


def _check_token(scope: Scope, headers: Headers, rules: Rules) -> Response | None:
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    given = dict(query).get("token")
    if given is not None and scope["method"] == "GET" and _is_token(given, rules):
        # The address bar, and whoever it is shown to, need not have it.
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/\\")  # "//host" would lead to another one
        response = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        response.set_cookie(rules.cookie, rules.token, httponly=True, samesite="strict", path="/")
        return response
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    kept = _cookies(headers).get(rules.cookie, "")
    if not (scheme.lower() == "bearer" and _is_token(bearer, rules)) and not _is_token(kept, rules):
        raise RefusedError(
            401,
            "Expected the token. Open the address that the server printed, with its token.",
            {"WWW-Authenticate": "Bearer"},
        )
    return None


def _is_token(given: str, rules: Rules) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), rules.token.encode())


def _cookies(headers: Headers) -> Mapping[str, str]:
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: one.value for name, one in jar.items()}


# ---- for how much, and how long ------------------------------------------------------------------


def _bounded(headers: Headers, receive: Any, seconds: float) -> Any:
    """Return what receives a body piece by piece, of limited size and in limited time."""
    n_bytes, is_whole, end = 0, False, monotonic() + seconds

    async def read() -> Any:
        nonlocal n_bytes, is_whole
        if is_whole:
            return await receive()  # which waits for the client to go away
        try:
            message = await asyncio.wait_for(receive(), max(end - monotonic(), 0))
        except TimeoutError:
            raise RefusedError(408, "The request did not come to its end in time.") from None
        n_bytes += len(message.get("body", b""))
        if n_bytes > limits.SERVED_BODY_BYTES:
            raise _too_large()
        is_whole = not message.get("more_body", False)
        return message

    return read


def _too_large() -> RefusedError:
    most = limits.in_words(limits.SERVED_BODY_BYTES)
    return RefusedError(413, f"Expected a request of at most {most}.")
