"""``eli5 explain`` on models and pictures that it should explain."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import pytest
from keras import layers

from helpers.cli_helpers import BLUE, GREEN, RED, colour_model, run, saved, two_colours

Capsys = pytest.CaptureFixture[str]


# ---- what is explained ---------------------------------------------------------------------------


def test_top_class_with_layer_score_input_and_time(
    capsys: Capsys, model_path: str, image_path: str
) -> None:
    ended = run(capsys, "explain", model_path, image_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.fact("Model") == "colour_model"
    assert ended.fact("Method") == "Grad-CAM"
    assert ended.fact("Layer") == "colours"
    # Two thirds are blue, one third is red: softmax(10 * [1/3, 0, 2/3]).
    ((label, probability, log_odds),) = ended.rows()
    assert label == str(BLUE)
    assert float(probability) == pytest.approx(0.965, abs=0.01)
    odds = float(probability) / (1 - float(probability))
    assert float(log_odds) == pytest.approx(math.log(odds), abs=0.02)
    assert "Class  Probability  Log-odds (explained)" in ended.out
    assert ended.fact("Input") == (
        f"{image_path} (60x40) as 32x32 RGB, 0 to 255, which the model's layer 'rescale' scales"
    )
    backend = keras.backend.backend()
    assert f" s on {backend}, after " in ended.fact("Time")
    assert "Warning" not in ended.out
    assert "Overlay" not in ended.out


def test_classes_in_the_order_asked_for_and_once_each(
    capsys: Capsys, model_path: str, image_path: str
) -> None:
    ended = run(
        capsys, "explain", model_path, image_path, "--class", 0, "--class", 2, "--class", "0"
    )
    assert [label for label, *_ in ended.rows()] == ["0", "2"]


def test_top_classes_from_the_likeliest_down(
    capsys: Capsys, model_path: str, image_path: str
) -> None:
    ended = run(capsys, "explain", model_path, image_path, "--top", "3")
    assert [label for label, *_ in ended.rows()] == [str(k) for k in (BLUE, RED, GREEN)]


def test_class_names_come_from_the_labels(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    # A byte order mark and Windows line ends; no name is markup, or drives the terminal.
    labels.write_bytes("\ufeff[red]ro:t:[/red]\r\ngrün\x1b[31m\r\n青\r\n\r\n".encode())
    ended = run(capsys, "explain", model_path, image_path, "--labels", labels, "--top", "3")
    assert [label for label, *_ in ended.rows()] == [
        "青 (2)",
        "[red]ro:t:[/red] (0)",
        "grün�[31m (1)",
    ]
    assert "The labels are" not in ended.out


def test_classes_by_name_and_number(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("red\ngreen\nblue\n", encoding="utf-8")
    asked = ("--labels", labels, "--class", "blue", "--class", "0", "--score", "log-odds")
    ended = run(capsys, "explain", model_path, image_path, *asked)
    assert [label for label, *_ in ended.rows()] == [f"blue ({BLUE})", f"red ({RED})"]
    values = run(capsys, "explain", model_path, image_path, "--task", "regression", "--class", "2")
    assert "Output  Score (explained)\n" in values.out


def test_labels_of_another_model_are_warned_of(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("background\nred\ngreen\nblue\n", encoding="utf-8")
    ended = run(capsys, "explain", model_path, image_path, "--labels", labels)
    assert ended.code == 0
    assert ended.fact("Warning") == (
        "The labels are 4 and the model's classes 3: they may belong to another model."
    )


@pytest.mark.parametrize("layer", ["scaled", "1", "-4"])
def test_layer_by_name_or_index(
    capsys: Capsys, image_path: str, tmp_path: Path, layer: str
) -> None:
    first = [layers.Rescaling(1 / 255), layers.Activation("relu", name="scaled")]
    path = saved(colour_model(*first), tmp_path)
    assert run(capsys, "explain", path, image_path, "--layer", layer).fact("Layer") == "scaled"


def test_score_output_is_explained_if_asked_for(
    capsys: Capsys, model_path: str, image_path: str
) -> None:
    by_default = run(capsys, "explain", model_path, image_path)
    asked = run(capsys, "explain", model_path, image_path, "--score", "output")
    assert "the log-odds of the class" in by_default.out
    assert "the model's output" in asked.out
    assert "Class  Probability (explained)\n" in asked.out
    probability = by_default.rows()[0][1]
    assert probability in asked.out


def test_empty_heatmap_is_told_once(capsys: Capsys, model_path: str, image_path: str) -> None:
    ended = run(capsys, "explain", model_path, image_path, "--class", GREEN)
    assert ended.code == 0
    assert ended.out.count("The heatmap of target 1 at layer 'colours' is empty: ") == 1


def test_h5_file_is_explained_too(capsys: Capsys, image_path: str, tmp_path: Path) -> None:
    path = saved(colour_model(), tmp_path, "model.h5")
    assert run(capsys, "explain", path, image_path).rows()[0][0] == str(BLUE)


def test_long_names_are_neither_wrapped_nor_cut_off(
    capsys: Capsys, model_path: str, tmp_path: Path
) -> None:
    image = tmp_path / f"{'long ' * 40}.png"
    two_colours().save(image)
    assert run(capsys, "explain", model_path, image).fact("Input").startswith(f"{image} (60x40)")


# ---- the command itself --------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(capsys: Capsys, argv: list[str]) -> None:
    ended = run(capsys, *argv)
    assert ended.code == 0
    for command in ("explain", "layers", "methods", "demo", "--version", "--install-completion"):
        assert f" {command} " in ended.out


@pytest.mark.parametrize(
    "command", ["explain", "layers", "methods", "demo", "--install-completion"]
)
def test_help_of_a_command_has_its_own_examples(capsys: Capsys, command: str) -> None:
    ended = run(capsys, command, "--help")
    assert ended.code == 0
    assert f"eli5 {command}" in ended.out.partition("Examples")[2]


def test_help_of_a_command_has_its_options_and_examples(capsys: Capsys) -> None:
    ended = run(capsys, "explain", "--help")
    assert ended.code == 0
    for option in (
        *("class", "top", "method", "layer", "score", "preprocess", "labels", "weights"),
        *("batch-size", "out", "json"),
    ):
        assert f"--{option} " in ended.out
    assert ended.out.startswith("Usage: eli5 explain [OPTIONS] MODEL IMAGES...\n")
    assert "eli5 explain MobileNetV2 cat.jpg --top 3 --out cat.png" in ended.out
    assert "--no-" not in ended.out
    assert "--empty-" not in ended.out
