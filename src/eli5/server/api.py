"""The JSON interface below ``/api``; `eli5.server.openapi` documents it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from eli5.keras import METHODS
from eli5.server.answers import as_line, download, make_answer
from eli5.server.fields import Asked, read_asked
from eli5.server.gallery import thumbnail
from eli5.server.guard import failed
from eli5.server.jobs import CancelledJobError, Job, too_long
from eli5.server.refusal import RefusedError
from eli5.server.site import Site, site_of
from eli5.server.uploads import read_form

STREAM = "application/x-ndjson"


async def health(request: Request) -> Response:
    """Answer whether explanations can be asked for, and how many wait."""
    queue = site_of(request).queue
    return JSONResponse({"status": "ready", "waiting": queue.n_taken, "places": queue.n_places})


async def list_models(request: Request) -> Response:
    """Answer which models are served, and what can be asked of each."""
    return JSONResponse({"models": [one.about() for one in site_of(request).models.values()]})


async def list_methods(request: Request) -> Response:
    """Answer which methods there are, what each is good for, and its options."""
    rows = [
        {
            "name": one.name,
            "good_for": one.good_for,
            "cost": one.cost,
            "paper": one.paper,
            "at": one.at,
            "options": {name: str(value) for name, value in one.options.items()},
        }
        for one in METHODS.values()
    ]
    return JSONResponse({"methods": rows})


async def list_layers(request: Request) -> Response:
    """Answer which layers of a model can be explained."""
    (served,) = site_of(request).find_models(tuple(request.query_params.getlist("model")[:1]))
    return JSONResponse({"model": served.name, "layers": served.layers})


async def explain(request: Request) -> Response:
    """Explain what is sent: as JSON, or as lines of JSON with how far it is before the answer."""
    site = site_of(request)
    asked = await _read(request, site)
    models = site.find_models(asked.model)
    asked = replace(asked, picture=site.find_picture(asked))
    begun = perf_counter()

    def work(job: Job) -> dict[str, Any]:
        answer = make_answer(site, models, asked, job)
        return {**answer, "seconds": round(perf_counter() - begun, 4)}

    job = site.queue.submit(work)
    if STREAM in request.headers.get("accept", ""):
        return StreamingResponse(_lines(request, job), media_type=STREAM)
    return JSONResponse(await _until_gone(request, job, job.result()))


async def _read(request: Request, site: Site) -> Asked:
    site.begin_reading()
    try:
        return read_asked(await read_form(request))
    finally:
        site.n_reading -= 1


async def _until_gone(request: Request, job: Job, result: Awaitable[Any]) -> Any:
    """Wait for a result, but no longer than the client does; a job that nobody wants ends."""
    waiting = asyncio.ensure_future(result)
    gone = asyncio.ensure_future(_is_gone(request))
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise RefusedError(499, "The client went away.")
        return waiting.result()
    except (CancelledJobError, CancelledError):
        raise RefusedError(499, "It was cancelled.") from None
    except TimeoutError:
        raise too_long() from None
    finally:
        job.cancel()
        waiting.cancel()
        gone.cancel()


async def _is_gone(request: Request) -> None:
    """Wait until the client goes away; what is left of its body is of no matter."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _lines(request: Request, job: Job) -> AsyncIterator[bytes]:
    """Yield how far a job is, and its result or what went wrong, as lines of JSON."""
    try:
        yield as_line({"progress": job.progress})
        async for progress in job.updates():
            yield as_line({"progress": progress})
        yield as_line({"result": job.future.result()})
    except RefusedError as refused:
        yield as_line({"error": refused.message, "status": refused.status})
    except TimeoutError:
        yield as_line({"error": too_long().message, "status": 504})
    except (CancelledJobError, CancelledError):
        yield as_line({"error": "It was cancelled.", "status": 499})
    except Exception:
        request.app.state.logger.exception("An explanation failed")
        yield as_line({"error": failed().message, "status": 500})
    finally:
        job.cancel()


async def get_result(request: Request) -> Response:
    """Answer with a file of an explanation that was made."""
    site, key = site_of(request), request.path_params["key"]
    result = site.results.get(key)
    if result is None:
        raise RefusedError(404, "This explanation is not here any more. Ask again.")
    content, kind = await on_a_thread(
        request, lambda _: download(result, request.path_params["ending"])
    )
    name = f"explanation.{request.path_params['ending']}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)


async def get_example(request: Request) -> Response:
    """Answer with a small picture of an example, by its number."""
    paths = list(site_of(request).examples.values())
    number = request.path_params["number"]
    if number >= len(paths):
        raise RefusedError(404, "There is no such example.")
    content = await asyncio.to_thread(_thumbnail, paths[number])
    return Response(content, media_type="image/png")


def _thumbnail(path: Any) -> bytes:
    try:
        return thumbnail(path)
    except (OSError, ValueError):
        raise RefusedError(404, "The example cannot be read.") from None


async def on_a_thread(request: Request, work: Callable[[Job], Any]) -> Any:
    """Return what some work gives that takes a place in the queue."""
    job = site_of(request).queue.submit(work)
    return await _until_gone(request, job, job.result())
