"""Several formulas in one program: which gradients each of them takes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eli5.checks import expect_integer, expect_number
from eli5.keras import engine
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.methods.normalize import diagnostics
from eli5.keras.targets.score import Contrast, Select
from keras import ops


def query_of(
    formulas: Sequence[ChosenMethod], sites: Sequence[engine.Site], score: Any, select: Select
) -> engine.Query:
    """Return the query that asks for all formulas at once; without any, for the scores.

    Parameters
    ----------
    formulas : sequence of ChosenMethod
        Of methods that are no procedures.
    sites : sequence of Site
        The target layers and the input; those that no formula reads are left out.
    score : {"auto", "output", "logit"} or callable
    select : Select
        Its contrasts are replaced by those of the formulas.
    """
    contrasts = list(dict.fromkeys(_contrast(chosen) for chosen in formulas)) or [None]
    read = [site for site in sites if any(reads(chosen, site) for chosen in formulas)]
    per_site = [
        Formulas(
            tuple(
                _formula(chosen, contrasts.index(_contrast(chosen)))
                for chosen in formulas
                if reads(chosen, site)
            ),
            len(contrasts),
        )
        for site in read
    ]
    return engine.Query(
        score,
        replace(select, contrasts=tuple(contrasts)),
        tuple(read),
        tuple(per_site),
        second_order=tuple(
            s
            for s, site in enumerate(read)
            if any(one.method.needs == "hessian" and reads(one, site) for one in formulas)
        ),
    )


def reads(chosen: ChosenMethod, site: engine.Site) -> bool:
    """Tell whether a formula is one of this site's."""
    return (chosen.method.at == "input") == site.is_input


def _contrast(chosen: ChosenMethod) -> Contrast | None:
    if chosen.method.needs != "contrast":
        return None
    options = chosen.method.own_options | chosen.options
    return Contrast(
        expect_integer("n_similar", options["n_similar"], least=1),
        expect_number("gamma", options["gamma"], least=0),
    )


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
    """One method's formula within the program.

    Attributes
    ----------
    function : eli5.keras.engine.Reference
        Weak: a user's own may hold the model.
    options : tuple of (name, value)
    block : int
        Which block of K scores it takes the gradients of.
    needs_hessian, has_class
        See `eli5.keras.methods.method.Method`.
    """

    function: engine.Reference
    options: tuple[tuple[str, Any], ...]
    block: int
    needs_hessian: bool
    has_class: bool

    def maps(self, activations: Any, gradients: list[Any], hessian_products: Any) -> Any:
        """Return K maps, shape (B, K, *places)."""
        formula = functools.partial(self._map, activations)
        if not self.has_class:
            return ops.stack([formula(gradients[0])] * len(gradients), axis=1)
        more = [hessian_products] if self.needs_hessian else []
        return ops.stack(list(map(formula, gradients, *more)), axis=1)

    def _map(self, activations: Any, *terms: Any) -> Any:
        found = self.function()(activations, *terms, **dict(self.options))
        shape, right = getattr(found, "shape", None), tuple(activations.shape[:-1])
        if shape is None or tuple(shape) != right:
            name = getattr(self.function(), "__name__", type(self.function()).__name__)
            received = repr(found) if shape is None else f"shape {tuple(shape)}"
            raise ValueError(
                f"Expected a method of your own to return a map of shape {right}: one number per "
                f"sample and place. Received: {name} returned {received}"
            )
        return found


@dataclass(frozen=True)
class Formulas:
    """All formulas of one site; equal ones make one program."""

    parts: tuple[Formula, ...]
    n_blocks: int

    def __call__(
        self, activations: Any, gradients: list[Any], hessian_products: Any
    ) -> dict[str, Any]:
        """Return the maps, shape (B, K, *places), and the diagnostics of each formula."""
        n = len(gradients) // self.n_blocks
        cuts = [slice(b * n, (b + 1) * n) for b in range(self.n_blocks)]
        per_block = [gradients[cut] for cut in cuts]
        products = [hessian_products and hessian_products[cut] for cut in cuts]
        flags = [diagnostics(activations, block) for block in per_block]  # once, for all formulas
        return {
            "maps": [
                p.maps(activations, per_block[p.block], products[p.block]) for p in self.parts
            ],
            "diagnostics": [flags[p.block] for p in self.parts],
        }
