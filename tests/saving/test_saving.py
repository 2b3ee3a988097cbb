"""What is saved: every field as it was, pictures of every mode, in files that others can read."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import DocWeightedSpans, Explanation, Series, TargetExplanation, WeightedSpans
from eli5.formatters.html import format_as_page
from eli5.formatters.image import format_as_image
from eli5.placement import stretch
from helpers.explanations import full_explanation, noise

ENDINGS = [".json", ".npz"]


def through(expl: Explanation, path: Path) -> Explanation:
    expl.save(path)
    return eli5.load(path)


@pytest.fixture(params=ENDINGS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"saved{request.param}"


# ---- round trips ---------------------------------------------------------------------------------


def test_all_fields_come_back(path: Path) -> None:
    expl = full_explanation()
    loaded = through(expl, path)
    assert loaded == expl
    assert loaded.targets is not expl.targets
    for one, other in zip(loaded.targets, expl.targets, strict=True):
        for name in ("heatmap", "attribution"):
            assert getattr(one, name).dtype == np.float32
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
            getattr(one, name)[0, 0] = 7  # it can be written to
        assert one.details == other.details
        assert type(one.target) is int
    assert loaded != expl


def test_an_error_and_what_is_empty_come_back(path: Path) -> None:
    for expl in (
        Explanation("net", error="not supported"),
        Explanation("net", targets=[], is_regression=True),
        Explanation("", description="", targets=[TargetExplanation("contrast")]),
    ):
        assert through(expl, path) == expl
    assert through(Explanation("net"), path).targets is None


NUMBERS = [np.nan, np.inf, -np.inf, -0.0, 5e-324, 1e-45, 0.1, np.pi, 1.7976931348623157e308]


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", ">f4", "bool", "int8", "uint64"]
)
def test_arrays_of_every_dtype_come_back(path: Path, dtype: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(NUMBERS if "f" in dtype else [0, 1, 127]).astype(dtype)
    array = np.stack([array, array[::-1]])
    for attribution in (array, array.T, array[:0], array[:, :0], np.array(array[0, 0])):
        expl = Explanation("net", targets=[TargetExplanation(0, attribution=attribution)])
        loaded = through(expl, path).targets[0].attribution
        np.testing.assert_array_equal(loaded, attribution, strict=dtype != ">f4")
        assert loaded.dtype.name == attribution.dtype.name
        signs = [np.signbit(one.astype("float64")) for one in (loaded, attribution)]
        np.testing.assert_array_equal(*signs)


def test_npz_keeps_every_bit(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 1000, np.uint32)  # some are odd kinds of NaN
    expl = Explanation("net", targets=[TargetExplanation(0, attribution=bits.view(np.float32))])
    loaded = through(expl, tmp_path / "saved.npz").targets[0].attribution
    np.testing.assert_array_equal(loaded.view(np.uint32), bits)


@pytest.mark.parametrize("number", [*NUMBERS, np.float32(0.1), np.int64(-3), 2**70])
def test_numbers_come_back(path: Path, number: Any) -> None:
    expl = Explanation("net", targets=[TargetExplanation(0, score=number, proba=number)])
    assert through(expl, path) == expl


@pytest.mark.parametrize(
    "value",
    [
        (1, ("a", [None, b"\x00\xff"])),
        {1: "a", 2.5: {"b": (np.eye(2),)}, None: [], (1, 2): {}, "1": True},
        {"$": "tuple", "items": [1]},
        {"a/b\x00\ud800": np.arange(3), "../x": np.arange(2), "x" * 70_000: np.zeros(1)},
        "a\udcff",  # as Python names a file whose name is no UTF-8
        ["\u2028\x00\"'\\"],
        OrderedDict(b=1, a=2),
        [TargetExplanation(1, heatmap=np.eye(2))],
    ],
)
def test_values_of_other_fields_come_back(path: Path, value: Any) -> None:
    expl = Explanation("net", decision_tree=value, targets=[TargetExplanation(0)])
    expl.targets[0].feature_weights = value
    assert through(expl, path) == expl
    if path.suffix == ".npz":
        names = np.load(path).files
        assert all(re.fullmatch(r"[\w.\[\]]{1,99}", name) for name in names), names


# ---- what others read ----------------------------------------------------------------------------


def test_numpy_reads_the_arrays(tmp_path: Path) -> None:
    expl = full_explanation()
    expl.save(tmp_path / "saved.npz")
    with np.load(tmp_path / "saved.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["targets[1].heatmap"], expl.targets[1].heatmap)
        np.testing.assert_array_equal(file["targets[2].attribution"], expl.targets[2].attribution)
        np.testing.assert_array_equal(file["scores"], [t.score for t in expl.targets])
        np.testing.assert_array_equal(file["image"], np.asarray(expl.image))
        assert (
            json.loads(file["explanation.json"])["targets"][1]["class_name"] == "<b>👩‍👩‍👧 猫</b>"
        )


def test_the_same_is_saved_as_the_same_bytes(tmp_path: Path) -> None:
    full_explanation().save(tmp_path / "saved.npz")
    with zipfile.ZipFile(tmp_path / "saved.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_what_is_none_is_left_out(tmp_path: Path) -> None:
    Explanation("net", targets=[TargetExplanation(3)]).save(tmp_path / "saved.json")
    document = json.loads((tmp_path / "saved.json").read_bytes())
    assert document.keys() == {"version", "saved_with", "estimator", "is_regression", "targets"}
    assert document["targets"] == [{"$": "target", "target": 3, "sign": "positive"}]


def test_scores_that_are_no_numbers_are_nan_for_numpy(tmp_path: Path) -> None:
    scores = [1.5, None, np.float32(2), 3]
    targets = [TargetExplanation(0, score=score) for score in scores]  # type: ignore[arg-type]
    Explanation("net", targets=targets).save(tmp_path / "saved.npz")
    with np.load(tmp_path / "saved.npz") as file:
        np.testing.assert_array_equal(file["scores"], [1.5, np.nan, 2, 3])


def test_others_read_the_json(tmp_path: Path) -> None:
    expl = full_explanation()
    expl.targets[0].heatmap[0, 0] = np.nan
    expl.save(tmp_path / "saved.json")
    text = (tmp_path / "saved.json").read_text(encoding="utf-8")
    assert "👩‍👩‍👧 猫" in text
    document = json.loads(text, parse_constant=pytest.fail)  # NaN is no JSON
    assert document["layer"] == "conv_9"
    heatmap = document["targets"][0]["heatmap"]
    assert (heatmap["dtype"], heatmap["shape"]) == ("float32", [3, 4])
    assert heatmap["values"][0][0] == "nan"
    assert heatmap["values"][2] == expl.targets[0].heatmap[2].tolist()
    with Image.open(io.BytesIO(base64.b64decode(document["image"]["png"]))) as picture:
        assert (picture.mode, picture.tobytes()) == ("RGB", expl.image.tobytes())


def test_the_file_tells_who_saved_it(path: Path) -> None:
    import keras

    full_explanation().save(path)
    text = np.load(path)["explanation.json"] if path.suffix == ".npz" else path.read_bytes()
    versions = {"eli5": eli5.__version__, "keras": keras.__version__}
    backend = {"backend": keras.config.backend()}
    assert json.loads(text)["saved_with"] == versions | backend


def test_neither_saving_nor_loading_imports_keras_or_a_picture_library(path: Path) -> None:
    program = (
        "import sys, eli5\n"
        "expl = eli5.Explanation('net', targets=[eli5.TargetExplanation(0, score=1.0)])\n"
        f"expl.save({str(path)!r})\n"
        f"assert eli5.load({str(path)!r}) == expl\n"
        "print(*{'PIL', 'matplotlib', 'keras'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr
    assert b'"keras"' not in path.read_bytes()


# ---- pictures and pages --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "kind"), [(".png", "PNG"), (".JPG", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP")]
)
def test_pictures(tmp_path: Path, ending: str, kind: str) -> None:
    expl, path = full_explanation(), tmp_path / f"saved{ending}"
    expl.image = noise("RGB", (64, 48))
    expl.save(path)
    with Image.open(path) as picture:
        assert picture.format == kind
        wanted = np.asarray(format_as_image(expl).convert("RGB"), int)
        difference = np.abs(np.asarray(picture.convert("RGB"), int) - wanted)
    assert difference.max() == 0 or (kind != "PNG" and difference.mean() < 20)


def test_jpeg_shows_white_where_the_picture_is_transparent(tmp_path: Path) -> None:
    target = TargetExplanation(0, heatmap=np.zeros((2, 2), np.float32))
    expl = Explanation("net", targets=[target], image=Image.new("RGBA", (8, 8), (255, 0, 0, 0)))
    expl.save(tmp_path / "saved.jpg")
    with Image.open(tmp_path / "saved.jpg") as picture:
        assert np.asarray(picture).min() >= 250


def test_a_page(tmp_path: Path) -> None:
    expl = full_explanation()
    expl.save(tmp_path / "saved.html")
    page = (tmp_path / "saved.html").read_text(encoding="utf-8")
    assert page == format_as_page(expl)


def test_a_path_may_be_text(tmp_path: Path) -> None:
    expl, path = full_explanation(), str(tmp_path / "saved.NPZ")
    expl.save(path)
    assert eli5.load(path) == expl


def test_lines_of_explain_come_back(tmp_path: Path) -> None:
    """What `format_as_dict` gives is turned back as far as it goes, and its picture is read."""
    expl = full_explanation()
    expl.targets[0].placement = stretch((3, 4), (5, 7))
    expl.targets[0].attribution[0, 0] = np.nan
    path = tmp_path / "a.png"
    expl.image.save(path)
    line = json.dumps({"path": str(path), "overlay": "a.png", **eli5.format_as_dict(expl)})
    loaded = eli5.load(line)
    assert loaded == replace(expl, source=str(path))
    assert eli5.load(line, pictures=False).image is None
    path.unlink()
    assert "The picture is missing. Expected `image` to be a file" in eli5.load(line).description


@pytest.mark.parametrize(
    "time", [None, np.arange(3.0), np.array(["2026-03-01T12:00", "2026-03-02", "NaT"], "M8[m]")]
)
def test_lines_of_texts_and_series_come_back(time: Any, tmp_path: Path) -> None:
    spans = WeightedSpans([DocWeightedSpans("a b", [("a", [(0, 1)], 0.5), ("[SEP]", [], -1.0)])])
    text = Explanation("net", targets=[TargetExplanation(1, weighted_spans=spans)], source="text 1")
    values = np.array([[1.5, np.nan], [2, -2], [0, 0]])
    target = TargetExplanation(0, heatmap=np.ones((3, 2), "float32"))
    series = Explanation("net", targets=[target], series=Series(values, time, ["x", "y"]))
    failed = {"path": "broken.png", "error": "It is no picture."}
    path = tmp_path / "explanations.jsonl"
    records = [eli5.format_as_dict(text), eli5.format_as_dict(series), failed]
    path.write_text("\n".join(map(json.dumps, records)) + "\n\n", encoding="utf-8")
    error = Explanation("", error="It is no picture.", source="broken.png", targets=None)
    assert eli5.load(path) == [text, series, error]


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    Explanation("net").save(path)
    assert eli5.load(path) == [Explanation("net")]
    for line, reason in (("{", "JSONDecodeError"), ('{"version": 9}', "it is of version 9")):
        path.write_text(f'{{"path": "a", "error": "b"}}\n{line}\n', encoding="utf-8")
        with pytest.raises(
            ValueError, match=rf"writes \.jsonl\. .* cannot be read: line 2: {reason}"
        ):
            eli5.load(path)


def test_a_flag_of_another_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Expected `pictures` to be True or False"):
        eli5.load(tmp_path / "a.npz", pictures=1)  # type: ignore[arg-type]
