"""The application: its addresses, and the guard before them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from eli5.server import api, pages
from eli5.server.guard import Guard, Rules, error_response, failed
from eli5.server.jobs import collect_warnings
from eli5.server.refusal import RefusedError
from eli5.server.site import Site

_STATIC = Path(__file__).with_name("static")


def make_app(site: Site, rules: Rules) -> Any:
    """Return the application, as ASGI has it, behind its guard."""
    app = Starlette(
        routes=_ROUTES,
        lifespan=_lifespan,
        exception_handlers={
            RefusedError: _refused,
            HTTPException: _refused_by_starlette,
            Exception: _failed,
        },
    )
    app.state.site = site
    app.state.logger = logging.getLogger("eli5.server")
    return Guard(app, rules)


_ROUTES = [
    Route("/", pages.go_to_start, methods=["GET"]),
    *(Route(f"/{name}", pages.show_page, name=name, methods=["GET"]) for name in pages.PAGES),
    Route("/api", pages.show_api, methods=["GET"]),
    Route("/api/openapi.json", pages.show_openapi, methods=["GET"]),
    Route("/api/health", api.health, methods=["GET"]),
    Route("/api/models", api.list_models, methods=["GET"]),
    Route("/api/methods", api.list_methods, methods=["GET"]),
    Route("/api/layers", api.list_layers, methods=["GET"]),
    Route("/api/explain", api.explain, methods=["POST"]),
    Route("/api/results/{key}/{ending}", api.get_result, methods=["GET"]),
    Route("/api/examples/{number:int}", api.get_example, methods=["GET"]),
    Route("/styles.css", pages.show_styles, methods=["GET"]),
    Route("/eli5.js", pages.show_script, methods=["GET"]),
    Mount("/static", StaticFiles(directory=_STATIC), name="static"),
]


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    end = collect_warnings()
    try:
        yield
    finally:
        end()
        app.state.site.queue.close()


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        raise error
    return error_response(request.scope, error, is_whole=error.status not in (408, 413, 429))


async def _failed(request: Request, error: Exception) -> Response:
    """Answer for an error that is ours; the guard writes it to the log."""
    return error_response(request.scope, failed(), is_whole=False)


async def _refused_by_starlette(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    refused = RefusedError(error.status_code, error.detail, error.headers)
    return error_response(request.scope, refused, is_whole=request.method != "POST")
