"""Where a text may be cut without tearing apart what a reader sees as one character."""

from __future__ import annotations

from unicodedata import category, combining

__all__ = ["is_cut", "whole"]

_JOINER = "\u200d"
_VIRAMA = 9  # the combining class of the signs that join two Indian consonants
_LONGEST = 64  # characters back: whatever is longer is no character but an attack


def whole(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a span, so that it neither begins nor ends within a character as it is seen.

    Tokens are cut from bytes or code points, and may hold a part of an emoji, an accent without its
    letter, or half a line break. The rules are those of Unicode's grapheme clusters (UAX #29) as
    far as Python's tables have what they need.

    Parameters
    ----------
    text : str
    start, end : int
        A span, ``0 <= start <= end <= len(text)``.

    Returns
    -------
    start, end : int
        The smallest span around it that may be coloured by itself.
    """
    while not is_cut(text, start):
        start -= 1
    while not is_cut(text, end):
        end += 1
    return start, end


def is_cut(text: str, place: int) -> bool:
    """Tell whether a text may be cut before its character at this place."""
    if not 0 < place < len(text):
        return True
    before, after = text[place - 1], text[place]
    if before == "\r" and after == "\n":
        return False
    if after.isascii() or category(before) == "Cc":
        return True
    return not (
        _is_extending(after)
        or (_is_extending(before) and _is_joined(text, place))
        or (_is_flag_half(after) and _n_flag_halves(text, place) % 2 == 1)
        or _is_in_syllable(before, after)
    )


def _is_extending(letter: str) -> bool:
    """Tell accents, joiners, variation selectors, skin colours, tags of flags, am of Thai, Lao."""
    return (
        category(letter) in ("Mn", "Mc", "Me")
        or letter in "\u200c\u200d\u0e33\u0eb3"
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
        or "\U000e0020" <= letter <= "\U000e007f"
    )


def _is_joined(text: str, place: int) -> bool:
    """Tell emoji that are joined into one, and consonants that a script of India joins."""
    start = place - 1
    while start > max(0, place - _LONGEST) and _is_extending(text[start]):
        start -= 1
    base, signs, after = text[start], text[start + 1 : place], text[place]
    if category(after) == "Lo":  # those scripts have 128 code points each
        has_virama = any(combining(sign) == _VIRAMA for sign in signs)
        return has_virama and category(base) == "Lo" and ord(base) >> 7 == ord(after) >> 7
    are_emoji = category(base) == category(after) == "So"
    return are_emoji and signs[-1:] == _JOINER and not _is_flag_half(base + after)


def _is_flag_half(letters: str) -> bool:
    return any("\U0001f1e6" <= letter <= "\U0001f1ff" for letter in letters)


def _n_flag_halves(text: str, place: int) -> int:
    """Count the letters of flags in front: two make a flag."""
    k = place
    while k > 0 and _is_flag_half(text[k - 1]):
        k -= 1
    return place - k


def _is_in_syllable(before: str, after: str) -> bool:
    """Tell the letters of one Korean syllable that is written letter by letter."""
    lead, vowel, tail = ("\u1100", "\u115f"), ("\u1160", "\u11a7"), ("\u11a8", "\u11ff")
    if "\uac00" <= before <= "\ud7a3":
        is_open = (ord(before) - 0xAC00) % 28 == 0
        return tail[0] <= after <= tail[1] or (is_open and vowel[0] <= after <= vowel[1])
    if lead[0] <= before <= lead[1]:
        return lead[0] <= after <= vowel[1] or "\uac00" <= after <= "\ud7a3"
    is_vowel, is_tail = vowel[0] <= before <= vowel[1], tail[0] <= before <= tail[1]
    follows = after >= (tail[0] if is_tail else vowel[0]) and after <= tail[1]
    return (is_vowel or is_tail) and follows
