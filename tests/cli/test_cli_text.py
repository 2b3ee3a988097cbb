"""``eli5 explain-text``: one text or many, for a model that takes strings."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import eli5
from helpers.cli_helpers import Ended, fails, records, run, saved
from helpers.word_models import BAD, GOOD, texts_model

pytest.importorskip("tensorflow", reason="TextVectorization runs on TensorFlow, on any backend")

Capsys = pytest.CaptureFixture[str]
TEXT = "The film -- was GOOD!"
MIXED = "not good, so bad"


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return texts_model()


@pytest.fixture(scope="module")
def path(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(model, tmp_path_factory.mktemp("models"), "reader.keras")


@pytest.fixture(autouse=True)
def _one_model(model: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each run have the same model, so that it is compiled once."""
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: model)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Return a file of four lines with texts, of which one has no word."""
    lines = ["so good", "", "bad bad", "!!!", "was the film the film was bad"]
    path = tmp_path / "reviews.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def marked(ended: Ended) -> list[str]:
    return re.findall(r"\[.*?\]", ended.out)


# ---- one -----------------------------------------------------------------------------------------


def test_a_text(capsys: Capsys, path: str) -> None:
    ended = run(capsys, "explain-text", path, TEXT)
    assert (ended.code, ended.err) == (0, "")
    assert ended.fact("Layer") == "words"
    assert ended.rows()[0][0] == str(GOOD)
    assert re.search(r"^The film -- was \[GOOD \+[\d.]+\]!$", ended.out, flags=re.MULTILINE)
    assert ended.fact("Input") == (
        "text 1 (21 characters) as token ids, by the model's own TextVectorization"
    )
    assert "\x1b" not in ended.out


def test_it_was_really_loaded(capsys: Capsys, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert marked(run(capsys, "explain-text", path, "not bad"))[0].startswith("[bad +")


def test_options_are_those_of_python(capsys: Capsys, path: str, model: keras.Model) -> None:
    options = ("--method", "Gradient x Input", "--method", "lime", "--score", "output")
    ended = run(capsys, "explain-text", path, MIXED, "--class", BAD, *options, "--json")
    expected = eli5.explain_prediction(
        model, MIXED, targets=[BAD], methods=["Gradient × Input", "LIME"], score="output"
    )
    rows = records(ended.out)
    assert [row["source"] for row in rows] == ["text 1"] * 2
    for row, expl in zip(rows, expected, strict=True):
        assert row["method"] == expl.method
        assert row["targets"][0]["target"] == BAD
        weights = row["targets"][0]["attribution"]
        np.testing.assert_allclose(weights, expl.targets[0].attribution, atol=1e-5)


def test_classes_by_number_and_with_names(capsys: Capsys, path: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("bad\nneither\nfine\n", encoding="utf-8")
    labels = ("--labels", tmp_path / "names.txt")
    ended = run(capsys, "explain-text", path, "bad bad good", "--top", "2", *labels)
    assert [row[0] for row in ended.rows()] == ["bad (0)", "fine (2)"]
    assert [word.split()[0] for word in marked(ended)] == ["[bad", "[bad", "[good"]


@pytest.mark.parametrize(
    ("ending", "start"), [("html", "<!doctype html>"), ("txt", "Model   reader\nMethod  Grad-CAM")]
)
def test_a_file_for_people(
    capsys: Capsys, path: str, tmp_path: Path, ending: str, start: str
) -> None:
    out = tmp_path / f"out.{ending}"
    methods = ("--method", "gradcam", "--method", "Occlusion")
    ended = run(capsys, "explain-text", path, TEXT, "--out", out, *methods)
    assert ended.fact("Written") == str(out)
    content = out.read_text(encoding="utf-8")
    assert content.startswith(start)
    assert "Occlusion" in content
    assert "GOOD" in content


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_a_file_that_can_be_loaded(
    capsys: Capsys, path: str, tmp_path: Path, model: keras.Model, ending: str
) -> None:
    out = tmp_path / f"out.{ending}"
    assert run(capsys, "explain-text", path, TEXT, "--out", out).code == 0
    loaded, expected = eli5.load(out), eli5.explain_prediction(model, TEXT)
    text, same = (
        one.targets[0].weighted_spans.docs_weighted_spans[0] for one in (loaded, expected)
    )
    assert text.document == TEXT
    assert [span[:2] for span in text.spans] == [span[:2] for span in same.spans]
    np.testing.assert_allclose(
        loaded.targets[0].attribution, expected.targets[0].attribution, atol=1e-6
    )


def test_standard_input(capsys: Capsys, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"so bad\n")))
    ended = run(capsys, "explain-text", path, "-")
    assert ended.fact("Input").startswith("stdin (6 characters)")
    assert marked(ended)[0].startswith("[bad +")


def test_a_text_without_words(capsys: Capsys, path: str) -> None:
    message = fails(capsys, "explain-text", path, "?!")
    assert message == (
        "Expected a text with at least one token that the model knows. Received: '?!', 6 steps of "
        "padding"
    )


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [
        ("the film was the film was bad", True),
        ("the film was the film bad!!! -- (!)", False),
        ("the film", False),
    ],
)
def test_a_text_that_is_too_long_is_told_of(
    capsys: Capsys, path: str, text: str, is_cut: bool
) -> None:
    ended = run(capsys, "explain-text", path, text)
    said = "longer than the 6 tokens that the model takes: it is cut off after them."
    assert (said in ended.out) is is_cut


# ---- many ----------------------------------------------------------------------------------------


def test_lines(capsys: Capsys, path: str, reviews: Path) -> None:
    ended = run(capsys, "explain-text", path, reviews, "--lines")
    rows, summary = ended.out.split("\n\n")
    weights = r" \+[\d.]+\]"
    patterns = [
        f"{re.escape(str(reviews))}:1: 2 [\\d.]+",
        rf"  so \[good{weights}",
        f"{re.escape(str(reviews))}:3: 0 [\\d.]+",
        rf"  \[bad{weights} \[bad{weights}",
        f"{re.escape(str(reviews))}:5: 0 [\\d.]+",
        "  was the film the film was bad",
    ]
    for line, pattern in zip(rows.splitlines(), patterns, strict=True):
        assert re.fullmatch(pattern, line)
    assert ended.code == 1
    assert ended.err == (
        f"eli5: error: {reviews}:4: Expected a text with at least one token that the model knows. "
        "Received: '!!!', 6 steps of padding\n"
    )
    assert ended.fact("Texts") == "3 explained, 1 skipped"
    assert "longer than the 6 tokens" in summary


def test_a_folder_of_results(capsys: Capsys, path: str, reviews: Path, tmp_path: Path) -> None:
    out = tmp_path / "explained"
    for _ in range(2):  # the second replaces the first
        ended = run(capsys, "explain-text", path, reviews, "--lines", "--out", out)
    assert ended.fact("Written") == f"{out / 'index.html'}, explanations.jsonl"
    assert {one.name for one in out.iterdir()} == {"index.html", "explanations.jsonl"}
    rows = records((out / "explanations.jsonl").read_text(encoding="ascii"))
    assert [row["source"] for row in rows] == [f"{reviews}:{k}" for k in (1, 3, 4, 5)]
    assert [bool(row["error"]) for row in rows] == [False, False, True, False]
    page = (out / "index.html").read_text(encoding="utf-8")
    assert all(f"reviews.txt:{k}" in page for k in (1, 3, 5))
    assert page.count('class="eli5-words" dir="auto"') == 3


def test_pages_of_texts_are_linked(
    capsys: Capsys, path: str, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eli5.cli.output.CARDS", 2)
    run(capsys, "explain-text", path, reviews, "--lines", "--out", tmp_path / "explained")
    page = (tmp_path / "explained" / "index.html").read_text(encoding="utf-8")
    assert "Texts 1–2 · " in page


def test_json_is_all_that_is_printed(capsys: Capsys, path: str, reviews: Path) -> None:
    ended = run(capsys, "explain-text", path, reviews, "--lines", "--json")
    assert [row["source"] for row in records(ended.out)] == [f"{reviews}:{k}" for k in (1, 3, 4, 5)]
    assert ended.err.endswith("eli5: 3 explained, 1 skipped.\n")


def test_batches_of_any_size_give_the_same(capsys: Capsys, path: str, reviews: Path) -> None:
    said = [
        run(capsys, "explain-text", path, reviews, "--lines", "--batch-size", n).out.split("\n\n")[
            0
        ]
        for n in (1, 2, 8)
    ]
    assert said[0] == said[1] == said[2]


def test_several_classes_of_many(capsys: Capsys, path: str) -> None:
    classes = ("--class", BAD, "--class", GOOD)
    ended = run(capsys, "explain-text", path, "so good", "so bad", *classes)
    lines = ended.out.splitlines()
    starts = ["text 1: 0 ", "  0: so good", "  2: so [good +", "text 2: 0 ", "  0: so [bad +"]
    for line, start in zip(lines, starts, strict=False):
        assert line.startswith(start)


# ---- what the terminal shows ---------------------------------------------------------------------


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    ("variables", "has_colours"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_words_have_colours_on_a_terminal(
    capsys: Capsys,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    has_colours: bool,
    many: bool,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    said = run(capsys, "explain-text", path, "so good", *["so bad"] * many).out
    assert ("\x1b[1;31m[good +" in said) is has_colours
    assert ("\x1b" in said) is has_colours


def test_a_text_cannot_drive_the_terminal(capsys: Capsys, path: str) -> None:
    said = run(capsys, "explain-text", path, "so \x1b[31mgood\x07", "[red]bad[/red]").out
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "[red]" in said


# ---- models --------------------------------------------------------------------------------------


def test_a_model_that_needs_tensorflow_where_there_is_none(
    capsys: Capsys, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.saving, "load_model", _without_tensorflow)
    message = fails(capsys, "explain-text", path, "so good")
    assert "Layer TextVectorization requires TensorFlow" in message
    assert message.endswith(
        "It is needed beside any Keras backend: pip install tensorflow-cpu, or tensorflow."
    )


def _without_tensorflow(*_: object, **__: object) -> None:
    raise ImportError(
        "Layer TextVectorization requires TensorFlow. Install it via `pip install tensorflow`."
    )


def test_layers_of_a_model_of_strings(capsys: Capsys, path: str) -> None:
    assert run(capsys, "layers", path).out.splitlines()[1].split() == ["*", "words", "6"]


def test_a_model_of_texts_is_not_one_of_pictures(
    capsys: Capsys, path: str, image_path: str
) -> None:
    message = fails(capsys, "explain", path, image_path)
    assert message.endswith("with input shape (None, 1). Texts are explained by eli5 explain-text")


# ---- attention -----------------------------------------------------------------------------------


def attentive() -> keras.Model:
    """Return a reader whose words attend to each other."""
    text = keras.Input((1,), dtype="string")
    x = keras.layers.TextVectorization(
        vocabulary=["good", "bad", "film"], output_sequence_length=4
    )(text)
    x = keras.layers.Embedding(5, 4, name="words")(x)
    x = keras.layers.Add()([x, keras.layers.MultiHeadAttention(2, 2, name="mha")(x, x)])
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(text, keras.layers.Dense(2, activation="softmax")(x), name="attentive")


def test_words_by_attention(capsys: Capsys, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = attentive()
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: model)
    ended = run(capsys, "explain-text", path, "good film bad bad", "--method", "rollout", "--json")
    (row,) = map(json.loads, ended.out.splitlines())
    assert row["method"] == "Attention Rollout"
    spans = row["targets"][0]["weighted_spans"]["docs_weighted_spans"][0]["spans"]
    assert [token for token, _, _ in spans] == ["good", "film", "bad", "bad"]
    assert sum(weight for *_, weight in spans) == pytest.approx(1, abs=1e-5)
    of_layer = run(
        capsys, "explain-text", path, "good film", "--method", "chefer:layers=0,head=1", "--json"
    )
    assert "layers [0] of 1 attention, head 1" in json.loads(of_layer.out)["description"]
    ended = run(capsys, "explain-text", path, "good film", "--method", "rollout:layers=3")
    assert ended.code == 2
    assert "`layers`" in ended.err
