"""A comparison that was stopped goes on: what is kept in its folder, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.metrics import Comparison
from eli5.metrics.comparison.request import as_settings
from helpers.models import make_classifier, sample

Array = np.ndarray[Any, Any]
N = 5


def docs() -> Array:
    return np.concatenate([sample((12, 20, 3), seed) for seed in range(N)])


def compare(model: keras.Model, out: Path | None, given: Any = None, **options: Any) -> Comparison:
    asked: dict[str, Any] = {"methods": ["Saliency"], "metrics": ["SRG", "Random logit"]}
    asked |= {"chunk_size": 2, "seed": 4}
    found: Comparison = eli5.compare(
        model, docs() if given is None else given, out=out, **(asked | options)
    )
    return found


def stopping(after: int) -> Iterator[Array]:
    """Yield so many docs, and then end as by Ctrl-C."""
    yield from docs()[:after]
    raise KeyboardInterrupt


def as_text(found: Comparison) -> str:
    return json.dumps({str(key): one.values.tolist() for key, one in found.results.items()})


@pytest.fixture(scope="module")
def whole(classifier: keras.Model) -> Comparison:
    return compare(classifier, None)


def test_a_run_that_was_stopped_goes_on(
    classifier: keras.Model, whole: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "deep" / "out"
    with pytest.raises(KeyboardInterrupt):
        compare(classifier, out, stopping(after=5))
    lines = (out / "chunks.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines[1:]] == [2, 2]
    assert not (out / "index.html").exists()
    # A kill within a write leaves half a line.
    with open(out / "chunks.jsonl", "a") as file:
        file.write(lines[2][:200])
    measured: list[int] = []
    monkeypatch.setattr(
        "eli5.metrics.comparison.side_by_side.measure_chunk", only(measured, at_most=1)
    )
    found = compare(classifier, out)
    assert measured == [1]
    assert as_text(found) == as_text(whole)
    assert [one[:5] for one in found.examples] == [one[:5] for one in whole.examples]
    for key, curves in whole.mean_curves.items():
        np.testing.assert_allclose(
            found.mean_curves[key].mean("highest first"), curves.mean("highest first")
        )
    assert {path.name for path in out.iterdir()} == {
        "chunks.jsonl", "comparison.json", "index.html", "table.csv",
    }  # fmt: skip
    # Once more: nothing is measured; and more docs come to those that are there.
    assert as_text(compare(classifier, out)) == as_text(whole)
    assert measured == [1]


def only(measured: list[int], at_most: int) -> Callable[..., Any]:
    """Return `measure_chunk` that counts its docs, and refuses more chunks."""
    from eli5.metrics.comparison.run import measure_chunk

    def measure(model: Any, chunk: Any, *rest: Any) -> Any:
        measured.append(len(chunk))
        assert len(measured) <= at_most
        return measure_chunk(model, chunk, *rest)

    return measure


@pytest.fixture
def begun(classifier: keras.Model, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        compare(classifier, out, stopping(after=3), metrics=["Complexity"])
    return out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 5}, r"Received: seed=5, where it has seed=4"),
        (
            {"metrics": ["SRG"]},
            r"Received: metrics=\['SRG'\], where it has metrics=\['Complexity'\]",
        ),
        ({"methods": {"Saliency": {"method": "Saliency", "n_samples": 2}}}, r"Received: methods="),
        ({"batch_size": 3}, r"Received: options=\{'batch_size': 3\}, where it has options=\{\}"),
        ({"given": docs()[::-1]}, r"Expected the docs, classes and masks that .* Received: others"),
        ({"given": docs()[:1]}, r"Expected the docs, classes and masks that"),
        ({"targets": [0] * N}, r"Expected the docs, classes and masks that"),
    ],
    ids=["seed", "metrics", "methods", "options", "docs", "fewer docs", "targets"],
)
def test_another_comparison_is_refused(
    begun: Path, classifier: keras.Model, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compare(classifier, begun, **({"metrics": ["Complexity"]} | options))


def test_settings_by_which_nothing_was_measured_bind_nobody(
    classifier: keras.Model, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="Expected `patch`"):
        compare(classifier, tmp_path, methods=[("Occlusion", {"patch": 99})])
    assert (tmp_path / "chunks.jsonl").read_text().count("\n") == 1
    found = compare(classifier, tmp_path, methods=["Occlusion"], metrics=["Complexity"])
    assert found.methods == ["Occlusion"]


def test_another_model_is_refused(begun: Path) -> None:
    other = make_classifier()
    other.set_weights([one + 1e-6 for one in other.get_weights()])
    with pytest.raises(ValueError, match="Received: model="):
        compare(other, begun, metrics=["Complexity"])


def test_the_same_weights_behind_another_activation_are_another_model(begun: Path) -> None:
    other = make_classifier()
    changed = [one for one in other.layers if getattr(one, "activation", None) is not None]
    changed[0].activation = keras.activations.tanh
    with pytest.raises(ValueError, match="Received: model="):
        compare(other, begun, metrics=["Complexity"])


def test_two_formulas_without_a_name_are_not_the_same() -> None:
    def settings(formula: Any) -> Any:
        return as_settings({"mine": {"method": formula}})

    assert settings(lambda a, g: a * g * 2) != settings(lambda a, g: a * g * 3)
    assert settings(lambda a, g: a * g) == settings(lambda a, g: a * g)


def test_one_at_a_time(begun: Path, classifier: keras.Model) -> None:
    from eli5.saving.folder_lock import open_locked

    with (
        open_locked(begun / "chunks.jsonl"),
        pytest.raises(BlockingIOError, match="on which one is at work right now"),
    ):
        compare(classifier, begun, metrics=["Complexity"])


def test_what_is_not_a_folder_of_comparisons(classifier: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"which holds other files"):
        compare(classifier, tmp_path)
    with pytest.raises(ValueError, match=r"Expected `out` to be a folder\. Received: .*a file"):
        compare(classifier, tmp_path / "note.txt")
    with pytest.raises(TypeError, match="Expected `out` to be a folder, as a string or a path"):
        compare(classifier, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("line", ["{}", "[1", '{"n": 1}'])
def test_lines_that_cannot_be_read(begun: Path, classifier: keras.Model, line: str) -> None:
    with open(begun / "chunks.jsonl", "a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=r"Received: line 3, which cannot be read"):
        compare(classifier, begun, metrics=["Complexity"])


# ---- a comparison in a file ----------------------------------------------------------------------


def test_it_comes_back_from_json(whole: Comparison, tmp_path: Path) -> None:
    whole.save(path := tmp_path / "comparison.json")
    again = Comparison.load(path)
    assert repr(again) == repr(whole)
    assert (again.model, again.seed, again.seconds) == (whole.model, whole.seed, whole.seconds)
    assert again.examples == whole.examples
    again.save(second := tmp_path / "again.json")
    assert second.read_bytes() == path.read_bytes()
    whole.save(table := tmp_path / "table.csv")
    head, first, *_ = table.read_text().splitlines()
    assert head.startswith("method,metric,better,mean,low,high,docs,failed,passes")
    assert float(first.split(",")[3]) == whole.rows[0].mean


def test_numbers_that_are_none_come_back() -> None:
    from eli5.metrics.comparison.records import _array, _numbers

    values = np.array([np.nan, np.inf, -np.inf, 0.1, 1e-300])
    np.testing.assert_array_equal(_array(json.loads(json.dumps(_numbers(values)))), values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "cannot be read"),
        ('{"kind": "other"}', r"it is no comparison of version 1, but of kind 'other'"),
        ('{"kind": "eli5 comparison", "version": 2}', "and version 2"),
        ('{"kind": "eli5 comparison", "version": 1}', "KeyError"),
    ],
)
def test_what_is_no_comparison_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        Comparison.load(path)


def test_examples_that_are_none_are_refused(whole: Comparison, tmp_path: Path) -> None:
    whole.save(path := tmp_path / "comparison.json")
    document = json.loads(path.read_text())
    (first, *_) = document["examples"]["explanations"]
    several = {"version": first["version"], "saved_with": {}, "explanations": []}
    document["examples"]["explanations"][0] = several
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="one of its examples is no explanation"):
        Comparison.load(path)


def test_other_files_are_refused(whole: Comparison, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`path` to end in one of \.html, \.json, \.csv"):
        whole.save(tmp_path / "page.pdf")
    with pytest.raises(TypeError, match="Expected `path` to be a string or a path"):
        whole.save(3)  # type: ignore[arg-type]
