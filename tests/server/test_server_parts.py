"""The parts of the web app by themselves: jobs, forms' fields, tables, what is kept."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from eli5.formatters.jinja import render
from eli5.server.documents import read_table
from eli5.server.fields import FIELDS, read_asked
from eli5.server.jobs import CancelledJobError, Job, Queue, collect_warnings
from eli5.server.refusal import RefusedError
from eli5.server.uploads import Form, Kept, Upload, shown_name

# ---- jobs ----------------------------------------------------------------------------------------


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = Queue(1, 2, 5)
    yield queue
    queue.close()


def test_there_are_so_many_places_and_no_more(queue: Queue) -> None:
    gate = threading.Event()
    first = queue.submit(lambda _: gate.wait(5))
    second = queue.submit(lambda _: "second")
    with pytest.raises(RefusedError, match="too many explanations wait") as refused:
        queue.submit(lambda _: None)
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": "1"}
    gate.set()
    assert second.future.result(5) == "second"
    assert first.future.result(5) is True
    for _ in range(100):  # the place is given back after the result
        if not queue.n_taken:
            break
        time.sleep(0.01)
    assert queue.n_taken == 0


def test_a_job_that_waits_is_cancelled_at_once(queue: Queue) -> None:
    gate = threading.Event()
    first = queue.submit(lambda _: gate.wait(5))
    second = queue.submit(lambda _: "never")
    second.cancel()
    assert second.future.cancelled()
    assert queue.n_taken == 1
    gate.set()
    assert first.future.result(5)


def test_a_job_that_runs_is_cancelled_where_it_tells_how_far_it_is(queue: Queue) -> None:
    begun, gate = threading.Event(), threading.Event()

    def work(job: Job) -> None:
        begun.set()
        gate.wait(5)
        job.tell("on")

    job = queue.submit(work)
    assert begun.wait(5)
    job.cancel()
    gate.set()
    with pytest.raises(CancelledJobError):
        job.future.result(5)


def test_a_job_that_is_late_ends(queue: Queue) -> None:
    queue.seconds = -1
    with pytest.raises(TimeoutError):
        queue.submit(lambda _: "never").future.result(5)
    gate = threading.Event()
    queue.seconds = 0.2
    job = queue.submit(lambda _: gate.wait(5))  # which tells nothing: no thread can be stopped
    with pytest.raises(RefusedError, match="It takes too long") as refused:
        asyncio.run(job.result())
    assert refused.value.status == 504
    gate.set()


def test_how_far_a_job_is_comes_before_its_result(queue: Queue) -> None:
    def work(job: Job) -> str:
        for done in range(3):
            job.tell("RISE", done, 3)
            time.sleep(0.15)
        return "done"

    async def follow() -> list[Any]:
        job = queue.submit(work)
        told = [one async for one in job.updates()]
        return [*told, job.future.result()]

    *told, result = asyncio.run(follow())
    assert result == "done"
    done = [one["done"] for one in told if one["label"] == "RISE"]
    assert done == sorted(set(done))
    assert len(done) > 1


def test_each_job_has_its_own_warnings() -> None:
    queue = Queue(2, 4, 5)

    def work(job: Job) -> list[str]:
        for _ in range(2):
            warnings.warn(f"of {id(job)}", UserWarning, stacklevel=1)
        warnings.warn("for developers", DeprecationWarning, stacklevel=1)
        return job.warnings

    with warnings.catch_warnings(record=True) as elsewhere:
        warnings.simplefilter("always")
        end = collect_warnings()
        jobs = [queue.submit(work) for _ in range(4)]
        found = [job.future.result(5) for job in jobs]
        warnings.warn("of nobody's job", UserWarning, stacklevel=1)
        end()
    queue.close()
    assert found == [[f"of {id(job)}"] for job in jobs]
    assert [str(one.message) for one in elsewhere] == ["of nobody's job"]


# ---- fields --------------------------------------------------------------------------------------


def asked(**fields: Any) -> Any:
    given = {name.rstrip("_"): [value] for name, value in fields.items()}
    return read_asked(Form(given, {}))


def test_fields_are_read() -> None:
    found = asked(
        method="gradcam",
        class_="12",
        box="1,2,3.5,4",
        lasso="1,2 3,4 5,6",
        signed="true",
        top="3",
        text="ein Satz",
        score="",
    )
    assert found.method == ("Grad-CAM",)
    assert found.classes == (12,)
    assert found.places == (("box", (1, 2, 3.5, 4)), ("lasso", (1, 2, 3, 4, 5, 6)))
    assert (found.signed, found.top, found.text, found.score) == (True, 3, "ein Satz", "auto")
    options = asked(method="RISE", options="n_masks=20, cells=4,seed=4000000000").options
    assert options == {"n_masks": 20, "cells": 4, "seed": 4_000_000_000}
    assert asked(method="Occlusion", options="patch=8,8").options == {"patch": (8, 8)}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"method": "no-such"}, "Expected method to be one of Grad-CAM"),
        ({"top": "0"}, "Expected top to be a number from 1 to 32"),
        ({"top": "1e3"}, "a number from 1"),
        ({"box": "1,2,3"}, "LEFT,TOP,RIGHT,BOTTOM"),
        ({"box": "5,2,3,4"}, "LEFT,TOP,RIGHT,BOTTOM"),
        ({"box": "-1,2,3,4"}, "LEFT,TOP,RIGHT,BOTTOM"),
        ({"box": "1,2,inf,4"}, "LEFT,TOP,RIGHT,BOTTOM"),
        ({"lasso": "1,2 3,4"}, "3 to 2000 corners"),
        ({"lasso": "1,2 3,4 5"}, "3 to 2000 corners"),
        ({"signed": "yes"}, "true or false"),
        ({"digest": "abc"}, "SHA-256"),
        ({"score": "best"}, "one of auto"),
        ({"layer": "x" * 201}, "at most 200 characters"),
        ({"class_": "a\nb"}, "at most 200 characters"),
        ({"options": "n_masks"}, "NAME=VALUE"),
        ({"options": "n_masks=2"}, "Expected options of Grad-CAM"),
        ({"method": "RISE", "options": "n_masks=2001"}, "a number of at most 2000"),
        ({"method": "RISE", "class_": "1", "top": "65"}, "a number from 1 to 32"),
        ({"weights": "x"}, "Expected the fields model"),
    ],
)
def test_fields_that_are_none(fields: dict[str, str], said: str) -> None:
    with pytest.raises(RefusedError, match=said) as refused:
        asked(**fields)
    assert refused.value.status == 400


@pytest.mark.parametrize("field", [one for one in FIELDS if one.most > 1], ids=lambda one: one.name)
def test_fields_that_come_too_often(field: Any) -> None:
    with pytest.raises(RefusedError, match=f"{field.name} at most {field.most} times"):
        read_asked(Form({field.name: ["1"] * (field.most + 1)}, {}))


# ---- what is sent --------------------------------------------------------------------------------


def test_a_table_is_read() -> None:
    values, names = read_table(Upload("a.csv", b"\xef\xbb\xbfa,b\r\n1,2\r\n3,nan\r\n"))
    np.testing.assert_array_equal(values, [[1, 2], [3, np.nan]])
    assert names == ["a", "b"]
    values, names = read_table(Upload("a.csv", b"1e-3\n2"))
    np.testing.assert_array_equal(values, [[0.001], [2]])
    assert names == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (b"1,2\n" * 2**20, "more than 1048576 numbers"),
        (b"1,2\n3,x", "cannot be read"),
        (b"1,2\n3", "cannot be read"),
        (b"a,b\n", "no steps|cannot be read"),
    ],
    ids=["bytes", "many", "word", "short", "names"],
)
def test_a_table_that_is_none(content: bytes, said: str) -> None:
    with pytest.raises(RefusedError, match=said) as refused:
        read_table(Upload("a.csv", content))
    assert refused.value.status == 415


def test_no_more_maps_than_memory_has_room_for() -> None:
    methods = ["Grad-CAM", "LayerCAM", "HiResCAM"]
    assert len(read_asked(Form({"method": methods, "top": ["21"]}, {})).method) == 3
    for fields in ({"top": ["22"]}, {"box": ["1,2,3,4"] * 16, "class": ["1"] * 32}):
        with pytest.raises(RefusedError, match=r"at most 64 maps. Received: (66|96)"):
            read_asked(Form({"method": methods, **fields}, {}))


def test_the_oldest_is_forgotten() -> None:
    kept = Kept(n_items=2)
    for key in "abc":
        kept.put(key, key.upper())
        kept.get("b")
    assert [kept.get(key) for key in "abc"] == [None, "B", "C"]
    sized = Kept(n_bytes=10)
    for key in "ab":
        sized.put(key, key, 6)
    assert [sized.get(key) for key in "ab"] == [None, "b"]
    sized.put("large", "large", 11)
    assert sized.get("large") is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, "upload"), ("..", "upload"), ("a/../b.png", "b.png"), ("a\nb.png", "a b.png"),
        ("\x1b[31mred.png", "_[31mred.png"), ("été.png", "été.png"), ("...", "upload"),
    ],
)  # fmt: skip
def test_names_are_shown_without_folders_and_signs(name: str | None, shown: str) -> None:
    assert shown_name(name) == shown


def test_templates_escape() -> None:
    config = json.dumps({"name": "</script><b>'\""})
    page = render(
        "app.html", package="eli5.server", page="explain", pages=[], about="<i>", config=config,
        models=[{"name": "<b>"}], methods=[], scores=[], examples=['"><img src=x>'],
    )  # fmt: skip
    assert "<b>" not in page.replace("<b>eli5</b>", "")
    assert "<i>" not in page
    assert "<img src=x" not in page
