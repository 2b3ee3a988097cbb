"""From a request and samples to a `Plan`: the output, the classes and the target layers."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from eli5.keras import engine
from eli5.keras.inputs.model_inputs import repeat_doc
from eli5.keras.inputs.sample import Sample
from eli5.keras.layers.cell_positions import place_axes, place_output
from eli5.keras.layers.model_head import check_gap_dense
from eli5.keras.pipeline.plan import Plan, at_doc
from eli5.keras.pipeline.request import Request
from eli5.keras.pipeline.target_layers import find_attention, find_target_layers, output_maps
from eli5.keras.targets import rows
from eli5.keras.targets.target import Output, find_output
from eli5.placement import Placement


def make_plan(request: Request, samples: Sequence[Sample], size: int | None = None) -> Plan:
    """Find out all that is not given.

    Parameters
    ----------
    request : Request
    samples : sequence of Sample
        Of one model, and of equal shape.
    size : int, optional
        Of the batch that the model sees, unless it takes one number of samples only; it is filled
        up with copies of the last sample.

    Raises
    ------
    TypeError, ValueError
        See `eli5.explain_prediction`.
    """
    sample = samples[0]
    with at_doc(sample.number):
        # Anew, as the model may have been changed since the sample was read.
        inputs = repeat_doc(sample.inputs, sample.fixed_batch or 1)
        trace = engine.trace(sample.model, inputs, sample.input_index)
        trace = trace._replace(channels_first=sample.trace.channels_first)
        output, about = _find_output(request, sample, trace)
        head = request.target.check(about)
        plan = Plan(
            request=request,
            samples=samples,
            model=sample.model,
            inputs=sample.inputs,
            targets=request.target.rows(sample.targets, head),
            trace=trace,
            output=output,
            head=head,
            input_site=sample.kind.input_site(sample, trace, is_needed=request.needs_input),
        )
        if request.needs_layer:
            plan = plan._replace(located=find_target_layers(plan))
            plan = plan._replace(output_maps=output_maps(plan, plan.sites))
        if request.needs_attention:
            plan = plan._replace(attention=find_attention(plan))
    _check_methods(plan)
    return _as_batch(plan, sample.fixed_batch or size or len(samples))


def _as_batch(plan: Plan, size: int) -> Plan:
    """Return the plan with the inputs and targets of all samples, filled up to a size."""
    if len(plan.samples) == size == 1:
        return plan
    targets = []
    for sample in plan.samples:
        with at_doc(sample.number):
            targets.append(plan.request.target.rows(sample.targets, plan.head))
    docs = [sample.inputs for sample in plan.samples]
    n_missing = size - len(docs)
    targets, docs = targets + targets[-1:] * n_missing, docs + docs[-1:] * n_missing
    inputs = keras.tree.map_structure(lambda *leaves: np.concatenate(leaves), *docs)
    return plan._replace(inputs=inputs, targets=rows.join(targets))


def _find_output(request: Request, sample: Sample, trace: engine.Trace) -> tuple[int, Output]:
    """Return which output is explained, and what is known of it."""
    suits = request.target.suits
    index, name = find_output(sample.model, trace.outputs, request.output, suits)
    spec, activation = keras.tree.flatten(trace.outputs)[index], trace.activations[index]
    about = Output(
        name,
        spec,
        activation,
        sample.size,
        request.data_format,
        trace.outputs,
        sample.model,
        _place(sample, trace, index),
    )
    return index, about


def _place(sample: Sample, trace: engine.Trace, output: int) -> Placement | None:
    """Return where an output lies in the explained input; None if that is not known."""
    if sample.stand_in is not None or output >= len(trace.alignments):
        return None
    places = place_axes(sample.values.ndim, sample.size, channels_first=sample.channels_first)
    return place_output(trace.alignments[output], sample.size, places)


def _check_methods(plan: Plan) -> None:
    """Raise ValueError if model and doc are not what a method is defined for."""
    request, kind = plan.request, plan.sample.kind
    if not kind.can_mirror and any(one.smoothing.augment for one in request.methods):
        raise ValueError(
            "Expected a picture for augment=True, which mirrors it. Received: a "
            f"{kind.words.noun}. Smooth over noisy copies instead: n_samples=8"
        )
    needs = {one.method.needs: one.method.name for one in request.methods}
    if "contrast" in needs and plan.head.n_units == 1:
        raise ValueError(
            f"Expected a model with several classes for method={needs['contrast']!r}, which "
            "contrasts them. Received: a model with one output unit. Choose another method."
        )
    if "gap-dense" not in needs:
        return
    if request.target.score == "output" and plan.head.activation is not None:
        raise ValueError(
            f"Expected the class score before the final {plan.head.activation} for "
            f"method={needs['gap-dense']!r}. Received: score='output'"
        )
    for site in plan.sites:
        check_gap_dense(plan.trace, site)
