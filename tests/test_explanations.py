"""Several explanations in one list: it is a list in all, and shows, plots and saves itself."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eli5
from eli5.base import DocWeightedSpans, Explanation, TargetExplanation, WeightedSpans
from eli5.explanations import ExplanationStream
from helpers.explanations import full_explanation
from helpers.pages import explanation
from helpers.photos import photo

NAMES = ["a.jpg", "b.jpg", "c.jpg"]


def named(name: str, **fields: Any) -> Explanation:
    expl = explanation(photo(30, 20))
    expl.source = name
    for field, value in fields.items():
        setattr(expl, field, value)
    return expl


def of_text() -> Explanation:
    spans = WeightedSpans([DocWeightedSpans("not great", [("not", [(0, 3)], -0.5)])])
    return Explanation("reader", targets=[TargetExplanation(1, weighted_spans=spans)])


@pytest.fixture
def three() -> eli5.Explanations:
    return eli5.Explanations(map(named, NAMES))


@pytest.fixture
def mixed() -> eli5.Explanations:
    failed = Explanation("net", error="It is no picture.", source="broken.jpg")
    return eli5.Explanations([named("a.jpg"), of_text(), failed])


def sources(explanations: Any) -> list[str]:
    assert type(explanations) is eli5.Explanations
    return [one.source for one in explanations]


def test_it_is_one_class_under_both_names() -> None:
    assert eli5.Explanations is eli5.base.Explanations
    assert issubclass(eli5.Explanations, list)


def test_slices_sums_and_copies_are_of_its_kind(three: eli5.Explanations) -> None:
    assert sources(three[1:]) == NAMES[1:]
    assert sources(three[::-1]) == NAMES[::-1]
    assert sources(three[:1] + three[2:]) == ["a.jpg", "c.jpg"]
    assert sources(three[:1] + [named("d")]) == ["a.jpg", "d"]  # noqa: RUF005
    assert sources([named("d")] + three[:1]) == ["d", "a.jpg"]  # noqa: RUF005
    for made in (copy.copy(three), three.copy(), copy.deepcopy(three), eli5.Explanations(three)):
        assert sources(made) == NAMES
        assert made == three
        assert made is not three
    assert sources(pickle.loads(pickle.dumps(three))) == NAMES
    assert type(list(three)) is list
    assert three[1] is three[np.int64(1)] is three[-2]
    three += [named("d")]
    assert sources(three) == [*NAMES, "d"]
    with pytest.raises(TypeError):
        three + 1


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ([2, 0], ["c.jpg", "a.jpg"]),
        ([], []),
        ([True, False, True], ["a.jpg", "c.jpg"]),
        (np.array([False, True, False]), ["b.jpg"]),
        (np.array([-1]), ["c.jpg"]),
    ],
)
def test_a_list_or_a_mask_chooses(three: eli5.Explanations, index: Any, expected: Any) -> None:
    assert sources(three[index]) == expected


@pytest.mark.parametrize("index", [3, [3], [True], "a", (0, 1)])
def test_what_is_not_there_cannot_be_chosen(three: eli5.Explanations, index: Any) -> None:
    with pytest.raises(IndexError):
        three[index]


def test_lists_in_it_are_taken_apart_and_other_things_refused() -> None:
    expl = full_explanation()
    assert len(eli5.Explanations([[expl, expl], expl])) == 3
    assert eli5.Explanations(expl) == [expl]
    assert eli5.Explanations() == []
    with pytest.raises(TypeError, match=r"Expected `expl` to be an Explanation, or several"):
        eli5.Explanations([expl, None])


def test_its_repr_is_short(three: eli5.Explanations) -> None:
    many = three + three
    assert repr(three).startswith("Explanations([Explanation(estimator='my_net'")
    assert repr(many) == f"{repr(three)[:-2]}, ... and 3 more])"
    assert repr(eli5.Explanations()) == "Explanations([])"


def test_printing_writes_the_text(three: eli5.Explanations) -> None:
    expl = full_explanation()
    assert str(expl) == eli5.format_as_text(expl)
    assert repr(expl).startswith("Explanation(estimator=")
    assert str(three) == eli5.format_as_text(three) == "\n\n".join(map(str, three))
    assert str(three).count("Source  ") == 3
    assert str(eli5.Explanations()) == "No explanations"


def test_what_cannot_be_formatted_prints_its_fields() -> None:
    broken: Any = Explanation("net", targets=5)
    assert str(broken) == "Explanation(estimator='net', targets=5)"


@pytest.mark.parametrize("ending", [".npz", ".json", ".jsonl"])
def test_one_file_holds_all_of_them(mixed: eli5.Explanations, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"all{ending}"
    mixed.append(full_explanation())
    for explanations in (mixed, eli5.Explanations()):
        explanations.save(path)
        loaded = eli5.load(path)
        assert type(loaded) is eli5.Explanations
        assert loaded == explanations
    eli5.save(iter(mixed), path)  # as a generator, too
    assert eli5.load(path) == mixed


def test_arrays_of_all_are_named_in_the_file(mixed: eli5.Explanations, tmp_path: Path) -> None:
    mixed.append(full_explanation())
    mixed.save(tmp_path / "all.npz")
    with np.load(tmp_path / "all.npz") as file:
        assert {"explanations[0].image", "explanations[3].targets[2].heatmap"} <= {*file}
        assert len(file["scores"]) == 3 + 1 + 3 + 0


def test_pages_and_sheets_are_saved(three: eli5.Explanations, tmp_path: Path) -> None:
    for ending in (".html", ".png", ".jpg"):
        three.save(tmp_path / f"all{ending}")
    page = (tmp_path / "all.html").read_text(encoding="utf-8")
    assert page == eli5.format_as_page(three)
    assert all(name in page for name in NAMES)


def test_all_formats_take_it(mixed: eli5.Explanations) -> None:
    listed = eli5.format_as_dict(mixed)
    assert listed.keys() == {"version", "explanations"}
    alone = [eli5.format_as_dict(one) for one in mixed]
    assert [{"version": listed["version"]} | one for one in listed["explanations"]] == alone
    assert "broken.jpg" in eli5.format_as_html(mixed)
    assert eli5.format_as_text(mixed).count("Model   ") == 3
    pytest.importorskip("pandas")
    assert list(eli5.format_as_dataframe(mixed)["explanation"]) == [0, 0, 0, 1, 2]


def test_a_notebook_shows_all_of_them(three: eli5.Explanations, mixed: eli5.Explanations) -> None:
    assert three._repr_mimebundle_().keys() == {"text/html", "image/png", "text/plain"}
    assert three._repr_png_()
    assert mixed._repr_png_() is None
    assert mixed._repr_mimebundle_().keys() == {"text/html", "text/plain"}
    assert "No explanations" in (eli5.Explanations()._repr_html_() or "")


def test_what_cannot_be_drawn_says_how_to_leave_it_out(mixed: eli5.Explanations) -> None:
    with pytest.raises(TypeError, match=r"eli5\.Explanations\(one for one in .* if one\.image\)"):
        eli5.format_as_image(mixed)
    with pytest.raises(ValueError, match=r"one in explanations if not one\.error\)"):
        eli5.format_as_image(mixed[[0, 2]])
    with pytest.raises(ValueError, match=r"one in explanations if one\.targets\)"):
        mixed.plot()
    with pytest.raises(ValueError, match="Expected at least one Explanation"):
        eli5.format_as_image(eli5.Explanations())


def test_a_stream_gives_each_once_and_collects_the_rest(three: eli5.Explanations) -> None:
    stream = ExplanationStream(iter(three))
    assert ".collect()" in repr(stream)
    assert next(stream) is three[0]
    assert sources(stream.collect(1)) == ["b.jpg"]
    assert sources(stream.collect()) == ["c.jpg"]
    assert stream.collect() == []
    assert sources(eli5.Explanations(ExplanationStream(iter(three)))) == NAMES


def test_a_stream_is_ended_as_a_generator_is() -> None:
    ended = []

    def generate() -> Iterator[int]:
        try:
            yield 1
        finally:
            ended.append(True)

    stream = ExplanationStream(generate())
    assert next(stream) == 1
    stream.close()
    assert ended == [True]
    ExplanationStream(iter([])).close()  # of what has no end of its own


class TestPlots:
    """Several explanations in one call of `eli5.plot`."""

    @pytest.fixture(autouse=True)
    def _closes(self) -> Iterator[None]:
        plt = pytest.importorskip("matplotlib.pyplot")
        yield
        plt.close("all")

    def test_each_target_has_axes_named_by_what_differs(self, three: eli5.Explanations) -> None:
        axes = three.plot(target=0)
        assert [ax.get_title().split("\n")[0] for ax in axes] == NAMES
        assert len({ax.figure for ax in axes}) == 1

    def test_kinds_have_a_figure_each(self, mixed: eli5.Explanations) -> None:
        picture, text = mixed[:2].plot(target=0, title=False)
        assert picture.figure is not text.figure

    def test_one_ax_is_for_one_target(self, three: eli5.Explanations) -> None:
        ax = three[0].plot(target=0)
        assert three[:1].plot(ax, target=0) is ax
        with pytest.raises(ValueError, match=r"Expected one target for one ax\. .* of 3 targets"):
            three.plot(ax, target=0)
