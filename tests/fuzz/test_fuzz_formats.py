"""Formatting, saving and loading whatever comes returns, or raises an error that says what came.

See test_fuzz_explaining.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import eli5
from eli5.base import DocWeightedSpans, Explanation, Series, TargetExplanation, WeightedSpans
from eli5.saving.document import DECODERS
from helpers import hostile
from helpers.hostile_calls import LOOKS, counts, fuzzed, nothing_wrong, outcome
from helpers.saved_files import document_of, write_document

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")
_nothing_wrong = pytest.fixture(autouse=True)(nothing_wrong)


@pytest.fixture(scope="module", autouse=True)
def _print_counts() -> Iterator[None]:
    counts.clear()
    yield
    print("\nhostile calls that format, save and load:", dict(sorted(counts.items())))


def some_explanations() -> list[Explanation]:
    """Return explanations of a picture, a text and a series, and one with an error."""
    rng = np.random.default_rng(0)
    of_picture = Explanation(
        "net",
        "What it saw.",
        method="Grad-CAM",
        layer="conv",
        image=Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)),
        targets=[
            TargetExplanation(
                k,
                proba=0.5,
                score=1.5,
                explained=2.0,
                explained_name="logit",
                heatmap=rng.random((3, 4), np.float32),
                attribution=rng.normal(size=(3, 4)).astype("float32"),
                placement=eli5.base.Placement(
                    (6, 8), (0, 1), (1.0, 0.5), (4.0, 6.5), ((-0.5, 5.5), (0.0, 7.5))
                ),
                details={"r2": 0.5},
            )
            for k in (0, 2)
        ],
    )
    spans = [("good", [(2, 6)], 0.5), ("film", [(7, 11)], -0.25)]
    of_text = Explanation(
        "net",
        targets=[
            TargetExplanation(
                1,
                heatmap=np.array([1, 0], "float32"),
                attribution=np.array([0.5, -0.25], "float32"),
                weighted_spans=WeightedSpans([DocWeightedSpans("A good film", spans)]),
            )
        ],
    )
    dates = np.arange(5).astype("M8[D]")
    of_series = Explanation(
        "net",
        series=Series(rng.normal(size=(5, 2)), dates, ["x", "y"]),
        targets=[TargetExplanation("value", heatmap=np.array([0, 0.5, 1], "float32"), score=2)],
    )
    return [of_picture, of_text, of_series, Explanation("net", error="not supported")]


Place = tuple[Any, Callable[[Any], Any], str]


def fields_of(value: Any, where: str = "expl") -> list[Place]:
    """List the places of an explanation that can be set: what is there, how to set it, its name."""
    found: list[Place] = []
    if isinstance(value, list):
        rows = [(k, one, f"{where}[{k}]") for k, one in enumerate(value)]
        found = [(one, partial(value.__setitem__, k), name) for k, one, name in rows]
    elif isinstance(
        value, Explanation | TargetExplanation | WeightedSpans | DocWeightedSpans | Series
    ):
        fields = vars(value).items()
        found = [(one, partial(setattr, value, key), f"{where}.{key}") for key, one in fields]
    return found + [place for one, _, name in found for place in fields_of(one, name)]


@st.composite
def odd_explanations(draw: st.DrawFn) -> tuple[Any, str]:
    """Draw an explanation with an odd field or two, or something else; and what is odd."""
    if not draw(st.integers(0, 11)):
        thing = draw(hostile.things)
        return thing, repr(thing)[:200]
    expl = draw(st.sampled_from(some_explanations()))
    said, places = [], fields_of(expl)
    for _ in range(draw(st.integers(0, 2))):
        old, put, name = draw(st.sampled_from(places))
        new = draw(hostile.things)
        if isinstance(old, np.ndarray) and old.dtype.kind == "f" and draw(st.booleans()):
            new = draw(hostile.arrays(old))
        elif isinstance(old, list) and draw(st.booleans()):
            new = [*old, new]
        put(new)
        said.append(f"{name}={new!r:.150}")
    if not draw(st.integers(0, 5)):
        return [expl, some_explanations()[0]], f"a list, {', '.join(said)}"
    return expl, f"{type(expl).__name__} with {', '.join(said)}"


FLAGS: list[Any] = [True, False]
FORMATS: dict[str, tuple[Callable[..., Any], dict[str, list[Any]]]] = {
    "format_as_text": (eli5.format_as_text, {"ansi": FLAGS}),
    "format_as_html": (eli5.format_as_html, {"include_styles": FLAGS}),
    "format_as_page": (eli5.format_as_page, {"title": ["A page"]}),
    "format_as_dict": (eli5.format_as_dict, {}),
    "format_as_dataframe": (eli5.format_as_dataframe, {"rows": ["targets", "tokens"]}),
    "format_as_image": (eli5.format_as_image, LOOKS),
    "plot": (
        eli5.plot,
        {"target": [0, 1], "colorbar": FLAGS, "title": FLAGS, "ax": [None], **LOOKS},
    ),
    "heatmap_on_input": (
        lambda expl, k=0: Explanation.heatmap_on_input(expl, k),
        {"k": [0, 1, -1]},
    ),
    "notebook": (lambda expl: Explanation._repr_mimebundle_(expl), {}),
}


@fuzzed("format")
@given(st.data(), st.sampled_from(sorted(FORMATS)), odd_explanations())
def test_formats(data: st.DataObject, name: str, odd: tuple[Any, str]) -> None:
    (expl, what), (format_, good) = odd, FORMATS[name]
    if name in ("heatmap_on_input", "notebook") and not isinstance(expl, Explanation):
        return  # methods
    given_options = data.draw(hostile.options(good)) if good else {}
    said = f"{name}({what}, **{given_options!r:.300})"
    found = outcome(lambda: format_(expl, **given_options), said)
    if name == "plot":
        matplotlib.pyplot.close("all")
    if name == "format_as_dict" and found is not None:
        json.dumps(found, allow_nan=False)


# ---- saving and loading --------------------------------------------------------------------------

ENDINGS = [".json", ".npz", ".html", ".png", ".jpg", ".webp", ".pkl", ""]
FILE_ERRORS = (OSError, RecursionError)


def saved(expl: Explanation, path: Any) -> Any:
    expl.save(path)
    return path


@fuzzed("save")
@given(st.data(), odd_explanations(), st.sampled_from(ENDINGS))
def test_saving(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    odd: tuple[Any, str],
    ending: str,
) -> None:
    expl, what = odd
    if not isinstance(expl, Explanation):
        return
    path: Any = tmp_path_factory.getbasetemp() / f"fuzzed{ending}"
    path.unlink(missing_ok=True)
    if not data.draw(st.integers(0, 5)):
        path = data.draw(hostile.things)
        if isinstance(path, str | Path):  # not into the folder where tests run
            path = tmp_path_factory.getbasetemp() / path
    said = f"save({what}, {path!r:.100})"
    is_saved = outcome(partial(saved, expl, path), said, FILE_ERRORS) is not None
    if isinstance(path, Path):
        assert is_saved == path.is_file(), said
    if is_saved and ending in (".json", ".npz") and isinstance(path, Path):
        assert isinstance(outcome(lambda: eli5.load(path), said), Explanation), said


_NAMES = ["$", "items", "value", "values", "dtype", "shape", "member", "png", "unit", "since_1970"]
_NAMES += ["targets", "heatmap", "target", "size", "axes", "first", "spans", "mode", "width"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from([-1, 0, 1, 10**9, 10**400, 1e308, "f", "float64", "RGB", "1", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES), inner | st.sampled_from([*DECODERS, "array", "image"])
        )
    ),
    max_leaves=6,
)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """List where something stands in a document: a container, and an index or key in it."""
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
    inner = [one for _, one in pairs if isinstance(one, dict | list)]
    return [(value, key) for key, _ in pairs] + [at for one in inner for at in places_in(one)]


@fuzzed("load")
@given(st.data(), st.sampled_from([".json", ".npz"]), st.integers(0, 3), st.integers(1, 3))
def test_loading(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    ending: str,
    which: int,
    n_changes: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"changed{ending}"
    document = document_of(some_explanations()[which], path)
    said = []
    for _ in range(n_changes):
        container, key = data.draw(st.sampled_from(places_in(document)))
        container[key] = data.draw(JSON)
        said.append(f"[{key!r}]={container[key]!r:.100}")
    write_document(document, path)
    loaded = outcome(lambda: eli5.load(path), f"load({which}, {said})", (OSError,))
    if loaded is None:
        return
    assert isinstance(loaded, Explanation)
    for name, (format_, _) in FORMATS.items():
        outcome(partial(format_, loaded), f"{name}(load({which}, {said}))")
    matplotlib.pyplot.close("all")
    outcome(partial(saved, loaded, path), f"save(load({which}, {said}))", FILE_ERRORS)


def test_loading_something_else() -> None:
    for make in hostile.THINGS:
        thing = make()
        assert outcome(partial(eli5.load, thing), f"load({thing!r:.200})", (OSError,)) is None
