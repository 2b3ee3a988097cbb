"""Whatever is assigned to a model, its layers, classes and functions counts at once."""

from __future__ import annotations

import collections
import enum
import functools
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from helpers.models import sample, with_weights

pytestmark = pytest.mark.filterwarnings("ignore:The heatmap of target")

Layer = Any
Value = tuple[Callable[[float], Any], Callable[[Any], Any]]  # how it is made, and how it is read


class Blend(layers.Layer):  # type: ignore[misc]
    """Adds its input, times a factor that a test says how to read, to its mirror image."""

    def __init__(self, read: Callable[[Layer], Any] = lambda layer: 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.read = read

    def call(self, x: Any) -> Any:
        return x * self.read(self) + ops.flip(x, 1)


def make_model(*blends: Layer) -> keras.Model:
    steps = [layers.Conv2D(3, 1, name="conv"), *blends, layers.GlobalAveragePooling2D()]
    return with_weights(keras.Sequential([keras.Input((4, 5, 2)), *steps, layers.Dense(3)]))


def explained(model: keras.Model, **options: Any) -> Any:
    doc = sample((4, 5, 2))
    asked = {"layer": "conv"} if "score" in options else {"layer": "conv", "targets": [1]}
    return eli5.explain_prediction(model, doc, **(asked | options)).targets[0]


def assert_seen(make: Callable[[], Any], change: Callable[[Any], Any]) -> None:
    """Check that a change counts, against a twin that is changed before it is ever explained."""
    model, twin = make(), make()
    before = explained(model)
    change(model)
    change(twin)
    after, expected = explained(model), explained(twin)
    assert after.score == pytest.approx(expected.score, rel=1e-5)
    assert after.score != pytest.approx(before.score, rel=1e-3)
    np.testing.assert_allclose(after.attribution, expected.attribution, atol=1e-5)


# ---- what an attribute may be --------------------------------------------------------------------


class Level(enum.Enum):
    LOW = 2.0
    HIGH = -3.0


class Pair(NamedTuple):
    factor: float


@dataclass
class Config:
    factor: float


@dataclass(frozen=True, slots=True)
class Frozen:
    factor: float


class Times:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, x: Any) -> Any:
        return x * self.factor

    def times(self, x: Any) -> Any:
        return x * self.factor


def times(factor: float, x: Any) -> Any:
    return x * factor


def first(value: Any) -> float:
    return float(next(iter(value)))


def called(function: Any) -> Any:
    return function(1.0)


def class_of(factor: float) -> type:
    return type("Holder", (), {"factor": factor})


VALUES: dict[str, Value] = {
    "an int": (int, float),
    "a float": (float, float),
    "a flag": (lambda f: f > 0, lambda v: 2.0 if v else -3.0),
    "a string": (str, float),
    "bytes": (lambda f: str(f).encode(), float),
    "a complex number": (lambda f: complex(0, f), lambda v: v.imag),
    "a range": (lambda f: range(int(f), int(f) + 1), first),
    "a slice": (slice, lambda v: v.stop),
    "an enum": (Level, lambda v: v.value),
    "a tuple": (lambda f: (f,), first),
    "nested tuples": (lambda f: ((1, (f, None)), "x"), lambda v: v[0][1][0]),
    "a list": (lambda f: [f], first),
    "a list of lists": (lambda f: [[1], [f]], lambda v: v[1][0]),
    "a dict": (lambda f: {"f": f}, lambda v: v["f"]),
    "a dict of tuples": (lambda f: {"f": (1, f)}, lambda v: v["f"][1]),
    "a dict with other keys": (lambda f: {f: 0}, first),
    "a set": (lambda f: {f}, first),
    "a frozen set": (lambda f: frozenset([f]), first),
    "a deque": (lambda f: collections.deque([f]), first),
    "a read-only dict": (lambda f: types.MappingProxyType({"f": f}), lambda v: v["f"]),
    "a named tuple": (Pair, lambda v: v.factor),
    "a dataclass": (Config, lambda v: v.factor),
    "a dataclass with slots": (Frozen, lambda v: v.factor),
    "a namespace": (lambda f: types.SimpleNamespace(factor=f), lambda v: v.factor),
    "an object": (Times, lambda v: v.factor),
    "a class": (class_of, lambda v: v.factor),
    "an array": (lambda f: np.array([f]), first),
    "an array without axes": (np.array, float),
    "a number of NumPy": (np.float32, float),
    "a tensor": (lambda f: ops.convert_to_tensor(f), lambda v: v),
    "a lambda": (lambda f: lambda x: x * f, called),
    "a partial": (lambda f: functools.partial(times, f), called),
    "a partial with a keyword": (lambda f: functools.partial(times, x=f), called),
    "a callable object": (Times, called),
    "a method": (lambda f: Times(f).times, called),
    "a built-in function": (lambda f: [f].count if f > 0 else [1].count, lambda v: v(2.0) - 3.0),
    "functions in a dict": (lambda f: {"a": lambda x: x * f}, lambda v: v["a"](1.0)),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("name", ["value", "_value"])
def test_a_new_value_of_an_attribute(kind: str, name: str) -> None:
    make_value, read = VALUES[kind]

    def make() -> keras.Model:
        blend = Blend(lambda layer: read(getattr(layer, name)), name="blend")
        setattr(blend, name, make_value(2.0))
        return make_model(blend)

    assert_seen(make, lambda model: setattr(model.get_layer("blend"), name, make_value(-3.0)))


def test_values_that_come_and_go_at_one_address() -> None:
    blend = Blend(lambda layer: layer.value(1.0), name="blend")
    blend.value = lambda x: x
    model = make_model(blend)
    scores = []
    for factor in range(8):
        blend.value = None
        blend.value = functools.partial(times, float(factor))
        scores.append(explained(model).score)
    assert len({round(score, 4) for score in scores}) == 8


# ---- where it may be assigned --------------------------------------------------------------------


def with_default() -> tuple[type, keras.Model]:
    base = type("Base", (Blend,), {"factor": 2.0})
    own = type("Own", (base,), {})
    return own, make_model(own(lambda layer: layer.factor, name="blend"))


class Block(keras.Model):  # type: ignore[misc]
    """A model that calls what it holds in attributes and containers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(3, 1, name="conv")
        self.a, self.b = layers.Dense(3, name="a"), layers.Dense(3, name="b")
        self.in_list = [layers.Dense(3), layers.Dense(3)]
        self.in_tuple = (layers.Dense(3), layers.Dense(3))
        self.in_dict = {"x": layers.Dense(3), "y": layers.Dense(3)}
        self.blend = Blend(lambda layer: layer.value, name="blend")
        self.blend.value = 1.0
        self.scale = 1.0

    def call(self, x: Any) -> Any:
        x = self.blend(self.conv(x)) * self.scale
        for part in (self.a, self.in_list[0], self.in_tuple[0], self.in_dict["x"]):
            x = ops.tanh(part(x)) + ops.flip(x, 1)
        for part in (self.b, self.in_list[1], self.in_tuple[1], self.in_dict["y"]):
            x = part(x)
        return ops.mean(x, axis=(1, 2))


def make_block() -> keras.Model:
    model = Block()
    model(sample((4, 5, 2)))
    return with_weights(model)


def swap(model: Any) -> None:
    model.a, model.b = model.b, model.a


def nested() -> keras.Model:
    blend = Blend(lambda layer: layer.value, name="blend")
    blend.value = 2.0
    inputs = keras.Input((4, 5, 3))
    return make_model(keras.Model(inputs, blend(inputs), name="inner"))


IN_BLOCK: dict[str, Callable[[Any], Any]] = {
    "two layers swapped": swap,
    "another layer that it has": lambda m: setattr(m, "a", m.b),
    "a new list of layers": lambda m: setattr(m, "in_list", [*m.in_list[::-1]]),
    "a new tuple of layers": lambda m: setattr(m, "in_tuple", m.in_tuple[::-1]),
    "a new dict of layers": lambda m: setattr(
        m, "in_dict", {"x": m.in_dict["y"], "y": m.in_dict["x"]}
    ),
    "an item of a list of layers": lambda m: m.in_list.__setitem__(0, m.in_list[1]),
    "an item of a dict of layers": lambda m: m.in_dict.__setitem__("x", m.in_dict["y"]),
    "a number of the model's own": lambda m: setattr(m, "scale", -2.0),
    "a number of a layer in it": lambda m: setattr(m.blend, "value", -2.0),
    "an activation": lambda m: setattr(m.b, "activation", ops.tanh),
    "a weight that is dropped": lambda m: setattr(m.b, "bias", None),
    "the model's `call`": lambda m: setattr(m, "call", lambda x, **_: 2 * Block.call(m, x)),
    "a layer's `call`": lambda m: setattr(m.a, "call", lambda x, **_: x),
    "through its `vars`": lambda m: vars(m.blend).update(value=-2.0),
    "without Keras's tracking": lambda m: object.__setattr__(m.blend, "value", -2.0),
}


@pytest.mark.parametrize("what", IN_BLOCK)
def test_what_a_model_holds(what: str) -> None:
    assert_seen(make_block, IN_BLOCK[what])


def test_a_layer_within_a_nested_model() -> None:
    def change(model: Any) -> None:
        model.get_layer("inner").get_layer("blend").value = -3.0

    assert_seen(nested, change)


def test_a_layer_added_and_removed() -> None:
    def replace_head(model: Any) -> None:
        head = model.layers[-1]
        model.pop()
        model.add(layers.Rescaling(-2.0))
        model.add(head)

    assert_seen(make_model, replace_head)


IN_CLASS: dict[str, Callable[[type, Any], Any]] = {
    "a class's attribute": lambda own, _: setattr(own, "factor", -3.0),
    "a base's attribute": lambda own, _: setattr(own.__bases__[0], "factor", -3.0),
    "an attribute that hides a class's": lambda _, blend: setattr(blend, "factor", -3.0),
    "a class's `call`": lambda own, _: setattr(own, "call", lambda self, x: x * self.factor),
    "a property of a class": lambda own, _: setattr(own, "factor", property(lambda self: -3.0)),
    "the class": lambda _, blend: setattr(
        blend, "__class__", type("Other", (type(blend),), {"factor": -3.0})
    ),
}


@pytest.mark.parametrize("what", IN_CLASS)
def test_what_a_class_says(what: str) -> None:
    (own, model), (other, twin) = with_default(), with_default()
    before = explained(model)
    IN_CLASS[what](own, model.get_layer("blend"))
    IN_CLASS[what](other, twin.get_layer("blend"))
    after, expected = explained(model), explained(twin)
    assert after.score == pytest.approx(expected.score, rel=1e-5)
    assert after.score != pytest.approx(before.score, rel=1e-3)


def test_an_attribute_that_is_deleted() -> None:
    def make() -> keras.Model:
        _, model = with_default()
        model.get_layer("blend").factor = -3.0
        return model

    assert_seen(make, lambda model: delattr(model.get_layer("blend"), "factor"))


def test_the_call_of_a_class_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(layers.Rescaling(2.0))
    before = explained(model)
    monkeypatch.setattr(layers.Rescaling, "call", lambda self, x: -x)
    assert explained(model).score != pytest.approx(before.score, rel=1e-3)


# ---- what a function holds -----------------------------------------------------------------------


def closure() -> tuple[Callable[..., Any], Callable[[float], None]]:
    factor = 2.0

    def function(x: Any) -> Any:
        return x * factor

    def change(value: float) -> None:
        nonlocal factor
        factor = value

    return function, change


def wrapped() -> tuple[Callable[..., Any], Callable[[float], None]]:
    inner, change = closure()

    @functools.wraps(inner)
    def function(x: Any) -> Any:
        return inner(x)

    return function, change


def positional_default() -> tuple[Callable[..., Any], Callable[[float], None]]:
    def function(x: Any, factor: float = 2.0) -> Any:
        return x * factor

    return function, lambda value: setattr(function, "__defaults__", (value,))


def keyword_default() -> tuple[Callable[..., Any], Callable[[float], None]]:
    def function(x: Any, *, factor: float = 2.0) -> Any:
        return x * factor

    return function, lambda value: setattr(function, "__kwdefaults__", {"factor": value})


def attribute() -> tuple[Callable[..., Any], Callable[[float], None]]:
    def function(x: Any) -> Any:
        return x * function.factor  # type: ignore[attr-defined]

    function.factor = 2.0  # type: ignore[attr-defined]
    return function, lambda value: setattr(function, "factor", value)


def code() -> tuple[Callable[..., Any], Callable[[float], None]]:
    def function(x: Any) -> Any:
        return x * 2.0

    def other(x: Any) -> Any:
        return x * -3.0

    return function, lambda _: setattr(function, "__code__", other.__code__)


def in_object() -> tuple[Callable[..., Any], Callable[[float], None]]:
    function = Times(2.0)
    return function, lambda value: setattr(function, "factor", value)


def in_owner() -> tuple[Callable[..., Any], Callable[[float], None]]:
    owner = Times(2.0)
    return owner.times, lambda value: setattr(owner, "factor", value)


def in_partial() -> tuple[Callable[..., Any], Callable[[float], None]]:
    function, change = closure()
    return functools.partial(function), change


def in_list() -> tuple[Callable[..., Any], Callable[[float], None]]:
    factors = [2.0]
    return lambda x: x * factors[0], lambda value: factors.__setitem__(0, value)


FUNCTIONS = [
    *(closure, wrapped, positional_default, keyword_default, attribute, code, in_object, in_owner),
    *(in_partial, in_list),
]


@pytest.mark.parametrize("make_function", FUNCTIONS)
def test_what_the_function_of_a_lambda_holds(make_function: Any) -> None:
    function, change = make_function()
    blend = layers.Lambda(lambda x: x)
    blend.function = lambda x: function(x) + ops.flip(x, 1)
    model = make_model(blend)
    before = explained(model)
    change(-3.0)
    other, change_other = make_function()
    change_other(-3.0)
    twin = make_model(layers.Lambda(lambda x: other(x) + ops.flip(x, 1)))
    after = explained(model)
    assert after.score == pytest.approx(explained(twin).score, rel=1e-5)
    assert after.score != pytest.approx(before.score, rel=1e-3)


@pytest.mark.parametrize("make_function", FUNCTIONS)
def test_what_a_score_holds(make_function: Any) -> None:
    model = make_model()
    function, change = make_function()

    def score(outputs: Any) -> Any:
        return function(outputs)[:, 0]

    before = explained(model, score=score).score
    change(-3.0)
    assert explained(model, score=score).score == pytest.approx(-1.5 * before, rel=1e-5)


@pytest.mark.parametrize("make_function", FUNCTIONS)
def test_what_a_method_of_ones_own_holds(make_function: Any) -> None:
    model = make_model()
    function, change = make_function()

    def method(activations: Any, gradients: Any) -> Any:
        return function(ops.sum(activations * gradients, axis=-1))

    before = explained(model, method=method).attribution
    change(-3.0)
    np.testing.assert_allclose(
        explained(model, method=method).attribution, -1.5 * before, rtol=1e-4, atol=1e-6
    )


# ---- what is not noticed -------------------------------------------------------------------------

FACTOR = 2.0


def change_global(_: Any) -> None:
    global FACTOR
    FACTOR = -3.0


# As the documentation says: what is changed within an object, an array, a set, or a module.
WITHIN: dict[str, tuple[Any, Callable[[Layer], Any], Callable[[Layer], Any]]] = {
    "an array's numbers": (
        lambda: np.array([2.0]),
        lambda layer: float(layer.value[0]),
        lambda layer: layer.value.fill(-3.0),
    ),
    "an object's attribute": (
        lambda: Config(2.0),
        lambda layer: layer.value.factor,
        lambda layer: setattr(layer.value, "factor", -3.0),
    ),
    "a set's items": (
        lambda: {2.0},
        lambda layer: min(layer.value),
        lambda layer: layer.value.add(-3.0),
    ),
    "a module's global": (lambda: None, lambda layer: FACTOR, change_global),
}


@pytest.mark.parametrize("what", WITHIN)
def test_what_is_changed_within_counts_once_the_model_is_forgotten(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.FACTOR", 2.0)
    make_value, read, change = WITHIN[what]
    blend = Blend(read, name="blend")
    blend.value = make_value()
    model = make_model(blend)
    before = explained(model).score
    change(blend)
    if keras.backend.backend() != "torch":  # which compiles nothing
        assert explained(model).score == before
    eli5.keras.forget(model)
    expected = ops.convert_to_numpy(model(sample((4, 5, 2))))[0, 1]
    assert explained(model).score == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(before, rel=1e-3)


@pytest.mark.parametrize("model", [None, "model.keras", layers.Dense(1), 5])
def test_only_models_are_forgotten(model: Any) -> None:
    with pytest.raises(TypeError, match=r"Expected a keras\.Model\. Received: "):
        eli5.keras.forget(model)


def test_to_forget_what_was_never_seen_does_nothing() -> None:
    eli5.keras.forget(make_model())


# ---- what does not compile anew ------------------------------------------------------------------


def test_use_and_training_leave_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(Blend())
    model.compile("sgd", "mse", metrics=["mae"])
    inputs, outputs = np.concatenate([sample((4, 5, 2))] * 4), np.zeros((4, 3), "float32")
    explained(model)
    memory = eli5.keras.engine.cache.memory_of(model)
    model.fit(inputs, outputs, verbose=0)
    model.evaluate(inputs, outputs, verbose=0)
    model.predict(inputs, verbose=0)
    model.train_on_batch(inputs, outputs)
    model(inputs)
    model.get_layer("conv").trainable = False
    model.compile("adam", "mse")
    assert eli5.keras.engine.cache.memory_of(model) is memory


def test_a_value_that_equals_the_one_before_leaves_the_programs() -> None:
    blend = Blend(name="blend")
    blend.factor, blend.factors = 1.0, (1.0, (2.0, None))
    model = make_model(blend)
    explained(model)
    memory = eli5.keras.engine.cache.memory_of(model)
    blend.factor, blend.factors = float("1"), (float("1"), (2.0, None))
    assert eli5.keras.engine.cache.memory_of(model) is memory
    assert eli5.keras.engine.cache.memory_of(model) is memory


def test_a_score_that_counts_its_calls_is_not_traced_anew_each_time() -> None:
    class Score:
        def __init__(self) -> None:
            self.calls = 0

        def __call__(self, outputs: Any) -> Any:
            self.calls += 1
            return outputs[:, 0]

    model, score = make_model(), Score()
    explained(model, score=score)
    traced = score.calls
    for _ in range(3):
        explained(model, score=score)
    if keras.backend.backend() != "torch":  # which compiles nothing
        assert score.calls == traced
