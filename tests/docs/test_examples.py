"""The notebooks of examples/ run on each backend, show what their files show, and are right."""

from __future__ import annotations

import io
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import nbformat
import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError
from PIL import Image

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))

from execute import FOLDER, execute, tidy

# How far numbers and colours (0 to 255) may be off, where training adds rounding up; and what holds
# at the end of each. None: so far that other words stand in the lists of the heaviest ones.
NOTEBOOKS = {
    "first-explanation": (
        0.01,
        15,
        """
assert [target.class_name for target in top.targets] == ["star", "square", "ring"]
assert not empty.targets[0].heatmap.any() and "saturated" in str(caught[0].message)
with Image.open("first-explanation.png") as picture:
    assert picture.width > 3 * image.width
""",
    ),
    "choosing": (
        0.01,
        15,
        """
def heat_on(expl, name):
    heat = expl.targets[0].heatmap
    n = 128 // len(heat)
    mask = scene.masks[scene.kinds.index(class_names.index(name))]
    return heat.repeat(n, axis=0).repeat(n, axis=1)[mask].sum() / heat.sum() / n**2

grad_cam, hires_cam, layer_cam, eigen_cam = explanations
assert heat_on(grad_cam, "square") > 0.9 and heat_on(hires_cam, "square") > 0.9
assert heat_on(layer_cam, "star") > 0.2 and heat_on(eigen_cam, "star") > 0.4
assert heat_on(by_pixel[0], "star") > 0.2 and heat_on(by_pixel[2], "square") > 0.4
assert abs(gradients.details["completeness_error"]) < 0.1
assert heat_on(occluded, "square") > 0.5
assert heat_on(through[0], "star") > 0.8 * heat_on(through[0], "square")
assert heat_on(through[2], "square") > 0.9
assert all(heat_on(one, "square") > 0.7 and heat_on(one, "star") < 0.15 for one in fused)
assert heat_on(against, "square") > 0.7 and heat_on(signed, "star") > 0.85
assert heat_on(contrast, "star") > 0.8
contrast.targets[0].heatmap = (-contrast.targets[0].attribution).clip(0)
assert heat_on(contrast, "square") > 0.6
""",
    ),
    "segmenters": (
        0.01,
        15,
        """
def heat_on(expl, k, mask):
    heat = expl.heatmap_on_input(k)
    return heat[mask].sum() / heat.sum()

first, second = scene.masks
assert heat_on(regions, 0, first) > 0.25 and heat_on(regions, 1, second) > 0.5
assert heat_on(sharper, 0, first) > 0.7 and heat_on(sharper, 1, second) > 0.7
assert heat_on(pixel, 0, first) > 0.8 and heat_on(half, 0, left) > 0.5
assert heat_on(contrast, 0, first) > 0.7 and heat_on(hidden, 0, first) > 0.6
assert pixel.targets[0].class_name == present[0] != absent
""",
    ),
    "detectors": (
        0.01,
        15,
        """
def heat_in(expl, k, box):
    heat = expl.heatmap_on_input(k)
    left, top, right, bottom = (max(round(one), 0) for one in box)
    return heat[top:bottom, left:right].sum() / heat.sum()

boxes = [one.region.xyxy for one in detections.targets]
assert min(heat_in(detections, k, box) for k, box in enumerate(boxes)) > 0.9
assert heat_in(missing, 0, place) > 0.7 and heat_in(masked, 0, boxes[0]) > 0.5
assert own.targets[1].explained_name == "IoU" and missing.targets[0].explained < 0
""",
    ),
    "transfer-learning": (
        0.06,
        80,
        """
assert accuracy(model, new_pictures, new_kinds) >= 0.98
assert accuracy(model, garden_pictures, garden_kinds) < 0.75
assert accuracy(mended, garden_pictures, garden_kinds) >= 0.95
assert float(peaks_on_label(model, new_pictures, new_kinds).loc["striped"].iloc[0][:-1]) > 90
assert float(peaks_on_label(mended, new_pictures, new_kinds).loc["striped"].iloc[0][:-1]) < 10
assert len(wrong) == 2
assert watching.page.is_file() and "Epoch 4" in watching.page.read_text(encoding="utf-8")
""",
    ),
    "text": (
        None,
        255,
        """
assert accuracy(model, *reviews(200)) > 0.97
assert accuracy(cinema, *reviews(200, (0, 0, 0.9))) > 0.95
assert accuracy(cinema, *reviews(200, (1, 1, 1))) < 0.7
assert accuracy(mended, *reviews(200, (1, 1, 1))) > 0.95
assert rows.groupby("token")["weight"].mean().idxmax() == "popcorn"
def words_of(expl, k=0):
    weights = {word: weight for word, _, weight in
               expl.targets[k].weighted_spans.docs_weighted_spans[0].spans}
    return sorted(weights, key=weights.get)

def asked_of(model, text, method="Occlusion", **options):
    return eli5.explain_prediction(model, **asked(text), method=method, **options)

assert words_of(expl)[-1] == "lovely" and len(target.heatmap) == 7
assert all(set(words_of(one)[-2:]) <= {"not", "awful", "was"} for one in explanations)
assert all(words_of(one)[-1] in ("not", "awful") for one in explanations)
both = asked_of(model, "this film was not great", top_targets=2)
assert [one.class_name for one in both.targets] == ["bad", "good"]
assert words_of(both)[-1] == words_of(both, 1)[0] == "great"
shortcut, right = (asked_of(one, "the cast is dull with popcorn") for one in (cinema, mended))
assert shortcut.targets[0].class_name == "good" and words_of(shortcut)[-1] == "popcorn"
assert right.targets[0].class_name == "bad" and words_of(right)[-1] == "dull"
gradients = explanations[1].targets[0].details
assert abs(gradients["completeness_error"]) < 0.02
raw_text = eli5.explain_prediction(raw, "Well... this MOVIE was NOT awful!", method="Occlusion")
assert set(words_of(raw_text)[-2:]) == {"not", "awful"}
assert len(bare.targets[0].heatmap) == N_STEPS
""",
    ),
    "series": (
        0.05,
        40,
        """
assert inside > 0.5 and start <= heatmap.argmax() < start + 24
for one in by_value:
    heat = one.targets[0].heatmap
    assert heat.shape == (200, 3) and heat[:, 1].sum() > 0.8 * heat.sum()
    assert heat[:, 1].argmax() < start + 25
assert both.targets[0].attribution.min() < -2 * abs(both.targets[0].attribution.max())
assert 70_000 <= found.targets[0].heatmap.argmax() < 70_024
assert len(found.targets[0].heatmap) == 100_000
""",
    ),
}

OFFLINE = """
import socket

def refuse(*address):
    raise AssertionError(f"the notebook connects to {address}")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""

# A folder of a machine, or an object's place in memory.
OF_A_MACHINE = re.compile(r"/(home|root|tmp|usr|opt|var|work|Users)/|\b[A-Z]:\\|0x[0-9a-f]{6}")
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]\d+)?%?")


def stored(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(cell: Any) -> Iterator[tuple[str, str]]:
    """Yield the kind of each output and what it shows as text, or its picture."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.name, output.text
        elif "image/png" in output.get("data", {}):
            yield "image", output.data["image/png"]
        else:
            yield output.output_type, output.get("data", {}).get("text/plain", str(output))


def numbers(text: str) -> list[float]:
    found = NUMBER.findall(text)
    return [float(one.removesuffix("%")) / (100 if one.endswith("%") else 1) for one in found]


def thumbnail(png: str) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(b64decode(png))) as image:
        return np.asarray(image.convert("RGB").resize((24, 24), Image.Resampling.BOX), int)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_shows_what_its_file_shows(name: str, tmp_path: Path) -> None:
    tolerance, levels, checks = NOTEBOOKS[name]
    notebook = stored(name)
    before, after = map(nbformat.v4.new_code_cell, (OFFLINE, checks))
    notebook.cells = [before, *notebook.cells, after]
    execute(notebook, tmp_path, KERAS_BACKEND=keras.backend.backend())
    notebook.cells = notebook.cells[1:-1]
    for cell, shown in zip(code_cells(tidy(notebook)), code_cells(stored(name)), strict=True):
        for (kind, new), (old_kind, old) in zip(outputs(cell), outputs(shown), strict=True):
            assert kind == old_kind, f"{cell.source}\n{new}"
            if kind == "image":
                difference = abs(thumbnail(new) - thumbnail(old)).max()
                assert difference < levels, cell.source
            elif tolerance is not None:
                assert NUMBER.sub("#", new).split() == NUMBER.sub("#", old).split()
                assert numbers(new) == pytest.approx(numbers(old), rel=0.01, abs=tolerance)


# ---- the files -----------------------------------------------------------------------------------


def test_each_notebook_is_run_here_and_named_in_the_readme() -> None:
    assert sorted(NOTEBOOKS) == sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([\w-]+)\.ipynb\)", readme)
    assert links == list(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_file_was_run_from_top_to_bottom(name: str) -> None:
    cells = code_cells(stored(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {kind for cell in cells for kind, _ in outputs(cell)}
    assert kinds <= {"stdout", "image", "execute_result", "display_data"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_file_is_small_valid_and_tells_nothing_of_the_machine(name: str) -> None:
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 1_500_000
    notebook = stored(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        texts = [cell.source]
        for output in cell.get("outputs", ()):
            texts += [output.get("text", "")]
            texts += [v for k, v in output.get("data", {}).items() if k != "image/png"]
        assert not any(map(OF_A_MACHINE.search, texts))
    kept = notebook.metadata, [cell.metadata for cell in notebook.cells]
    tidied = tidy(stored(name))
    assert kept == (tidied.metadata, [cell.metadata for cell in tidied.cells])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_file_runs_without_tensorflow_and_says_how_to_choose(name: str) -> None:
    first, *others = code_cells(stored(name))
    assert 'os.environ["KERAS_BACKEND"] = "jax"' in first.source
    assert re.findall("^(?:import|from) .*", first.source, flags=re.MULTILINE) == ["import eli5"]
    assert not any("import eli5\n" in cell.source for cell in others)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_links_lead_to_files(name: str) -> None:
    text = "\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (FOLDER / link).is_file()


# ---- execute.py ----------------------------------------------------------------------------------


def notebook_of(*sources: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, sources)))


def test_notebooks_run_with_this_python_and_without_the_users_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("print('settings of the user')", encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = notebook_of("import os, sys\nprint(sys.executable, os.getcwd(), os.environ['MORE'])")
    (tmp_path / "here").mkdir()
    execute(notebook, tmp_path / "here", MORE="more")
    assert [*outputs(notebook.cells[0])] == [
        ("stdout", f"{sys.executable} {(tmp_path / 'here').resolve()} more\n")
    ]
    assert not list((tmp_path / "here").iterdir())


def test_the_network_and_warnings_are_noticed(tmp_path: Path) -> None:
    connects = "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')"
    with pytest.raises(CellExecutionError, match="the notebook connects to"):
        execute(notebook_of(OFFLINE, connects), tmp_path)
    notebook = notebook_of("import warnings\nwarnings.warn('look out')")
    execute(notebook, tmp_path)
    ((kind, text),) = outputs(notebook.cells[0])
    assert kind == "stderr"
    assert "look out" in text


def test_tidy_leaves_out_what_need_not_be_kept() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 4), np.uint8)
    pixels[..., 3] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    png = b64encode(file.getvalue()).decode()
    notebook = notebook_of("1", "2")
    notebook.metadata["language_info"] = {"name": "python", "version": "3.99"}
    notebook.cells[0].metadata["execution"] = {"started": "today"}
    data = [{"image/png": png, "text/html": "a page", "text/plain": "text"}, {"text/html": "table"}]
    for cell, one in zip(notebook.cells, data, strict=True):
        cell.outputs = [nbformat.v4.new_output("display_data", one)]
    first, second = tidy(notebook).cells
    assert notebook.metadata["language_info"] == {"name": "python"}
    assert first.metadata == {}
    assert sorted(first.outputs[0].data) == ["image/png", "text/plain"]
    assert second.outputs[0].data == {"text/html": "table"}
    smaller = first.outputs[0].data["image/png"]
    assert len(smaller) < len(png) / 2
    assert abs(thumbnail(smaller) - thumbnail(png)).max() < 40
