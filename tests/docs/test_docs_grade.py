"""What docs/grade.md tells is true: its example runs, and its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import keras

import eli5
from eli5.metrics import grade
from helpers.models import sample

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "grade.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(import eli5\n.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_the_example_runs(classifier: keras.Model) -> None:
    (example,) = EXAMPLES
    assert PAGE.count("```python") == 1
    lines: list[str] = []
    names = {
        "model": classifier,
        "doc": sample((12, 20, 3)),
        "print": lambda *said: lines.append(" ".join(map(str, said))),
    }
    exec(example, names)
    assert lines[0].startswith(("supported", "weak", "contradicted"))
    assert "Grade of" in lines[-1]


def test_parts_and_verdicts_stand_in_the_tables(classifier: keras.Model) -> None:
    parts = re.findall(r'^\| `"(.+?)"` \|', PAGE, flags=re.MULTILINE)
    expl = eli5.explain_prediction(classifier, sample((12, 20, 3)), grade=True)
    assert parts == list(expl.targets[0].grade.parts)
    table = PAGE.partition("| verdict | says |\n|---|---|\n")[2].partition("\n\n")[0]
    verdicts = re.findall(r"^\| (.+?) \|", table, flags=re.MULTILINE)
    assert verdicts == ["supported", "weak", "contradicted", "not gradable"]


def test_the_formula_is_that_of_the_code() -> None:
    """The page's own value of some parts, put in words there, beside the code's."""
    weights = re.search(r"`([\d.]+) \* single deletion \+ ([\d.]+) \* SRG`", PAGE)
    assert weights is not None
    assert "(1/2 + min(1/2, 2 * least))" in PAGE
    for deletion, srg, least in ((0.9, 0.5, 0.1), (0.4, -0.2, 1.0), (-0.5, 0.3, 0.0)):
        evidence = float(weights[1]) * deletion + float(weights[2]) * srg
        expected = max(0.0, evidence) * (1 / 2 + min(1 / 2, 2 * least))
        value, _ = grade.combine({"single deletion": deletion, "SRG": srg, "noise": least})
        assert abs(value - expected) < 1e-12
    assert f"a value from {grade.SUPPORTED:g} on" in PAGE
    assert f"are below {grade.CONTRADICTED:g};" in PAGE
    assert f"at most {grade.MOST_PASSES} passes" in PAGE
