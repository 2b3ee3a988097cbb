"""A segmenter's class over a region or at a pixel: against NumPy and autograd written out."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.formatters.overlay.outline import draw_outline
from eli5.targets import Contrast, Pixel, Region, Similarity
from helpers.models import sample, with_weights
from helpers.segmenters import SIZE, make_segmenter, mean_score

Array = np.ndarray[Any, Any]
DOC = sample((*SIZE, 3))
# What differs in no backend runs on the fastest.
ONCE = pytest.mark.skipif(keras.backend.backend() != "torch", reason="runs on PyTorch")
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def segmenter() -> keras.Model:
    return make_segmenter()


@pytest.fixture(scope="module")
def outputs(segmenter: keras.Model) -> Array:
    """Return the probabilities, (H, W, classes)."""
    return np.asarray(segmenter.predict(DOC, verbose=0)[0])


@pytest.fixture(scope="module")
def top(outputs: Array) -> int:
    return int(np.bincount(outputs.argmax(axis=-1).ravel()).argmax())


def explain(model: keras.Model, doc: Any = DOC, **options: Any) -> Any:
    """Explain with a method whose map is never empty, whatever the class."""
    return eli5.explain_prediction(model, doc, **{"method": "Saliency"} | options)


def only(expl: Any) -> Any:
    (target,) = expl.targets
    return target


def test_the_model_predicts_several_classes(outputs: Array) -> None:
    assert len(np.unique(outputs.argmax(axis=-1))) > 1


# ---- the scores ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("score", "kind"), [("auto", "log-odds"), ("output", "output")])
def test_a_region_is_where_the_class_is_predicted(
    segmenter: keras.Model, outputs: Array, top: int, score: str, kind: str
) -> None:
    target = only(explain(segmenter, target=Region(top), score=score))
    mask = outputs.argmax(axis=-1) == top
    np.testing.assert_allclose(target.explained, mean_score(outputs, top, mask, kind), **CLOSE)
    np.testing.assert_allclose(target.score, outputs[mask][:, top].mean(), **CLOSE)
    assert (target.target, target.proba, target.explained_name) == (
        top,
        target.score,
        f"mean {kind}",
    )
    assert target.region == Region(top, mask)
    assert target.heatmap.max() == 1


def test_a_mask_of_the_caller_s(segmenter: keras.Model, outputs: Array) -> None:
    mask = np.zeros(SIZE, int)
    mask[2:7, 3:11] = 1
    for class_id in range(4):
        asked = Region(class_id, mask)
        target = only(explain(segmenter, target=asked))
        right = mean_score(outputs, class_id, mask)
        np.testing.assert_allclose(target.explained, right, **CLOSE)
        assert target.region == asked


def test_the_logits_are_those_before_the_softmax(segmenter: keras.Model, top: int) -> None:
    last = segmenter.layers[-2]  # before the softmax
    logits = keras.Model(segmenter.inputs, last.output).predict(DOC, verbose=0)[0]
    mask = logits.argmax(axis=-1) == top
    target = only(explain(segmenter, target=Region(top), score="logit"))
    np.testing.assert_allclose(target.explained, logits[mask][:, top].mean(), **CLOSE)


def test_a_pixel_has_the_class_that_is_predicted_there(
    segmenter: keras.Model, outputs: Array
) -> None:
    pixels = [(0, 0), (5, 13), (15, 19)]
    expl = explain(segmenter, target=[Pixel(*one) for one in pixels])
    for (row, column), target in zip(pixels, expl.targets, strict=True):
        class_id = int(outputs[row, column].argmax())
        mask = np.zeros(SIZE, bool)
        mask[row, column] = True
        assert target.region == Pixel(row, column, class_id)
        right = mean_score(outputs, class_id, mask)
        np.testing.assert_allclose(target.explained, right, **CLOSE)


@ONCE
def test_several_targets_are_what_each_is_alone(segmenter: keras.Model, top: int) -> None:
    asked = [Region(top), Pixel(3, 4), Region(2, np.ones(SIZE, bool)), Pixel(9, 9, 1)]
    together = explain(segmenter, target=asked).targets
    for one, target in zip(asked, together, strict=True):
        alone = only(explain(segmenter, target=one))
        np.testing.assert_allclose(target.heatmap, alone.heatmap, **CLOSE)
        np.testing.assert_allclose(target.explained, alone.explained, **CLOSE)
        assert target.region == alone.region


@ONCE
def test_the_map_is_the_gradient_s(segmenter: keras.Model, outputs: Array, top: int) -> None:
    mask = outputs.argmax(axis=-1) == top
    options = {"layer": "bottleneck", "method": "HiResCAM"}
    target = only(explain(segmenter, target=Region(top), **options))
    behind = segmenter.layers[segmenter.layers.index(segmenter.get_layer("bottleneck")) + 1 :]

    def head(activations: Any) -> Any:
        x = activations
        for layer in behind:
            x = layer(x)
        return x

    cells = keras.Model(segmenter.inputs, segmenter.get_layer("bottleneck").output)
    activations = cells.predict(DOC, verbose=0)
    gradient = finite_gradient(head, activations, top, mask)
    right = (gradient * activations[0]).sum(axis=-1)
    np.testing.assert_allclose(target.attribution, right, atol=5e-3 * np.abs(right).max())


def finite_gradient(head: Any, activations: Array, class_id: int, mask: Array) -> Array:
    """Return the central differences of the mean log-odds, by each activation."""
    flat, step = activations[0].ravel(), 2e-3
    moved = np.concatenate([flat + step * np.eye(flat.size), flat - step * np.eye(flat.size)])
    inputs = moved.reshape(-1, *activations.shape[1:]).astype("float32")
    batches = [keras.ops.convert_to_numpy(head(part)) for part in np.array_split(inputs, 8)]
    values = [mean_score(one, class_id, mask) for one in np.concatenate(batches)]
    up, down = np.split(np.array(values), 2)
    return np.asarray((up - down) / (2 * step)).reshape(activations.shape[1:])


@ONCE
def test_what_speaks_against_a_region(segmenter: keras.Model, top: int) -> None:
    options = {"target": Region(top), "method": "HiResCAM"}
    maps = [
        only(explain(segmenter, **options, sign=sign)).attribution
        for sign in ("positive", "negative")
    ]
    np.testing.assert_allclose(maps[0], -maps[1], **CLOSE)


# ---- outputs of all kinds ------------------------------------------------------------------------


def test_classes_first_and_last_give_the_same(top: int, outputs: Array) -> None:
    first = make_segmenter(channels_first=True)
    assert first.output_shape == (None, 4, *SIZE)
    target = only(explain(first, target=Region(top)))
    mask = outputs.argmax(axis=-1) == top
    np.testing.assert_allclose(target.explained, mean_score(outputs, top, mask), **CLOSE)
    assert target.region == Region(top, mask)


@ONCE
def test_logits_without_a_softmax_give_the_same(top: int, outputs: Array) -> None:
    target = only(explain(make_segmenter(None), target=Region(top)))
    mask = outputs.argmax(axis=-1) == top
    np.testing.assert_allclose(target.explained, mean_score(outputs, top, mask), **CLOSE)
    assert target.proba is None


@pytest.mark.parametrize("activation", ["sigmoid", None])
@pytest.mark.parametrize("has_axis", [True, pytest.param(False, marks=ONCE)])
def test_one_channel_stands_for_two_classes(activation: str | None, has_axis: bool) -> None:
    model = make_segmenter(activation, classes=1)
    if not has_axis:
        model = keras.Model(model.inputs, layers.Reshape(SIZE)(model.get_layer("logits").output))
        if activation:
            x = layers.Activation("sigmoid")(model.output)
            model = keras.Model(model.inputs, x)
    values = model.predict(DOC, verbose=0).reshape(SIZE).astype("float64")
    p = values if activation else 1 / (1 + np.exp(-values))
    both = np.stack([1 - p, p], axis=-1)
    for class_id in np.unique(p > 0.5).astype(int):
        target = only(explain(model, target=Region(int(class_id))))
        mask = (p > 0.5) == class_id
        right = mean_score(both, class_id, mask)
        np.testing.assert_allclose(target.explained, right, rtol=1e-4, atol=1e-5)
        assert target.region == Region(int(class_id), mask)


@pytest.mark.parametrize("name", ["masks", "other"])
def test_masks_that_do_not_exclude_each_other(name: str) -> None:
    """Sigmoids each have a mask of their own, and so have logits of the name ``masks``."""
    plain = make_segmenter("sigmoid" if name == "other" else None)
    x = layers.GlobalAveragePooling2D()(plain.get_layer("bottleneck").output)
    quality = layers.Dense(4, name="quality")(x)
    model = keras.Model(plain.inputs, {"a": quality, name: plain.output})
    values = plain.predict(DOC, verbose=0)[0]
    p = values if name == "other" else 1 / (1 + np.exp(-values.astype("float64")))
    masks = p > 0.5
    assert (masks.sum(axis=-1) > 1).any()  # two at one pixel
    class_id = int(masks.sum(axis=(0, 1)).argmax())
    target = only(explain(model, target=Region(class_id)))
    mask = masks[..., class_id]
    right = np.log(p / (1 - p))[mask][:, class_id].mean()
    np.testing.assert_allclose(target.explained, right, rtol=1e-4)
    assert target.region == Region(class_id, mask)


def test_a_coarser_output_and_the_pixels_of_the_input() -> None:
    model = make_segmenter(stride=2)
    cells = (SIZE[0] // 2, SIZE[1] // 2)
    outputs = model.predict(DOC, verbose=0)[0]
    mask = np.zeros(SIZE, bool)
    mask[4:10, 6:13] = True
    expl = explain(model, target=[Region(1, mask), Pixel(15, 18, 2)])
    region, pixel = expl.targets
    coarse = mask[1::2, 1::2]
    assert region.region == Region(1, coarse)
    np.testing.assert_allclose(region.explained, mean_score(outputs, 1, coarse), **CLOSE)
    at = np.zeros(cells, bool)
    at[7, 9] = True
    np.testing.assert_allclose(pixel.explained, mean_score(outputs, 2, at), **CLOSE)
    assert pixel.region == Pixel(15, 18, 2)
    said = "The mask, of the input's size 16x20, was resized to the output's 8x10"
    assert said in expl.description


@ONCE
def test_where_the_classes_are_is_asked_for_if_nothing_tells() -> None:
    model = make_segmenter(classes=8, size=(8, 8))
    doc = sample((8, 8, 3))
    with pytest.raises(ValueError, match=r"tells where the classes are.*\(1, 8, 8, 8\)"):
        explain(model, doc, target=Pixel(1, 2))
    p = model.predict(doc, verbose=0)[0]
    options = {"target": Pixel(1, 2), "data_format": "channels_last"}
    assert only(explain(model, doc, **options)).target == p[1, 2].argmax()


@ONCE
def test_the_number_of_names_tells_where_the_classes_are() -> None:
    model = make_segmenter(classes=25)  # 16 and 20 are to each other as 20 and 25
    names = [f"name {k}" for k in range(25)]
    target = only(explain(model, target=Pixel(1, 2), class_names=names))
    p = model.predict(DOC, verbose=0)[0]
    assert target.class_name == names[p[1, 2].argmax()]
    with pytest.raises(ValueError, match="tells where the classes are"):
        explain(model, target=Pixel(1, 2))


@ONCE
def test_an_output_of_a_part_of_the_input() -> None:
    """Behind a crop, masks and pixels are those of the input all the same, and so is the border."""
    inputs = keras.Input((32, 40, 3))
    inner = make_segmenter()
    cropped = keras.Model(inputs, inner(layers.Cropping2D(((4, 12), (8, 12)))(inputs)))
    doc = sample((32, 40, 3))
    p = inner.predict(doc[:, 4:20, 8:28], verbose=0)[0]
    whole = np.zeros((32, 40), bool)
    whole[6:30, 10:20] = True  # and a part that the model does not see
    seen = np.zeros(SIZE, bool)
    seen[2:, 2:12] = True
    region, pixel = explain(cropped, doc, target=[Region(1, whole), Pixel(4, 27)]).targets
    np.testing.assert_allclose(region.explained, mean_score(p, 1, seen), **CLOSE)
    assert pixel.target == p[0, 19].argmax()
    shown = whole & (np.arange(32) < 20)[:, None]
    assert region.region == Region(1, shown)
    again = explain(cropped, doc, target=region.region)
    np.testing.assert_allclose(only(again).heatmap, region.heatmap, **CLOSE)
    assert "of its pixels 4 to 19 x 8 to 27" in again.description
    border = draw_outline(region, (40, 32))
    assert border is not None
    assert np.argwhere(np.asarray(border)[..., 3])[:, 0].min() in (5, 6)
    for row, column in ((3, 8), (20, 8), (4, 7), (4, 28)):
        with pytest.raises(ValueError, match="where the model cuts the input off"):
            explain(cropped, doc, target=Pixel(row, column))


@ONCE
def test_an_output_without_padding() -> None:
    inputs = keras.Input((24, 28, 3))
    x = layers.Conv2D(6, 5, activation="relu")(inputs)
    x = layers.Softmax()(layers.Conv2D(4, 5)(x))
    model, doc = with_weights(keras.Model(inputs, x), seed=3), sample((24, 28, 3))
    p = model.predict(doc, verbose=0)[0]
    assert p.shape == (16, 20, 4)
    assert (
        only(explain(model, doc, target=Pixel(4, 23), data_format="channels_last")).target
        == p[0, 19].argmax()
    )


@ONCE
def test_a_resized_input_is_all_of_it() -> None:
    inputs = keras.Input((32, 40, 3))
    model = keras.Model(inputs, make_segmenter()(layers.Resizing(*SIZE)(inputs)))
    target = only(explain(model, sample((32, 40, 3)), target=Region(1, np.ones((32, 40), bool))))
    assert target.region.mask.shape == SIZE
    assert only(explain(model, sample((32, 40, 3)), target=Pixel(31, 39))).region.row == 31


# ---- several docs --------------------------------------------------------------------------------


def test_many_docs_with_one_target_or_one_each(segmenter: keras.Model, top: int) -> None:
    docs = np.concatenate([sample((*SIZE, 3), seed) for seed in range(3)])
    asked = [[Pixel(1, 2)], [Pixel(3, 4), Region(1, np.ones(SIZE, bool))], [Pixel(5, 6, 0)]]
    for given in (asked, iter(asked)):
        many = list(eli5.explain_predictions(segmenter, docs, target=given, method="Saliency"))
        assert [len(expl.targets) for expl in many] == [1, 2, 1]
        for doc, expl, own in zip(docs, many, asked, strict=True):
            alone = explain(segmenter, doc[None], target=own)
            for one, other in zip(expl.targets, alone.targets, strict=True):
                np.testing.assert_allclose(one.heatmap, other.heatmap, **CLOSE)
                assert one.region == other.region
    same = list(eli5.explain_predictions(segmenter, docs, target=Pixel(7, 7), method="Saliency"))
    assert [only(expl).region.row for expl in same] == [7, 7, 7]
    assert list(eli5.explain_predictions(segmenter, docs[:0], target=[])) == []


def test_one_program_does_for_all_masks(
    segmenter: keras.Model, caplog: pytest.LogCaptureFixture
) -> None:
    def ask(number: int, **options: Any) -> None:
        mask = np.random.default_rng(number).random(SIZE) > 0.1 * number
        mask[number, number] = True
        asked = [Region(number % 4, mask), Pixel(number, 2, 1)]
        explain(segmenter, target=asked, **options)

    for options in ({"method": "Saliency"}, {"method": "RISE", "n_masks": 8}):
        ask(0, **options)
        with caplog.at_level(logging.INFO, "eli5"):
            for number in range(1, 10):
                ask(number, **options)
        assert "Compiling" not in caplog.text


# ---- black-box methods ---------------------------------------------------------------------------


def test_occlusion_keeps_the_region_of_the_whole_picture(
    segmenter: keras.Model, outputs: Array, top: int
) -> None:
    options: dict[str, Any] = {"method": "Occlusion", "patch": 4, "stride": 4, "baseline": 0}
    target = only(explain(segmenter, target=Region(top), **options))
    mask = outputs.argmax(axis=-1) == top
    whole = mean_score(outputs, top, mask)
    for row, column in ((0, 0), (8, 12)):
        hidden = DOC.copy()
        hidden[:, row : row + 4, column : column + 4] = 0
        left = mean_score(segmenter.predict(hidden, verbose=0)[0], top, mask)
        np.testing.assert_allclose(target.attribution[row, column], whole - left, atol=1e-4)


@ONCE
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("RISE", {"n_masks": 16}),
        ("KernelSHAP", {"n_samples": 1, "noise": 0.0}),
        ("Score-CAM", {}),
        ("Ablation-CAM", {}),
    ],
)
def test_methods_that_run_the_model_many_times(
    segmenter: keras.Model, top: int, method: str, options: dict[str, Any]
) -> None:
    if method == "KernelSHAP":
        segments = np.add.outer(np.arange(SIZE[0]) // 8 * 3, np.arange(SIZE[1]) // 7)
        options = {"segments": segments}
    asked = [Region(top), Pixel(3, 4)]
    expl = explain(segmenter, target=asked, method=method, **options)
    region, pixel = expl.targets
    assert np.isfinite(region.attribution).all()
    assert np.abs(region.attribution).max() > 0
    assert np.abs(region.attribution - pixel.attribution).max() > 0


@pytest.mark.parametrize("method", ["CAM", "Finer-CAM"])
def test_methods_on_logits_of_a_classifier_refuse(segmenter: keras.Model, method: str) -> None:
    with pytest.raises(ValueError, match=r"score of a class for method=.*a class over pixels"):
        explain(segmenter, target=Region(0), method=method)


# ---- what is wrong -------------------------------------------------------------------------------


def test_a_class_that_is_predicted_nowhere(segmenter: keras.Model, outputs: Array) -> None:
    counts = np.bincount(outputs.argmax(axis=-1).ravel(), minlength=4)
    absent = int(counts.argmin())
    assert counts[absent] == 0
    said = ", ".join(f"{k} '{'abcd'[k]}'" for k in counts.argsort()[::-1] if counts[k])
    with pytest.raises(ValueError, match=rf"Region\({absent}\), where it predicts {said}. Ask"):
        explain(segmenter, target=Region(absent), class_names=list("abcd"))
    with pytest.raises(ValueError, match="predicts somewhere") as caught:
        list(eli5.explain_predictions(segmenter, DOC, target=Region(absent)))
    assert "doc 0" in str(caught.value.__notes__)


@pytest.mark.parametrize(
    ("asked", "error", "match"),
    [
        (Region(7), ValueError, r"class id in \[0, 4\), .* Received: class_id=7"),
        (Region("cat"), ValueError, "`class_names` beside a name in `class_id`"),
        (Region(0, np.ones((5, 6))), ValueError, r"size, \(16, 20\).*mask.shape=\(5, 6\)"),
        (Pixel(16, 0), ValueError, r"row < 16 and column < 20.*Pixel\(row=16, column=0\)"),
        (Similarity(np.ones(3)), ValueError, r"output's shape, \(16, 20, 4\)"),
        ([], ValueError, "at least one"),
        (3, TypeError, r"`target` to be one of eli5.targets, or a list.*with targets=\[3\]"),
        ([Pixel(1, 1), 3], TypeError, "`target` to be one of eli5.targets"),
        ([Pixel(1, 1), Similarity(np.ones(3))], ValueError, "one kind.*Pixel, Similarity"),
        (Contrast(0, 1), ValueError, "Expected a classifier"),
    ],
    ids=str,
)
def test_targets_that_do_not_fit(
    segmenter: keras.Model, asked: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        explain(segmenter, target=asked)


def test_a_mask_too_fine_for_the_output() -> None:
    mask = np.zeros(SIZE, bool)
    mask[0, 0] = True
    with pytest.raises(ValueError, match="too small for the output's"):
        explain(make_segmenter(stride=2), target=Region(0, mask))


def test_targets_of_another_kind_than_the_first_doc_s(segmenter: keras.Model) -> None:
    docs = np.concatenate([DOC, DOC])
    asked = [Pixel(0, 0), Similarity(np.ones(4))]
    with pytest.raises(TypeError, match="Region or Pixel, as the others are"):
        list(eli5.explain_predictions(segmenter, docs, target=asked))


@pytest.mark.parametrize(
    ("others", "match"),
    [
        ({"targets": [0]}, "either `targets` or"),
        ({"top_targets": 2}, "either `targets` or"),
        ({"classes": [0]}, "either `targets` or"),
        ({"score": lambda outputs: outputs}, "no `target` beside a callable `score`"),
        ({"task": "regression"}, "no task='regression' beside `target`"),
    ],
    ids=["targets", "top_targets", "classes", "score", "task"],
)
def test_one_thing_is_asked_for(segmenter: keras.Model, others: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        explain(segmenter, target=Pixel(0, 0), **others)


def test_a_classifier_is_no_segmenter(classifier_doc: tuple[keras.Model, Array]) -> None:
    model, doc = classifier_doc
    with pytest.raises(ValueError, match=r"Expected a segmenter.*shape \(1, 5\)"):
        explain(model, doc, target=Region(0))


def test_a_segmenter_is_no_classifier(segmenter: keras.Model) -> None:
    with pytest.raises(ValueError, match=r"target=eli5.targets.Region\(0\)"):
        explain(segmenter)


@pytest.fixture
def classifier_doc() -> tuple[keras.Model, Array]:
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3)(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x)), sample((12, 12, 3))


# ---- the layer -----------------------------------------------------------------------------------


@ONCE
def test_the_layer_is_the_last_coarse_one_that_is_not_the_prediction_itself(
    segmenter: keras.Model,
) -> None:
    expl = eli5.explain_prediction(segmenter, DOC, target=Pixel(1, 1), methods=["LayerCAM"])[0]
    assert expl.layer == "bottleneck"
    small = layers.Conv2D(4, 1, name="small")(segmenter.get_layer("bottleneck").output)
    enlarged = layers.UpSampling2D(interpolation="bilinear")(small)
    model = with_weights(keras.Model(segmenter.inputs, layers.Softmax()(enlarged)), seed=3)
    expl = eli5.explain_prediction(model, DOC, target=Pixel(1, 1), method="LayerCAM")
    assert expl.layer == "bottleneck"
    expl = eli5.explain_prediction(model, DOC, target=Pixel(1, 1), layer="small", method="LayerCAM")
    assert expl.layer == "small"
