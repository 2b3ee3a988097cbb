"""Letters that matplotlib's own font has, those that another font has, and those that none has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from eli5.base import TargetExplanation
from eli5.formatters import caption
from eli5.formatters.overlay.picture import figure_to_image
from helpers.strict_html import HOSTILE

FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
STIX, DEJAVU = str(FONTS / "STIXGeneral.ttf"), str(FONTS / "DejaVuSans.ttf")
WATCH = "\u231a"  # STIX has it, DejaVu Sans has not
NOWHERE = "\U000f1234"


@pytest.fixture
def _three_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the system have one font beside matplotlib's, and others that are gone or broken."""
    files = {"DejaVu Sans": DEJAVU, "a": "/gone.ttf", "b": __file__, "STIXGeneral": STIX}
    monkeypatch.setattr(caption, "_font_files", lambda: files)
    monkeypatch.setattr(caption, "_used_families", {})
    caption._find_family.cache_clear()
    yield
    caption._find_family.cache_clear()


@pytest.mark.usefixtures("_three_files")
def test_letters_come_from_a_font_that_has_them() -> None:
    assert caption.families(f"a {WATCH}{WATCH} b") == ["sans-serif", "DejaVu Sans", "STIXGeneral"]
    assert caption.families("") == ["sans-serif", "DejaVu Sans"]
    parts = sum(caption.text_width(part, 20) for part in ("a ", WATCH, " b"))
    assert caption.text_width(f"a {WATCH} b", 20) == pytest.approx(parts, abs=2)


def drawn(text: str) -> Any:
    figure = Figure((3, 0.3), dpi=100, facecolor="white")
    figure.text(0, 0.2, text, fontsize=14, **caption.literal_text(text))
    return np.asarray(figure_to_image(figure).convert("L")) < 128


@pytest.mark.usefixtures("_three_files")
def test_letters_of_another_font_are_drawn() -> None:
    assert drawn(WATCH).sum() > 30
    assert (drawn(f"a{WATCH}")[:, 14:].sum(), drawn("a")[:, 14:].sum()) > (30, 0)


@pytest.mark.parametrize("text", ["$\\frac{x}$", "$x", "a_b^c", "\\textbf{x}", "%s {title}"])
def test_nothing_is_a_formula(text: str) -> None:
    """Each sign is drawn as itself, whatever the user's settings are."""
    assert drawn(text).sum() > drawn(text[:-1]).sum() > 0
    with matplotlib.rc_context({"text.parse_math": True, "text.usetex": True}):
        assert drawn(text).sum() > 0


@pytest.mark.parametrize("text", [*HOSTILE, "\u4e2d\u6587 \U0001f600", NOWHERE, "W" * 500])
def test_what_is_drawable_is_drawn_without_a_warning(text: str) -> None:
    drawn(caption.drawable(text))


@pytest.mark.usefixtures("_three_files")
def test_letters_without_any_font_are_replaced_and_the_class_id_is_shown() -> None:
    assert caption.drawable(f"a{NOWHERE}{WATCH}") == f"a\ufffd{WATCH}"
    assert caption.drawable("a\U000e0020") == "a"  # an invisible tag
    names = [f"cat {NOWHERE}", f"cat {WATCH}"]
    lines = [
        caption.caption_lines("", TargetExplanation(7, class_name=name), 13, 300) for name in names
    ]
    assert lines == [["cat \ufffd (7)"], [f"cat {WATCH}"]]


def test_the_fonts_of_the_system_have_real_letters() -> None:
    listed = caption._font_files()
    assert next(iter(listed)) == "DejaVu Sans"
    assert not any("LastResort" in path for path in listed.values())
    assert "Oblique" not in "".join(listed.values())
