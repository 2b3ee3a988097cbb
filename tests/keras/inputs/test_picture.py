"""A doc is shown as the picture that it is, whatever range its values have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eli5.keras.inputs.image import to_picture

Array = np.ndarray[Any, Any]
RAMP = np.linspace(0, 1, 24).reshape(1, 4, 6, 1)


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (RAMP, RAMP * 255),
        (RAMP.astype("float16"), RAMP * 255),
        (RAMP * 2 - 1, RAMP * 255),
        (RAMP * 255, RAMP * 255),
        ((RAMP * 255).astype("int32"), np.floor(RAMP * 255)),
        (RAMP * 240 - 120, RAMP * 255),
        (RAMP * 1e30, RAMP * 255),
        (RAMP * 0, RAMP * 0),
        (RAMP * 0 + 300, RAMP * 0),
        (np.where(RAMP > 0.5, np.nan, RAMP), np.where(RAMP > 0.5, 0, RAMP) * 255),
        (RAMP > 0.5, (RAMP > 0.5) * 255),
    ],
    ids="0..1 half -1..1 0..255 int centred huge black constant nan bool".split(),  # noqa: SIM905
)
def test_values_are_brought_to_bytes(doc: Array, expected: Array) -> None:
    pixels = np.asarray(to_picture(doc), "float64")
    np.testing.assert_allclose(pixels, expected[0, ..., 0], atol=1.01)


def test_bytes_stay_as_they_are() -> None:
    doc = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3), dtype="uint8")
    np.testing.assert_array_equal(np.asarray(to_picture(doc)), doc[0])


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((1, 4, 6), "L"),
        ((1, 4, 6, 1), "L"),
        ((1, 4, 6, 2), "L"),
        ((1, 4, 6, 3), "RGB"),
        ((1, 4, 6, 4), "RGBA"),
        ((1, 4, 6, 13), "L"),
    ],
)
def test_mode_follows_the_channels(shape: tuple[int, ...], mode: str) -> None:
    picture = to_picture(np.random.default_rng(0).uniform(size=shape))
    assert (picture.mode, picture.size) == (mode, (6, 4))
