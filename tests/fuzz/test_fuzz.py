"""Hostile calls return, or raise an error of the right type that says what came; none misleads.

``ELI5_FUZZ_CALLS`` says how many are tried, each time others; `make fuzz` tries 10,000 on PyTorch
and prints the counts.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import matplotlib
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keras import layers
from PIL import Image

import eli5
from eli5.base import DocWeightedSpans, Explanation, Series, TargetExplanation, WeightedSpans
from eli5.saving.explanation_file import DECODERS
from helpers import hostile
from helpers.conv_twin import N_CLASSES, SIZE, TWINS, ConvTwin, conv_net
from helpers.models import sample, with_weights
from helpers.saved_files import document_of, write_document

Array = np.ndarray[Any, Any]

# Programs are compiled but on PyTorch.
_DEFAULT = 300 if keras.backend.backend() == "torch" else 40
N_CALLS = int(os.environ.get("ELI5_FUZZ_CALLS", _DEFAULT))
IS_LONG = "ELI5_FUZZ_CALLS" in os.environ
# How the calls are shared out.
_SHARES = {"explain": 5, "many": 2, "show": 1, "format": 5, "save": 1, "load": 2}

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")
counts: Counter[str] = Counter()
wrongs: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def _print_counts() -> Iterator[None]:
    yield
    print("\nhostile calls:", dict(sorted(counts.items())))


@pytest.fixture(autouse=True)
def _nothing_wrong() -> Iterator[None]:
    """Fail with all that went wrong, and not with the first that did."""
    wrongs.clear()
    yield
    if wrongs:
        pytest.fail("\n\n".join(wrongs), pytrace=False)


def fuzzed(share: str) -> Callable[[Any], Any]:
    """Run a test on its share of the calls: the same ones each time, unless many are wanted."""
    return settings(
        max_examples=max(N_CALLS * _SHARES[share] // sum(_SHARES.values()), 1),
        deadline=None,
        derandomize=not IS_LONG,
        database=None,
        phases=[Phase.generate],  # what is found is as short as it needs be
        suppress_health_check=list(HealthCheck),
    )


# ---- what is right -------------------------------------------------------------------------------


def outcome(
    call: Callable[[], Any], said: object, allowed: tuple[type[Exception], ...] = ()
) -> Any:
    """Return what a call returns, None if it raises an error as it should; fail if another."""
    counts["calls"] += 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as error:
            check_error(error, said, allowed)
            counts["refused"] += 1
            return None
    hints = [one for one in caught if not issubclass(one.category, UserWarning)]
    hints = [one for one in hints if "eli5" in one.filename]
    if hints:
        wrong("warned of what is not the caller's", said, str(hints[0].message))
    counts["returned"] += 1
    return result


def check_error(error: Exception, said: object, allowed: tuple[type[Exception], ...]) -> None:
    if not isinstance(error, (TypeError, ValueError, *allowed)):
        wrong("wrong type of error", said, "".join(traceback.format_exception(error)[-8:]))
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    is_own = f"{os.sep}eli5{os.sep}" in last and not str(error).startswith("unhashable")
    if not (is_own or "Received" in str(error) or isinstance(error, allowed)):
        wrong("error from elsewhere", said, "".join(traceback.format_exception(error)[-8:]))


def wrong(kind: str, said: object, what: str) -> None:
    counts[kind] += 1
    wrongs.append(f"{kind}: {said}\n{what}")


# ---- explaining ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    """Return a model of pictures, one of token ids, and one of series."""
    reader = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(10, 4, name="embed"),
            layers.Conv1D(3, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    waves = keras.Sequential(
        [
            keras.Input((9, 2)),
            layers.Conv1D(3, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    return {
        "picture": conv_net(),
        "text": with_weights(reader),
        "series": with_weights(waves),
    }


DOCS: dict[str, Array] = {
    "picture": sample(SIZE),
    "text": np.array([[1, 2, 3, 4, 5, 0]], "int32"),
    "series": sample((9, 2)),
}
COMMON: dict[str, list[Any]] = {
    "targets": [None, [0], [1]],
    "layer": [None, "conv", 0, ["conv"], ("conv", 0), -1, "flat"],
    "method": [*TWINS, "gradcam", "Saliency", "Occlusion", "Ablation-CAM", "ShapleyCAM", "CAM"],
    "methods": [["Grad-CAM"], ["Grad-CAM", "HiResCAM"], ("LayerCAM",)],
    "score": ["auto", "log-odds", "logit", "output"],
    "sign": ["positive", "negative"],
    "classes": [[0], [1, 0], ["a", 1], (0,), np.array([0, 1])],
    "top_targets": [1, 2, 3],
    "class_names": [["a", "b", "c"], {"a": 0, "b": 1, "c": 2}, {0: "a", 1: "b", 2: "c"}],
    "task": [None, "classification", "regression"],
    "input": [None, 0, "doc"],
    "output": [None, 0, "head"],
    "grid": [None, (4, 6), [4, 6]],
    "data_format": [None, "channels_last"],
    "fusion": ["mean", "max"],
    "batch_size": [1, 4, 32],
    "n_samples": [0, 2],
    "noise": [0.1],
    "augment": [False, True],
    "seed": [0, 5],
    "patch": [2],
    "baseline": [0.0, "mean"],
    "not_an_option": [1],
}
OWN: dict[str, dict[str, list[Any]]] = {
    "picture": {"image": [None, Image.new("RGB", (16, 12)), "conv"]},
    "text": {
        "tokens": [list("abcdef"), np.array(list("abcdef"))],
        "pad_value": [0, 0.0, 7],
        "pad_token": ["f"],
    },
    "series": {
        "time": [np.arange(9), np.arange(9).astype("M8[D]"), list(range(9))],
        "channel_names": [["x", "y"]],
    },
}


@st.composite
def calls(draw: st.DrawFn, *, many: bool = False) -> tuple[str, Any, dict[str, Any]]:
    """Draw the name of a model, a doc or docs, and options."""
    kind = draw(st.sampled_from(["picture", "picture", "picture", "text", "series"]))
    others = {} if draw(st.integers(0, 3)) else OWN[draw(st.sampled_from(sorted(OWN)))]
    options = draw(hostile.options({**COMMON, **OWN[kind], **others}))
    doc = draw(hostile.docs(DOCS[kind]))
    if many:
        if "image" in options:
            options["images"] = [options.pop("image")]
        doc = draw(st.sampled_from([lambda one: one, lambda one: [one], lambda one: iter([one])]))(
            doc
        )
    return kind, doc, options


@fuzzed("explain")
@given(calls())
def test_explain_prediction(models: dict[str, keras.Model], call: Any) -> None:
    kind, doc, options = call
    given_doc = copy.deepcopy(doc) if isinstance(doc, np.ndarray) else None
    said = f"explain_prediction({kind}, {doc!r:.200}, **{options!r:.400})"
    found = outcome(lambda: eli5.explain_prediction(models[kind], doc, **options), said)
    if given_doc is not None and given_doc.dtype.kind != "O":
        np.testing.assert_array_equal(np.asarray(doc), np.asarray(given_doc))
    for expl in found if isinstance(found, list) else [found] if found is not None else []:
        check_explanation(expl, said)
        if kind == "picture":
            check_numbers(ConvTwin(models[kind]), expl, doc, options, said)


@fuzzed("many")
@given(calls(many=True))
def test_explain_predictions(models: dict[str, keras.Model], call: Any) -> None:
    kind, docs, options = call
    said = f"explain_predictions({kind}, {docs!r:.200}, **{options!r:.400})"
    found = outcome(
        lambda: list(itertools.islice(eli5.explain_predictions(models[kind], docs, **options), 3)),
        said,
    )
    for expl in found or []:
        for one in expl if isinstance(expl, list) else [expl]:
            check_explanation(one, said)


LOOKS: dict[str, list[Any]] = {
    "resampling_filter": [Image.Resampling.NEAREST, Image.Resampling.BILINEAR, 1],
    "colormap": ["jet", matplotlib.colormaps["magma"]],
    "alpha_limit": [None, 0.5, 0, 1],
    "percentile": [None, 90, 100],
    "signed": [False, True],
}


@fuzzed("show")
@given(calls(), hostile.options(LOOKS))
def test_show_prediction(models: dict[str, keras.Model], call: Any, looks: dict[str, Any]) -> None:
    kind, doc, options = call
    said = f"show_prediction({kind}, {doc!r:.200}, **{options | looks!r:.400})"
    found = outcome(lambda: eli5.show_prediction(models[kind], doc, **options, **looks), said)
    assert found is None or isinstance(found, Image.Image | Explanation | list), said


def check_explanation(expl: Any, said: str) -> None:
    """Check that an explanation has heatmaps in [0, 1] and formats, or says why it has none."""
    assert isinstance(expl, Explanation), said
    if expl.error:
        assert "not supported" in expl.error, said
        return
    assert expl.targets, said
    for target in expl.targets:
        heatmap = target.heatmap
        assert heatmap.dtype == np.float32, said
        assert np.isfinite(heatmap).all(), said
        assert heatmap.min() >= 0, said
        assert heatmap.max() <= 1, said
    if not all(target.heatmap.any() for target in expl.targets):
        is_signed = any(np.any(target.attribution) for target in expl.targets)
        assert is_signed or "empty" in str(expl.description), said
    text = outcome(lambda: eli5.format_as_text(expl), said)
    assert isinstance(text, str), said


def check_numbers(
    twin: ConvTwin, expl: Explanation, doc: Any, options: dict[str, Any], said: str
) -> None:
    """Compare with the slow twin what it knows: CAMs of the plain doc at the one layer."""
    is_plain = not ({"n_samples", "augment"} & options.keys()) and not expl.error
    if not is_plain or expl.method not in TWINS or options.get("score") == "log-odds":
        return
    values = np.asarray(doc, "float64")
    assert values.shape == (1, *SIZE), said
    if not np.abs(values).max() < 1e4:
        return
    sign = -1 if options.get("sign") == "negative" else 1
    score = "output" if options.get("task") == "regression" else options.get("score", "auto")
    maps = twin.activations(values)
    for target in expl.targets:
        assert 0 <= target.target < N_CLASSES, said
        right = twin.attribution(values, expl.method, target.target, score, sign)
        largest = np.abs(right).max()
        if 0 < largest < 1e-6:  # of a saturated softmax; float32 has no digits left
            continue
        counts["heatmaps compared"] += 1
        is_right = target.score == pytest.approx(
            twin.probabilities(maps)[target.target], abs=1e-4
        ) and np.allclose(target.attribution, right, atol=2e-3 * largest + 1e-12)
        if not is_right:
            wrong("silently wrong", said, f"{target.attribution}\nis not\n{right}")


# ---- formatting ----------------------------------------------------------------------------------


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
