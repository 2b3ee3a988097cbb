"""A call within what a caller compiles, or runs without gradients, works or says why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.keras.gradcam import gradcam_backend
from helpers.models import make_classifier

Array = np.ndarray[Any, Any]
BACKEND = keras.backend.backend()

CALLS: dict[str, Callable[[keras.Model, Array], Any]] = {
    "explain_prediction": lambda model, doc: eli5.explain_prediction(model, doc),
    "explain_predictions": lambda model, doc: next(eli5.explain_predictions(model, doc)),
    "show_prediction": lambda model, doc: eli5.show_prediction(model, doc),
    "gradcam_backend": lambda model, doc: gradcam_backend(model, doc, None, None),
    "target_layers": lambda model, doc: eli5.keras.target_layers(model, doc),
}
each_call = pytest.mark.parametrize("name", CALLS)


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch compiles nothing in which NumPy is unknown")
@each_call
def test_a_call_within_a_compiled_function_is_refused(
    model: keras.Model, doc: Array, name: str
) -> None:
    CALLS[name](model, doc)  # known or not, it is the same
    # AutoGraph says "in user code" in front of it.
    match = (
        r"(?s)Expected a call outside of what `(jax\.jit|tf\.function)` compiles\. Received: a ca"
    )
    with pytest.raises(RuntimeError, match=match):
        run_compiled(lambda: CALLS[name](model, doc))
    with pytest.raises(RuntimeError, match=match):
        run_compiled(lambda: CALLS[name](make_classifier(), doc))
    CALLS[name](model, doc)


def run_compiled(call: Callable[[], Any]) -> None:
    if BACKEND == "jax":
        import jax

        jax.jit(lambda x: (call(), x)[1])(np.zeros(2))
    else:
        import tensorflow as tf

        tf.function(lambda x: (call(), x)[1], autograph=False)(np.zeros(2))


@pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")
@pytest.mark.parametrize("method", ["Grad-CAM", "Saliency", "Shapley-CAM", "Occlusion"])
@pytest.mark.parametrize("made", ["before", "within"])
def test_inference_mode_changes_nothing(doc: Array, method: str, made: str) -> None:
    import torch

    before = make_classifier()
    expected = eli5.explain_prediction(before, doc, method=method)
    with torch.inference_mode():
        model = before if made == "before" else make_classifier()
        within = eli5.explain_prediction(model, doc, method=method)
        (of_many,) = eli5.explain_predictions(model, doc, method=method)
        assert torch.is_inference_mode_enabled()
    # A model that was made there has weights without gradients also afterwards.
    after = eli5.explain_prediction(model, doc, method=method)
    for found in (within, of_many, after):
        np.testing.assert_allclose(
            found.targets[0].attribution, expected.targets[0].attribution, atol=1e-6
        )


@pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")
@pytest.mark.parametrize("name", [name for name in CALLS if name != "show_prediction"])
def test_a_call_within_torch_compile_is_left_out_of_it(doc: Array, name: str) -> None:
    import torch

    model = make_classifier()
    found: list[Any] = []

    def run(x: Any) -> Any:
        found.append(CALLS[name](model, doc))
        return x + 1

    compiled = torch.compile(run, backend="eager")
    assert int(compiled(torch.zeros(1))[0]) == 1
    expected = CALLS[name](model, doc)
    if name == "gradcam_backend":
        for one, other in zip(found[0], expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    else:
        assert found[0] == expected
