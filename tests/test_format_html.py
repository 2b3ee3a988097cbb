from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.html import format_as_html, format_as_page
from eli5.formatters.image import format_as_image
from strict_html import HOSTILE, Page


@pytest.fixture
def expl() -> Explanation:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8))
    targets = [
        TargetExplanation(
            281, proba=0.88124, score=12.34567, heatmap=rng.random((3, 4)), class_name="tabby cat"
        ),
        TargetExplanation(3, proba=0.01, score=-1.5, heatmap=rng.random((3, 4))),
    ]
    return Explanation(
        "my_net",
        description="What raised the score.\nBefore softmax.",
        method="Grad-CAM",
        targets=targets,
        image=image,
        layer="conv_9",
    )


def test_html_shows_everything(expl: Explanation) -> None:
    page = Page(format_as_html(expl))
    assert page.is_harmless()
    for shown in ("my_net", "Grad-CAM", "conv_9", "What raised the score.\nBefore softmax."):
        assert shown in page.text
    assert "tabby catClass281Score12.35Probability0.8812" in page.text
    assert "Class 3Score-1.500Probability0.01000" in page.text


def test_html_embeds_the_overlay_of_each_target(expl: Explanation) -> None:
    images = Page(format_as_html(expl)).attributes_of("img")
    assert [image["alt"] for image in images] == [
        "Grad-CAM heatmap of tabby cat (281), laid over the picture",
        "Grad-CAM heatmap of 3, laid over the picture",
    ]
    for image, target in zip(images, expl.targets or [], strict=True):
        encoded = str(image["src"]).removeprefix("data:image/png;base64,")
        shown = Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))
        alone = format_as_image(Explanation("net", image=expl.image, targets=[target]))
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(alone))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_html_escapes_everything(hostile: str, expl: Explanation) -> None:
    expl.estimator = expl.method = expl.layer = hostile
    expl.description = expl.error = hostile
    target = TargetExplanation(hostile, heatmap=np.eye(2), class_name=hostile + "!")
    expl.targets = [target]
    for html in (format_as_html(expl), format_as_page(expl, hostile)):
        page = Page(html)
        assert page.is_harmless()
        # Estimator, method, layer, description, error, class id and name.
        assert page.text.count(hostile) >= 7
        (image,) = page.attributes_of("img")
        assert hostile in str(image["alt"])
    assert page.text.count(hostile) == 7 + 2  # title and headline


def test_html_keeps_names_of_either_direction_apart(expl: Explanation) -> None:
    expl.estimator = "\u202eevil"
    assert "<bdi>\u202eevil</bdi>" in format_as_html(expl)


def test_html_has_no_character_that_html_forbids() -> None:
    target = TargetExplanation(0, class_name="a\x00\x1b\ud800b")
    html = format_as_html(Explanation("n\x00", error="e\x00\r\nf", targets=[target]))
    assert "a\ufffd\ufffd\ufffdb" in html
    assert "e\ufffd\nf" in html
    html.encode("utf-8")


def test_html_styles_are_optional_and_scoped(expl: Explanation) -> None:
    styled, plain = format_as_html(expl), format_as_html(expl, include_styles=False)
    assert styled.endswith(plain)
    styles = styled.removesuffix(plain).strip()
    assert styles.startswith("<style>")
    assert styles.endswith("</style>")
    assert "<style" not in plain
    assert " style=" not in plain
    rules = styles.removeprefix("<style>\n").removesuffix("</style>").strip().split("}\n")
    assert all(rule.startswith(".eli5-explanation ") for rule in rules)
    assert "url(" not in styles
    assert "@import" not in styles


def test_html_of_an_error() -> None:
    page = Page(format_as_html(Explanation("net", error='model "net" is not supported')))
    assert 'Error: model "net" is not supported' in page.text
    assert page.attributes_of("img") == []


def test_html_without_a_picture(expl: Explanation) -> None:
    expl.image = None
    page = Page(format_as_html(expl))
    assert page.attributes_of("img") == []
    assert "tabby catClass281Score12.35" in page.text


def test_html_of_a_regression() -> None:
    targets = [TargetExplanation(0, score=2.0), TargetExplanation("contrast", score=1.0)]
    page = Page(format_as_html(Explanation("net", is_regression=True, targets=targets)))
    assert "Output 0Score2.000" in page.text
    assert "contrastScore1.000" in page.text


def test_page_is_a_complete_document(expl: Explanation) -> None:
    html = format_as_page(expl, "My title")
    assert html.startswith('<!doctype html>\n<html lang="en">')
    page = Page(html)
    assert page.is_harmless()
    metas = page.attributes_of("meta")
    assert {"charset": "utf-8"} in metas
    (policy,) = [m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert {"name": "color-scheme", "content": "light dark"} in metas
    assert page.text.split().count("title") == 2
    assert format_as_html(expl, include_styles=False) in html


def test_page_of_several_explanations_has_the_styles_once(expl: Explanation) -> None:
    error = Explanation("other", error="failed")
    html = format_as_page(iter([expl, error, expl]), "Three")
    sections = Page(html).attributes_of("section")
    assert sections == [{"class": "eli5-explanation"}] * 3
    assert html.count(".eli5-explanation figure {") == 1
    assert html.index("my_net") < html.index("failed") < html.rindex("my_net")
    assert Page(format_as_page([], "None")).attributes_of("section") == []
