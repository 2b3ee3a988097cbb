"""Files that earlier versions of the package wrote are read, each to the explanation it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import (
    DocWeightedSpans,
    Explanation,
    Placement,
    Series,
    TargetExplanation,
    WeightedSpans,
)

# Written with the code of the time, and never written again.
FOLDER = Path(__file__).parents[1] / "data" / "saved"


def ramp(*shape: int, dtype: str = "float32", start: float = 0) -> np.ndarray:
    """Return an array whose values are all different: 0, 1/8, 1/4, ... from `start` on."""
    return (start + np.arange(np.prod(shape)) / 8).reshape(shape).astype(dtype)


def picture(mode: str = "RGB", size: tuple[int, int] = (6, 4)) -> Image.Image:
    """Return a picture whose bytes count up."""
    n_bytes = len(Image.new(mode, size).tobytes())
    image = Image.frombytes(mode, size, bytes(k % 251 for k in range(n_bytes)))
    if mode in ("P", "PA"):
        image.putpalette(bytes(range(255, -1, -1)) * 3)
    return image


def of_image() -> Explanation:
    targets = [
        TargetExplanation(
            target,
            proba=0.5 - target / 16,
            score=0.1 + target,
            heatmap=ramp(2, 3) / 2,
            class_name=name,
            attribution=ramp(2, 3, start=-0.3),
            details={"completeness_error": -1e-7},
        )
        for target, name in enumerate(["tabby cat", "<b>👩‍👩‍👧 猫</b>", "\u202eevil"])
    ]
    return Explanation(
        "my_net",
        description="What raised the score.\nBefore softmax.",
        error="",
        method="Integrated Gradients",
        targets=targets,
        image=picture(),
        layer="conv_9",
    )


def not_finite() -> Explanation:
    attribution = np.array([[np.nan, np.inf], [-np.inf, -0.0]])
    target = TargetExplanation(
        3,
        score=np.nan,
        proba=np.inf,
        heatmap=ramp(2, 2, dtype="float16"),
        attribution=attribution,
        details={"completeness_error": -np.inf},
    )
    return Explanation("net", method="Saliency", targets=[target], is_regression=True)


def of_volume() -> Explanation:
    target = TargetExplanation("contrast", heatmap=ramp(3, 2, 2) / 2)
    return Explanation("net", targets=[target], image=picture("L", (12, 4)))


def of_palette() -> Explanation:
    image = picture("P")
    image.info = {"transparency": b"\x00\x80", "icc_profile": b"profile"}
    return Explanation("net", targets=[TargetExplanation(1, heatmap=ramp(1, 2))], image=image)


def of_error() -> Explanation:
    return Explanation("net", error="not supported")


def of_text() -> Explanation:
    spans = [
        ("[CLS]", [], 0.125),
        ("not", [(0, 3)], -0.5),
        ("great", [(4, 6), (6, 9)], float("nan")),
    ]
    text = DocWeightedSpans("not great 猫", spans, vec_name="title")
    target = TargetExplanation(0, weighted_spans=WeightedSpans([text]), heatmap=ramp(3))
    return Explanation("net", method="Occlusion", targets=[target], layer="embedding")


def of_series() -> Explanation:
    time = np.array(["2026-03-01T12:00", "2026-03-01T12:25", "NaT"], "M8[25m]")
    values = np.array([[1.5, np.nan], [2, -2], [1e300, 0]])
    target = TargetExplanation(0, heatmap=ramp(3, 2), attribution=ramp(3, 2, start=-0.3))
    return Explanation("net", targets=[target], series=Series(values, time, ["x", "y"]))


def of_placed() -> Explanation:
    target = TargetExplanation(
        1,
        score=0.75,
        proba=0.75,
        heatmap=ramp(2, 3) / 2,
        placement=Placement((4, 6), (0, 1), (0.5, 1.0), (2.5, 5.0), ((-0.5, 3.5), (0.0, 5.5))),
        explained=1.0986,
        explained_name="log-odds",
    )
    return Explanation("net", method="Grad-CAM", targets=[target], image=picture(), layer="conv")


def of_signed() -> Explanation:
    target = TargetExplanation(
        2, score=0.25, heatmap=ramp(2, 3) / 2, attribution=ramp(2, 3, start=-0.3), sign="negative"
    )
    return Explanation("net", method="Saliency", targets=[target], source="photos/a.jpg")


def odd_values() -> Explanation:
    odd = {
        "tuple": (1, ("a", [None, b"\x00\xff"])),
        "dict": {1: "a", 2.5: {"b": (ramp(2, 2),)}, None: [], (1, 2): {}},
        "$": ["\ud83d\ude00", "a\udcff", 2**70, True],
        "../x": np.array([0, 2**63], np.uint64),
        "target": TargetExplanation(1, heatmap=np.array([True, False])),
    }
    return Explanation("net", decision_tree=odd)


def of_mode(mode: str) -> Callable[[], Explanation]:
    return lambda: Explanation("net", image=picture(mode))


SAMPLES: dict[str, Callable[[], Explanation]] = {
    "image": of_image,
    "not-finite": not_finite,
    "volume": of_volume,
    "palette": of_palette,
    "error": of_error,
    "text": of_text,
    "series": of_series,
    "odd-values": odd_values,
    "placed": of_placed,
    "signed": of_signed,
    **{
        f"mode-{mode.replace(';', '-')}": of_mode(mode)
        for mode in ("1", "I;16", "F", "PA", "RGBA", "CMYK")
    },
}

FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_an_earlier_version_is_read(name: str) -> None:
    expected = SAMPLES[Path(name).stem]()
    loaded = eli5.load(FOLDER / name)
    assert loaded == expected
    for one, other in zip(loaded.targets or (), expected.targets or (), strict=True):
        for array in ("heatmap", "attribution"):
            assert getattr(getattr(one, array), "dtype", None) == getattr(
                getattr(other, array), "dtype", None
            )
    if expected.series is not None:
        assert loaded.series.time.dtype == expected.series.time.dtype


def test_there_is_a_file_of_each_sample() -> None:
    both = {f"{name}.{ending}" for name in SAMPLES for ending in ("json", "npz")}
    for version, name in ((3, "placed"), (4, "signed")):
        added = {f"{name}.json", f"{name}.npz"}
        assert {path.name for path in (FOLDER / f"version-{version}").iterdir()} == added
        both -= added
    assert {path.name for path in (FOLDER / "version-2").iterdir()} == both
    assert {path.name for path in (FOLDER / "version-1").iterdir()} == {
        name for name in both if name.partition(".")[0] not in ("text", "series")
    }
