"""Letters that matplotlib's own font has, those that another font has, and those that none has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from eli5.base import TargetExplanation
from eli5.formatters import caption, fonts

FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
STIX, DEJAVU = str(FONTS / "STIXGeneral.ttf"), str(FONTS / "DejaVuSans.ttf")
WATCH = "\u231a"  # STIX has it, DejaVu Sans has not
NOWHERE = "\U000f1234"


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the system have one font beside matplotlib's, and others that are gone or broken."""
    files = ["/gone.ttf", __file__, STIX]
    monkeypatch.setattr(fonts, "_system_fonts", lambda: files)
    fonts._find_font.cache_clear()
    yield files
    fonts._find_font.cache_clear()


def test_letters_come_from_a_font_that_has_them(found: list[str]) -> None:
    assert fonts._runs(f"a {WATCH}{WATCH} b", bold=False) == [
        (DEJAVU, "a "),
        (STIX, WATCH * 2),
        (DEJAVU, " b"),
    ]
    assert found[0] == STIX  # it is asked first for the next letter
    parts = sum(fonts.text_width(part, 20) for part in ("a ", WATCH, " b"))
    assert fonts.text_width(f"a {WATCH} b", 20) == parts


def test_bold_letters_of_other_fonts_are_not_bold(found: list[str]) -> None:
    bold = str(FONTS / "DejaVuSans-Bold.ttf")
    assert fonts._runs(f"a{WATCH}", bold=True) == [(bold, "a"), (STIX, WATCH)]
    assert fonts.text_width("WWW", 20, bold=True) > fonts.text_width("WWW", 20)


def test_accents_stay_with_their_letter(found: list[str]) -> None:
    """An accent is drawn in its letter's font if that has it, though DejaVu Sans has it, too."""
    text = f"{WATCH}\u0301a\u0301"
    assert fonts._runs(text, bold=False) == [(STIX, f"{WATCH}\u0301"), (DEJAVU, "a\u0301")]
    assert fonts._runs("a\u20dd", bold=False) == [(DEJAVU, "a"), (STIX, "\u20dd")]


def test_letters_of_another_font_are_drawn(found: list[str]) -> None:
    def drawn(text: str) -> Any:
        image = Image.new("L", (60, 30), 255)
        fonts.write(ImageDraw.Draw(image), (2, 2), text, 20)
        return np.asarray(image) < 128

    expected = Image.new("L", (60, 30), 255)
    ascent = ImageFont.truetype(DEJAVU, 20).getmetrics()[0]
    stix = ImageFont.truetype(STIX, 20)
    ImageDraw.Draw(expected).text((2, 2 + ascent), WATCH, fill=0, font=stix, anchor="ls")
    np.testing.assert_array_equal(drawn(WATCH), np.asarray(expected) < 128)
    assert drawn(WATCH).sum() > 30
    assert (drawn(f"a{WATCH}")[:, 14:].sum(), drawn("a")[:, 14:].sum()) > (30, 0)


def test_letters_without_any_font_are_replaced_and_the_class_id_is_shown(found: list[str]) -> None:
    assert fonts.drawable(f"a{NOWHERE}{WATCH}") == f"a\ufffd{WATCH}"
    assert fonts.drawable("a\U000e0020") == "a"  # an invisible tag
    names = [f"cat {NOWHERE}", f"cat {WATCH}"]
    lines = [
        caption.name_lines(TargetExplanation(7, class_name=name), 13, 300)[0].text for name in names
    ]
    assert lines == ["cat \ufffd (7)", f"cat {WATCH}"]


def test_families_of_a_text(found: list[str]) -> None:
    assert fonts.families(f"a{WATCH}") == ["DejaVu Sans", "STIXGeneral"]
    assert fonts.families("") == ["DejaVu Sans"]


def test_the_fonts_of_the_system_are_upright_first_and_have_real_letters() -> None:
    listed = fonts._system_fonts()
    assert DEJAVU in listed
    assert not any("LastResort" in path for path in listed)
    places = [listed.index(str(FONTS / f"DejaVuSans{kind}.ttf")) for kind in ("", "-Oblique")]
    assert places == sorted(places)
