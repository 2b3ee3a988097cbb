from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.html import format_as_html, format_as_page
from helpers.strict_html import HOSTILE, Page


def radios(page: Page) -> list[dict[str, str | None]]:
    return [found for found in page.attributes_of("input") if found["type"] == "radio"]


def test_shows_everything(expl: Explanation) -> None:
    page = Page(format_as_html(expl))
    assert page.is_harmless()
    assert "Grad-CAM model my_net · layer conv_9" in page.text
    assert "What raised the score.\nBefore softmax." in page.text
    assert "tabby cat class 281  Score 12.35 Probability 0.8812" in page.text
    assert "Class 3  Score -1.500 Probability 0.01000" in page.text
    assert "Heatmap 01" in page.text  # the legend


def test_has_the_picture_once_and_a_layer_for_each_target(expl: Explanation) -> None:
    page = Page(format_as_html(expl))
    assert [found["alt"] for found in page.attributes_of("img", "eli5-picture")] == [
        "The explained picture"
    ]
    assert [found["alt"] for found in page.attributes_of("img", "eli5-layer")] == [
        "Grad-CAM heatmap of tabby cat (281), laid over the picture",
        "Grad-CAM heatmap of 3, laid over the picture",
    ]
    (picture,) = page.pictures("eli5-picture")
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(expl.image))
    one, other = page.pictures("eli5-layer")
    assert one.size == other.size == expl.image.size
    assert one.tobytes() != other.tobytes()


def test_the_first_target_is_chosen_and_its_layer_stands_behind_the_button(
    expl: Explanation,
) -> None:
    html = format_as_html(expl)
    assert [("checked" in found, found["aria-label"]) for found in radios(Page(html))] == [
        (True, "tabby cat (281), score 12.35, probability 0.8812"),
        (False, "3, score -1.500, probability 0.01000"),
    ]
    # The style sheet shows the element next to the checked button.
    assert len(re.findall(r'<input type="radio"[^>]*><img class="eli5-layer"', html)) == 2


def test_one_target_needs_no_choice(expl: Explanation) -> None:
    expl.targets = expl.targets[:1]
    page = Page(format_as_html(expl))
    assert radios(page) == []
    assert len(page.pictures("eli5-layer")) == 1


def test_equal_explanations_give_equal_html_without_any_id(expl: Explanation) -> None:
    html = format_as_html(expl)
    assert format_as_html(copy.deepcopy(expl)) == html
    # So nothing clashes where both stand on one page; their forms keep the buttons apart.
    page = Page(html)
    assert not any("id" in attributes or "for" in attributes for _, attributes in page.tags)
    assert page.attributes_of("form") != []


@pytest.mark.parametrize(
    ("probability", "width"), [(0.88124, "88.12"), (0, "0"), (1, "100"), (np.float32(0.5), "50")]
)
def test_a_bar_is_as_long_as_the_probability(
    probability: Any, width: str, expl: Explanation
) -> None:
    expl.targets = [TargetExplanation(0, proba=probability)]
    assert Page(format_as_html(expl)).attributes_of("rect") == [{"width": width, "height": "1"}]


@pytest.mark.parametrize("probability", [None, np.nan, np.inf, -0.1, 1.1])
def test_what_is_no_probability_has_no_bar(probability: Any, expl: Explanation) -> None:
    expl.targets = [TargetExplanation(0, proba=probability)]
    assert Page(format_as_html(expl)).attributes_of("svg") == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_escapes_everything(hostile: str, expl: Explanation) -> None:
    expl.estimator = expl.method = expl.layer = hostile
    expl.description = expl.error = hostile
    target = TargetExplanation(hostile, heatmap=np.eye(2), class_name=hostile + "!")
    expl.targets = [target, target]
    for html in (format_as_html(expl), format_as_page(expl, hostile)):
        page = Page(html)
        assert page.is_harmless()
        # Estimator, method, layer, description, error; class id and name, twice.
        assert page.text.count(hostile) >= 5 + 4
        assert all(
            hostile in str(found["alt"]) for found in page.attributes_of("img", "eli5-layer")
        )
        assert all(hostile in str(found["aria-label"]) for found in radios(page))
    assert page.text.count(hostile) == 5 + 4 + 2  # title and headline
    other = Explanation(hostile, description=hostile, source=hostile)
    gallery = Page(format_as_html([expl, other]))
    assert gallery.is_harmless()
    assert gallery.text.count(hostile) >= 7


def test_keeps_names_of_either_direction_apart(expl: Explanation) -> None:
    expl.estimator = "\u202eevil"
    assert "<bdi>\u202eevil</bdi>" in format_as_html(expl)
    assert "<h1><bdi>\u202eevil</bdi></h1>" in format_as_page(expl, "\u202eevil")


def test_has_no_character_that_html_forbids() -> None:
    target = TargetExplanation(0, class_name="a\x00\x1b\ud800b")
    html = format_as_html(Explanation("n\x00", error="e\x00\r\nf", targets=[target]))
    assert "a\ufffd\ufffd\ufffdb" in html
    assert "e\ufffd\nf" in html
    html.encode("utf-8")


def test_styles_and_script_are_optional_and_scoped(expl: Explanation) -> None:
    full, plain = format_as_html(expl), format_as_html(expl, include_styles=False)
    assert plain in full
    assert "<style" not in plain
    assert "<script" not in plain
    styles = full[: full.index(plain)].removeprefix("<style>\n").removesuffix("\n</style>\n")
    rules = re.findall(r"(?:^|[{}])\s*([^{}@]+?)\s*\{", styles)
    selectors = [one.strip() for rule in rules for one in rule.split(",")]
    assert len(selectors) > 40
    assert all(one.startswith((".eli5-explanation", ".eli5-live .eli5-")) for one in selectors)
    assert "url(" not in styles
    assert "@import" not in styles


def test_an_error() -> None:
    page = Page(format_as_html(Explanation("net", error='model "net" is not supported')))
    assert 'Error: model "net" is not supported' in page.text
    assert page.attributes_of("img") == []
    assert page.attributes_of("input") == []


def test_without_a_picture(expl: Explanation) -> None:
    expl.image = None
    page = Page(format_as_html(expl))
    assert page.attributes_of("img") == []
    assert page.attributes_of("input") == []
    assert "tabby cat class 281  Score 12.35" in page.text
    assert "heatmap" not in page.text


def test_an_empty_heatmap_says_so(expl: Explanation) -> None:
    expl.targets[0].heatmap = np.zeros((3, 4))
    page = Page(format_as_html(expl))
    assert page.text.count("The heatmap is empty") == 1
    assert len(page.pictures("eli5-layer")) == 1
    assert len(radios(page)) == 2
    expl.targets[1].heatmap = None
    page = Page(format_as_html(expl))
    assert page.text.count("No heatmap") == 1
    assert len(page.pictures("eli5-picture")) == 1
    assert page.attributes_of("input") == []  # nothing to choose, nothing to make fainter


def test_a_map_of_the_inputs_pixels_says_that_it_is_cut_off(expl: Explanation) -> None:
    note = "The strongest 1 % of the pixels are drawn alike."
    for target in expl.targets:
        target.heatmap = np.random.default_rng(1).random((20, 30)) ** 9
    assert note not in format_as_html(expl)
    whole = Page(format_as_html(expl)).pictures("eli5-layer")
    expl.layer = None
    html = format_as_html(expl)
    assert html.count(note) == 1
    for layer, before in zip(Page(html).pictures("eli5-layer"), whole, strict=True):
        one, other = (np.asarray(image.convert("RGBA"))[..., 3] for image in (layer, before))
        assert one.mean() > other.mean()
    for target in expl.targets:
        target.heatmap = np.zeros((2, 2))
    assert note not in format_as_html(expl)


def test_names_cannot_imitate_a_layer() -> None:
    target = TargetExplanation(0, class_name='class="eli5-layer"')
    assert Page(format_as_html(Explanation("net", targets=[target]))).attributes_of("input") == []


def test_a_regression() -> None:
    targets = [TargetExplanation(0, score=2.0), TargetExplanation("contrast", score=1.0)]
    page = Page(format_as_html(Explanation("net", is_regression=True, targets=targets)))
    assert "Output 0 Score 2.000" in page.text
    assert "contrast Score 1.000" in page.text


@pytest.mark.parametrize(
    ("size", "kinds"),
    [
        ((64, 40), "eli5-card eli5-small"),
        ((65, 40), "eli5-card"),
        ((300, 100), "eli5-card eli5-wide"),
        ((60, 10), "eli5-card eli5-wide eli5-small"),
    ],
)
def test_strips_and_small_pictures_have_a_style_of_their_own(
    size: tuple[int, int], kinds: str, expl: Explanation
) -> None:
    expl.image = Image.new("RGB", size)
    (form,) = Page(format_as_html(expl)).attributes_of("form")
    assert form["class"] == kinds
    assert form["style"] == f"--eli5-ratio: {size[0]} / {size[1]}"


def test_several_make_a_gallery_with_one_slider_for_all(expl: Explanation) -> None:
    other = copy.copy(expl)
    other.method, other.layer = "LayerCAM", "conv_3"
    page = Page(format_as_html(iter([expl, other])))
    assert page.is_harmless()
    assert len(page.attributes_of("section", "eli5-gallery")) == 1
    assert len(page.attributes_of("form", "eli5-card")) == 2
    assert len(page.attributes_of("form", "eli5-toolbar")) == 1
    assert "Grad-CAM layer conv_9" in page.text
    assert page.text.count("my_net") == 1
    assert "LayerCAM layer conv_3" in page.text
    assert "2 explanations" in page.text
    assert len(page.attributes_of("img")) == 2 * 3 + 1  # and one legend


def test_a_gallery_without_heatmaps_has_no_slider() -> None:
    page = Page(format_as_html([Explanation("net", error="no"), Explanation("net", error="none")]))
    assert page.attributes_of("input") == []
    assert "2 could not be explained" in page.text
    assert "net: no\nnet: none" in page.text
    assert "explanations" not in page.text


def test_a_gallery_says_once_what_all_its_cards_would_say(expl: Explanation) -> None:
    first, second, third = (copy.copy(expl) for _ in range(3))
    first.description = "One. Two of it. Three."
    second.description = "One. Two of it. Three. And a warning."
    third.description = "One. Two of them."
    page = Page(format_as_html([first, second]))
    assert page.text.count("One. Two of it. Three.") == page.text.count("Three.") == 1
    assert page.text.count("And a warning.") == 1
    assert page.text.count("my_net") == 1
    third.estimator = "other_net"
    page = Page(format_as_html([first, second, third]))
    assert page.text.count("One.") == 1
    assert page.text.count("Two of") == 3
    assert page.text.count("my_net") == 2
    failed = Explanation("my_net", error="failed")
    assert Page(format_as_html([first, failed, first])).text.count("One. Two of it. Three.") == 1


def test_lists_in_a_list_are_taken_apart(expl: Explanation) -> None:
    other = copy.copy(expl)
    other.method = "LayerCAM"
    assert format_as_html([[expl, other], (expl,)]) == format_as_html([expl, other, expl])
    assert format_as_html([[expl]]) == format_as_html(expl)


@pytest.mark.parametrize("wrong", [None, "net", b"net", 3, [None], [["net"]]])
def test_refuses_what_is_no_explanation(wrong: Any) -> None:
    for form in (format_as_html, format_as_page):
        with pytest.raises(
            TypeError, match=r"Expected `expl` to be an Explanation, or several of them\. Rec"
        ):
            form(wrong)


def test_refuses_a_picture_of_another_kind(expl: Explanation) -> None:
    expl.image = np.zeros((3, 3))
    with pytest.raises(TypeError, match=r"Expected `expl\.image` to be a PIL\.Image\.Image"):
        format_as_html(expl)
