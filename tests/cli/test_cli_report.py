"""What is said of the warnings of a run."""

from __future__ import annotations

import warnings

import pytest

from eli5.cli import report
from eli5.cli.report import collected_warnings, warning_lines


def test_warnings_are_counted_without_their_numbers() -> None:
    with collected_warnings() as counts:
        for number in range(3):
            warnings.warn(f"Doc {number}: It is empty.", UserWarning, stacklevel=1)
        warnings.warn("Labels", UserWarning, stacklevel=1)
        warnings.warn("for developers", DeprecationWarning, stacklevel=1)
    assert warning_lines(counts) == ["It is empty. (3 times)", "Labels"]
    assert warning_lines(counts, known="It is empty.") == ["Labels"]
    with pytest.warns(UserWarning, match="heard again"):
        warnings.warn("heard again", UserWarning, stacklevel=1)


def test_warnings_of_many_kinds_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_MOST_COUNTED", 50)
    with collected_warnings() as counts:
        for number in range(70):
            warnings.warn(f"file {number}", UserWarning, stacklevel=1)
    assert len(counts) == 50
    assert warning_lines(counts) == [*(f"file {k}" for k in range(5)), "And 45 other warnings."]
