"""Explanations of every odd kind, for hypothesis, and one that has all fields."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from eli5.base import (
    DocWeightedSpans,
    Explanation,
    Grade,
    Series,
    TargetExplanation,
    WeightedSpans,
)
from helpers.strict_html import HOSTILE

Array = np.ndarray[Any, Any]

MODES = ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
MODES += ["LAB", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"]
TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(HOSTILE)
NUMBERS = st.none() | st.floats() | st.integers(-1000, 1000) | st.floats(width=32).map(np.float32)
SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))
DTYPES = st.sampled_from([np.float32, np.float64, np.float16, np.int8, np.uint64, np.bool_])
# What a user may put into a field that is always None for Keras models.
PLAIN = st.recursive(
    NUMBERS | st.booleans() | TEXTS | st.binary(max_size=3) | arrays(DTYPES, (2, 3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(TEXTS | st.integers() | st.just("$"), inner, max_size=3)
    ),
    max_leaves=5,
)


def noise(mode: str, size: tuple[int, int] = (7, 5), seed: int = 0) -> Image.Image:
    """Return a picture of any mode in which every byte is random."""
    n_bytes = len(Image.new(mode, size).tobytes())
    values = np.random.default_rng(seed).integers(0, 256, n_bytes, np.uint8)
    picture = Image.frombytes(mode, size, values.tobytes())
    if mode in ("P", "PA"):
        picture.putpalette(bytes(range(255, -1, -1)) * 3)
    return picture


def full_explanation() -> Explanation:
    """Return an explanation, of a kind that Keras models give, that has all that they have."""
    rng = np.random.default_rng(0)
    targets = [
        TargetExplanation(
            target,
            proba=0.1 * target,
            score=float(rng.normal()),
            heatmap=rng.random((3, 4), np.float32),
            class_name=name,
            attribution=rng.normal(size=(3, 4)).astype("float32"),
            details={"completeness_error": float(rng.random())},
        )
        for target, name in [(1, "tabby cat"), (3, "<b>👩‍👩‍👧 猫</b>"), (4, "\u202eevil")]
    ]
    return Explanation(
        "my_net",
        description="What raised the score.\nBefore softmax.",
        error="",
        method="Integrated Gradients",
        targets=targets,
        image=noise("RGB"),
        layer="conv_9",
    )


GRADES = st.builds(
    Grade,
    value=NUMBERS,
    verdict=TEXTS,
    parts=st.dictionaries(TEXTS, NUMBERS, max_size=3),
    reason=TEXTS,
    passes=st.integers(0, 40),
    baseline=TEXTS,
    seed=st.integers(0, 9),
)


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    mode, size = draw(st.sampled_from(MODES)), draw(SIZES)
    if draw(st.booleans()):
        return noise(mode, size, draw(st.integers(0, 9))) if mode != "F" else Image.new("F", size)
    levels = st.integers(0, 255)
    bands = [draw(levels) for _ in Image.new(mode, size).getbands()]
    return Image.new(mode, size, bands[0] if len(bands) == 1 else tuple(bands))


def heatmaps(image: Image.Image | None) -> st.SearchStrategy[Any]:
    """Draw heatmaps of rank 2, and those of rank 3 whose slices fit side by side into the image."""
    width = 12 if image is None else image.width
    depths = st.sampled_from([d for d in range(1, width + 1) if width % d == 0])
    shapes = SIZES | st.tuples(depths, st.integers(1, 5), st.integers(1, 5))
    dtypes = st.sampled_from([np.float32, np.float64])
    return arrays(dtypes, shapes, elements=st.floats(0, 1, width=32))


def targets(image: Image.Image | None) -> st.SearchStrategy[TargetExplanation]:
    return st.builds(
        TargetExplanation,
        target=st.integers(-1, 2000) | st.integers(0, 9).map(np.int64) | TEXTS,
        proba=NUMBERS,
        grade=st.none() | GRADES,
        score=NUMBERS,
        weighted_spans=st.none() if image else spans(),
        heatmap=st.none() | heatmaps(image),
        class_name=st.none() | TEXTS,
        attribution=st.none() | arrays(np.float32, SIZES, elements=st.floats(width=32)),
        details=st.none() | st.dictionaries(TEXTS, st.floats(), max_size=3),
    )


@st.composite
def weighted_texts(draw: st.DrawFn) -> DocWeightedSpans:
    """Draw texts with spans of any order, which overlap, end within emoji or lie outside."""
    letters = (
        st.sampled_from('ab \t\n\r<&"\x1b\u0301👩👍🏽\u200d🇩🇪क्षשع\u202e\ud800') | st.characters()
    )
    document = draw(st.text(letters, max_size=30) | st.sampled_from(HOSTILE))
    places = st.tuples(st.integers(-2, 32), st.integers(-2, 32))
    weights: st.SearchStrategy[Any] = (
        st.floats(-10, 10) | st.floats() | st.floats(width=32).map(np.float32)
    )
    spans = st.tuples(TEXTS, st.lists(places, max_size=2), weights | st.integers(-3, 3))
    return DocWeightedSpans(
        document,
        draw(st.lists(spans, max_size=8)),
        preserve_density=draw(st.none() | st.booleans()),
        vec_name=draw(st.none() | TEXTS),
    )


def spans() -> st.SearchStrategy[Any]:
    texts = st.lists(weighted_texts(), max_size=2)
    return st.none() | st.builds(WeightedSpans, texts) | PLAIN


@st.composite
def series(draw: st.DrawFn) -> Series:
    n_steps, n_channels = draw(SIZES)
    numbers = st.floats(width=32)
    return Series(
        draw(arrays(np.float32, (n_steps, n_channels), elements=numbers)),
        draw(st.none() | arrays(np.float64, n_steps)),
        draw(st.none() | st.lists(TEXTS, min_size=n_channels, max_size=n_channels)),
    )


@st.composite
def explanations(draw: st.DrawFn) -> Explanation:
    image = draw(st.none() | pictures())
    return Explanation(
        estimator=draw(TEXTS),
        description=draw(st.none() | TEXTS),
        error=draw(st.none() | TEXTS),
        method=draw(st.none() | TEXTS),
        is_regression=draw(st.booleans()),
        layer=draw(st.none() | TEXTS),
        image=image,
        feature_importances=draw(st.none() | PLAIN),
        series=draw(st.none() | series()) if image is None else None,
        targets=draw(st.none() | st.lists(targets(image), max_size=6)),
    )
