"""Draw the weights of a text's tokens with matplotlib: a bar for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib

from eli5.formatters.caption import title_lines
from eli5.formatters.fonts import drawable, families
from eli5.formatters.texts.weighted_text import Token, heaviest, texts_of, token_name, tokens_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eli5.base import Explanation, TargetExplanation

FOR, AGAINST = "#3cbe14", "#de2650"  # as on a page; colour-blind people tell them apart

_MOST = 30
_LONGEST = 24  # letters of a token's name
_WIDTH, _BAR, _AROUND = 5.0, 0.22, 1.1  # inches
_POINTS = 72  # per inch


def new_bar_axes(targets: Sequence[TargetExplanation]) -> list[Axes]:
    """Make axes in a new figure of pyplot, side by side, for `draw_bars`."""
    from matplotlib import pyplot as plt  # where it is needed: it looks for a screen

    n_bars = max(len(_shown_tokens(target)[0]) for target in targets)
    size = len(targets) * _WIDTH, _AROUND + _BAR * max(n_bars, 3)
    options = {"squeeze": False, "sharex": True, "figsize": size, "layout": "constrained"}
    _, axes = plt.subplots(1, len(targets), **options)
    return list(axes.flat)


def draw_bars(ax: Axes, expl: Explanation, target: TargetExplanation, *, title: bool) -> None:
    """Draw the weights of one target's tokens, from top to bottom as in the text.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    expl : Explanation
        One of texts; for the title.
    target : TargetExplanation
        Of more than 30 tokens the heaviest 30 are drawn, and a line below says so.
    title : bool
        See `eli5.plot`.
    """
    tokens, total = _shown_tokens(target)
    weights = [token.weight for token in tokens]
    names = [drawable(_short(token_name(token))) for token in tokens]
    places = range(len(tokens))
    colours = [FOR if weight >= 0 else AGAINST for weight in weights]
    ax.barh(places, weights, color=colours, height=0.8)
    ax.set_yticks(places, names)
    for label in ax.get_yticklabels():
        _as_it_is(label)
    ax.set_ylim(len(tokens) - 0.4, -0.6)
    ax.axvline(0, color=matplotlib.rcParams["axes.edgecolor"], linewidth=0.8)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    chosen = f"; the heaviest {len(tokens)} of {total} tokens" if len(tokens) < total else ""
    ax.set_xlabel(f"weight{chosen}")
    if title:
        width = ax.get_window_extent().width / ax.figure.dpi * _POINTS
        _as_it_is(ax.set_title("\n".join(title_lines(expl, target, _font_size(), width))))


def _shown_tokens(target: TargetExplanation) -> tuple[list[Token], int]:
    """Return the tokens that are drawn, in their order, and how many there are in all."""
    tokens = [token for text in texts_of(target) for token in tokens_of(text)]
    if len(tokens) <= _MOST:
        return tokens, len(tokens)
    order = {id(token): k for k, token in enumerate(tokens)}
    return sorted(heaviest(tokens, _MOST), key=lambda token: order[id(token)]), len(tokens)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _font_size() -> int:
    from matplotlib.font_manager import FontProperties

    size = FontProperties(size=matplotlib.rcParams["axes.titlesize"]).get_size_in_points()
    return round(size)


def _as_it_is(text: Any) -> None:
    """Let a text of matplotlib show dollars as such, and letters of every script."""
    text.set_parse_math(False)
    text.set_usetex(False)
    text.set_family([*matplotlib.rcParams["font.family"], *families(text.get_text())])
