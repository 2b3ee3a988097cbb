"""The methods, in one table.

A formula is traced into the program that runs the model: it maps activations and gradients to a
map. A procedure asks a `Probe` as often as it likes, on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from eli5.keras.methods import cam, eigen, gradients, perturbation, perturbed_maps
from eli5.keras.methods import surrogates as segments
from eli5.keras.methods.method import Method

__all__ = ["METHODS", "Method"]

_HEAD = "1 forward pass, 1 backward pass through the head"
_WHOLE = "1 forward pass, 1 backward pass"
_MASKS = "n_masks forward passes"
_REACTS = "the higher, the more {score} reacts to the {place}"

_CAMS = (
    Method("Grad-CAM", cam.grad_cam, "arXiv:1610.02391", _HEAD),
    Method("HiResCAM", cam.hires_cam, "arXiv:2011.08891", _HEAD),
    Method("Element-wise Grad-CAM", cam.elementwise_grad_cam, "no paper", _HEAD),
    Method("Grad-CAM++", cam.grad_cam_plus_plus, "arXiv:1710.11063", _HEAD),
    Method("XGrad-CAM", cam.xgrad_cam, "arXiv:2008.02312", _HEAD),
    Method("LayerCAM", cam.layer_cam, "doi:10.1109/TIP.2021.3089943", _HEAD),
    Method(
        "Eigen-CAM",
        eigen.eigen_cam,
        "arXiv:2008.00299",
        _HEAD,
        is_signed=False,
        has_class=False,
        shows="the higher, the stronger the layer's main pattern there, whatever the class",
    ),
    Method("EigenGrad-CAM", eigen.eigen_grad_cam, "no paper", _HEAD),
    Method("CAM", cam.cam, "arXiv:1512.04150", _HEAD, needs="gap-dense"),
    Method(
        "Finer-CAM",
        cam.finer_cam,
        "arXiv:2501.11309",
        _HEAD,
        needs="contrast",
        shows="the higher, the more the {region} {raises} {score}, less that of similar classes",
    ),
    Method(
        "ShapleyCAM",
        cam.shapley_cam,
        "arXiv:2501.06261",
        "1 forward pass, 2 backward passes through the head",
        needs="hessian",
    ),
    Method(
        "Ablation-CAM",
        perturbed_maps.ablation_cam,
        "doi:10.1109/WACV45572.2020.9093360",
        "1 forward pass, 1 pass through the head per map",
        is_black_box=True,
    ),
    Method(
        "Score-CAM",
        perturbed_maps.score_cam,
        "arXiv:1910.01279",
        "1 forward pass per map",
        is_black_box=True,
        is_per_step=True,
    ),
)

_INPUTS = (
    Method(
        "Saliency",
        gradients.saliency,
        "arXiv:1312.6034",
        _WHOLE,
        is_signed=False,
        shows=_REACTS,
    ),
    Method("Gradient × Input", gradients.gradient_x_input, "arXiv:1605.01713", _WHOLE),
    Method(
        "SmoothGrad",
        gradients.smooth_grad,
        "arXiv:1706.03825",
        "n_samples forward and backward passes",
        is_black_box=True,
        is_signed=False,
        shows=_REACTS,
    ),
    Method(
        "VarGrad",
        gradients.var_grad,
        "arXiv:1810.03292",
        "n_samples forward and backward passes",
        is_black_box=True,
        is_signed=False,
        shows="the higher, the more the {place}'s gradient of {score} varies under noise",
    ),
    Method(
        "SquareGrad",
        gradients.square_grad,
        "arXiv:1806.10758",
        "n_samples forward and backward passes",
        is_black_box=True,
        is_signed=False,
        shows=_REACTS,
    ),
    Method(
        "Integrated Gradients",
        gradients.integrated_gradients,
        "arXiv:1703.01365",
        "steps forward and backward passes",
        is_black_box=True,
        is_smoothable=True,
    ),
    Method(
        "Occlusion",
        perturbation.occlusion,
        "arXiv:1311.2901",
        "1 forward pass per window",
        is_black_box=True,
        leaves_out=True,
    ),
    Method(
        "RISE",
        perturbation.rise,
        "arXiv:1806.07421",
        _MASKS,
        is_black_box=True,
        is_per_step=True,
    ),
    Method(
        "KernelSHAP",
        segments.kernel_shap,
        "arXiv:1705.07874",
        "n_samples forward passes",
        is_black_box=True,
        is_per_step=True,
        leaves_out=True,
    ),
    Method(
        "LIME",
        segments.lime,
        "arXiv:1602.04938",
        "n_samples forward passes",
        is_black_box=True,
        is_per_step=True,
        leaves_out=True,
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType(
    {method.name: method for method in (*_CAMS, *(m._replace(at="input") for m in _INPUTS))}
)
