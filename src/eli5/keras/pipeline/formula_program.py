"""Several formulas in one program: which gradients each of them takes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from eli5.advice import traced
from eli5.keras import engine
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.methods.normalize import diagnostics
from eli5.keras.pipeline.plan import Plan


def formula_query(plan: Plan, methods: Sequence[ChosenMethod]) -> engine.Query:
    """Return the query that asks for all formulas at once; without any, for the scores."""
    # Without formulas one score stands for all that leave the program.
    kinds = list(dict.fromkeys(map(plan.kind_of, methods))) or list(plan.kinds[:1])
    sites = [
        site
        for site in (*plan.sites, plan.input_site)
        if any(reads_site(one, site) for one in methods)
    ]
    per_site = [
        SiteFormulas(
            tuple(
                _formula(one, kinds.index(plan.kind_of(one)))
                for one in methods
                if reads_site(one, site)
            ),
            len(kinds),
        )
        for site in sites
    ]
    target = plan.request.target
    return engine.Query(
        target.score,
        target.select(plan.output, plan.head, tuple(kinds), plan.request.sign, plan.kinds),
        tuple(sites),
        tuple(per_site),
        functions=tuple(part.function for formulas in per_site for part in formulas.parts),
        second_order=tuple(
            s
            for s, site in enumerate(sites)
            if any(one.method.needs == "hessian" and reads_site(one, site) for one in methods)
        ),
        slot=plan.slot,
    )


def reads_site(chosen: ChosenMethod, site: engine.Site) -> bool:
    """Tell whether a formula is one of this site's."""
    return chosen.method.at == ("input" if site.is_input else "layer")


def _formula(chosen: ChosenMethod, block: int) -> Formula:
    method, options = chosen.method, tuple(sorted(chosen.options.items()))
    try:
        hash(options)  # options are a part of the compiled program
    except TypeError as error:
        raise TypeError(
            "Expected options that hash: numbers, strings or tuples of them. Received: "
            f"{dict(options)} for method={method.name!r}"
        ) from error
    return Formula(
        engine.Reference(method.function),
        options,
        block,
        method.needs == "hessian",
        method.has_class,
    )


@dataclass(frozen=True)
class Formula:
    """One method's formula within the program."""

    function: engine.Reference  # weak: a user's own may hold the model
    options: tuple[tuple[str, Any], ...]
    block: int  # which block of K scores it takes the gradients of
    needs_hessian: bool  # see `eli5.keras.methods.method.Method`
    has_class: bool

    def maps(self, activations: Any, gradients: list[Any], hessian_products: Any) -> Any:
        """Return K maps, shape (B, K, *places)."""
        formula = functools.partial(self._map, activations)
        if not self.has_class:
            return ops.stack([formula(gradients[0])] * len(gradients), axis=1)
        more = [hessian_products] if self.needs_hessian else []
        return ops.stack(list(map(formula, gradients, *more)), axis=1)

    def _map(self, activations: Any, *terms: Any) -> Any:
        with traced(self.function(), "a method of your own"):
            result = self.function()(activations, *terms, **dict(self.options))
        shape, expected = getattr(result, "shape", None), tuple(activations.shape[:-1])
        if shape is None or tuple(shape) != expected:
            name = getattr(self.function(), "__name__", type(self.function()).__name__)
            received = repr(result) if shape is None else f"shape {tuple(shape)}"
            raise ValueError(
                f"Expected a method of your own to return a map of shape {expected}: one number "
                f"per sample and place. Received: {name} returned {received}"
            )
        return result


@dataclass(frozen=True)
class SiteFormulas:
    """All formulas of one site; equal ones make one program."""

    parts: tuple[Formula, ...]
    n_blocks: int

    def __call__(
        self, activations: Any, gradients: list[Any], hessian_products: Any
    ) -> dict[str, Any]:
        """Return the maps, shape (B, K, *places), and the diagnostics of each formula."""
        n = len(gradients) // self.n_blocks
        cuts = [slice(b * n, (b + 1) * n) for b in range(self.n_blocks)]
        blocks = [(gradients[cut], hessian_products and hessian_products[cut]) for cut in cuts]
        flags = [diagnostics(activations, block) for block, _ in blocks]  # shared by formulas
        return {
            "maps": [part.maps(activations, *blocks[part.block]) for part in self.parts],
            "diagnostics": [flags[part.block] for part in self.parts],
        }
