"""docs/command-line.md and the examples of ``--help`` tell the truth: what stands there runs."""

from __future__ import annotations

import importlib.util
import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from eli5.base import Explanation, TargetExplanation
from eli5.cli import app
from eli5.cli.commands.benchmark import BENCHMARK_EXAMPLES
from eli5.cli.commands.bulk import BULK_EXAMPLES, STATUS_EXAMPLES
from eli5.cli.commands.demo import DEMO_EXAMPLES
from eli5.cli.commands.diff import DIFF_EXAMPLES
from eli5.cli.commands.evaluate import EVALUATE_EXAMPLES
from eli5.cli.commands.explain import EXAMPLES
from eli5.cli.commands.explain_text import TEXT_EXAMPLES
from eli5.cli.commands.gallery import GALLERY_EXAMPLES
from eli5.cli.commands.layers import LAYER_EXAMPLES
from eli5.cli.commands.methods import METHOD_EXAMPLES
from eli5.cli.commands.serve import SERVE_EXAMPLES
from eli5.keras import METHODS
from helpers.cli_helpers import (
    TIMEOUT,
    colour_detector,
    colour_model,
    colour_segmenter,
    run,
    saved,
    two_colours,
)
from helpers.word_models import WORDS, ids_model, texts_model

Capsys = pytest.CaptureFixture[str]

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")


def lines(text: str) -> list[str]:
    """Return the commands in a text, each in a block of its own or with others."""
    blocks = re.findall(r"^```\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [
        line[line.index("eli5 ") :]
        for block in blocks
        for line in block.splitlines()
        if line.startswith(("eli5 ", "echo "))
    ]


ON_PAGE = lines(PAGE)
IN_HELP = lines(
    "\n".join(
        [
            *(EXAMPLES, TEXT_EXAMPLES, LAYER_EXAMPLES, METHOD_EXAMPLES, DEMO_EXAMPLES),
            *(GALLERY_EXAMPLES, BULK_EXAMPLES, STATUS_EXAMPLES, BENCHMARK_EXAMPLES, DIFF_EXAMPLES),
            *(EVALUATE_EXAMPLES, SERVE_EXAMPLES),
        ]
    )
)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Return one model for all examples, so that it is compiled once."""
    return colour_model()


@pytest.fixture(scope="module")
def readers() -> dict[str, keras.Model]:
    """Return models of texts, by their files; none of strings where TensorFlow is missing."""
    has_strings = importlib.util.find_spec("tensorflow") is not None
    return {"ids.keras": ids_model()} | ({"reader.keras": texts_model()} if has_strings else {})


@pytest.fixture(autouse=True)
def folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: keras.Model,
    readers: dict[str, keras.Model],
) -> Path:
    """Return a folder with the files that the page names, as the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("model.keras", "old.keras", "new.keras"):
        saved(model, tmp_path, name)
    saved(colour_detector(), tmp_path, "detector.keras")
    saved(colour_segmenter(), tmp_path, "segmenter.keras")
    two_colours().convert("L").save(tmp_path / "mask.png")
    photos = ("cat.jpg", "street.jpg", "photos/one.jpg", "photos/deep/two.jpg", "more/a/three.jpg")
    for name in photos:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        two_colours().save(path)
    for name, reader in readers.items():
        saved(reader, tmp_path, name)
    for name in ("review.txt", "reviews.txt", "new.txt"):
        (tmp_path / name).write_text("a good film\nnot good\n", encoding="utf-8")
    (tmp_path / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"not a good film")))
    (tmp_path / "my_layers.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "photos.csv").write_text("path,species\ncat.jpg,blue\n", encoding="utf-8")
    (tmp_path / "masks").mkdir()
    two_colours().save(tmp_path / "masks" / "cat.png")
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n", encoding="utf-8")
    return tmp_path


def words(line: str) -> list[str]:
    """Return the arguments of a line, up to the next program."""
    _, *arguments = shlex.split(line.split(" | ")[0])
    if "reader.keras" in arguments:
        pytest.importorskip("tensorflow", reason="TextVectorization runs on TensorFlow")
    return arguments


def save_results(folder: Path) -> None:
    """Write the results that the page makes galleries of."""
    target = TargetExplanation(0, proba=0.95, class_name="cat")
    expl = Explanation("net", error="", targets=[target], source="cat.jpg")
    (folder / "explained").mkdir()
    expl.save(folder / "explained" / "explanations.jsonl")
    expl.save(folder / "explanations.npz")


@pytest.mark.parametrize("line", ON_PAGE)
def test_an_example_of_the_page_runs(capsys: Capsys, folder: Path, line: str) -> None:
    arguments = words(line)
    if is_gallery := arguments[0] == "gallery":
        save_results(folder)
    before = set(folder.iterdir())
    assert run(capsys, *arguments).code == 0
    named = {folder / arguments[arguments.index("--out") + 1]} if "--out" in arguments else set()
    if is_gallery and not named:
        named = {(folder / arguments[1]).with_suffix(".html")}
    assert set(folder.iterdir()) - before == named


def test_there_are_examples() -> None:
    assert len(ON_PAGE) >= 3
    assert len(IN_HELP) >= 8


@pytest.mark.parametrize("line", IN_HELP)
def test_an_example_of_the_help_is_understood(line: str) -> None:
    app.parse_args(words(line))


def test_the_table_has_every_command() -> None:
    table = PAGE.partition("| command |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `eli5 ([\w-]+)", table, flags=re.MULTILINE))
    assert named == {name for name in app if name not in ("--help", "-h")}


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("line", [line for line in (*ON_PAGE, *IN_HELP) if "| jq -r" in line])
def test_what_jq_is_told(capsys: Capsys, line: str) -> None:
    said = run(capsys, *words(line)).out
    (program,) = re.findall(r"jq -r '(.*)'$", line)
    done = subprocess.run(
        ["jq", "-r", program], input=said, text=True, capture_output=True, check=True,
        timeout=TIMEOUT,
    )  # fmt: skip
    rows = [re.split("[,\t]", row) for row in done.stdout.splitlines()]
    if " layers " in line:
        assert rows == [["colours"]]
    elif " methods " in line:
        assert [name for name, *_ in rows] == list(METHODS)
    else:
        assert [label for _, label in rows] == ["2"] * 2
