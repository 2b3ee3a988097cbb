"""A plan: how a batch of docs is explained, with all that was not given found out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.checks import expect_integer, expect_number
from eli5.keras import engine
from eli5.keras.inputs.model_inputs import repeat_doc
from eli5.keras.inputs.sample import Sample
from eli5.keras.layers.attention_layers import AttentionLayers
from eli5.keras.layers.cell_positions import Located
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.pipeline.request import Request
from eli5.keras.targets import rows
from eli5.keras.targets.target import Head, ScoreKind, SimilarClasses, Targets
from eli5.progress import untracked

Array = np.ndarray[Any, Any]


class Plan(NamedTuple):
    """A batch of samples of equal shape, ready to be explained."""

    request: Request
    samples: Sequence[Sample]  # the docs that count
    model: keras.Model
    inputs: Any  # of the whole batch, which may be filled up
    targets: Targets  # of each sample, (B, K, ...); see `Target.rows`
    trace: engine.Trace  # of one call of the model
    output: int  # which output is explained, in the order of `keras.tree.flatten`
    head: Head  # what the units of that output stand for
    # The explained input, as what is differentiated or perturbed; of token ids their embedding.
    input_site: engine.Site
    located: tuple[Located, ...] = ()  # the target layers, and where their cells lie
    # What attends to the tokens of the doc, and where those lie; None if nothing asks for it.
    attention: tuple[AttentionLayers, Located] | None = None
    slot: int | None = None  # of one doc: its place in the batch, see `eli5.keras.engine.Query`
    # Those of them that the output comes from place by place; see `find_output_maps`.
    output_maps: tuple[engine.Site, ...] = ()
    track: Callable[..., Iterator[Any]] = untracked  # shows how far a method is; see `Probe`

    @property
    def sample(self) -> Sample:
        """The first of the samples, which tells what all have in common."""
        return self.samples[0]

    @property
    def sites(self) -> tuple[engine.Site, ...]:
        """The target layers."""
        return tuple(one.site for one in self.located)

    @property
    def batch_size(self) -> int:
        """The most samples that the model sees at once."""
        return self.sample.fixed_batch or self.request.batch_size

    @property
    def layer_names(self) -> str:
        """The paths of the target layers, for people."""
        return ", ".join(site.path for site in self.sites)

    def query(self, kind: ScoreKind | None = None, **fields: Any) -> engine.Query:
        """Return the query about this plan's scores; see `eli5.keras.engine.Query`."""
        request = self.request
        kind = kind or request.target.kind(self.head, on_logits=False)
        select = request.target.select(self.output, self.head, (kind,), request.sign)
        return engine.Query(request.target.score, select, slot=self.slot, **fields)

    def filled(self) -> tuple[Any, Targets]:
        """Return inputs and targets, repeated to the one number of samples that the model takes.

        They are those of one doc.
        """
        n = self.sample.fixed_batch or 1
        return repeat_doc(self.inputs, n), rows.repeat(self.targets, n)

    def kind_of(self, chosen: ChosenMethod) -> ScoreKind:
        """Return which number a method explains."""
        if chosen.method.hides:
            return self.request.target.kind_where_hidden(self.head)
        contrast = make_contrast(chosen) if chosen.method.needs == "contrast" else None
        on_logits = chosen.method.is_on_logits
        return self.request.target.kind(self.head, contrast, on_logits=on_logits)

    @property
    def kinds(self) -> tuple[ScoreKind, ...]:
        """The numbers that the methods explain, each once."""
        return tuple(dict.fromkeys(map(self.kind_of, self.request.methods)))

    def of_doc(self, number: int, targets: Targets) -> Plan:
        """Return the plan of one doc of the batch, with its own targets (K, ...), none open."""
        return self._replace(
            samples=[self.samples[number]],
            inputs=keras.tree.map_structure(lambda x: x[number : number + 1], self.inputs),
            targets=keras.tree.map_structure(lambda x: x[None], targets),
            slot=number if self.sample.fixed_batch else None,
        )


def attention_of(plan: Plan) -> AttentionLayers:
    """Return what attends to the tokens of the doc, of a plan that asked for it."""
    if plan.attention is None:
        raise ValueError("Expected a plan with a method on attention. Received: one without")
    return plan.attention[0]


def make_contrast(chosen: ChosenMethod) -> SimilarClasses:
    """Return what a method contrasts the score with; TypeError or ValueError of a wrong option."""
    options = chosen.method.own_options | chosen.options
    return SimilarClasses(
        expect_integer("n_similar", options["n_similar"], least=1),
        expect_number("gamma", options["gamma"], least=0),
    )


@contextlib.contextmanager
def at_doc(number: int | None) -> Iterator[None]:
    """Note on an error which of many docs it was raised at."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if number is not None:
            error.add_note(f"Raised at doc {number} of `docs`, counted from 0.")
        raise
