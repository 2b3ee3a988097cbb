"""What cannot be saved is named, and nothing is written then."""

from __future__ import annotations

import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from helpers.explanations import full_explanation


@pytest.fixture(params=[".json", ".npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"saved{request.param}"


@pytest.mark.parametrize("name", ["saved", "saved.pkl", "saved.png.gz", ".json"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    endings = r"\.png, \.jpg, \.jpeg, \.webp, \.html, \.json, \.jsonl, \.npz"
    with pytest.raises(
        ValueError, match=rf"to end in one of {endings}\. Received: path='.*{name}'"
    ):
        full_explanation().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [None, 0, b"a.json", ["a.json"], object()])
def test_a_path_of_another_type_is_refused(path: Any) -> None:
    for call in (eli5.load, full_explanation().save):
        with pytest.raises(TypeError, match=r"Expected `path` to be a string or a path\. Received"):
            call(path)


def test_a_picture_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.npz\. Received: .*a\.png'\. Pictures and pag"):
        eli5.load(tmp_path / "a.png")


def test_only_an_explanation_is_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"Expected `expl` to be .* Received: expl='a' \(of type"):
        eli5.save([full_explanation(), "a"], tmp_path / "a.json")
    with pytest.raises(TypeError, match=r"Expected `expl` to be .* Received: expl=1 \(of type int"):
        eli5.save(1, tmp_path / "a.json")  # type: ignore[arg-type]


def test_what_has_no_picture_is_saved_as_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected an explanation with an image"):
        Explanation("net", error="not supported").save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_cannot_hold_the_picture(tmp_path: Path) -> None:
    expl = full_explanation()
    expl.targets, expl.image = expl.targets[:1], Image.new("RGB", (17_000, 2), "red")
    with pytest.raises(
        ValueError, match=r"Expected path to be of a format that can hold 17000x2 .* WEBP: .* \.png"
    ):
        expl.save(tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "where", "kind"),
    [
        (object(), "", "object"),
        ({"a": [1, {2}]}, r"\['a'\]\[1\]", "set"),
        (Pair(1, 2), "", "Pair"),
        (1j, "", "complex"),
        ({3: np.array([None])}, r"\[3\]", "ndarray"),
        (np.array(["a"]), "", "ndarray"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "", "MaskedArray"),
        (np.datetime64("2020-01-02"), "", "datetime64"),
        (np.array(["NaT"], "M8"), "", "ndarray"),
        (np.array([1], "m8[s]"), "", "ndarray"),
        (Image, "", "module"),
        (np.longdouble(1) / 3, "", "longdouble"),
    ],
)
def test_what_cannot_be_kept_is_named(path: Path, value: Any, where: str, kind: str) -> None:
    if isinstance(value, np.longdouble) and np.finfo(np.longdouble).bits == 64:
        pytest.skip("longdouble is float64 here")
    path.write_text("old", encoding="utf-8")
    expl = full_explanation()
    expl.targets[1].feature_weights = value
    with pytest.raises(
        TypeError,
        match=rf"Expected `targets\[1\]\.feature_weights{where}` to be N(?s:.*) type {kind}\)\. S",
    ):
        expl.save(path)
    assert path.read_text(encoding="utf-8") == "old"


def test_a_key_that_cannot_be_kept_is_named(path: Path) -> None:
    expl = Explanation("net", highlight_spaces={frozenset(): 1})
    with pytest.raises(TypeError, match=r"Expected `a key of highlight_spaces` to be .* frozenset"):
        expl.save(path)


def test_what_holds_itself_is_refused(path: Path) -> None:
    endless: list[Any] = []
    endless.append({"again": endless})
    with pytest.raises(RecursionError, match="maximum recursion depth"):
        Explanation("net", decision_tree=endless).save(path)
    assert not path.exists()


def test_an_integer_that_python_does_not_write_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="Exceeds the limit"):
        Explanation("net", decision_tree=2**20_000).save(path)
    assert not path.exists()


def nested(kind: Any, n_levels: int) -> Any:
    value: Any = 1
    for _ in range(n_levels):
        value = kind(value)
    return value


@pytest.mark.parametrize(
    "kind",
    [
        lambda inner: [inner],
        lambda inner: (inner,),
        lambda inner: {"a": inner},
        lambda inner: {"$": inner},
        lambda inner: TargetExplanation(0, details=inner),
    ],
    ids=["list", "tuple", "dict", "dict with $", "target"],
)
def test_what_is_saved_is_not_too_deep_to_be_loaded(path: Path, kind: Any) -> None:
    expl = Explanation("net", decision_tree=nested(kind, 100))
    expl.save(path)
    assert eli5.load(path) == expl
    for n_levels in range(110, 500, 5):
        try:
            Explanation("net", decision_tree=nested(kind, n_levels)).save(path)
        except RecursionError:
            break
    assert isinstance(eli5.load(path), Explanation)


def test_what_is_too_large_to_be_loaded_is_not_saved(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expl = full_explanation()
    n_pixels = expl.image.width * expl.image.height
    monkeypatch.setattr("eli5.limits.SAVED_BYTES", 3 * n_pixels - 1)
    match = rf"Expected image to have at most {3 * n_pixels - 1} bytes, .*{3 * n_pixels} bytes\. Ma"
    with pytest.raises(ValueError, match=match):
        expl.save(path)
    monkeypatch.setattr("eli5.limits.SAVED_JSON_BYTES", 500)
    expl.image = None
    match = r"Expected the explanation's JSON to have at most 500 bytes, .* arrays take less"
    with pytest.raises(ValueError, match=match):
        expl.save(path)
    assert not path.exists()


def test_an_archive_that_is_too_large_to_be_loaded_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eli5.limits.SAVED_BYTES", 1000)
    with pytest.raises(ValueError, match=r"Expected the explanation to have at most 1000 bytes"):
        full_explanation().save(tmp_path / "saved.npz")


def test_without_pillow_it_is_no_broken_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_explanation().save(path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="PIL"):
        eli5.load(path)
