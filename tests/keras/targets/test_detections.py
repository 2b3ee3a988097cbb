"""A detector's boxes: against NumPy and autograd written out, on synthetic and real candidates."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import eli5
from eli5.keras import engine
from eli5.keras.targets.detectors import Detector
from eli5.keras.targets.proposals import (
    Kept,
    Proposals,
    match_boxes,
    match_kept,
    read_proposals,
    suppress,
)
from eli5.targets import Box, Candidates, Detection, Missing, Objects, Pixel
from helpers.detectors import N_CLASSES, SIZE, make_detector
from helpers.models import sample

Array = np.ndarray[Any, Any]
DOC = sample((*SIZE, 3))
# What knows of no backend: on the others each case would be compiled.
ON_TORCH = pytest.mark.skipif(keras.backend.backend() != "torch", reason="the same on each")
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def detector() -> keras.Model:
    return make_detector()


@pytest.fixture(scope="module")
def raw(detector: keras.Model) -> dict[str, Array]:
    """Return the boxes (N, 4) and the logits (N, classes)."""
    outputs = detector.predict(DOC, verbose=0)
    return {name: np.asarray(value[0], "float64") for name, value in outputs.items()}


def explain(model: keras.Model, target: Any, **options: Any) -> Any:
    """Return the target's explanations, by a method whose map is never empty."""
    options = {"method": "Saliency"} | options
    return eli5.explain_prediction(model, DOC, target=target, **options).targets


# ---- twins in NumPy ------------------------------------------------------------------------------


def iou(a: Any, b: Any) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def cut(box: Any, size: tuple[int, int] = SIZE) -> list[float]:
    height, width = size
    return [min(max(box[k], 0), (width, height, width, height)[k]) for k in range(4)]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def kept_by_nms(raw: dict[str, Array]) -> list[int]:
    """Return which candidates greedy non-maximum suppression per class keeps, in order."""
    best, labels = raw["scores"].max(axis=1), raw["scores"].argmax(axis=1)
    kept: list[int] = []
    for n in sorted(range(len(best)), key=lambda n: -best[n]):
        rivals = (k for k in kept if labels[k] == labels[n])
        is_new = all(iou(raw["boxes"][k], raw["boxes"][n]) <= 0.5 for k in rivals)
        if sigmoid(best[n]) > 0.5 and is_new:
            kept.append(n)
    return kept[:100]


def candidate_of(
    raw: dict[str, Array], box: Any, class_id: int | None, size: tuple[int, int] = SIZE
) -> int:
    """Return the candidate of a box, by the rule of `Box`."""
    scores = raw["scores"].max(axis=1) if class_id is None else raw["scores"][:, class_id]
    overlaps = [iou(cut(one, size), cut(box, size)) for one in raw["boxes"]]
    best = max(overlaps)
    if best >= 0.99:
        own = [n for n, one in enumerate(overlaps) if one >= max(best - 1e-3, 0.99)]
        return max(own, key=lambda n: scores[n])
    return max(range(len(scores)), key=lambda n: overlaps[n] * sigmoid(scores[n]))


def similarity(raw: dict[str, Array], box: Any, vector: Array) -> float:
    """Return D-RISE's score, arXiv:2006.03204, equations 3 to 6."""
    best = 0.0
    for own, logits in zip(raw["boxes"], raw["scores"], strict=True):
        p = sigmoid(logits)
        cosine = p @ vector / np.sqrt((p @ p) * (vector @ vector))
        best = max(best, iou(own, box) * p.max() * cosine)
    return best


# ---- the scores ----------------------------------------------------------------------------------


def test_detections_are_those_that_suppression_keeps(
    detector: keras.Model, raw: dict[str, Array]
) -> None:
    kept = kept_by_nms(raw)
    ranks = [0, 1, 2, len(kept) - 1]
    targets = explain(detector, [Detection(k) for k in ranks])
    for rank, target in zip(ranks, targets, strict=True):
        logits, box = raw["scores"][kept[rank]], raw["boxes"][kept[rank]]
        class_id = int(logits.argmax())
        np.testing.assert_allclose(target.explained, logits[class_id], **CLOSE)
        np.testing.assert_allclose(target.score, logits[class_id], **CLOSE)
        np.testing.assert_allclose(target.proba, sigmoid(logits[class_id]), **CLOSE)
        np.testing.assert_allclose(target.region.xyxy, cut(box), rtol=1e-4, atol=1e-4)
        assert (target.target, target.region.class_id) == (class_id, class_id)
        assert target.explained_name == "log-odds"


@ON_TORCH
@pytest.mark.parametrize("class_id", [None, 0, 2])
def test_a_box_is_the_candidate_s_that_is_like_it(
    detector: keras.Model, raw: dict[str, Array], class_id: int | None
) -> None:
    asked = [(5, 4, 14, 12), (20, 10, 30.5, 22), (0, 0, 9, 12), tuple(cut(raw["boxes"][33]))]
    targets = explain(detector, [Box(one, class_id) for one in asked])
    for box, target in zip(asked, targets, strict=True):
        found = candidate_of(raw, box, class_id)
        c = int(raw["scores"][found].argmax()) if class_id is None else class_id
        np.testing.assert_allclose(target.explained, raw["scores"][found, c], **CLOSE)
        np.testing.assert_allclose(target.region.xyxy, box, **CLOSE)
        assert target.target == c


def test_all_objects_of_a_class(detector: keras.Model, raw: dict[str, Array]) -> None:
    labels = raw["scores"].argmax(axis=1)
    kept = kept_by_nms(raw)
    class_id = int(labels[kept[0]])
    own = [n for n in kept if labels[n] == class_id]
    (target,) = explain(detector, Objects(class_id))
    np.testing.assert_allclose(target.explained, raw["scores"][own, class_id].mean(), **CLOSE)
    np.testing.assert_allclose(target.region.boxes, raw["boxes"][own], rtol=1e-4, atol=1e-4)
    assert target.explained_name == "mean log-odds"


def test_what_is_missing_is_told_by_the_nearest_candidates(
    detector: keras.Model, raw: dict[str, Array]
) -> None:
    box = (11, 7, 19, 18)
    (target,) = explain(detector, Missing(box, 1))
    overlaps = np.array([iou(cut(one), box) for one in raw["boxes"]])
    nearest = np.argsort(-overlaps, kind="stable")[:5]
    right = (raw["scores"][nearest, 1] * overlaps[nearest]).sum() / overlaps[nearest].sum()
    np.testing.assert_allclose(target.explained, right, **CLOSE)
    assert target.region == Missing(box, 1)


def test_objectives(detector: keras.Model, raw: dict[str, Array]) -> None:
    box = (5, 4, 14, 12)
    n = candidate_of(raw, box, 1)
    own, overlap = raw["scores"][n, 1], iou(raw["boxes"][n], box)
    asked = [Box(box, 1, objective=one) for one in ("class", "box", "both")]
    targets = explain(detector, asked)
    right = [own, overlap, own + np.log(overlap)]
    np.testing.assert_allclose([one.explained for one in targets], right, **CLOSE)
    names = ["log-odds", "IoU", "log-odds + log IoU"]
    assert [one.explained_name for one in targets] == names


def test_likeness_is_d_rise_s(detector: keras.Model, raw: dict[str, Array]) -> None:
    box = (5, 4, 14, 12)
    n = kept_by_nms(raw)[0]
    asked = [Box(box, 1), Detection(0)]
    targets = explain(detector, asked, method="Occlusion", patch=16)
    vectors = np.eye(N_CLASSES)[1], sigmoid(raw["scores"][n])
    boxes = box, raw["boxes"][n]
    right = [similarity(raw, *pair) for pair in zip(boxes, vectors, strict=True)]
    np.testing.assert_allclose([one.explained for one in targets], right, **CLOSE)
    assert targets[0].explained_name == "D-RISE similarity"


@ON_TORCH
def test_several_targets_are_what_each_is_alone(detector: keras.Model) -> None:
    asked = [Detection(1), Box((5, 4, 14, 12), 0), Missing((5, 4, 14, 12), 0)]
    together = explain(detector, asked, method="HiResCAM")
    for one, target in zip(asked, together, strict=True):
        (alone,) = explain(detector, one, method="HiResCAM")
        np.testing.assert_allclose(target.heatmap, alone.heatmap, **CLOSE)
        np.testing.assert_allclose(target.explained, alone.explained, **CLOSE)
        assert target.region == alone.region


def test_docs_share_a_program_and_have_boxes_of_their_own(detector: keras.Model) -> None:
    docs = np.concatenate([DOC, DOC[:, ::-1]])
    asked = [[Box((5, 4, 14, 12), 0)], [Box((5, 20, 14, 28), 1), Box((20, 10, 30, 22))]]
    options: dict[str, Any] = {"method": "HiResCAM"}
    together = list(eli5.explain_predictions(detector, docs, target=asked, **options))
    for doc, own, expl in zip(docs, asked, together, strict=True):
        alone = eli5.explain_prediction(detector, doc[None], target=own, **options)
        for one, another in zip(expl.targets, alone.targets, strict=True):
            np.testing.assert_allclose(one.explained, another.explained, **CLOSE)
            np.testing.assert_allclose(one.attribution, another.attribution, **CLOSE)
            assert one.region == another.region


# ---- from the decoder's box to the raw index -----------------------------------------------------


def synthetic(random: np.random.Generator, n: int) -> dict[str, Array]:
    """Return candidates among which are equal boxes, of one class and of two, and near ones."""
    corners = random.uniform(0, 60, (n, 2))
    boxes = np.concatenate([corners, corners + random.uniform(3, 40, (n, 2))], axis=1)
    logits = random.normal(0, 3, (n, 5))
    boxes[1::7], logits[1::7] = boxes[0::7][: len(boxes[1::7])], logits[0::7][: len(boxes[1::7])]
    boxes[2::7] = boxes[0::7][: len(boxes[2::7])]  # another class, or another score
    boxes[3::7] = boxes[0::7][: len(boxes[3::7])] + 0.01
    return {"boxes": boxes.astype("float32"), "scores": logits.astype("float32")}


def as_proposals(raw: dict[str, Array]) -> Proposals:
    boxes, logits = (ops.convert_to_tensor(raw[name][None]) for name in ("boxes", "scores"))
    objectness = ops.sigmoid(ops.max(logits, axis=-1))
    return Proposals(boxes, logits, logits, logits, logits, objectness, (100, 100))


def test_a_thousand_kept_boxes_are_those_of_their_candidates() -> None:
    """A decoder tells box, label and confidence, in another format: none of it is exact."""
    random = np.random.default_rng(0)
    n_right = n_all = 0
    while n_all < 1000:
        raw = synthetic(random, 150)
        chosen = random.choice(150, 100, replace=False)
        probabilities = sigmoid(raw["scores"][chosen].astype("float64"))
        top_left = raw["boxes"][chosen][:, :2]
        sizes = raw["boxes"][chosen][:, 2:] - top_left
        kept = Kept(
            ops.convert_to_tensor(np.concatenate([top_left, top_left + sizes], axis=1)[None]),
            ops.convert_to_tensor(probabilities.argmax(axis=1).astype("int32")[None]),
            ops.convert_to_tensor(probabilities.max(axis=1).astype("float32")[None]),
            ops.convert_to_tensor(np.array([100], "int32")),
        )
        found = ops.convert_to_numpy(match_kept(kept, as_proposals(raw)))[0]
        for own, one in zip(chosen, found, strict=True):
            same = (raw["boxes"] == raw["boxes"][own]).all(axis=1)
            same &= (raw["scores"] == raw["scores"][own]).all(axis=1)
            n_right += int(one == np.flatnonzero(same)[0])  # of equals the first
        n_all += len(chosen)
    assert (n_right, n_all) == (1000, 1000)


def test_suppression_is_the_slow_twin_s() -> None:
    random = np.random.default_rng(1)
    for _ in range(10):
        raw = synthetic(random, 60)
        kept = suppress(as_proposals(raw))
        n = int(kept.n[0])
        right = kept_by_nms({name: one.astype("float64") for name, one in raw.items()})
        assert ops.convert_to_numpy(kept.index)[0, :n].tolist() == right


def test_boxes_are_matched_as_the_slow_twin_does() -> None:
    random = np.random.default_rng(2)
    raw = synthetic(random, 120)
    proposals, doubles = as_proposals(raw), {k: v.astype("float64") for k, v in raw.items()}
    for k in range(120):
        box = (raw["boxes"][k] + random.choice([0, 0.02, 3])).astype("float32")
        for class_id in (-1, k % 5):
            asked_box, asked_class = (
                ops.convert_to_tensor(np.asarray([[one]])) for one in (box, np.int32(class_id))
            )
            found = int(match_boxes(asked_box, asked_class, proposals)[0, 0])
            best = candidate_of(doubles, box, None if class_id < 0 else class_id, (100, 100))
            assert found == best


# ---- how outputs are read ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_tensor(detector: keras.Model) -> keras.Model:
    """Return the detector with its numbers in one tensor, as YOLO-like models give them."""
    outputs = detector.output
    return keras.Model(
        detector.input, ops.concatenate([outputs["boxes"], outputs["scores"]], axis=-1)
    )


def from_one_tensor(outputs: Any) -> Candidates:
    return Candidates(outputs[..., :4], outputs[..., 4:])


def as_probabilities(outputs: Any) -> Candidates:
    height, width = SIZE
    shares = outputs[..., :4] / ops.convert_to_tensor([width, height, width, height], "float32")
    scores = ops.sigmoid(outputs[..., 4:])
    return Candidates(shares, scores, format="rel_xyxy", are_logits=False)


def as_centres(outputs: Any) -> Candidates:
    left, top, right, bottom = (outputs[..., k] for k in range(4))
    parts = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    return Candidates(ops.stack(parts, axis=-1), outputs[..., 4:], format="center_xywh")


@ON_TORCH
@pytest.mark.parametrize("adapter", [from_one_tensor, as_probabilities, as_centres])
def test_adapters_say_the_same(
    detector: keras.Model, one_tensor: keras.Model, adapter: Any
) -> None:
    asked = [Box((5, 4, 14, 12), 2), Box((20, 10, 30, 22), 2)]
    rights = explain(detector, asked)
    founds = explain(one_tensor, asked, detector=adapter)
    for right, found in zip(rights, founds, strict=True):
        np.testing.assert_allclose(found.explained, right.explained, rtol=1e-3)
        np.testing.assert_allclose(found.heatmap, right.heatmap, atol=1e-3)


@ON_TORCH
@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
def test_plain_outputs_in_a_list_and_their_activation(
    raw: dict[str, Array], activation: str | None
) -> None:
    box = (5, 4, 14, 12)
    model = make_detector(activation=activation, as_dict=False)
    (target,) = explain(model, Box(box, 1))
    odds = raw["scores"][:, 1]
    if activation == "softmax":
        odds = odds - np.log(np.exp(np.delete(raw["scores"], 1, axis=1)).sum(axis=1))
    overlaps = np.array([iou(cut(one), box) for one in raw["boxes"]])
    right = odds[(overlaps * sigmoid(odds)).argmax()]
    np.testing.assert_allclose(target.explained, right, rtol=1e-4)


def test_objectness_and_background() -> None:
    """The product of two probabilities, and a softmax one of whose classes is no object."""
    random = np.random.default_rng(3)
    objectness, logits = random.normal(0, 4, (1, 20)), random.normal(0, 4, (1, 20, 4))
    ends = random.uniform(0, 9, (1, 20, 2)), random.uniform(10, 30, (1, 20, 2))
    arrays = np.concatenate(ends, axis=2), logits, objectness
    boxes, scores, there = (ops.convert_to_tensor(one.astype("float32")) for one in arrays)
    detector = Detector(engine.Reference(None), (40, 40), None, "xyxy")

    def read(**fields: Any) -> Proposals:
        def adapter(_: Any) -> Candidates:
            return Candidates(boxes, scores, **fields)

        return read_proposals(None, lambda _: None, detector, adapter)

    p = sigmoid(objectness)[..., None] * sigmoid(logits)
    found = read(objectness=there)
    np.testing.assert_allclose(found.log_odds, np.log(p / (1 - p)), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.objectness, sigmoid(objectness), **CLOSE)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    found = read(activation="softmax", background=-1)
    np.testing.assert_allclose(found.log_odds, np.log(p / (1 - p)), rtol=1e-4, atol=1e-4)
    assert (ops.convert_to_numpy(found.labels) == p[..., :3].argmax(axis=-1)).all()


# ---- what is refused -----------------------------------------------------------------------------


def returns(*shapes: tuple[int, ...], **fields: Any) -> Any:
    def adapter(outputs: Any) -> Any:
        return Candidates(*(ops.zeros(shape) for shape in shapes), **fields)

    return adapter


@ON_TORCH
@pytest.mark.parametrize(
    ("target", "match"),
    [
        (Box((0, 0, 200, 10)), r"within the picture.*48 pixels wide and 32 high.*\(0, 0, 200, 10"),
        (Box((0, 0, 48, 32)), "candidates overlaps, by an IoU of 0.1.*Missing"),
        (Box((5, 4, 14, 12), 3), r"a class id in \[0, 3\)"),
        (Missing((5, 4, 14, 12), "dog"), "`class_names` beside a name"),
        (Missing((40, 0, 47, 2), 0), "candidates overlaps. Received.*which none does"),
        (Objects(1, np.ones((1, 4))), "without `boxes`"),
        ([Box((5, 4, 14, 12)), Pixel(0, 0)], "`target` to be of one kind"),
    ],
    ids=range(7),
)
def test_targets_that_are_not_there(detector: keras.Model, target: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        explain(detector, target)


@ON_TORCH
def test_what_the_decoder_does_not_keep() -> None:
    quiet = make_detector()
    kernel, bias = quiet.get_layer("to_class").get_weights()
    quiet.get_layer("to_class").set_weights([kernel, bias - 14])
    with pytest.raises(ValueError, match=r"target=Detection\(9\), where it keeps \d of class \d"):
        explain(quiet, Detection(9))
    quiet.get_layer("to_class").set_weights([kernel, bias - 90])
    with pytest.raises(ValueError, match=r"Objects\(1\), where it keeps none, as the highest conf"):
        explain(quiet, Objects(1))


NINE = (1, 9, 4), (1, 9, 3)


@ON_TORCH
@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({}, ValueError, r"outputs are known.*the outputs .* \(1, 120, 7\).*eli5.targets.Cand"),
        ({"detector": "cxcywh"}, TypeError, "an adapter, a function of the outputs, or the format"),
        ({"detector": lambda _: None}, TypeError, "to return eli5.targets.Candidates"),
        ({"detector": returns((1, 9, 4), (1, 8, 3))}, ValueError, r"scores \(B, N, n_classes\)"),
        ({"detector": returns(*NINE, (1, 8))}, ValueError, r"objectness \(B, N\)"),
        ({"detector": returns(*NINE, format="x")}, ValueError, "`format` to be one"),
        ({"detector": returns(*NINE, activation="tanh")}, ValueError, "'sigmoid' or 'softmax'"),
    ],
    ids=range(7),
)
def test_adapters_that_do_not_do(
    one_tensor: keras.Model, options: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        explain(one_tensor, Missing((5, 4, 14, 12), 1), **options)


@ON_TORCH
def test_what_is_read_as_another_kind_is_seen(detector: keras.Model) -> None:
    box, scores = Missing((5, 4, 14, 12), 1), detector.output["scores"]
    turned = keras.Model(detector.input, [-detector.output["boxes"], scores])
    with pytest.raises(ValueError, match=r"ends last, at least.*Say how they are written"):
        explain(turned, box)
    small = keras.Model(detector.input, [detector.output["boxes"] / 64, scores])
    with pytest.raises(ValueError, match=r"larger than one pixel.*rel_xyxy"):
        explain(small, box)
    shares = keras.Model(detector.input, [detector.output["boxes"], 1 / (1 + ops.exp(-scores))])
    with pytest.raises(ValueError, match="which look like probabilities"):
        explain(shares, box)
    with pytest.raises(ValueError, match=r"in part within the picture, at least. Received: others"):
        explain(detector, Detection(0), detector="rel_xyxy")


@ON_TORCH
def test_a_detection_can_be_asked_for_again_by_its_box(
    detector: keras.Model, raw: dict[str, Array]
) -> None:
    kept = kept_by_nms(raw)
    outside = [k for k, n in enumerate(kept) if min(raw["boxes"][n][:2]) < -1.5]
    assert outside  # it reaches out of the picture, where no box of the caller's may
    (found,) = explain(detector, Detection(outside[0]))
    (again,) = explain(detector, found.region)
    np.testing.assert_allclose(again.explained, found.explained, **CLOSE)
    np.testing.assert_allclose(again.heatmap, found.heatmap, **CLOSE)
    assert again.region == found.region


@ON_TORCH
def test_an_error_in_an_adapter_is_its_own(detector: keras.Model) -> None:
    for adapter, error, said in (
        (lambda outputs: outputs["nowhere"], KeyError, "'nowhere'"),
        (lambda _: 3, TypeError, "Expected the callable `detector` to return"),
    ):
        with pytest.raises(error) as caught:
            explain(detector, Detection(0), detector=adapter)
        assert str(caught.value).startswith(said)  # and not what Keras makes of it


@ON_TORCH
def test_options_that_go_with_boxes_alone(detector: keras.Model) -> None:
    with pytest.raises(ValueError, match="no `detector` without a box as target"):
        eli5.explain_prediction(detector, DOC, [0], detector="xyxy")
    with pytest.raises(ValueError, match="no `detector` without a box as target"):
        eli5.explain_prediction(detector, DOC, target=Pixel(0, 0), detector="xyxy")
    with pytest.raises(ValueError, match="a box of a detector for method='D-RISE'"):
        eli5.explain_prediction(detector, DOC, [0], method="D-RISE")
    for other in ({"target": Objects(0)}, {"target": Detection(0), "score": "logit"}):
        with pytest.raises(ValueError, match="and D-RISE's own score of it"):
            eli5.explain_prediction(detector, DOC, method="D-RISE", **other)
    expl = eli5.explain_prediction(detector, DOC, target=Detection(0), method="D-RISE", n_masks=30)
    assert expl.method == "D-RISE"
    assert "D-RISE heatmap of the input" in expl.description


@ON_TORCH
def test_docs_whose_targets_are_of_another_kind(detector: keras.Model) -> None:
    docs, box = np.concatenate([DOC, DOC]), Box((5, 4, 14, 12))
    with pytest.raises(TypeError, match="of the kind and the objective of the first doc's, Box"):
        list(eli5.explain_predictions(detector, docs, target=[[box], [Detection(0)]]))
    with pytest.raises(TypeError, match="one of a detector, as the others are: Box, Detection"):
        list(eli5.explain_predictions(detector, docs, target=[[box], [Pixel(0, 0)]]))


@ON_TORCH
def test_show_prediction_shows_the_box(detector: keras.Model) -> None:
    box = Box((5, 4, 14, 12))
    shown = eli5.show_prediction(detector, DOC, target=box)
    without = eli5.explain_prediction(detector, DOC, target=box)
    without.targets[0].region = None
    assert isinstance(shown, Image.Image)
    assert shown.size == (SIZE[1], SIZE[0])
    assert not np.array_equal(np.asarray(shown), np.asarray(eli5.format_as_image(without)))
