"""The methods, in one table.

A formula is traced into the program that runs the model: it maps activations and gradients to a
map. A black-box method asks a `Probe` as often as it likes, on the host.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from eli5.keras.methods import attention, cam, gradients, perturbation, surrogates
from eli5.keras.methods.method import Method as Method

_HEAD = "1 forward pass, 1 backward pass through the head"
_WHOLE = "1 forward pass, 1 backward pass"
_BLOCKS = "1 forward pass, 1 backward pass, 1 head per block"
_SAMPLES = "n_samples forward and backward passes"
_REACTS = "the higher, the more {score} reacts to the {place}"

_black_box = functools.partial(Method, is_black_box=True)
_noisy = functools.partial(_black_box, cost=_SAMPLES, is_signed=False, shows=_REACTS)
_hiding = functools.partial(_black_box, hides=True)
_surrogate = functools.partial(
    _hiding, cost="n_samples forward passes", is_per_step=True, leaves_out=True
)

_CAMS = (
    Method(
        "Grad-CAM",
        cam.grad_cam,
        "arXiv:1610.02391",
        _HEAD,
        is_rectified=True,
        good_for="the region of a class, for one prediction; begin here",
    ),
    Method(
        "HiResCAM",
        cam.hires_cam,
        "arXiv:2011.08891",
        _HEAD,
        good_for="what each place contributes, in front of any head",
    ),
    Method(
        "Element-wise Grad-CAM",
        cam.elementwise_grad_cam,
        "no paper",
        _HEAD,
        is_rectified=True,
        good_for="what raises the score, each cell and map by itself",
    ),
    Method(
        "Grad-CAM++",
        cam.grad_cam_plus_plus,
        "arXiv:1710.11063",
        _HEAD,
        is_rectified=True,
        good_for="several objects of one class in one picture",
    ),
    Method(
        "XGrad-CAM",
        cam.xgrad_cam,
        "arXiv:2008.02312",
        _HEAD,
        good_for="the region of a class, by maps that are active there",
    ),
    Method(
        "LayerCAM",
        cam.layer_cam,
        "doi:10.1109/TIP.2021.3089943",
        _HEAD,
        is_rectified=True,
        good_for="finer maps, of layers further in front",
    ),
    Method(
        "Eigen-CAM",
        cam.eigen_cam,
        "arXiv:2008.00299",
        _HEAD,
        is_signed=False,
        has_class=False,
        shows="the higher, the stronger the layer's main pattern there, whatever the class",
        good_for="what a layer sees at all, whatever the class",
    ),
    Method(
        "EigenGrad-CAM",
        cam.eigen_grad_cam,
        "no paper",
        _HEAD,
        good_for="the main pattern of what speaks for a class",
    ),
    Method(
        "CAM",
        cam.cam,
        "arXiv:1512.04150",
        _HEAD,
        needs="gap-dense",
        good_for="each place's share, before pooling and one dense layer",
    ),
    Method(
        "Finer-CAM",
        cam.finer_cam,
        "arXiv:2501.11309",
        _HEAD,
        needs="contrast",
        shows="the higher, the more the {region} {raises} {score}, less that of similar classes",
        is_rectified=True,
        good_for="what tells a class from those that are similar",
    ),
    Method(
        "ShapleyCAM",
        cam.shapley_cam,
        "arXiv:2501.06261",
        "1 forward pass, 2 backward passes through the head",
        needs="hessian",
        is_rectified=True,
        good_for="the region of a class, with second derivatives as well",
    ),
    _black_box(
        "Ablation-CAM",
        perturbation.ablation_cam,
        "doi:10.1109/WACV45572.2020.9093360",
        "1 forward pass, 1 pass through the head per map",
        is_rectified=True,
        good_for="the region of a class without gradients, map by map",
    ),
    _hiding(
        "Score-CAM",
        perturbation.score_cam,
        "arXiv:1910.01279",
        "1 forward pass per map",
        is_per_step=True,
        is_rectified=True,
        good_for="the region of a class without gradients, by masks",
    ),
)

_ATTENTIONS = (
    Method(
        "Attention Rollout",
        attention.attention_rollout,
        "arXiv:2005.00928",
        "1 forward pass",
        is_signed=False,
        has_class=False,
        shows="the higher, the more of the {region} attention hands on to what the model's head "
        "reads, whatever the class",
        good_for="where a transformer looks at all, whatever the class",
        join=attention.roll_out,
    ),
    Method(
        "Transformer Attribution",
        attention.transformer_attribution,
        "arXiv:2103.15679",
        _WHOLE,
        is_rectified=True,
        good_for="the region or words of a class, in a transformer",
        join=attention.add_relevance,
    ),
    Method(
        "LeGrad",
        attention.legrad,
        "arXiv:2404.03214",
        _BLOCKS,
        is_rectified=True,
        needs="blocks",
        good_for="the region of a class in a transformer, block by block",
        join=attention.add_rows,
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
        good_for="which pixels the score reacts to; quick and noisy",
    ),
    Method(
        "Gradient × Input",
        gradients.gradient_x_input,
        "arXiv:1605.01713",
        _WHOLE,
        good_for="what pixels add, by the gradient at the picture alone",
    ),
    _noisy(
        "SmoothGrad",
        gradients.smooth_grad,
        "arXiv:1706.03825",
        good_for="which pixels the score reacts to, with less noise",
    ),
    _noisy(
        "VarGrad",
        gradients.var_grad,
        "arXiv:1810.03292",
        shows="the higher, the more the {place}'s gradient of {score} varies under noise",
        good_for="where the gradient changes under noise",
    ),
    _noisy(
        "SquareGrad",
        gradients.square_grad,
        "arXiv:1806.10758",
        good_for="which pixels the score reacts to, in either direction",
    ),
    _black_box(
        "Integrated Gradients",
        gradients.integrated_gradients,
        "arXiv:1703.01365",
        "steps forward and backward passes",
        is_smoothable=True,
        good_for="which pixels or tokens; they add up to the score's change",
    ),
    _hiding(
        "Occlusion",
        perturbation.occlusion,
        "arXiv:1311.2901",
        "1 forward pass per window",
        leaves_out=True,
        good_for="how far the score drops where a window covers it",
    ),
    _hiding(
        "RISE",
        perturbation.rise,
        "arXiv:1806.07421",
        "n_masks forward passes",
        is_per_step=True,
        good_for="any model, by random masks: it asks for scores alone",
    ),
    _surrogate(
        "KernelSHAP",
        surrogates.kernel_shap,
        "arXiv:1705.07874",
        good_for="numbers for regions or tokens, which add up to the score",
    ),
    _surrogate(
        "LIME",
        surrogates.lime,
        "arXiv:1602.04938",
        good_for="numbers for regions or tokens, by a linear model nearby",
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            *_CAMS,
            *(method._replace(at="attention") for method in _ATTENTIONS),
            *(method._replace(at="input") for method in _INPUTS),
        )
    }
)

# Those that any model can be explained by: it need not attend.
WITHOUT_ATTENTION: tuple[str, ...] = tuple(
    name for name, method in METHODS.items() if method.at != "attention"
)
