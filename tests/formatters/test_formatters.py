from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.labels import number, target_numbers

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


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ({"score": 0.5, "proba": 0.5}, {"Probability": "0.5000"}),
        ({"score": 2.0}, {"Score": "2.000"}),
        ({"score": math.nan, "proba": math.nan}, {"Probability": "nan"}),
        (
            {"score": 0.5, "proba": 0.5, "explained": 0.5, "explained_name": "output"},
            {"Probability (explained)": "0.5000"},
        ),
        (
            {"score": 0.97, "proba": 0.97, "explained": 3.476, "explained_name": "log-odds"},
            {"Probability": "0.9700", "Log-odds (explained)": "3.476"},
        ),
        (
            {"score": 2.0, "explained": 2.0, "explained_name": "margin"},
            {"Score (explained)": "2.000"},
        ),
        (
            {"score": 2.0, "proba": 0.6, "explained": 1.5, "explained_name": "log-odds"},
            {"Score": "2.000", "Probability": "0.6000", "Log-odds (explained)": "1.500"},
        ),
        ({"explained": np.float32(1.5)}, {"Number (explained)": "1.500"}),
    ],
)
def test_each_number_is_shown_once_and_which_is_explained(numbers: Any, shown: Any) -> None:
    target = TargetExplanation(3, **numbers)
    assert target_numbers(target) == shown
    expl = Explanation("net", targets=[target])
    for text in (eli5.format_as_text(expl), eli5.format_as_html(expl)):
        assert all(name in text and value in text for name, value in shown.items())
        assert text.count("(explained)") == sum("explained" in name for name in shown)


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


# --- imports -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["format_as_text", "format_as_dict"])
def test_text_and_dict_load_no_picture_library(name: str) -> None:
    program = (
        "import sys, eli5\n"
        "from eli5.base import Explanation, TargetExplanation\n"
        f"eli5.{name}(Explanation('net', targets=[TargetExplanation(0, score=1.0)]))\n"
        "print(*{'PIL', 'matplotlib', 'keras', 'jinja2', 'regex'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr


def test_jinja_is_loaded_when_html_is_made() -> None:
    program = (
        "import sys, eli5\n"
        "from eli5.base import Explanation\n"
        "eli5.format_as_html, eli5.format_as_page\n"
        "assert 'jinja2' not in sys.modules\n"
        "eli5.format_as_html(Explanation('net'))\n"
        "assert 'jinja2' in sys.modules\n"
        "print(*{'PIL', 'matplotlib', 'keras', 'regex'} & set(sys.modules))"
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
