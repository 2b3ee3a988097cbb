"""Pages with signed maps or other options, and what speaks against a class in every format."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.callbacks.loggers import make_epoch
from eli5.callbacks.loggers.folder import FolderLogger
from eli5.formatters.caption import caption_lines, title_lines
from eli5.formatters.colours import AGAINST, FOR
from eli5.formatters.html import format_as_html, format_as_page
from eli5.formatters.image import format_as_image
from helpers.series_cases import block, of_series, waves
from helpers.strict_html import Page
from helpers.texts import of_texts, review, weighted

NEAREST = Image.Resampling.NEAREST
VALUES = np.array([[-1, 0.5], [0.25, 1]], np.float32)


def explained(sign: str = "positive", **fields: Any) -> Explanation:
    target = TargetExplanation(
        281,
        proba=0.97,
        score=0.97,
        heatmap=np.maximum(VALUES, 0),
        attribution=VALUES,
        class_name="tabby",
        explained=3.1,
        explained_name="log-odds",
        sign=sign,
    )
    image = Image.new("RGB", (4, 4), "white")
    return Explanation("net", method="Grad-CAM", targets=[target], image=image, **fields)


@pytest.fixture(autouse=True)
def _without_a_screen() -> Any:
    plt.switch_backend("agg")
    yield
    plt.close("all")


# ---- the look of a page --------------------------------------------------------------------------


def test_a_signed_page_has_a_legend_from_against_to_for() -> None:
    page = Page(format_as_html(explained(), signed=True))
    assert "Speaks againstfor" in page.text  # the colours are between
    (legend,) = page.attributes_of("img", "")[2:]
    assert legend["alt"] == "from blue over clear to red"
    (layer,) = page.attributes_of("img", "eli5-layer")
    assert layer["alt"] == "Grad-CAM attribution of tabby (281), laid over the picture"


@pytest.mark.parametrize(
    ("look", "told"),
    [
        ({}, "from clear over violet and green to yellow"),
        ({"colormap": "jet"}, "the colours of jet, clear at the left"),
        ({"colormap": "PiYG", "signed": True}, "the colours of PiYG, clear in the middle"),
        ({"colormap": lambda v: np.dstack([v] * 3)}, "the colours of <lambda>, clear at the left"),
    ],
)
def test_the_legend_is_told_in_words_that_are_true(look: Any, told: str) -> None:
    assert Page(format_as_html(explained(), **look)).attributes_of("img", "")[2]["alt"] == told


@pytest.mark.parametrize(
    ("values", "sign", "shown", "told"),
    [
        (np.maximum(VALUES, 0), "positive", "Speaks 0for", "from clear to red"),
        (np.minimum(VALUES, 0), "positive", "Speaks against0", "from blue to clear"),
        (np.maximum(VALUES, 0), "negative", "Speaks against0", "from blue to clear"),
    ],
    ids=["for", "against", "high is against"],
)
def test_a_signed_legend_shows_the_colours_that_can_appear(
    values: Any, sign: str, shown: str, told: str
) -> None:
    expl = explained(sign)
    expl.targets[0].attribution = values
    page = Page(format_as_html(expl, signed=True))
    assert shown in page.text
    assert page.attributes_of("img", "")[-1]["alt"] == told


def test_the_slider_begins_at_the_limit() -> None:
    for limit, percent, step in ((0.33, "33", "1"), (0.4, "40", "5"), (None, "100", "5")):
        page = Page(format_as_html(explained(), alpha_limit=limit))
        (slider,) = page.attributes_of("input")
        assert (slider["value"], slider["step"]) == (percent, step)
        (section,) = page.attributes_of("section")
        assert section["style"] == f"--eli5-opacity: {limit or 1.0}"
    (section,) = Page(format_as_html(explained())).attributes_of("section")
    assert "style" not in section


def test_a_page_takes_the_same_options_as_a_fragment() -> None:
    look: dict[str, Any] = {"signed": True, "colormap": "PiYG", "alpha_limit": 0.5}
    look |= {"percentile": 90, "resampling_filter": NEAREST}
    section = format_as_html(explained(), include_styles=False, **look)
    assert section in format_as_page(explained(), **look)
    assert "The strongest 10 % of the pixels are drawn alike." in section
    series = of_series(waves(50, 2), block(50, 7))
    assert "The strongest 10 % of the steps are drawn alike." in format_as_html(
        series, percentile=90
    )


def test_an_attribution_needs_no_heatmap_and_may_be_empty() -> None:
    expl = explained()
    expl.targets[0].heatmap = None
    assert "No heatmap" in format_as_html(expl)
    assert len(Page(format_as_html(expl, signed=True)).pictures("eli5-layer")) == 1
    expl.targets[0].attribution = 0 * VALUES
    assert "The attribution is empty" in format_as_html(expl, signed=True)


@pytest.mark.parametrize("write", [format_as_html, format_as_page])
@pytest.mark.parametrize(
    ("look", "error", "message"),
    [
        ({"signed": 1}, TypeError, "Expected `signed` to be True or False"),
        ({"colormap": "blue"}, ValueError, "`colormap` to be the name of a colormap"),
        ({"colormap": 3}, TypeError, "a matplotlib colormap, its name, or a function"),
        ({"alpha_limit": 2}, ValueError, r"`alpha_limit` to be in \[0, 1\]"),
        ({"percentile": 0}, ValueError, r"`percentile` in \(0, 100\]"),
        ({"resampling_filter": 99}, ValueError, "to be a PIL.Image.Resampling"),
    ],
)
def test_pages_check_what_pictures_check(
    write: Any, look: dict[str, Any], error: type[Exception], message: str
) -> None:
    for format_it in (write, format_as_image):
        with pytest.raises(error, match=message):
            format_it(explained(), **look)


def test_signed_pages_need_an_attribution() -> None:
    expl = explained()
    expl.targets[0].attribution = None
    with pytest.raises(ValueError, match=r"signed=True draws\. Received: attribution=None"):
        format_as_html(expl, signed=True)


def test_options_do_not_matter_to_texts() -> None:
    assert format_as_html(review(), colormap="no such", signed=True) == format_as_html(review())


def test_signed_layers_of_a_series_share_their_chart() -> None:
    heatmaps = [block(50, 7), 100 * block(50, 30)]
    expl = of_series(waves(50, 2), *[np.minimum(one, 1) for one in heatmaps])
    for target, values in zip(expl.targets, heatmaps, strict=True):
        target.attribution = values - block(50, 20)
    page = Page(format_as_html(expl, signed=True))
    (chart,) = page.pictures("eli5-picture")
    one, other = (
        np.asarray(layer.convert("L")).astype(int) for layer in page.pictures("eli5-layer")
    )
    # All at the right of the axes is alike: the same colour bar with the same numbers.
    np.testing.assert_array_equal(one[:, 1180:], other[:, 1180:])
    is_ink = np.asarray(chart)[:, 1180:] < 100
    np.testing.assert_array_equal(is_ink[:, 40:], one[:, 1220:] < 100)


# ---- what speaks against -------------------------------------------------------------------------


def test_every_caption_says_against() -> None:
    expl, plain = explained("negative"), explained()
    (target,) = expl.targets
    assert caption_lines("", target, 10, 1e4)[0] == "against tabby"
    assert caption_lines("", plain.targets[0], 10, 1e4)[0] == "tabby"
    assert title_lines(expl, target, 10, 1e4)[0] == "against tabby"
    page = Page(format_as_html(expl))
    assert "against tabby class 281" in page.text
    assert "Speaks against 01" in page.text
    (layer,) = page.attributes_of("img", "eli5-layer")
    assert layer["alt"] == "Grad-CAM heatmap against tabby (281), laid over the picture"
    assert "against tabby (281)" in eli5.format_as_text(expl)
    assert "against" not in format_as_html(plain, include_styles=False)
    assert "against" not in eli5.format_as_text(plain)


def test_a_class_without_a_name_is_called_by_its_number() -> None:
    expl = explained("negative")
    expl.targets = [replace(expl.targets[0], class_name=None)] * 2
    assert title_lines(expl, expl.targets[0], 10, 1e4)[0] == "against class 281"
    html = format_as_html(expl)
    assert "<b>against <bdi>class 281</bdi></b>" in html
    assert "Heatmap against the class" in html


def test_a_plot_says_against() -> None:
    for signed, label in ((False, "heatmap (against)"), (True, "attribution (against)")):
        ax = eli5.plot(explained("negative"), signed=signed)
        assert ax.get_title().startswith("against tabby")
        assert label in [one.get_ylabel() for one in ax.figure.axes]


def test_a_series_says_against() -> None:
    expl = of_series(waves(50, 1), block(50, 7))
    positive = np.asarray(format_as_image(expl))
    expl.targets[0].sign = "negative"
    assert (np.asarray(format_as_image(expl)) != positive).any()
    ax = eli5.plot(expl)
    assert "heatmap (against)" in [one.get_ylabel() for one in ax.figure.axes]


def test_colours_keep_their_meaning_where_the_sign_is_turned_round() -> None:
    """What is high speaks against then, and is blue as it is everywhere."""
    expl = explained("negative")
    drawn = np.asarray(format_as_image(expl, NEAREST, alpha_limit=None, signed=True))
    assert to_hex(drawn[3, 3, :3] / 255) == AGAINST
    assert to_hex(drawn[0, 0, :3] / 255) == FOR

    def grey(places: Any) -> Any:
        return np.dstack([places] * 3)

    drawn = np.asarray(format_as_image(expl, NEAREST, grey, None, signed=True))
    assert drawn[3, 3, 0] == 0
    assert drawn[0, 0, 0] == 255


def test_words_keep_their_colours_where_the_sign_is_turned_round() -> None:
    expl = of_texts(weighted("good bad", {"good": -1.0, "bad": 0.5}))
    expl.targets[0].sign = "negative"
    html = format_as_html(expl)
    assert '<b style="--w:1" title="good -1.000">good</b>' in html
    assert '<i style="--w:0.5" title="bad +0.5000">bad</i>' in html
    text = eli5.format_as_text(expl, ansi=True)
    assert "What speaks against positive (0):" in text
    assert "\x1b[1;31m[good -1.000]" in text
    assert "\x1b[4;94m[bad +0.5000]" in text
    ax = eli5.plot(expl)
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [FOR, AGAINST]


def test_the_legend_of_a_text_shows_what_is_there() -> None:
    def legend(weights: dict[str, float]) -> str:
        html = format_as_html(of_texts(weighted("a b", weights)), include_styles=False)
        return html.partition('eli5-legend">Words')[2].partition("strongest")[0]

    assert "for</b>" in legend({"a": 1, "b": -1})
    assert "against</i>" in legend({"a": 1, "b": -1})
    assert "against</i>" not in legend({"a": 1})
    assert "for</b>" not in legend({"a": -1})
    assert "for</b>" in legend({})


def test_the_sign_is_saved_and_in_the_table(tmp_path: Any) -> None:
    expl = explained("negative")
    for name in ("one.npz", "one.json"):
        expl.save(tmp_path / name)
        assert eli5.load(tmp_path / name).targets[0].sign == "negative"
    assert eli5.format_as_dataframe([expl, explained()])["sign"].tolist() == [
        "negative",
        "positive",
    ]
    assert eli5.format_as_dict(expl)["targets"][0]["sign"] == "negative"


@pytest.mark.parametrize("sign", ["both", None, -1, ["negative"]])
def test_there_is_no_other_sign(sign: Any) -> None:
    with pytest.raises(TypeError, match=r"expl\.targets\[0\]\.sign` to be 'positive' or 'neg"):
        format_as_html(explained(sign))


def test_pictures_of_a_training_say_what_they_are(tmp_path: Any) -> None:
    logger = FolderLogger(tmp_path)
    logger.log(make_epoch(0, {}, [[explained("negative", layer="conv")]], {}))
    page = (tmp_path / "run-1" / "index.html").read_text()
    assert "against tabby" in page
    assert "0.9700 · log-odds 3.100" in page
    assert "heatmap against tabby (281), laid over" in page
