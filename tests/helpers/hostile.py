"""Strategies for what a caller might give by mistake, for hypothesis: docs, options, files."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

Array = np.ndarray[Any, Any]


def _endless() -> list[Any]:
    holder: list[Any] = []
    holder.append(holder)
    return holder


def _masked() -> Array:
    masked: Array = np.ma.masked_array([0.0, 1.0], [False, True])
    return masked


# Made anew for each call, as a generator is used up and a list may be changed.
THINGS: list[Callable[[], Any]] = [
    lambda: None,
    lambda: True,
    lambda: 0,
    lambda: -1,
    lambda: 1,
    lambda: 2**70,
    lambda: 10**400,
    lambda: 1.5,
    lambda: float("nan"),
    lambda: float("-inf"),
    lambda: 1j,
    lambda: Fraction(1, 3),
    lambda: Decimal("0.5"),
    lambda: "",
    lambda: "x",
    lambda: "conv",
    lambda: "\ud800\x00\x1b[31m",
    lambda: b"x",
    lambda: bytearray(b"x"),
    lambda: memoryview(b"x"),
    list,
    lambda: [None],
    lambda: [0],
    lambda: [0, 1, 2, 3, 4, 5, 6],
    lambda: ["a", "b"],
    lambda: [[0]],
    _endless,
    tuple,
    lambda: (1, 2),
    lambda: (0.5, "x"),
    dict,
    lambda: {"a": 1},
    lambda: {0: "a"},
    set,
    lambda: {"conv"},
    lambda: frozenset({1}),
    lambda: range(3),
    lambda: iter([0, 1]),
    lambda: (k for k in ["a", "b"]),
    object,
    lambda: SimpleNamespace(shape=(1, 2), dtype="float32"),
    lambda: int,
    lambda: ...,
    lambda: slice(1),
    lambda: ValueError("x"),
    lambda: Path("x"),
    lambda: datetime.date(2020, 1, 2),
    lambda: datetime.timedelta(1),
    lambda: np.datetime64("2020"),
    lambda: np.array(1.5),
    lambda: np.zeros(3),
    lambda: np.zeros((0, 2)),
    lambda: np.full((2, 2), np.nan),
    lambda: np.array(["a", "b"]),
    lambda: np.array([None, 1], object),
    lambda: np.array([1, 2], "M8[D]"),
    lambda: np.array([1, 2], "m8[s]"),
    lambda: np.array([(1, 2.0)], [("a", "i4"), ("b", "f4")]),
    _masked,
    lambda: np.float32("nan"),
    lambda: np.int8(1),
    lambda: np.bool_(True),
    lambda: np.longdouble(1) / 3,
    lambda: Image.new("RGB", (3, 2)),
    lambda: Image.new("L", (0, 0)),
]
things = st.sampled_from(THINGS).map(lambda make: make())

_DTYPES = ["f4", "f8", "f2", "g", ">f4", ">f8", ">i4", ">u2", "i1", "u1", "i2", "u2", "i4", "u4"]
_DTYPES += ["i8", "u8", "?", "c8", "O", "S3", "U3", "M8[D]", "m8[s]"]
_SCALES = [0.0, 1.0, 1.0, 1.0, 100.0, -1e-20, 1e20, 1e300, np.nan, np.inf]


@st.composite
def arrays(draw: st.DrawFn, doc: Array) -> Any:
    """Draw an array that was made of a doc: of any dtype, scale, subclass or shape."""
    with np.errstate(all="ignore"):
        array = doc.astype("float64") * draw(st.sampled_from(_SCALES))
        if draw(st.booleans()):
            array = array * 100
        dtype = draw(st.sampled_from(_DTYPES))
        array = array.astype("i8" if dtype[0] in "Mm" else "f8").astype(dtype)
    return draw(st.sampled_from(_VIEWS))(array)


def _with_mask(array: Array) -> Array:
    mask = np.zeros(array.shape, bool)
    mask.flat[:1] = True
    masked: Array = np.ma.masked_array(array, mask)
    return masked


_SAME = lambda array: array  # noqa: E731
_VIEWS: list[Callable[[Array], Any]] = [
    *[_SAME] * 12,
    _with_mask,
    np.ma.masked_array,
    lambda array: np.asmatrix(array.reshape(1, -1)),
    lambda array: array.view(np.recarray),
    lambda array: array[..., ::-1],
    np.asfortranarray,
    lambda array: array[0],
    lambda array: array[None],
    lambda array: array[:0],
    lambda array: array[..., :0],
    lambda array: array[..., :1],
    lambda array: np.concatenate([array, array]),
    lambda array: np.moveaxis(array, -1, 0),
    lambda array: array.ravel(),
    lambda array: array.reshape(-1)[0],
]


@st.composite
def containers(draw: st.DrawFn, doc: Array) -> Any:
    """Draw something that holds a doc, as it may come from elsewhere."""
    return draw(st.sampled_from(_CONTAINERS))(doc.copy())


_CONTAINERS: list[Callable[[Array], Any]] = [
    lambda doc: [doc],
    lambda doc: (doc, doc),
    lambda doc: {"doc": doc},
    lambda doc: {None: doc},
    lambda doc: [[doc]],
    lambda doc: iter([doc, doc]),
    lambda doc: (one for one in doc),
    lambda doc: doc.tolist(),
    lambda doc: doc.data,
    lambda doc: doc.tobytes(),
    lambda doc: [doc, None],
    lambda doc: [doc, "text"],
    lambda doc: [doc[0], doc],
    lambda doc: [doc, *_endless()],
    lambda doc: np.array([doc, None], object),
]


def docs(doc: Array) -> st.SearchStrategy[Any]:
    """Draw a doc as it should be, most often, or anything else."""
    good = st.just(doc).map(np.copy)
    return good | good | good | good | arrays(doc) | arrays(doc) | containers(doc) | things


def options(good: dict[str, list[Any]], most: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a few options, each of its good values, at times one of anything."""
    names = st.lists(st.sampled_from(list(good)), max_size=most, unique=True)

    @st.composite
    def draw_options(draw: st.DrawFn) -> dict[str, Any]:
        chosen = {name: draw(st.sampled_from(good[name])) for name in draw(names)}
        if chosen and not draw(st.integers(0, 3)):
            chosen[draw(st.sampled_from(sorted(chosen)))] = draw(things)
        return chosen

    return draw_options()
