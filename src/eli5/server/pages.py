"""The pages: one template for what asks for explanations, one for galleries, one for the API."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from eli5.formatters.jinja import render
from eli5.keras import METHODS
from eli5.server import gallery
from eli5.server.api import on_a_thread
from eli5.server.fields import SCORES
from eli5.server.openapi import make_document
from eli5.server.refusal import RefusedError
from eli5.server.site import Site, site_of

PAGES = {
    "explain": "Explain",
    "compare": "Compare",
    "layers": "Layers",
    "grade": "Grade",
    "gallery": "Gallery",
}
_ABOUT = {
    "explain": "What did the model look at? Choose a doc, then a class for its map.",
    "compare": "Methods, classes and models side by side, by one opacity.",
    "layers": "The layers that can be explained. Choose one to see what it says.",
    "grade": "How far can the map be trusted? What it foretells, asked of the model.",
    "gallery": "What was there before.",
}


async def go_to_start(request: Request) -> Response:
    """Lead to the first page."""
    return RedirectResponse("/explain", 303)


async def show_page(request: Request) -> Response:
    """Show one of `PAGES`."""
    site, name = site_of(request), request.url.path.strip("/")
    if name == "gallery":
        return await _show_gallery(request, site)
    return _html("app.html", name, config=json.dumps(_config(site)), **_choices(site))


def _html(template: str, name: str, **values: Any) -> Response:
    pages = list(PAGES.items())
    about = _ABOUT.get(name, "")
    page = render(template, package="eli5.server", page=name, pages=pages, about=about, **values)
    return HTMLResponse(page)


def _choices(site: Site) -> dict[str, Any]:
    return {
        "models": [one.about() for one in site.models.values()],
        "methods": METHODS.values(),
        "scores": SCORES,
        "examples": list(site.examples),
    }


def _config(site: Site) -> dict[str, Any]:
    """Return what the script needs to know."""
    return {
        "models": {one.name: {**one.about(), "layers": one.layers} for one in site.models.values()},
        "atLayer": [one.name for one in METHODS.values() if one.at == "layer"],
        "examples": list(site.examples),
    }


async def _show_gallery(request: Request, site: Site) -> Response:
    shown = site.gallery
    if shown is None or not shown.results:
        names = list(site.examples) if shown is None else list(shown.examples)
        numbers = {name: number for number, name in enumerate(site.examples)}
        pictures = [(numbers[name], name) for name in names]
        return _html("gallery.html", "gallery", cards="", pictures=pictures, number=1, n_pages=1)
    n_pages = gallery.count_pages(shown)
    number = _page_number(request.query_params.get("page", "1"), n_pages)
    try:
        cards = await on_a_thread(request, lambda _: gallery.read_page(shown, number))
    except (OSError, ValueError):
        raise RefusedError(404, "The gallery cannot be read any more.") from None
    return _html(
        "gallery.html", "gallery", cards=cards, pictures=[], number=number, n_pages=n_pages
    )


def _page_number(given: str, n_pages: int) -> int:
    if not (given.isdecimal() and len(given) < 8 and 1 <= int(given) <= n_pages):
        raise RefusedError(404, f"Expected a page from 1 to {n_pages}.")
    return int(given)


async def show_api(request: Request) -> Response:
    """Show the JSON interface, for people."""
    return _html("api.html", "api", document=make_document())


async def show_openapi(request: Request) -> Response:
    """Show it for programs."""
    return JSONResponse(make_document())


async def show_styles(request: Request) -> Response:
    """Give the style sheets of explanations and of the app, as one."""
    return Response(render("styles.css", package="eli5.server"), media_type="text/css")


async def show_script(request: Request) -> Response:
    """Give the script of explanations, the same that other pages have."""
    script = render("script.js", package="eli5.server")
    return Response(script, media_type="text/javascript")
