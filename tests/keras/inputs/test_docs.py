"""Docs of every kind of source come one by one, in order, as the model takes them."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras.inputs.dataset import count_docs, stream_docs
from helpers.models import make_classifier, with_weights

Array = np.ndarray[Any, Any]
SIZE = (12, 20, 3)
N = 5


def pictures(n: int = N) -> Array:
    return np.random.default_rng(0).uniform(-1, 1, (n, *SIZE)).astype("float32")


def labels() -> Array:
    return np.arange(N) % 4


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of two docs; what each is, `element` says."""

    def __init__(self, element: Callable[[slice], Any], n_batches: int | None = 3) -> None:
        super().__init__()
        self._element, self._n_batches = element, n_batches

    @property
    def num_batches(self) -> int | None:
        return self._n_batches

    def __getitem__(self, index: int) -> Any:
        return self._element(slice(2 * index, 2 * index + 2))


class Sized(keras.utils.PyDataset):  # type: ignore[misc]
    """As Keras documents it: with a length."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return pictures()[2 * index : 2 * index + 2], labels()[2 * index : 2 * index + 2]


def tf_dataset(with_labels: bool, batched: bool) -> Any:
    tf = pytest.importorskip("tensorflow")
    arrays = (pictures(), labels()) if with_labels else pictures()
    dataset = tf.data.Dataset.from_tensor_slices(arrays)
    return dataset.batch(2).prefetch(1) if batched else dataset


def data_loader(with_labels: bool, batched: bool) -> Any:
    torch = pytest.importorskip("torch")
    tensors = [torch.from_numpy(pictures())] + [torch.from_numpy(labels())] * with_labels
    dataset = torch.utils.data.TensorDataset(*tensors)
    return torch.utils.data.DataLoader(dataset, batch_size=2 if batched else None)


def tensor() -> Any:
    return keras.ops.convert_to_tensor(pictures())


SOURCES: dict[str, Callable[[], Any]] = {
    "array": pictures,
    "tensor": tensor,
    "list with batch axes": lambda: [doc[None] for doc in pictures()],
    "list without": lambda: list(pictures()),
    "tuple": lambda: tuple(pictures()),
    "generator": lambda: (doc[None] for doc in pictures()),
    "generator of batches": lambda: iter([pictures()[:3], pictures()[3:]]),
    "generator of tensors": lambda: (tensor()[k] for k in range(N)),
    "PyDataset": lambda: Batches(lambda at: pictures()[at]),
    "PyDataset with labels": lambda: Batches(lambda at: (pictures()[at], labels()[at])),
    "PyDataset with weights": lambda: Batches(lambda at: (pictures()[at], labels()[at], labels())),
    "PyDataset with a length": Sized,
    "tf.data": lambda: tf_dataset(False, False),
    "tf.data, batched": lambda: tf_dataset(False, True),
    "tf.data with labels": lambda: tf_dataset(True, False),
    "tf.data with labels, batched": lambda: tf_dataset(True, True),
    "DataLoader": lambda: data_loader(False, False),
    "DataLoader, batched": lambda: data_loader(False, True),
    "DataLoader with labels": lambda: data_loader(True, False),
    "DataLoader with labels, batched": lambda: data_loader(True, True),
}


@pytest.fixture(scope="module")
def classifier() -> keras.Model:
    return make_classifier()


@pytest.mark.parametrize("name", SOURCES)
def test_each_source_gives_the_same_docs(classifier: keras.Model, name: str) -> None:
    docs = list(stream_docs(classifier, SOURCES[name]()))
    assert [type(doc) for doc in docs] == [np.ndarray] * N
    assert [doc.dtype for doc in docs] == [np.dtype("float32")] * N
    for doc, picture in zip(docs, pictures(), strict=True):
        np.testing.assert_array_equal(doc, picture[None])


@pytest.mark.parametrize(
    "name",
    ["generator of tensors", "PyDataset with labels", "tf.data with labels, batched", "DataLoader"],
)
@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_each_source_gives_the_same_explanations(classifier: keras.Model, name: str) -> None:
    from_array = eli5.explain_predictions(classifier, pictures(), targets=labels(), batch_size=4)
    found = eli5.explain_predictions(classifier, SOURCES[name](), targets=labels(), batch_size=4)
    assert list(found) == list(from_array)


@pytest.mark.parametrize("name", SOURCES)
def test_the_number_of_docs_is_known_where_it_can_be(classifier: keras.Model, name: str) -> None:
    unknown = ("generator", "PyDataset", "tf.data", "DataLoader")
    expected = None if name.startswith(unknown) else N
    assert count_docs(classifier, SOURCES[name]()) == expected


def test_integers_stay_integers(classifier: keras.Model) -> None:
    docs = (pictures() * 100).astype("int8")
    assert [doc.dtype for doc in stream_docs(classifier, docs)] == [np.dtype("int8")] * N


def test_a_source_without_docs_gives_none(classifier: keras.Model) -> None:
    sources: list[Any] = [[], pictures()[:0], iter([]), Batches(lambda at: pictures()[at], 0)]
    for nothing in sources:
        assert list(stream_docs(classifier, nothing)) == []


def test_docs_of_an_open_size_may_differ() -> None:
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 3)])
    sizes = [(5, 7), (6, 4), (5, 7)]
    docs = [np.zeros((*size, 3), "float32") for size in sizes]
    assert [doc.shape for doc in stream_docs(model, docs)] == [(1, *size, 3) for size in sizes]


def test_a_model_that_does_not_tell_its_input_takes_docs_with_a_batch_axis() -> None:
    class Unbuilt(keras.Model):  # type: ignore[misc]
        pass

    docs = [doc[None] for doc in pictures()]
    assert [doc.shape for doc in stream_docs(Unbuilt(), docs)] == [(1, *SIZE)] * N
    assert [doc.shape for doc in stream_docs(Unbuilt(), pictures())] == [(1, *SIZE)] * N


# Several inputs; in a dict the flags come before the picture, in the model behind it.
FLAGS = np.arange(2 * N, dtype="float32").reshape(N, 2)


def two_inputs(as_dict: bool) -> keras.Model:
    picture, flags = keras.Input(SIZE, name="picture"), keras.Input((2,), name="flags")
    x = layers.Conv2D(4, 3, activation="relu")(picture)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), flags])
    inputs = {"picture": picture, "flags": flags} if as_dict else [picture, flags]
    return with_weights(keras.Model(inputs, layers.Dense(3, activation="softmax")(x)))


def in_dict(at: Any) -> dict[str, Array]:
    return {"picture": pictures()[at], "flags": FLAGS[at]}


def in_list(at: Any) -> list[Array]:
    return [pictures()[at], FLAGS[at]]


def tf_dicts(batched: bool) -> Any:
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((in_dict(slice(None)), labels()))
    return dataset.batch(2) if batched else dataset


EVERY = slice(None)
SEVERAL: dict[str, Callable[[], Any]] = {
    "dict": lambda: in_dict(EVERY),
    "list": lambda: in_list(EVERY),
    "dicts": lambda: [in_dict(slice(k, k + 1)) for k in range(N)],
    "dicts without batch axes": lambda: (in_dict(k) for k in range(N)),
    "dicts of batches": lambda: iter([in_dict(slice(0, 3)), in_dict(slice(3, N))]),
    "lists": lambda: (in_list(slice(k, k + 1)) for k in range(N)),
    "lists without batch axes": lambda: [in_list(k) for k in range(N)],
    "PyDataset of dicts": lambda: Batches(lambda at: (in_dict(at), labels()[at])),
    "PyDataset of lists": lambda: Batches(lambda at: (in_list(at), labels()[at])),
    "tf.data of dicts": lambda: tf_dicts(False),
    "tf.data of dicts, batched": lambda: tf_dicts(True),
}


@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("name", SEVERAL)
def test_docs_of_several_inputs(name: str, as_dict: bool) -> None:
    docs = list(stream_docs(two_inputs(as_dict), SEVERAL[name]()))
    assert len(docs) == N
    for k, doc in enumerate(docs):
        expected = (in_dict if isinstance(doc, dict) else in_list)(slice(k, k + 1))
        keras.tree.map_structure(np.testing.assert_array_equal, doc, expected)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("name", ["dict", "list", "PyDataset of dicts", "tf.data of dicts"])
def test_several_inputs_are_explained_together(name: str) -> None:
    model = two_inputs(as_dict="dict" in name)
    targets = [0, 1, 2, 0, 1]
    found = eli5.explain_predictions(model, SEVERAL[name](), targets=targets, batch_size=2)
    for k, explanation in enumerate(found):
        doc = (in_list if name == "list" else in_dict)(slice(k, k + 1))
        alone = eli5.explain_prediction(model, doc, targets=[targets[k]])
        assert explanation.targets[0].score == pytest.approx(alone.targets[0].score, abs=1e-6)
        np.testing.assert_allclose(
            explanation.targets[0].attribution, alone.targets[0].attribution, atol=1e-6
        )
    assert k == N - 1


@pytest.mark.parametrize("name", ["dict", "list"])
def test_the_number_of_docs_of_several_inputs(name: str) -> None:
    assert count_docs(two_inputs(as_dict=False), SEVERAL[name]()) == N


def test_as_many_docs_are_needed_for_each_input() -> None:
    docs = {"picture": pictures(), "flags": FLAGS[:3]}
    with pytest.raises(ValueError, match=r"as many docs for each input. Received: \[3, 5\]"):
        list(stream_docs(two_inputs(as_dict=True), docs))


def endless() -> Iterator[Array]:
    while True:
        yield pictures()


@pytest.mark.parametrize("docs", [5, None, "a doc", b"a doc", 1.5, np.float32(3), np.array(3)])
def test_docs_of_another_type_are_refused(classifier: keras.Model, docs: Any) -> None:
    with pytest.raises(TypeError, match=r"`docs` to be an array, an iterable .* Received: docs"):
        eli5.explain_predictions(classifier, docs)


@pytest.mark.parametrize(
    "docs",
    [
        {1, 2},
        frozenset(),
        {"doc": pictures()}.keys(),
        memoryview(b"a"),
        bytearray(b"a"),
        types.MappingProxyType({"doc": 1}),
    ],
)
def test_docs_without_an_order_are_refused(classifier: keras.Model, docs: Any) -> None:
    with pytest.raises(TypeError, match=r"iterable of docs in an order.* Received: docs of type"):
        eli5.explain_predictions(classifier, docs)


@pytest.mark.parametrize("inside", [1, None, np.array(3), [pictures()]])
def test_a_dict_of_something_else_is_refused(classifier: keras.Model, inside: Any) -> None:
    with pytest.raises(TypeError, match=r"`docs\['doc'\]` to be an array of N docs"):
        eli5.explain_predictions(classifier, {"doc": inside})


def test_a_list_that_holds_itself_is_refused(classifier: keras.Model) -> None:
    endless: list[Any] = []
    endless.append(endless)
    for docs in (endless, [endless], [[endless]], [{"doc": endless}]):
        with pytest.raises((TypeError, ValueError), match=r"Expected `doc` to .* Received: "):
            list(eli5.explain_predictions(classifier, docs))
        with pytest.raises((TypeError, ValueError), match=r"Expected `doc` to .* Received: "):
            eli5.explain_prediction(classifier, docs)


def test_a_dataset_without_end_is_refused(classifier: keras.Model) -> None:
    docs = Batches(lambda at: pictures(2), None)
    with pytest.raises(ValueError, match=r"PyDataset` with an end. Received: one whose `num_batch"):
        eli5.explain_predictions(classifier, docs)


def test_a_generator_without_end_is_taken_from_as_needed(classifier: keras.Model) -> None:
    explanations = eli5.explain_predictions(classifier, endless(), batch_size=2)
    assert [next(explanations).method for _ in range(3)] == ["Grad-CAM"] * 3
