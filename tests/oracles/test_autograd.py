"""Layer methods against the papers' formulas, by hand in plain PyTorch autograd and float64.

Captum's layer methods are no oracle: they take axis 1 for the channels (`LayerGradCam` averages the
gradients over axes 2 and up). On channels-last models, Keras's default, they are silently wrong:
their map has the shape (width, channels).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from nets import N_CLASSES, Net, assert_close, attribution, each_net, make_net, tensor

Array = np.ndarray[Any, Any]

LAYERS = ("early", "late")
TARGETS = (0, 3)


class Oracle(NamedTuple):
    """One query, in float64.

    Attributes
    ----------
    x : tensor, shape (1, *size, C)
        The picture.
    A : tensor, shape (H, W, C)
        The target layer's activations.
    whole, outputs : callable
        From ``x`` to the scores of all classes, shape (1, classes); from ``A`` to (classes,).
    target : int
    """

    x: Any
    A: Any
    whole: Callable[[Any], Any]
    outputs: Callable[[Any], Any]
    target: int

    def y(self, A: Any) -> Any:
        return self.outputs(A)[self.target]


def make_oracle(net: Net, doc: Array, target: int, layer: str, score: str = "logit") -> Oracle:
    x, cut = tensor(doc), net.cut(layer)
    with torch.no_grad():
        A = net.run(x, stop=cut)[0]
    return Oracle(
        x,
        A,
        whole=lambda x: net.run(x, score=score),
        outputs=lambda A: net.run(A[None], start=cut, score=score)[0],
        target=target,
    )


def slope(y: Callable[[Any], Any], A: Any) -> Any:
    """Return ``G``, the gradient of ``y`` at ``A``."""
    A = A.clone().requires_grad_()
    return torch.autograd.grad(y(A), A)[0]


def combined(weights: Any, A: Any) -> Any:
    return torch.stack([w * A[..., k] for k, w in enumerate(weights)]).sum(0)


def grad_cam(o: Oracle) -> Any:
    return torch.relu(combined(slope(o.y, o.A).mean((0, 1)), o.A))


def hires_cam(o: Oracle) -> Any:
    return (slope(o.y, o.A) * o.A).sum(-1)


def elementwise_grad_cam(o: Oracle) -> Any:
    return torch.relu(slope(o.y, o.A) * o.A).sum(-1)


def grad_cam_plus_plus(o: Oracle) -> Any:
    """Equation 19, then 5 with ``Y = exp(y)``; its factor ``exp(y)`` is taken off again."""
    G = slope(o.y, o.A)
    exp_y = torch.exp(o.y(o.A))
    alpha = G**2 / (2 * G**2 + o.A.sum((0, 1)) * G**3)
    alpha = torch.where(G == 0, 0, alpha)  # 0 / 0, where the ReLU below is 0 in any case
    return torch.relu(combined((alpha * torch.relu(exp_y * G)).sum((0, 1)), o.A)) / exp_y


def xgrad_cam(o: Oracle) -> Any:
    G, shares = slope(o.y, o.A), o.A / o.A.sum((0, 1))
    dead = o.A.sum((0, 1)) == 0
    return combined(torch.where(dead, 0, (G * shares).sum((0, 1))), o.A)


def layer_cam(o: Oracle) -> Any:
    return torch.relu((torch.relu(slope(o.y, o.A)) * o.A).sum(-1))


def shapley_cam(o: Oracle) -> Any:
    HA = torch.autograd.functional.hvp(o.y, o.A, o.A)[1]
    return torch.relu(combined((slope(o.y, o.A) - 0.5 * HA).mean((0, 1)), o.A))


def finer_cam(o: Oracle) -> Any:
    """As in the paper: one contrast per similar class, and the mean of their weights."""
    logits = o.outputs(o.A).detach()
    others = [d for d in range(N_CLASSES) if d != o.target]
    similar = sorted(others, key=lambda d: abs(float(logits[d] - logits[o.target])))[:3]
    slopes = [slope(partial(lambda d, A: o.y(A) - o.outputs(A)[d], d), o.A) for d in similar]
    weights = [G.mean((0, 1)) for G in slopes]
    return torch.relu(combined(torch.stack(weights).mean(0), o.A))


def first_component(A: Any) -> Any:
    """Project the places on the first right singular vector, of either sign."""
    matrix = A.reshape(-1, A.shape[-1])
    return (matrix @ torch.linalg.svd(matrix, full_matrices=False)[2][0]).reshape(A.shape[:-1])


def eigen_cam(o: Oracle) -> Any:
    component = first_component(o.A)
    return component * torch.sign(component.sum())


def eigen_grad_cam(o: Oracle) -> Any:
    component = first_component(slope(o.y, o.A) * o.A)
    return component * torch.sign((component * hires_cam(o)).sum())


def ablation_cam(o: Oracle) -> Any:
    y = o.y(o.A)
    drops = []
    for k in range(o.A.shape[-1]):
        ablated = o.A.clone()
        ablated[..., k] = 0
        drops.append((y - o.y(ablated)) / abs(y))
    return torch.relu(combined(drops, o.A))


def score_cam(o: Oracle) -> Any:
    """Of the maps that vary; the mask is enlarged first, then scaled.

    Behind the pooling a cell is two pixels, and the convolution without padding takes a cell away
    on each side: what is left lies two pixels from the edges, up to which its border goes on.
    """
    used, scores = [], []
    height, width = o.x.shape[1:3]
    cell = 1 if o.A.shape[0] == height else 2
    size = [cell * n for n in o.A.shape[:2]]
    rows, columns = (height - size[0]) // 2, (width - size[1]) // 2
    for k in range(o.A.shape[-1]):
        mask = interpolate(o.A[None, None, ..., k], size, mode="bilinear", align_corners=False)
        mask = torch.nn.functional.pad(mask, (columns, columns, rows, rows), "replicate")[0, 0]
        if mask.max() > mask.min():
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            used.append(k)
            scores.append(o.whole(o.x * mask[None, ..., None])[0, o.target])
    return torch.relu(combined(torch.softmax(torch.stack(scores), 0), o.A[..., used]))


ORACLES: dict[str, Callable[[Oracle], Any]] = {
    "Grad-CAM": grad_cam,
    "HiResCAM": hires_cam,
    "Element-wise Grad-CAM": elementwise_grad_cam,
    "Grad-CAM++": grad_cam_plus_plus,
    "XGrad-CAM": xgrad_cam,
    "LayerCAM": layer_cam,
    "ShapleyCAM": shapley_cam,
    "Finer-CAM": finer_cam,
    "Eigen-CAM": eigen_cam,
    "EigenGrad-CAM": eigen_grad_cam,
    "Ablation-CAM": ablation_cam,
    "Score-CAM": score_cam,
}


@each_net
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("method", ORACLES)
def test_logit(net: Net, doc: Array, method: str, layer: str, target: int) -> None:
    expected = ORACLES[method](make_oracle(net, doc, target, layer))
    assert_close(attribution(net, doc, target, method, layer=layer), expected)


@each_net
@pytest.mark.parametrize("method", ORACLES)
def test_probability(net: Net, doc: Array, method: str) -> None:
    expected = ORACLES[method](make_oracle(net, doc, 1, "late", "output"))
    assert_close(attribution(net, doc, 1, method, layer="late", score="output"), expected)


def test_cam_is_the_dense_layers_weights(doc: Array) -> None:
    net = make_net("pooled")
    A = make_oracle(net, doc, 2, "late").A
    expected = combined(net.chain[-1].kernel.value[:, 2], A)
    assert_close(attribution(net, doc, 2, "CAM", layer="late"), expected)


def test_grad_cam_plus_plus_from_second_and_third_derivatives(doc: Array) -> None:
    """Equation 10 of arXiv:1710.11063; for a piecewise linear head it becomes equation 19."""
    net = make_net("rectified")
    o = make_oracle(net, doc, 3, "late")
    y = o.y(o.A)
    weights = torch.zeros(o.A.shape[-1], dtype=torch.float64)
    for place in np.ndindex(*o.A.shape):
        first, second, third = derivatives(lambda A: torch.exp(o.y(A) - y), o.A, place)
        below = 2 * second + o.A[..., place[-1]].sum() * third
        if first > 0:
            weights[place[-1]] += second / below * first
    expected = torch.relu(combined(weights, o.A))
    assert_close(attribution(net, doc, 3, "Grad-CAM++", layer="late"), expected)


def derivatives(y: Callable[[Any], Any], A: Any, place: tuple[int, ...]) -> list[Any]:
    """Return the first three derivatives of `y` by one activation."""
    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    unit = torch.zeros_like(A)
    unit[place] = 1
    value, found = y(A + step * unit), []
    for _ in range(3):
        (value,) = torch.autograd.grad(value, step, create_graph=True)
        found.append(value.detach())
    return found


@pytest.mark.parametrize("kind", ["flattened", "branched"])
def test_curvature_and_contrast_matter_here(doc: Array, kind: str) -> None:
    """ShapleyCAM and Finer-CAM are compared where they are not Grad-CAM."""
    o = make_oracle(make_net(kind), doc, 3, "early")
    plain = grad_cam(o)
    for other in (shapley_cam(o), finer_cam(o)):
        assert (plain - other).abs().max() > 0.01 * plain.abs().max()
