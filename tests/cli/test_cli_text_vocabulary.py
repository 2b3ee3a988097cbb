"""``eli5 explain-text --vocabulary``: texts for models that take token ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.cli_helpers import colour_model, fails, records, run
from helpers.word_models import GOOD, N_STEPS, WORDS, ids_model

Capsys = pytest.CaptureFixture[str]

TEXT = "The film\nwas GOOD"
IDS = [6, 5, 7, 3, 0, 0]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return ids_model()


@pytest.fixture(autouse=True)
def _loaded(model: keras.Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the command have one and the same model, but for what it has put in front of it."""
    monkeypatch.chdir(tmp_path)
    h5py.File("model.h5", "w").close()
    loads(monkeypatch, model)
    write(WORDS)


def loads(monkeypatch: pytest.MonkeyPatch, model: keras.Model) -> None:
    def load(*_: object, **__: object) -> Any:
        if hasattr(model, "preprocessor"):
            del model.preprocessor
        return model

    monkeypatch.setattr(keras.saving, "load_model", load)


def write(words: list[str]) -> None:
    Path("words.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


VOCABULARY = ("--vocabulary", "words.txt")


def said(capsys: Capsys, *arguments: object) -> dict[str, Any]:
    """Return the explanation of a text, as it is in JSON, and the warnings."""
    ended = run(capsys, "explain-text", "model.h5", *arguments, *VOCABULARY, "--json")
    assert ended.code == 0
    (row,) = records(ended.out)
    (text,) = row["targets"][0]["weighted_spans"]["docs_weighted_spans"]
    return {**row["targets"][0], **text, "notes": ended.err}


def test_words_are_looked_up_and_lie_where_they_are_in_the_text(
    capsys: Capsys, model: keras.Model
) -> None:
    found = said(capsys, TEXT)
    expected = eli5.explain_prediction(model, np.array([IDS], "int32"), pad_value=0)
    assert found["document"] == TEXT
    assert [span[0] for span in found["spans"]] == ["the", "film", "was", "good"]
    assert [TEXT[a:b] for _, ((a, b),), _ in found["spans"]] == ["The", "film", "was", "GOOD"]
    assert found["target"] == GOOD
    np.testing.assert_allclose(
        found["attribution"], expected.targets[0].attribution, rtol=1e-5, atol=1e-7
    )
    assert found["score"] == pytest.approx(expected.targets[0].score, rel=1e-5)
    assert found["notes"] == ""


@pytest.mark.parametrize("method", ["Occlusion", "Integrated Gradients"])
def test_methods_leave_words_out_as_for_ids(
    capsys: Capsys, model: keras.Model, method: str
) -> None:
    found = said(capsys, TEXT, "--method", method)
    expected = eli5.explain_prediction(
        model, np.array([IDS], "int32"), pad_value=0, method=method
    ).targets[0]
    np.testing.assert_allclose(found["attribution"], expected.attribution, atol=1e-5)


def test_a_word_that_is_not_there_is_unknown(capsys: Capsys) -> None:
    found = said(capsys, "A good, good film")
    assert [span[0] for span in found["spans"]] == ["[UNK]", "[UNK]", "good", "film"]
    assert found["spans"][1][1] == [[2, 7]]
    assert found["notes"] == (
        "eli5: Some words are not in the vocabulary and are [UNK] for the model.\n"
    )


def test_without_a_word_for_that_it_is_left_out(capsys: Capsys) -> None:
    write(["[PAD]", "else", *WORDS[2:]])
    found = said(capsys, "a good film")
    assert [span[0] for span in found["spans"]] == ["good", "film"]
    assert found["notes"] == "eli5: Some words are not in the vocabulary and are left out.\n"
    message = fails(capsys, "explain-text", "model.h5", "a b", *VOCABULARY)
    assert message.endswith("that the model knows. Received: 'a b', 6 steps of padding")


def test_what_is_too_long_is_cut_off(capsys: Capsys) -> None:
    found = said(capsys, "good film good film good film was bad")
    assert len(found["spans"]) == N_STEPS
    assert found["notes"] == (
        "eli5: The text is longer than the 6 tokens that the model takes: it is cut off after "
        "them.\n"
    )


def test_padding_has_the_id_that_is_said(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["was", *WORDS[1:7], "[FILL]"]
    write(words)
    message = fails(capsys, "explain-text", "model.h5", "good", *VOCABULARY)
    assert message.startswith("Expected --pad-value, as the model takes 6 ids, and the first word ")
    seen: list[Any] = []
    from eli5.keras.pipeline import explain

    explain_batch = explain.explain_batch

    def seeing(request: Any, samples: Any, size: Any = None) -> Any:
        seen.extend(sample.values.tolist() for sample in samples)
        return explain_batch(request, samples, size)

    monkeypatch.setattr("eli5.keras.pipeline.explain.explain_batch", seeing)
    found = said(capsys, "the good", "--pad-value", "7")
    assert seen == [[[6, 3, 7, 7, 7, 7]]]
    assert [span[0] for span in found["spans"]] == ["the", "good"]


def test_a_model_of_any_length_needs_no_padding(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads(monkeypatch, ids_model(None))
    write(["is", *WORDS[1:]])
    texts = ["good " * 9, "the bad film", "the good film"]
    ended = run(capsys, "explain-text", "model.h5", *texts, *VOCABULARY, "--json")
    assert ended.err == ""
    heatmaps = [row["targets"][0]["heatmap"] for row in records(ended.out)]
    assert list(map(len, heatmaps)) == [9, 3, 3]
    assert [heatmap.index(1) for heatmap in heatmaps[1:]] == [1, 1]


@pytest.mark.parametrize(
    ("make", "words", "message"),
    [
        (lambda: ids_model(), [*WORDS, "more"], "with at most 8 words. Received: 9 lines in "),
        (colour_model, WORDS, "Expected a model with token ids as its one input, of shape (tokens"),
    ],
)
def test_a_vocabulary_of_another_model(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch, make: Any, words: list[str], message: str
) -> None:
    loads(monkeypatch, make())
    write(words)
    assert message in fails(capsys, "explain-text", "model.h5", "good", *VOCABULARY)


def test_ids_need_a_vocabulary(capsys: Capsys) -> None:
    message = fails(capsys, "explain-text", "model.h5", "good")
    assert message.startswith("Expected a model that takes texts, or --vocabulary for one that ")


def test_a_model_with_a_preprocessor_of_its_own_takes_no_vocabulary(
    capsys: Capsys, model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(capsys, "good")["target"] == GOOD  # which has put a preprocessor in front of it
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: model)
    ended = run(capsys, "explain-text", "model.h5", "good")
    assert ended.fact("Input").endswith("as token ids, by the model's own preprocessor")
    message = fails(capsys, "explain-text", "model.h5", "good", *VOCABULARY)
    assert message.startswith("Expected --vocabulary only for a model that takes token ids.")


def test_strings_that_do_not_go_straight_into_the_model(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow", reason="TextVectorization runs on TensorFlow")
    counts = layers.TextVectorization(vocabulary=WORDS[2:], output_mode="count")
    both = [layers.TextVectorization(vocabulary=["a"]), layers.Embedding(3, 2), counts]
    loads(monkeypatch, keras.Sequential(both))
    message = fails(capsys, "explain-text", "model.h5", "good")
    assert message.startswith("Expected a model with a TextVectorization as its first layer")
