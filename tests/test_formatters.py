from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.html import format_as_html, format_as_page
from eli5.formatters.image import format_as_image
from eli5.formatters.text import number
from strict_html import Page

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    'Tom & Jerry\'s "cat"',
    "&lt;b&gt; &amp;",
    "--> ]]> {title} %s",
    "👩‍👩‍👧 猫 ねこ",
    "\u202eevil\u202c שלום",
]


@pytest.fixture
def expl() -> Explanation:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8))
    targets = [
        TargetExplanation(
            281, proba=0.88124, score=12.34567, heatmap=rng.random((3, 4)), class_name="tabby cat"
        ),
        TargetExplanation(3, proba=0.01, score=-1.5, heatmap=rng.random((3, 4))),
    ]
    return Explanation(
        "my_net",
        description="What raised the score.\nBefore softmax.",
        method="Grad-CAM",
        targets=targets,
        image=image,
        layer="conv_9",
    )


# --- text ----------------------------------------------------------------------------------------


def test_text(expl: Explanation) -> None:
    assert eli5.format_as_text(expl) == (
        "Model   my_net\n"
        "Method  Grad-CAM\n"
        "Layer   conv_9\n"
        "\n"
        "Class             Score  Probability\n"
        "tabby cat (281)   12.35       0.8812\n"
        "3                -1.500      0.01000\n"
        "\n"
        "What raised the score.\n"
        "Before softmax."
    )


def test_text_of_a_regression_without_probabilities() -> None:
    targets = [TargetExplanation("contrast", score=2.0), TargetExplanation(7)]
    expl = Explanation("net", is_regression=True, targets=targets)
    assert eli5.format_as_text(expl) == (
        "Model   net\n\nOutput    Score\ncontrast  2.000\n7"  #
    )


def test_text_of_an_error() -> None:
    expl = Explanation("net", error="not supported,\ntry image=")
    assert eli5.format_as_text(expl) == (
        "Model   net\nError   not supported,\n        try image="  #
    )


def test_text_columns_stay_aligned_with_wide_and_combining_letters() -> None:
    names = ["猫", "cafe\u0301", "😀😀"]
    targets = [TargetExplanation(i, score=1.0, class_name=name) for i, name in enumerate(names)]
    _, table = eli5.format_as_text(Explanation("net", targets=targets)).split("\n\n")
    assert table.splitlines() == [
        "Class     Score",
        "猫 (0)    1.000",
        "cafe\u0301 (1)  1.000",
        "😀😀 (2)  1.000",
    ]


def test_text_cannot_drive_the_terminal() -> None:
    target = TargetExplanation(0, class_name="a\x1b[31m\nb\ud800\x00")
    expl = Explanation("n\x07\r\net", error="e\x1b]0;x\r\nf\x85g", targets=[target])
    text = eli5.format_as_text(expl)
    assert "a\ufffd[31m b\ufffd\ufffd (0)" in text
    assert "Model   n\ufffd et\n" in text
    assert "Error   e\ufffd]0;x\n        f\n        g\n" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0, "0.000"),
        (1.0, "1.000"),
        (0.88124, "0.8812"),
        (0.00001234567, "1.235e-05"),
        (-12.34567, "-12.35"),
        (999.96, "1000"),
        (9999, "9999"),
        (9999.5, "10000"),
        (-123456.7, "-123457"),
        (1e7, "1.000e+07"),
        (np.float32(0.1), "0.1000"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_have_four_digits(value: Any, shown: str) -> None:
    assert number(value) == shown


# --- dict ----------------------------------------------------------------------------------------


def test_dict(expl: Explanation) -> None:
    assert expl.targets is not None
    expl.targets[0].heatmap = np.array([[0, 0.5], [1, np.nan]], np.float32)
    expl.targets[1].heatmap = None
    result = eli5.format_as_dict(expl)
    assert result == {
        "estimator": "my_net",
        "description": "What raised the score.\nBefore softmax.",
        "method": "Grad-CAM",
        "is_regression": False,
        "targets": [
            {
                "target": 281,
                "proba": 0.88124,
                "score": 12.34567,
                "heatmap": [[0.0, 0.5], [1.0, None]],
                "class_name": "tabby cat",
            },
            {"target": 3, "proba": 0.01, "score": -1.5},
        ],
        "image": {"mode": "RGB", "width": 30, "height": 20},
        "layer": "conv_9",
    }
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@dataclass
class Weights:
    bias: float
    terms: Any = None


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (False, False),
        (math.inf, None),
        (np.float64("nan"), None),
        (np.longdouble(2), 2.0),
        (np.longdouble("nan"), None),
        (np.array(2.5), 2.5),
        (np.array([1, 2]), [1, 2]),
        (np.array([True]), [True]),
        (np.array([1.5], np.longdouble), [1.5]),
        (np.array([None, {"a": np.nan}]), [None, {"a": None}]),
        ((1, "a", [None, -math.inf]), [1, "a", [None, None]]),
        ({1: {2.5: math.nan}, None: "b"}, {"1": {"2.5": None}, "None": "b"}),
        (frozenset([7]), [7]),
        (Weights(math.nan, (np.float32(1),)), {"bias": None, "terms": [1.0]}),
        (Weights(1.0), {"bias": 1.0}),
        (1j, "1j"),
        (b"x", "b'x'"),
        (Weights, str(Weights)),
        (np.datetime64("2020-01-02"), "2020-01-02"),
        ("a\ud800", "a\ud800"),
    ],
)
def test_dict_of_any_value_is_json(value: Any, plain: Any) -> None:
    result = eli5.format_as_dict(Explanation("net", decision_tree=value))["decision_tree"]
    assert result == plain
    assert type(result) is type(plain)
    json.dumps(result, allow_nan=False)


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["format_as_text", "format_as_dict"])
def test_text_and_dict_load_no_picture_library(name: str) -> None:
    program = (
        "import sys, eli5\n"
        "from eli5.base import Explanation, TargetExplanation\n"
        f"eli5.{name}(Explanation('net', targets=[TargetExplanation(0, score=1.0)]))\n"
        "print(*{'PIL', 'matplotlib', 'keras'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr


def test_no_formatter_loads_keras() -> None:
    program = (
        "import sys, eli5\n"
        "eli5.format_as_html, eli5.format_as_image, eli5.format_as_text, eli5.format_as_dict\n"
        "print(*{'keras', 'eli5.keras', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr


MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]
TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(HOSTILE)
NUMBERS = st.none() | st.floats() | st.integers(-1000, 1000) | st.floats(width=32).map(np.float32)
SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))
HEATMAPS = arrays(
    st.sampled_from([np.float32, np.float64]), SIZES, elements=st.floats(0, 1, width=32)
)


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    mode, size = draw(st.sampled_from(MODES)), draw(SIZES)
    levels = st.integers(0, 255)
    bands = [draw(levels) for _ in Image.new(mode, size).getbands()]
    return Image.new(mode, size, bands[0] if len(bands) == 1 else tuple(bands))


EXPLANATIONS = st.builds(
    Explanation,
    estimator=TEXTS,
    description=st.none() | TEXTS,
    error=st.none() | TEXTS,
    method=st.none() | TEXTS,
    is_regression=st.booleans(),
    layer=st.none() | TEXTS,
    image=st.none() | pictures(),
    feature_importances=st.none() | st.dictionaries(TEXTS, st.floats(), max_size=3),
    targets=st.none()
    | st.lists(
        st.builds(
            TargetExplanation,
            target=st.integers(-1, 2000) | st.integers(0, 9).map(np.int64) | TEXTS,
            proba=NUMBERS,
            score=NUMBERS,
            heatmap=st.none() | HEATMAPS,
            class_name=st.none() | TEXTS,
        ),
        max_size=6,
    ),
)


@settings(deadline=None)
@given(EXPLANATIONS)
def test_every_explanation_formats_in_every_format(expl: Explanation) -> None:
    json.dumps(eli5.format_as_dict(expl), allow_nan=False)
    text = eli5.format_as_text(expl)
    assert text.startswith("Model") or expl.estimator.strip() == ""
    text.encode("utf-8")
    for page in (format_as_html(expl), format_as_page(expl, expl.estimator)):
        assert Page(page).is_harmless()
        page.encode("utf-8")
    drawable = bool(expl.targets) and all(t.heatmap is not None for t in expl.targets or [])
    if expl.image is not None and not expl.error and drawable:
        overlay = format_as_image(expl)
        assert overlay.mode == "RGBA"
        assert overlay.size == expl.image.size or len(expl.targets or []) > 1
        assert (expl._repr_png_() or b"").startswith(b"\x89PNG")
    else:
        assert expl._repr_png_() is None
