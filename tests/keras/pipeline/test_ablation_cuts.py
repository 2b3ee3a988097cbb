"""Where Ablation-CAM leaves out a layer's maps: at the smallest output that keeps them apart.

Ablation-CAM is compared with a loop that leaves out one map at a time and runs the head on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.keras import engine
from eli5.keras.inputs.sample import read_sample
from eli5.keras.pipeline.ablation_runs import _strategies
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.request import make_request
from helpers.models import ROUNDING, sample, with_weights

Array = np.ndarray[Any, Any]
BACKEND = keras.backend.backend()
SIZE, VOLUME = (8, 10, 3), (4, 6, 5, 2)
N_MAPS, N_CLASSES = 5, 3


def cut_behind(*steps: Any, size: tuple[int, ...] = SIZE) -> str | None:
    """Return the name of the cut behind a convolution that these layers follow."""
    conv = layers.Conv3D if len(size) == 4 else layers.Conv2D
    model = keras.Sequential([keras.Input(size), conv(4, 3, padding="same", name="last"), *steps])
    return cut_of(model, size)


def cut_of(model: keras.Model, size: tuple[int, ...] = SIZE) -> str | None:
    request = make_request(layer="last", score="output")
    plan = make_plan(request, [read_sample(model, sample(size))])
    (site,) = plan.sites
    cut = _strategies(plan, site, plan.query(), batch_size=4)[0].query.replace[1][0]
    return None if cut is site else cut.path


class Root(layers.GlobalAveragePooling2D):  # type: ignore[misc]
    """Pools, and compares the channels."""

    def call(self, x: Any) -> Any:
        return ops.softmax(super().call(x))


class InPlace(layers.Layer):  # type: ignore[misc]
    """Writes into what it is given."""

    def call(self, x: Any) -> Any:
        x *= ops.mean(x)
        return x


def compared() -> layers.Layer:
    """Return a pooling layer with another `call`, set from outside."""
    layer = layers.GlobalAveragePooling2D(name="pool")
    pool = layer.call
    layer.call = lambda x: ops.softmax(pool(x))
    return layer


def gap(**options: Any) -> layers.Layer:
    return layers.GlobalAveragePooling2D(name="pool", **options)


def dense() -> layers.Layer:
    return layers.Dense(3, name="top")


@pytest.mark.parametrize(
    "steps",
    [
        [gap(), dense()],
        [gap(keepdims=True), layers.Flatten(), dense()],
        [layers.ReLU(), layers.BatchNormalization(), gap(), dense()],
        [layers.Dropout(0.5), layers.Activation("tanh"), gap(), layers.Dropout(0.5), dense()],
        [layers.PReLU(), layers.ZeroPadding2D(1), layers.UpSampling2D(2), gap(), dense()],
        [layers.MaxPooling2D(2, name="pool"), layers.Flatten(), dense()],
        [layers.AveragePooling2D(2), layers.GlobalMaxPooling2D(name="pool"), dense()],
        [layers.AveragePooling2D(2, name="pool"), layers.Conv2D(4, 2), layers.Flatten(), dense()],
        [keras.Sequential([gap(), dense()], name="inner")],
    ],
    ids=lambda steps: "-".join(type(step).__name__ for step in steps),
)
def test_the_smallest_output_of_a_chain_is_the_cut(steps: list[Any]) -> None:
    assert str(cut_behind(*steps)).rpartition("/")[2] == "pool"


def test_volumes_are_cut_behind_their_pooling() -> None:
    steps = [layers.MaxPooling3D(2), layers.GlobalAveragePooling3D(name="pool"), dense()]
    assert cut_behind(*steps, size=VOLUME) == "pool"


@pytest.mark.parametrize(
    "steps",
    [
        [layers.Flatten(), dense()],
        [layers.Conv2D(4, 3), gap(), dense()],
        [layers.Softmax(), gap(), dense()],
        [layers.Activation("softmax"), gap(), dense()],
        [layers.Activation(lambda x: x / (1 + ops.mean(x))), gap(), dense()],
        [layers.LayerNormalization(), gap(), dense()],
        [layers.UpSampling2D(2), layers.Flatten(), dense()],  # it is larger
        [gap(data_format="channels_first"), dense()],  # of channels that come last
        [Root(), dense()],
        [compared(), dense()],
    ],
    ids=lambda steps: "-".join(type(step).__name__ for step in steps),
)
def test_no_cut_behind_what_mixes_channels(steps: list[Any]) -> None:
    assert cut_behind(*steps) is None


def test_no_cut_behind_what_was_written_into() -> None:
    # Elsewhere than on PyTorch a new tensor comes out, which no layer took: there is no chain.
    assert cut_behind(InPlace(), gap(), dense()) is None


# ---- the maps ------------------------------------------------------------------------------------

Behind = Callable[[list[Any], Any], Any]


class Headed(keras.Model):  # type: ignore[misc]
    """A convolution, and a head that is a function of some layers and the maps."""

    def __init__(self, steps: list[Any], behind: Behind, last: Any = None) -> None:
        super().__init__()
        self.last = last or layers.Conv2D(N_MAPS, 3, activation="relu", name="last")
        self.steps, self.behind = steps, behind

    def call(self, x: Any) -> Any:
        return self.behind(self.steps, self.last(x))


def twin(
    model: Headed, doc: Array, *, channel: int = -1, score: Any = None, sign: int = 1
) -> Array:
    """Return Ablation-CAM of all classes, shape (K, *grid), from one run per map."""
    maps = np.array(ops.convert_to_numpy(model.last(doc)))

    def scores(changed: Array) -> Array:
        outputs = model.behind(model.steps, ops.convert_to_tensor(changed))
        value = outputs if score is None else score(outputs)
        first = value["main"] if isinstance(value, dict) else value
        return sign * ops.convert_to_numpy(first).reshape(-1).astype("float64")

    right: Any = 0
    y = scores(maps)
    for k in range(N_MAPS):
        changed = np.moveaxis(maps.copy(), channel, -1)
        one = changed[0, ..., k].astype("float64")
        changed[..., k] = 0
        drop = y - scores(np.ascontiguousarray(np.moveaxis(changed, -1, channel)))
        right = right + np.multiply.outer(drop / abs(y), one)
    return np.maximum(right, 0)


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give where each run of the model left maps out, in order."""
    cuts: list[str] = []
    evaluate = engine.evaluate

    def noting(model: Any, inputs: Any, targets: Any, query: Any, *extra: Any) -> Any:
        sites = {site for site, _ in query.replace}
        head = "channelwise" if len(sites) == 2 else "layer"
        cuts.append("read" if query.read else "model" if query.arrange else head)
        return evaluate(model, inputs, targets, query, *extra)

    monkeypatch.setattr(engine, "evaluate", noting)
    return cuts


def check(model: Headed, size: tuple[int, ...] = SIZE, channel: int = -1, **options: Any) -> None:
    """Compare the maps of all classes with the twin's, of which not all are empty."""
    doc = sample(size, seed=2)
    model(doc)
    with_weights(model)
    chosen: dict[str, Any] = {"top_targets": N_CLASSES} if "score" not in options else {}
    found = eli5.explain_prediction(
        model, doc, method="Ablation-CAM", layer="last", **chosen, **options
    )
    sign = -1 if options.get("sign") == "negative" else 1
    right = twin(model, doc, channel=channel, score=options.get("score"), sign=sign)
    assert len(found.targets) == len(right)
    for k, target in enumerate(found.targets):
        expected = right[target.target if isinstance(target.target, int) else k]
        np.testing.assert_allclose(target.attribution, expected, atol=1e-5 * ROUNDING * right.max())
    assert right.any()


def in_turn(steps: list[Any], maps: Any) -> Any:
    for step in steps:
        maps = step(maps)
    return maps


def excited(steps: list[Any], maps: Any) -> Any:
    pool, gate, top = steps
    return top(pool(maps * gate(pool(maps))[:, None, None]))


def beside(steps: list[Any], maps: Any) -> Any:
    pool, top, other = steps
    return top(pool(maps)) + other(ops.mean(ops.tanh(maps), axis=(1, 2)))


def scaled_by_first(steps: list[Any], maps: Any) -> Any:
    pool, top = steps
    return top(pool(maps)) * (1 + ops.mean(ops.square(maps[:1])))


def counted(steps: list[Any], maps: Any) -> Any:
    pool, top = steps
    return top(pool(maps)) * (1 + ops.mean(ops.cast(maps > 0, "float32"), axis=(1, 2))[:, :1])


def shown_too(steps: list[Any], maps: Any) -> Any:
    pool, top = steps
    outputs = top(pool(maps))
    return {"main": outputs, "shown": maps * ops.max(outputs, axis=1)[:, None, None, None]}


def pooled(*before: Any) -> list[Any]:
    return [*before, layers.GlobalAveragePooling2D()]


def classes(**options: Any) -> layers.Layer:
    return layers.Dense(N_CLASSES, **options)


HEADS: dict[str, tuple[Callable[[], list[Any]], Behind, str]] = {
    "GAP": (lambda: [*pooled(), classes()], in_turn, "channelwise"),
    "ReLU, BN, GAP, two layers": (
        lambda: [
            *pooled(layers.ReLU(), layers.BatchNormalization()),
            layers.Dense(4, activation="tanh"),
            classes(),
        ],
        in_turn,
        "channelwise",
    ),
    "pooling": (
        lambda: [layers.MaxPooling2D(2), layers.Conv2D(4, 3), layers.Flatten(), classes()],
        in_turn,
        "channelwise",
    ),
    "flat": (lambda: [layers.Flatten(), classes()], in_turn, "layer"),
    "squeeze and excite": (
        lambda: [*pooled(), layers.Dense(N_MAPS, activation="sigmoid"), classes()],
        excited,
        "layer",
    ),
    "a way around": (lambda: [*pooled(), classes(), classes()], beside, "layer"),
    "the first sample": (lambda: [*pooled(), classes()], scaled_by_first, "model"),
    "comparisons": (lambda: [*pooled(), classes()], counted, "layer"),
    "another output": (lambda: [*pooled(), classes()], shown_too, "layer"),
}


OPTIONS: dict[Behind, dict[str, Any]] = {
    shown_too: {"output": 0},
    scaled_by_first: {"batch_size": 1},  # in a batch the model itself gives other scores
}


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize(("steps", "behind", "cut"), HEADS.values(), ids=HEADS)
def test_ablation_equals_one_run_of_the_head_per_map(
    steps: Callable[[], list[Any]], behind: Behind, cut: str, cuts: list[str]
) -> None:
    check(Headed(steps(), behind), **OPTIONS.get(behind, {}))
    assert cuts[-1] == cut


def contrast(outputs: Any) -> Any:
    return 2 * outputs[:, 1] - outputs[:, 0]


@pytest.mark.parametrize(
    "options", [{"sign": "negative"}, {"score": contrast}], ids=["sign", "score"]
)
@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_of_other_scores(options: dict[str, Any], cuts: list[str]) -> None:
    check(Headed([*pooled(), classes()], in_turn), **options)
    assert cuts[-1] == "channelwise"


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_of_volumes(cuts: list[str]) -> None:
    last = layers.Conv3D(N_MAPS, 3, padding="same", name="last")
    steps = [layers.ReLU(), layers.GlobalAveragePooling3D(), classes()]
    check(Headed(steps, in_turn, last), VOLUME)
    assert cuts[-1] == "channelwise"


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow has no such convolution on a CPU")
def test_of_channels_that_come_first(cuts: list[str]) -> None:
    first = {"data_format": "channels_first"}
    last = layers.Conv2D(N_MAPS, 3, padding="same", name="last", **first)
    steps = [layers.ReLU(), layers.AveragePooling2D(2, **first), layers.Flatten(), classes()]
    check(Headed(steps, in_turn, last), (3, 8, 10), channel=1)
    assert cuts[-1] == "channelwise"
