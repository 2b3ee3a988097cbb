"""Series: maps over time, and over time and channels."""

from __future__ import annotations

import functools
import re
import warnings
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.keras.inputs.series import check_time
from eli5.keras.methods import WITHOUT_ATTENTION
from helpers.backend_limits import ONCE
from helpers.models import with_weights

pytestmark = ONCE  # what a series is, and how it is read

Array = np.ndarray[Any, Any]
LENGTH, MOTIF = 96, 16
WAVE = np.sin(np.linspace(0, 4 * np.pi, MOTIF))


def recordings(n: int, seed: int) -> tuple[Array, Array, Array]:
    """Return noise of two channels, in the second a motif in one of two forms; and its place."""
    random = np.random.default_rng(seed)
    docs = random.normal(0, 0.5, (n, LENGTH, 2)).astype("float32")
    labels, starts = random.integers(0, 2, n), random.integers(4, LENGTH - MOTIF - 4, n)
    for doc, label, start in zip(docs, labels, starts, strict=True):
        doc[start : start + MOTIF, 1] += 2 * (WAVE if label else np.abs(WAVE))
    return docs, labels, starts


@functools.cache
def listener() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((LENGTH, 2)),
            layers.Conv1D(16, 9, padding="same", activation="relu", name="first"),
            layers.MaxPooling1D(2),
            layers.Conv1D(16, 5, activation="relu", name="last"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, activation="softmax"),
        ],
        name="listener",
    )
    docs, labels, _ = recordings(600, seed=0)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(docs, labels, batch_size=32, epochs=8, verbose=0)
    return model


@pytest.mark.parametrize("method", ["Grad-CAM", "LayerCAM", "Gradient × Input", "Occlusion"])
def test_the_motif_holds_most_of_the_heatmap(method: str) -> None:
    docs, labels, starts = recordings(12, seed=1)
    shares = []
    for doc, label, start in zip(docs, labels, starts, strict=True):
        expl = eli5.explain_prediction(listener(), doc[None], method=method)
        (target,) = expl.targets
        if target.target != label:
            continue
        heatmap = target.heatmap if target.heatmap.ndim == 1 else target.heatmap[:, 1]
        window = slice(max(start - 6, 0), start + MOTIF + 6)  # what the layers' windows see of it
        shares.append((heatmap[window] ** 2).sum() / (target.heatmap**2).sum())
    assert len(shares) >= 10
    assert np.median(shares) > 0.6


def test_the_map_of_a_long_series_lies_between_the_steps_of_its_layer() -> None:
    n_steps = 60_000  # what has a number for each pair of steps would take 14 GB
    model = keras.Sequential(
        [keras.Input((None, 1)), layers.MaxPooling1D(2), layers.Conv1D(1, 1, name="conv"),
         layers.GlobalAveragePooling1D()]
    )  # fmt: skip
    model.set_weights([np.ones((1, 1, 1)), np.zeros(1)])
    doc = np.random.default_rng(0).uniform(size=(1, n_steps, 1)).astype("float32")
    expl = eli5.explain_prediction(model, doc, method="HiResCAM", score="output")
    found = expl.targets[0].attribution
    maxima = doc.reshape(-1, 2).max(axis=1) / (n_steps // 2)
    wanted = np.interp(np.arange(n_steps), 0.5 + 2 * np.arange(n_steps // 2), maxima)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_shapes() -> None:
    doc = recordings(1, seed=2)[0]
    shapes = {
        "Grad-CAM": (LENGTH,),
        "Ablation-CAM": (LENGTH,),
        "Score-CAM": (LENGTH,),
        "RISE": (LENGTH,),
        "LIME": (LENGTH,),
        "Saliency": (LENGTH, 2),
        "Integrated Gradients": (LENGTH, 2),
        "Occlusion": (LENGTH, 2),
    }
    options: dict[str, Any] = {"RISE": {"n_masks": 30}, "LIME": {"n_samples": 60}}
    for method, shape in shapes.items():
        expl = eli5.explain_prediction(listener(), doc, method=method, **options.get(method, {}))
        (target,) = expl.targets
        assert target.heatmap.shape == target.attribution.shape == shape, method
        assert target.heatmap.max() == 1
        np.testing.assert_array_equal(expl.series.values, doc[0])
        assert expl.image is None


def test_occlusion_covers_a_window_of_one_channel() -> None:
    model = keras.Sequential(
        [keras.Input((6, 2)), layers.Flatten(), layers.Dense(1, use_bias=False)]
    )
    weights = np.arange(12.0).reshape(12, 1)
    model.layers[-1].set_weights([weights])
    doc = np.random.default_rng(0).normal(size=(1, 6, 2)).astype("float32")
    expl = eli5.explain_prediction(model, doc, method="Occlusion", patch=1, stride=1)
    np.testing.assert_allclose(
        expl.targets[0].attribution, doc[0] * weights.reshape(6, 2), rtol=1e-4, atol=1e-5
    )


def test_a_window_of_a_series_is_of_one_channel_if_only_its_steps_are_given() -> None:
    model = with_weights(
        keras.Sequential([keras.Input((12, 2)), layers.Flatten(), layers.Dense(3)])
    )
    doc = np.random.default_rng(0).normal(size=(1, 12, 2)).astype("float32")

    def asked(**options: Any) -> Any:
        expl = eli5.explain_prediction(model, doc, method="Occlusion", score="output", **options)
        return expl.targets[0].attribution

    in_steps = asked(patch=4, stride=2)  # more steps than there are channels
    np.testing.assert_array_equal(in_steps, asked(patch=(4, 1), stride=(2, 1)))
    assert not np.allclose(in_steps, asked(patch=(4, 2), stride=(2, 2)))


def test_channels_first() -> None:
    if keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow has no convolution with the channels first on this device")
    last = keras.Sequential(
        [keras.Input((20, 3)), layers.Conv1D(4, 3, activation="relu", name="c"),
         layers.GlobalAveragePooling1D(), layers.Dense(2)]
    )  # fmt: skip
    with_weights(last, seed=4)
    first = keras.Sequential(
        [
            keras.Input((3, 20)),
            layers.Conv1D(4, 3, activation="relu", data_format="channels_first", name="c"),
            layers.GlobalAveragePooling1D(data_format="channels_first"),
            layers.Dense(2),
        ]
    )
    first.set_weights(last.get_weights())
    doc = np.random.default_rng(1).normal(size=(1, 20, 3)).astype("float32")
    for method in ("HiResCAM", "Gradient × Input"):
        one = eli5.explain_prediction(last, doc, method=method)
        two = eli5.explain_prediction(first, doc.transpose(0, 2, 1), method=method)
        np.testing.assert_allclose(
            one.targets[0].attribution, two.targets[0].attribution, rtol=1e-4, atol=1e-6
        )
        np.testing.assert_array_equal(two.series.values, doc[0])


def flat_and_deep() -> tuple[keras.Model, keras.Model]:
    """Return two models that differ by how they take a series of one channel."""

    def made(shape: tuple[int, ...]) -> keras.Model:
        steps = [
            keras.Input(shape),
            *([layers.Reshape((30, 1))] if len(shape) == 1 else []),
            layers.Conv1D(6, 5, padding="same", activation="relu", name="c"),
            layers.Conv1D(6, 3, strides=2, activation="relu", name="d"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
        return with_weights(keras.Sequential(steps, name="net"), seed=2)

    return made((30,)), made((30, 1))


FEW: dict[str, Any] = {"RISE": {"n_masks": 30}, "LIME": {"n_samples": 60}}


def test_a_series_of_one_channel_needs_no_axis_of_channels() -> None:
    flat, deep = flat_and_deep()
    doc = np.random.default_rng(3).normal(size=(1, 30)).astype("float32")
    time = np.arange(30) / 2
    for method in WITHOUT_ATTENTION:
        options: dict[str, Any] = {"method": method, "time": time, **FEW.get(method, {})}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The heatmap of target")
            one = eli5.explain_prediction(flat, doc, **options)
            two = eli5.explain_prediction(deep, doc[..., None], **options)
        assert one.targets[0].attribution.shape == (30,), method
        assert one.targets[0].weighted_spans is None
        np.testing.assert_allclose(
            one.targets[0].attribution,
            two.targets[0].attribution.reshape(30),
            rtol=1e-3,
            atol=1e-6,
            err_msg=method,
        )
        assert one.series == two.series
        assert one.layer == two.layer
    assert one.series.values.shape == (30, 1)
    np.testing.assert_array_equal(one.series.time, time)
    assert eli5.format_as_image(one).size[0] > 1
    (many,) = eli5.explain_predictions(flat, doc, **options)
    assert many == one


def test_windows_and_copies_of_a_series_without_an_axis_of_channels() -> None:
    flat, deep = flat_and_deep()
    doc = np.random.default_rng(3).normal(size=(1, 30)).astype("float32")
    for options in (
        {"method": "Occlusion", "patch": 6, "stride": 2},
        {"method": "Occlusion", "patch": (6,), "baseline": np.linspace(0, 1, 30)[:, None]},
        {"method": "Gradient × Input", "n_samples": 4, "noise": 0.2},
        {"method": "Grad-CAM", "n_samples": 4, "noise": 0.2},
    ):
        one = eli5.explain_prediction(flat, doc, channel_names=["x"], **options)
        if options.get("patch") == (6,):
            options |= {"patch": (6, 1), "baseline": np.linspace(0, 1, 30)[:, None, None]}
        two = eli5.explain_prediction(deep, doc[..., None], channel_names=["x"], **options)
        np.testing.assert_allclose(
            one.targets[0].attribution,
            two.targets[0].attribution.reshape(30),
            rtol=1e-3,
            atol=1e-6,
        )


def test_numbers_without_an_axis_of_channels_are_a_text_unless_they_are_said_to_be_a_series() -> (
    None
):
    flat, _ = flat_and_deep()
    doc = np.random.default_rng(3).normal(size=(1, 30)).astype("float32")
    expl = eli5.explain_prediction(flat, doc)
    assert expl.series is None
    assert expl.targets[0].weighted_spans is not None
    with pytest.raises(ValueError, match="Expected one entry in `channel_names` per channel, 1 of"):
        eli5.explain_prediction(flat, doc, channel_names=["x", "y"])


def with_picture(shape: tuple[int, ...]) -> tuple[keras.Model, list[Array]]:
    """Return a model of a picture and a text or a series, and a doc for it."""
    picture, other = keras.Input((8, 8, 3), name="picture"), keras.Input(shape, name="other")
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="seen")(picture))
    vectors = layers.Embedding(9, 4)(other) if len(shape) == 1 else other
    read = layers.GlobalAveragePooling1D()(layers.Conv1D(4, 3, name="read")(vectors))
    model = keras.Model([other, picture], layers.Dense(2)(layers.Concatenate()([read, seen])))
    random = np.random.default_rng(0)
    return with_weights(model), [
        random.integers(1, 9, (1, *shape)).astype("float32"),
        random.uniform(size=(1, 8, 8, 3)).astype("float32"),
    ]


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((6,), {"tokens": list("abcdef")}, r"inputs is the text, or leave out `tokens`, `pad_val"),
        ((6,), {"pad_value": 0}, r"inputs is the text, or leave out `tokens`, `pad_value` and `pa"),
        ((6, 2), {"time": range(6)}, r"inputs is the series, or leave out `time` and `channel_na"),
    ],
)
def test_what_is_said_of_one_input_is_not_dropped_for_another(
    shape: tuple[int, ...], options: Any, message: str
) -> None:
    model, doc = with_picture(shape)
    wanted = r"Received: an input of shape \(1, 8, 8, 3\)\. Say with `input` which of several "
    with pytest.raises(ValueError, match=wanted + message):
        eli5.explain_prediction(model, doc, input="picture", **options)
    assert eli5.explain_prediction(model, doc, input="picture").image is not None
    assert eli5.explain_prediction(model, doc, **options).image is None


def test_a_series_that_becomes_a_picture_stays_a_picture() -> None:
    model = keras.Sequential(
        [
            keras.Input((12, 16)),
            layers.Reshape((12, 16, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    with_weights(model)
    expl = eli5.explain_prediction(model, np.ones((1, 12, 16), "float32"), method="HiResCAM")
    assert expl.targets[0].heatmap.ndim == 2
    assert expl.image.size == (16, 12)
    assert expl.series is None


def test_time_and_names() -> None:
    doc = recordings(1, seed=3)[0]
    time = np.arange(LENGTH) / 100
    expl = eli5.explain_prediction(listener(), doc, time=time, channel_names=["left", "right"])
    np.testing.assert_array_equal(expl.series.time, time)
    assert expl.series.channel_names == ["left", "right"]


def days(n: int = LENGTH) -> list[date]:
    return [date(2026, 3, 1) + timedelta(days=k) for k in range(n)]


def in_kolkata() -> list[datetime]:
    zone = timezone(timedelta(hours=5, minutes=30))
    return [datetime(2026, 3, day.day, day.month, 30, 1, tzinfo=zone) for day in days(20)]


@pytest.mark.parametrize(
    ("time", "wanted"),
    [
        (days(), np.datetime64("2026-03-01") + np.arange(LENGTH)),
        (
            [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)],
            np.array(["0001-01-01", "9999-12-31T23:59:59.999999"], "M8[us]"),
        ),
        (in_kolkata()[:2], np.array(["2026-02-28T22:00:01", "2026-03-01T22:00:01"], "M8[us]")),
        ([date(2026, 1, 1), datetime(2026, 1, 1, 1)], np.array([0, 1], "M8[h]") + 490896),
        (np.array([0, 500, 2500], "m8[ms]"), np.array([0, 0.5, 2.5])),
        ([timedelta(days=-1), timedelta(microseconds=1)], np.array([-86400, 1e-6])),
    ],
)
def test_dates_and_durations(time: Any, wanted: Array) -> None:
    found = check_time(time)
    assert found.dtype.kind == wanted.dtype.kind
    np.testing.assert_array_equal(found, wanted)


def test_times_and_names_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    nanosecond = pandas.Timestamp("2026-03-01T12:00:00.000000001")
    index = pandas.date_range("2026-03-29", periods=LENGTH, freq="h", tz="Europe/Berlin")
    wanted = np.datetime64("2026-03-28T23:00") + np.arange(LENGTH) * np.timedelta64(1, "h")
    for time in (index, pandas.Series(index), index.tz_convert(None), list(index)):
        np.testing.assert_array_equal(check_time(time), wanted)
    assert check_time([nanosecond])[0] == np.datetime64("2026-03-01T12:00:00.000000001")
    np.testing.assert_array_equal(check_time(index - index[0]), np.arange(LENGTH) * 3600)
    for first in (pandas.Timestamp("2026-03-01"), index[0]):
        with pytest.raises(ValueError, match=re.escape("Received: time[1]=NaT")):
            check_time([first, pandas.NaT])
    names = pandas.DataFrame({"left": [1], "right": [2]}).columns
    doc = recordings(1, seed=3)[0]
    for given in (names, pandas.Series(names, index=[7, 8]), (name for name in names)):
        expl = eli5.explain_prediction(listener(), doc, time=index, channel_names=given)
        assert expl.series.channel_names == ["left", "right"]
        assert expl.series.time.dtype.kind == "M"


def test_every_time_that_is_taken_can_be_drawn() -> None:
    doc = recordings(1, seed=3)[0]
    for time in (
        np.linspace(-1e300, 1e300, LENGTH),
        np.append(np.array(["0001"], "M8[D]"), np.datetime64("9999-09-28") + np.arange(95)),
    ):
        expl = eli5.explain_prediction(listener(), doc, time=time)
        assert eli5.format_as_image(expl).size[0] > 1
        assert "Peak" in eli5.format_as_text(expl)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"time": ["a"] * LENGTH}, TypeError, "Expected `time` to hold numbers or dates"),
        ({"time": np.zeros((2, 3))}, ValueError, "Received: time of shape (2, 3), with 2 axes"),
        ({"time": [0, 2, 1]}, ValueError, "with 2 before 1"),
        ({"time": [0, 1]}, ValueError, "Expected one entry in `time` per step, 96 of them."),
        ({"time": np.array([0, 1], "m8[M]")}, TypeError, "timedelta64[M]. Divide durations in mon"),
        ({"time": np.array(["2026"])}, TypeError, "dtype <U4. Make dates of strings with `np.arr"),
        ({"time": [0, 1, np.nan]}, ValueError, "to be finite, and dates to be in the years 1 to"),
        ({"time": [-np.inf, 0]}, ValueError, "Received: time[0]=-inf"),
        ({"time": [0, np.inf]}, ValueError, "Received: time[1]=inf"),
        ({"time": np.array(["NaT"], "M8[s]")}, ValueError, "Received: time[0]=NaT"),
        ({"time": np.array([1, 8030], "M8[Y]")}, ValueError, "Received: time[1]=10000"),
        ({"time": np.array([-1970, 5], "M8[Y]")}, ValueError, "Received: time[0]=0000"),
        ({"time": np.array([0, "NaT"], "m8[s]")}, ValueError, "Received: time[1]=nan"),
        (
            {"time": [datetime(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC)]},
            ValueError,
            "Expected all dates of `time` to have a time zone, or none.",
        ),
        ({"time": [date(2026, 1, 1), 3]}, TypeError, "Received: an array of dtype object."),
        ({"time": 3}, ValueError, "with 0 axes"),
        ({"channel_names": {"a": 1, "b": 2}}, TypeError, "`channel_names` to be a list of strings"),
        ({"channel_names": 3}, TypeError, "Expected `channel_names` to be a list of strings."),
        ({"channel_names": np.array("ab")}, TypeError, "`channel_names` to be a list of strings."),
        ({"channel_names": "ab"}, TypeError, "Expected `channel_names` to be a list of strings."),
        ({"channel_names": [1, 2]}, TypeError, "Expected `channel_names` to be a list of strings."),
        ({"channel_names": ["a"]}, ValueError, "per channel, 2 of them. Received: 1"),
    ],
)
def test_errors(options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        eli5.explain_prediction(listener(), recordings(1, seed=3)[0], **options)


def test_no_cell_of_a_layer_with_more_steps_than_the_series_gets_lost() -> None:
    inputs = keras.Input((4, 1))
    x = layers.UpSampling1D(6)(inputs)
    x = ops.multiply(x, (np.arange(24) == 7).astype("float32")[:, None])
    x = layers.Conv1D(1, 1, kernel_initializer="ones", name="conv")(x)
    x = layers.GlobalMaxPooling1D()(x)
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))
    expl = eli5.explain_prediction(model, np.ones((1, 4, 1), "float32"), layer="conv")
    np.testing.assert_array_equal(expl.targets[0].heatmap, [0, 1, 0, 0])
    assert "is empty" not in expl.description


def test_masked_time_is_refused() -> None:
    time = np.ma.masked_array([0.0, 1.0, 2.0], [False, True, False])
    with pytest.raises(ValueError, match="Expected `time` without masked values"):
        check_time(time)
