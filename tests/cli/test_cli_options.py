"""What Python's options are on the command line: methods and their options, sign, colours, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.cli.console import UserError
from eli5.cli.options import read_methods, read_options
from eli5.keras import METHODS, target_layers
from eli5.loading.typed_options import read_value
from helpers.cli_helpers import SIZE, colour_model, fails, records, run, saved

Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> keras.Model:
    return colour_model()


@pytest.fixture(scope="module")
def path(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(model, tmp_path_factory.mktemp("model"))


# ---- what is typed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("200", 200),
        ("0.5", 0.5),
        ("-1e-3", -0.001),
        ("true", True),
        ("False", False),
        ("none", None),
        ("8,8", [8, 8]),
        ("[8, 4]", [8, 4]),
        ("blur", "blur"),
        ("a,b", "a,b"),
        ('"200"', "200"),
    ],
)
def test_values(typed: str, value: Any) -> None:
    found = read_value(typed)
    assert (found, type(found)) == (value, type(value))


def test_methods_with_options_of_their_own() -> None:
    assert read_methods(None) == ["Grad-CAM"]
    assert read_methods(["LIME", "RISE:n_masks=200,cells=6", "Occlusion:patch=8,8", "LIME"]) == [
        "LIME",
        ("RISE", {"n_masks": 200, "cells": 6}),
        ("Occlusion", {"patch": [8, 8]}),
    ]
    assert read_options(["n-masks=3", "baseline = blur"]) == {"n_masks": 3, "baseline": "blur"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["n_masks"], r"as NAME=VALUE, such as --option n_masks=200\. Received: --option n_masks$"),
        (["n_masks="], r"Received: --option n_masks=$"),
        (["=3"], r"Received: --option =3$"),
        (["a=1", "a=2"], r"each option of a method once\. Received: --option a=2, twice"),
    ],
)
def test_what_is_no_option(options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_options(options)


def test_what_is_no_option_behind_a_method() -> None:
    expected = r"such as --method RISE:n_masks=200\. Received: --method RISE:200$"
    with pytest.raises(UserError, match=expected):
        read_methods(["RISE:200"])


# ---- what comes of it ----------------------------------------------------------------------------


def heatmaps(text: str) -> list[np.ndarray[Any, Any]]:
    return [np.array(one["targets"][0]["heatmap"]) for one in records(text)]


def test_options_are_those_of_python(
    capsys: Capsys, path: str, model: keras.Model, image_path: str
) -> None:
    asked = [
        *("--method", "RISE:n_masks=20,cells=4", "--method", "Occlusion"),
        *("--option", "patch=8,16", "--option", "seed=3", "--sign", "negative"),
    ]
    ended = run(capsys, "explain", path, image_path, *asked, "--class", 1, "--json")
    assert (ended.code, ended.err) == (0, "")
    doc = np.asarray(Image.open(image_path).convert("RGB").resize((SIZE, SIZE), 2), "float32")[None]
    found = eli5.explain_prediction(
        model,
        doc,
        methods=[("RISE", {"n_masks": 20, "cells": 4, "seed": 3}), "Occlusion"],
        patch=(8, 16),
        sign="negative",
        classes=[1],
    )
    for one, expected in zip(heatmaps(ended.out), found, strict=True):
        np.testing.assert_allclose(one, expected.targets[0].heatmap, atol=1e-6)


def test_an_option_without_a_flag_of_its_own(capsys: Capsys, path: str, image_path: str) -> None:
    asked = ["--option", "fusion=max", "--option", "data_format=channels_last"]
    assert run(capsys, "explain", path, image_path, *asked).code == 0
    assert "Received: fusion='least'" in fails(
        capsys, "explain", path, image_path, "--option", "fusion=least"
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            ["--option", "layer=3"],
            "Expected an option of a method, or one of input, output, grid, ",
        ),
        (["--option", "n_mask=3", "--method", "RISE"], "Received: n_mask=3. Did you mean"),
        (["--method", "RISE:n_samples=3"], "Received: n_samples=3. "),
        (["--sign", "neutral"], "Invalid value"),
        (["--sign", "negative", "--method", "Saliency"], "Received: Saliency, whose map has no "),
        (["--colormap", "magma"], "Expected --colormap and --signed only where something is d"),
        (["--signed", "--out", "a.json"], "Received: --signed. Add --out overlay.png, or a folder"),
        (["--class", "1", "--top", "2"], "Expected either --class or --top. Received: both, --cla"),
    ],
)
def test_what_does_not_go(
    asked: list[str], message: str, capsys: Capsys, path: str, image_path: str
) -> None:
    assert message in fails(capsys, "explain", path, image_path, *asked)


def test_colours_of_overlays(
    capsys: Capsys, path: str, model: keras.Model, image_path: str, tmp_path: Path
) -> None:
    pictures = []
    for look in ([], ["--colormap", "magma"], ["--signed"]):
        out = tmp_path / "overlay.png"
        assert run(capsys, "explain", path, image_path, *look, "--out", out).code == 0
        pictures.append(out.read_bytes())
    assert len(set(pictures)) == 3
    folder = tmp_path / "folder"
    for look in ([], ["--colormap", "magma"]):
        assert run(capsys, "explain", path, image_path, *look, "--out", f"{folder}/").code == 0
        pictures.append(next(folder.glob("*.png")).read_bytes())
    assert pictures[3:] == pictures[:2]
    assert ">Speaks " not in (folder / "index.html").read_text(encoding="utf-8")
    page = tmp_path / "page.html"
    assert run(capsys, "explain", path, image_path, "--signed", "--out", page).code == 0
    assert ">Speaks " in page.read_text(encoding="utf-8")
    assert run(capsys, "explain", path, image_path, "--signed", "--out", f"{folder}/").code == 0
    assert ">Speaks " in (folder / "index.html").read_text(encoding="utf-8")
    message = fails(capsys, "explain", path, image_path, "--colormap", "nope", "--out", out)
    assert message.startswith(
        "Expected --colormap to be the name of a colormap. Received: --colorm"
    )


# ---- one JSON document ---------------------------------------------------------------------------


def test_layers_as_json(capsys: Capsys, path: str, model: keras.Model) -> None:
    ended = run(capsys, "layers", path, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "model": "colour_model",
        "why_no_default": None,
        "layers": [
            {
                "name": one.name,
                "call": one.nth,
                "grid": list(one.grid),
                "is_default": one.name == "colours",
            }
            for one in target_layers(model)
        ],
    }


def test_methods_as_json(capsys: Capsys) -> None:
    ended = run(capsys, "methods", "--json")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)["methods"]
    assert [(one["name"], one["good_for"], one["cost"], one["paper"]) for one in found] == [
        (one.name, one.good_for, one.cost, one.paper) for one in METHODS.values()
    ]
    assert found[0]["url"] == "https://arxiv.org/abs/1610.02391"
    assert {one["url"] is None for one in found if one["paper"] == "no paper"} == {True}


def test_methods_fit_a_terminal_and_their_links_can_be_copied(capsys: Capsys) -> None:
    lines = run(capsys, "methods").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 3 * len(METHODS)
    for row, method in zip(zip(*[iter(lines)] * 3, strict=True), METHODS.values(), strict=True):
        assert row[0] == f"{method.name:<22} {method.good_for}"
        assert method.good_for
        assert row[1].strip() == method.cost
        number = method.paper.partition(":")[2] or method.paper
        assert row[2].strip().endswith(number)
        assert row[2].count(" https://") == (method.paper != "no paper")
