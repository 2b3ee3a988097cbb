"""The programs that measure: what they write down, compare and put into the docs."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import alternatives
import one_peer
import report
from agreement import describe
from facts import facts
from networks import SCENES, Scene
from peers import PEERS, Calls, Peer
from rows import Row, as_line, decode, encode

Array = np.ndarray[Any, Any]

BENCHMARKS = Path(report.__file__).parent

MET = Row("fast", 1.01, 0.99, 1.02, 1.05)
MISSED = Row("slow", 1.2, 1.1, 1.3, 1.05)
ENOUGH = Row("images", 0.95, 0.9, 1.0, 0.9, "× predict", at_least=True)
FAILED = Row("other, nested model", None, None, None, error="ValueError: no | such `layer`")


def test_a_row_tells_whether_its_goal_is_met() -> None:
    assert [row.is_met for row in (MET, MISSED, ENOUGH, FAILED)] == [True, False, True, None]
    assert MISSED._replace(goal=None).is_met is None
    assert as_line(MET).endswith("× forward                goal 1.05 ok")
    assert as_line(MISSED).endswith("NO")
    assert as_line(FAILED).endswith("fails: ValueError: no | such `layer`")


def test_rows_are_found_among_what_a_process_prints() -> None:
    printed = f"loading\n{encode(MET)}\n{encode(FAILED)}\ndone"
    assert decode(printed) == [MET, FAILED]


def picture_like(seed: int) -> Array:
    return np.random.default_rng(seed).uniform(0.1, 1, (2, 5, 7)).astype("float32")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (3 * picture_like(0), "the same"),
        (3 * picture_like(1), "the same as with `score='output'`"),
        (picture_like(2), "another, off by "),
        (picture_like(0).transpose(0, 2, 1), "another, of shape (7, 5)"),
        (0 * picture_like(0), "blank"),
        (np.full((2, 5, 7), np.nan), "not finite"),
    ],
)
def test_heatmaps_are_compared(found: Array, said: str) -> None:
    ours = {"logit": picture_like(0), "output": picture_like(1)}
    assert describe(found, ours).startswith(said)


def test_a_heatmap_of_the_size_of_the_picture_is_compared() -> None:
    ours = {"logit": picture_like(0), "output": picture_like(1)}
    large = keras.ops.image.resize(ours["logit"][..., None], (20, 28), interpolation="bicubic")
    found = keras.ops.convert_to_numpy(large)[..., 0]
    assert describe(found, ours, "bicubic") == "the same"


# ---- alternatives --------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_each_alternative_has_a_file(peer: Peer) -> None:
    tree = ast.parse((BENCHMARKS / "peers" / f"{peer.module}.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    names = [argument.arg for argument in functions["prepare"].args.args]
    assert names[:3] == ["model", "layer", "targets"]
    assert set(peer.options) <= set(names[3:])


def tiny() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((224, 224, 3)), keras.layers.GlobalMaxPooling2D()])


KNOWN = {f"here/{name}": np.ones((1, 2, 2)) for name in ("targets", "logit", "output")}


class Stub:
    """Stands in for an alternative's file: it knows one name for the layer."""

    def __init__(self, layer: str) -> None:
        self.layer = layer

    def prepare(self, model: keras.Model, layer: str, targets: Array) -> Calls:
        if layer != self.layer:
            raise LookupError(f"no layer {layer}\nand more")
        return Calls(lambda docs: docs, lambda docs: np.ones((1, 2, 2)))


@pytest.mark.parametrize(
    ("layer", "note", "error"),
    [
        ("right", "the same", ""),
        ("other", "the same (with `layer='other'`)", ""),
        ("neither", "", "LookupError: no layer right"),
    ],
)
def test_an_alternative_that_fails_is_shown_as_failing(
    layer: str, note: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peers.stub", Stub(layer))
    peer, scene = Peer("stub", "stub", ()), Scene(tiny, 1, ("right", "other"))
    row = one_peer.measure(peer, "here", scene, KNOWN, 2)
    assert (row.what, row.note, row.error) == ("stub, here", note, error)
    assert (row.value is None) == bool(error)


def test_what_is_not_installed_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Peer("absent", "absent", (keras.backend.backend(),), "no-such-distribution")
    peers = {"absent": absent, "apart": absent._replace(is_apart=True)}
    monkeypatch.setattr(alternatives, "PEERS", peers)
    monkeypatch.delenv(alternatives.ENVIRONMENT, raising=False)
    errors = [row.error for row in alternatives.alternatives(1)]
    assert errors == ["not installed", errors[1]]
    assert errors[1].endswith("--eli5-python")
    row = one_peer.measure(absent, "here", Scene(tiny, 1, ("right",)), KNOWN, 1)
    assert row.error == "ModuleNotFoundError: no-such-distribution is not installed"


def test_a_process_that_dies_is_shown_as_failing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "one_peer.py").write_text("import sys; sys.exit('out of luck')", encoding="utf-8")
    monkeypatch.setattr(alternatives, "HERE", tmp_path)
    monkeypatch.setattr(alternatives, "PEERS", {"p": Peer("p", "p", (keras.backend.backend(),))})
    rows = list(alternatives.alternatives(1))
    assert [row.on for row in rows] == list(SCENES)
    assert {row.error for row in rows} == {"the process ended with 1: out of luck"}


# ---- report --------------------------------------------------------------------------------------


def written(folder: Path, backend: str, **cases: list[Row]) -> Path:
    rows = [{"case": case, **row._asdict()} for case, found in cases.items() for row in found]
    path = folder / f"{backend}-{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps({"facts": facts() | {"backend": backend}, "rows": rows}))
    return path


def test_goals_become_a_table(tmp_path: Path) -> None:
    files = [
        written(tmp_path, "jax", cams=[MET, MISSED]),
        written(tmp_path, "torch", cams=[MET._replace(value=9.0)], more=[ENOUGH]),
        written(tmp_path, "torch", cams=[MET]),
    ]
    assert report.tables(report.read(files))["goals"].splitlines() == [
        "| What | Goal | JAX | PyTorch |",
        "| --- | --- | --- | --- |",
        "| fast | ≤ 1.05 × forward | 1.01 (0.99 … 1.02) | 1.01 (0.99 … 1.02) |",
        "| slow | ≤ 1.05 × forward | **1.20 (1.10 … 1.30)**, not met | – |",
        "| images | ≥ 0.9 × predict | – | 0.95 (0.90 … 1.00) |",
    ]


def test_alternatives_become_a_table(tmp_path: Path) -> None:
    row = Row("", 12.34, 11.1, 13.0, note="the same", subject="other", on="batch 1")
    slow = row._replace(what="8", on="batch 8", value=123.4, unit="× forward, doc by doc")
    failed = FAILED._replace(subject="other", on="nested model")
    absent = Row("gone", None, None, None, error="not installed", subject="gone")
    file = written(tmp_path, "tensorflow", peers=[row, slow, failed, absent])
    assert report.tables(report.read([file]))["peers"].splitlines()[2:] == [
        "| other | TensorFlow | 12.3 (11.1 … 13.0) | 123 (11.1 … 13.0), doc by doc | the same "
        r"| fails: ValueError: no \| such \`layer\` | – |",
        "| gone | TensorFlow | not installed | not installed | not installed | not installed "
        "| not installed |",
    ]


def test_the_parts_of_the_time_become_a_table(tmp_path: Path) -> None:
    parts = [
        Row(f"{part}, {on}", 4.0, 3.0, 5.0, None, "ms", note="40 %", subject=part, on=on)
        for on in ("batch 1", "batch 8")
        for part in ("forward", "Python")
    ]
    file = written(tmp_path, "jax", profile=parts)
    assert report.tables(report.read([file]))["profile"].splitlines() == [
        "| Part | JAX, batch 1 | JAX, batch 8 |",
        "| --- | --- | --- |",
        "| forward | 4.00 ms (40 %) | 4.00 ms (40 %) |",
        "| Python | 4.00 ms (40 %) | 4.00 ms (40 %) |",
    ]


def test_tables_are_written_between_their_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    markers = [
        f"<!-- {name}: {end} -->" for name in ("machine", "goals") for end in ("begin", "end")
    ]
    page.write_text("\n".join(["Before", *markers, "After"]), encoding="utf-8")
    file = written(tmp_path, "jax", cams=[MET])
    monkeypatch.setattr(sys, "argv", ["report.py", str(file), "--write", str(page)])
    report.main()
    report.main()
    text = page.read_text(encoding="utf-8")
    assert text.count("fast") == 1
    assert text.startswith("Before")
    assert text.endswith("After")
    assert f"keras {keras.__version__}" in text
    assert f"Python {sys.version.split()[0]}" in text
