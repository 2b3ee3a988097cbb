"""Methods on the input against captum, which runs the same model in float64.

Captum is handed a `torch.nn.Module` that returns logits, or probabilities. Its maps have a value
per channel and are summed here, as eli5's are; only input methods are compared, which do not care
which axis the channels are on (for layer methods see `test_autograd`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from captum._utils.models.model import Model
from captum.attr import (
    InputXGradient,
    IntegratedGradients,
    Lime,
    NoiseTunnel,
    Occlusion,
    Saliency,
    ShapleyValues,
)

from nets import SIZE, Net, assert_close, attribution, each_net, tensor

Array = np.ndarray[Any, Any]

TARGETS = (0, 3)
SCORES = ("logit", "output")


class Wrapped(torch.nn.Module):  # type: ignore[misc]
    """The float64 twin, as captum takes it."""

    def __init__(self, net: Net, score: str = "logit") -> None:
        super().__init__()
        self.net, self.score = net, score

    def forward(self, x: Any) -> Any:
        return self.net.run(x, score=self.score)


def inputs(doc: Array) -> torch.Tensor:
    return tensor(doc).requires_grad_()


@each_net
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_integrated_gradients(
    net: Net, doc: Array, baseline: float, score: str, target: int
) -> None:
    oracle = IntegratedGradients(Wrapped(net, score))
    expected = oracle.attribute(
        inputs(doc), baseline, target=target, method="gausslegendre", n_steps=50
    ).sum(-1)[0]
    options: dict[str, Any] = {"steps": 50, "score": score, "baseline": baseline}
    assert_close(attribution(net, doc, target, "Integrated Gradients", **options), expected)


@each_net
@pytest.mark.parametrize("score", SCORES)
def test_integrated_gradients_from_a_picture(net: Net, doc: Array, score: str) -> None:
    baseline = np.linspace(-1, 1, int(np.prod(SIZE)), dtype="float32").reshape(SIZE)
    oracle = IntegratedGradients(Wrapped(net, score))
    expected = oracle.attribute(inputs(doc), tensor(baseline[None]), target=1, n_steps=20).sum(-1)
    options: dict[str, Any] = {"steps": 20, "score": score, "baseline": baseline}
    assert_close(attribution(net, doc, 1, "Integrated Gradients", **options), expected[0])


@each_net
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("score", SCORES)
def test_saliency(net: Net, doc: Array, score: str, target: int) -> None:
    expected = Saliency(Wrapped(net, score)).attribute(inputs(doc), target=target, abs=True)
    assert_close(attribution(net, doc, target, "Saliency", score=score), expected.amax(-1)[0])


@each_net
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("score", SCORES)
def test_gradient_x_input(net: Net, doc: Array, score: str, target: int) -> None:
    expected = InputXGradient(Wrapped(net, score)).attribute(inputs(doc), target=target).sum(-1)
    assert_close(attribution(net, doc, target, "Gradient × Input", score=score), expected[0])


@each_net
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("patch", "stride"), [((4, 4), (4, 4)), ((4, 5), (2, 5)), ((6, 8), (3, 4)), ((2, 2), (1, 1))]
)
def test_occlusion(
    net: Net, doc: Array, patch: tuple[int, int], stride: tuple[int, int], score: str
) -> None:
    """With windows that end at the edge: a window that does not is cut by captum, shifted here."""
    with torch.no_grad():
        expected = Occlusion(Wrapped(net, score)).attribute(
            tensor(doc),
            sliding_window_shapes=(*patch, 3),
            strides=(*stride, 1),
            baselines=0.2,
            target=2,
            perturbations_per_eval=32,
        )
    for channel in range(3):  # one window covers all channels, which share what they get
        torch.testing.assert_close(expected[..., channel], expected[..., 0])
    options: dict[str, Any] = {"patch": patch, "stride": stride, "baseline": 0.2, "score": score}
    assert_close(attribution(net, doc, 2, "Occlusion", **options), expected[0, ..., 0])


# Noise: captum draws from `torch.normal`; it is handed what eli5 documents and draws from NumPy.


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch, doc: Array) -> dict[str, Any]:
    options: dict[str, Any] = {"n_samples": 12, "noise": 0.2, "seed": 7}
    drawn = np.random.default_rng(7).standard_normal((12, *SIZE), dtype="float32")
    deviation = np.float32(0.2 * (float(doc.max()) - float(doc.min())))
    monkeypatch.setattr(torch, "normal", lambda mean, std: tensor(deviation * drawn))
    return options


@each_net
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("method", ["SmoothGrad", "SquareGrad", "VarGrad"])
def test_noise(net: Net, doc: Array, noise: dict[str, Any], method: str, score: str) -> None:
    """Captum's variance is divided by n, eli5's by n - 1; its SmoothGrad must be told abs=False."""
    n = noise["n_samples"]
    kinds = {"SmoothGrad": "smoothgrad", "SquareGrad": "smoothgrad_sq", "VarGrad": "vargrad"}
    expected = NoiseTunnel(Saliency(Wrapped(net, score))).attribute(
        inputs(doc), nt_type=kinds[method], nt_samples=n, target=3, abs=False
    )
    expected = expected * n / (n - 1) if method == "VarGrad" else expected.abs()
    found = attribution(net, doc, 3, method, score=score, **noise)
    assert_close(found, expected.amax(-1)[0])


@each_net
def test_smoothed_gradient_x_input(net: Net, doc: Array, noise: dict[str, Any]) -> None:
    """A formula averaged over noisy copies; captum, too, multiplies by the noisy input."""
    expected = NoiseTunnel(InputXGradient(Wrapped(net))).attribute(
        inputs(doc), nt_samples=noise["n_samples"], target=0
    )
    assert_close(attribution(net, doc, 0, "Gradient × Input", **noise), expected.sum(-1)[0])


# Segments


@pytest.fixture
def segments() -> Array:
    """Return five segments of different size."""
    labels = np.zeros(SIZE[:2], int)
    labels[:5, 8:] = 1
    labels[5:, :6] = 2
    labels[5:, 14:] = 3
    labels[8:, 9:12] = 4
    return labels


@each_net
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("score", SCORES)
def test_kernel_shap_is_exact(
    net: Net, doc: Array, segments: Array, score: str, target: int
) -> None:
    """All coalitions, against the definition: the mean over all orders of the segments."""
    baseline = np.full(SIZE, 0.3, "float32")
    with torch.no_grad():
        expected = ShapleyValues(Wrapped(net, score)).attribute(
            tensor(doc),
            tensor(baseline[None]),
            target=target,
            feature_mask=torch.as_tensor(segments)[None, ..., None],
            perturbations_per_eval=5,
        )
    options: dict[str, Any] = {"segments": segments, "baseline": baseline, "score": score}
    assert_close(attribution(net, doc, target, "KernelSHAP", **options), expected[0, ..., 0])


class Ridge(Model):  # type: ignore[misc]
    """Weighted ridge regression with a free intercept, from the normal equations."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def fit(self, train_data: Any, **kwargs: Any) -> None:
        z, y, w = (torch.cat(parts) for parts in zip(*train_data, strict=True))
        z, y, w = z.double(), y.double().flatten(), w.double().flatten()
        design = torch.cat([z, torch.ones(len(z), 1)], dim=1)
        penalty = self.alpha * torch.eye(design.shape[1], dtype=torch.float64)
        penalty[-1, -1] = 0
        square = design.T @ (w[:, None] * design) + penalty
        self.coefficients = torch.linalg.solve(square, design.T @ (w * y))[:-1]

    def representation(self) -> Any:
        return self.coefficients

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError


def nearness(original: Any, perturbed: Any, coalition: Any, **kwargs: Any) -> Any:
    """Return LIME's weight for images: cosine distance to all ones, width 0.25."""
    z = coalition[0].double()
    cosine = z.sum() / (torch.linalg.norm(z) * len(z) ** 0.5) if z.any() else torch.zeros(())
    return torch.sqrt(torch.exp(-((1 - cosine) ** 2) / 0.25**2))


@each_net
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("alpha", [1.0, 0.01])
def test_lime(net: Net, doc: Array, segments: Array, alpha: float, score: str) -> None:
    """Captum hides the segments and gathers scores and weights, for the coalitions of eli5."""

    def coalitions(original: Any, **kwargs: Any) -> Iterator[Any]:
        drawn = np.random.default_rng(4).integers(0, 2, (60, 5))
        drawn[0] = 1
        yield from torch.as_tensor(drawn)[:, None]

    oracle = Lime(Wrapped(net, score), Ridge(alpha), nearness, coalitions)
    expected = oracle.attribute(
        tensor(doc),
        0.3,
        target=1,
        feature_mask=torch.as_tensor(segments)[None, ..., None],
        n_samples=60,
        perturbations_per_eval=16,
    )
    options: dict[str, Any] = {"segments": segments, "baseline": 0.3, "alpha": alpha, "seed": 4}
    found = attribution(net, doc, 1, "LIME", n_samples=60, score=score, **options)
    assert_close(found, expected[0, ..., 0])
