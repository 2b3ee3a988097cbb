"""The weights of a text's tokens as bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import eli5
from eli5.base import DocWeightedSpans
from eli5.formatters.colours import AGAINST, FOR
from helpers.texts import of_texts, review, weighted


@pytest.fixture(autouse=True)
def _without_a_screen() -> Iterator[None]:
    backend = matplotlib.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


def names(ax: Any) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def bars(ax: Any) -> list[tuple[float, str]]:
    return [(bar.get_width(), to_hex(bar.get_facecolor())) for bar in ax.patches]


def test_a_bar_for_each_token_in_the_order_of_the_text() -> None:
    axes = eli5.plot(review())
    assert axes.shape == (2,)
    words = ["[CLS]", "This", "was", "not", "boring", ":", "a", "great", "cast", ".", "[SEP]"]
    weights = [0.125, 0, 0, 0.25, -0.5, 0, 0, 1, 0.001, 0, 0]
    for ax, sign in zip(axes, (1, -1), strict=True):
        assert names(ax) == words
        assert [width for width, _ in bars(ax)] == [sign * weight for weight in weights]
        assert all(colour == (AGAINST if width < 0 else FOR) for width, colour in bars(ax))
        assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first is on top
        assert ax.get_xlabel() == "weight"
    assert axes[0].get_xlim() == axes[1].get_xlim()
    assert axes[1].get_title() == "negative\nscore 1.500 · probability 0.5000 · Occlusion"


def test_of_many_tokens_the_heaviest() -> None:
    weights = {f"w{k}": (k % 7) * (-1) ** k + k / 1000 for k in range(100)}
    ax = eli5.plot(of_texts(weighted(" ".join(weights), weights)))
    heaviest = sorted(weights, key=lambda name: -abs(weights[name]))[:30]
    assert names(ax) == [name for name in weights if name in heaviest]
    assert [width for width, _ in bars(ax)] == [weights[name] for name in names(ax)]
    assert ax.get_xlabel() == "weight; the heaviest 30 of 100 tokens"


def test_one_target_on_an_ax_of_ones_own() -> None:
    ax = Figure().subplots()
    assert eli5.plot(review(), ax, target=1, title=False) is ax
    assert bars(ax)[7][0] == -1
    assert ax.get_title() == ""
    assert plt.get_fignums() == []
    with pytest.raises(
        ValueError, match=r"Expected one target for one ax\. Received: .* 2 targets"
    ):
        eli5.plot(review(), ax)


@pytest.mark.parametrize(
    "token", ["$x^2$", "\n", "a" * 60, "\ud800", "猫", "👩‍👧", "<b>", "\\alpha$"]
)
def test_any_token_can_be_drawn(token: str) -> None:
    ax = eli5.plot(of_texts(DocWeightedSpans("ab", [(token, [(0, 1)], 1.0), ("b", [], -1.0)])))
    ax.figure.canvas.draw()
    assert len(names(ax)[0]) <= 24
    assert names(ax)[1] == "b"
    if token.isascii() and token.isprintable() and len(token) < 24:
        assert names(ax)[0] == token


@pytest.mark.parametrize("n_tokens", [0, 3, 40])
def test_a_text_without_weights_can_be_drawn(n_tokens: int) -> None:
    text = " ".join(f"w{k}" for k in range(n_tokens))
    ax = eli5.plot(of_texts(weighted(text, {"w1": np.nan})))
    ax.figure.canvas.draw()
    assert len(names(ax)) == (n_tokens if n_tokens < 30 else 0)


def test_a_picture_of_a_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Expected an explanation of a picture\. .*one of a text"):
        eli5.format_as_image(review())
    failed = review()
    failed.error = "failed"
    with pytest.raises(ValueError, match=r"expl\.error=failed"):
        eli5.format_as_image(failed)
