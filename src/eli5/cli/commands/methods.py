"""``eli5 methods``: what each method is good for, its cost and paper, read without Keras."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import Parameter

import eli5
from eli5.cli.console import print_json, print_whole

METHOD_EXAMPLES = """**Examples**

```
eli5 methods
eli5 methods --json | jq -r '.methods[] | [.name, .good_for] | @tsv'
eli5 explain model.keras cat.jpg --method LayerCAM --method RISE:n_masks=500
```
"""

_TABLE = Path(eli5.__file__).parent / "keras" / "methods" / "__init__.py"
_SITES = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
_NAMES = 22  # columns for the names, so that all fits into 80


class MethodRow(NamedTuple):
    """What there is to say of a method: see `eli5.keras.methods.method.Method`."""

    name: str
    good_for: str
    cost: str
    paper: str

    @property
    def url(self) -> str | None:
        """Where it is described."""
        site, colon, number = self.paper.partition(":")
        return f"{_SITES[site]}{number}" if colon else None


def list_methods(
    *, as_json: Annotated[bool, Parameter(name="--json", show_default=False)] = False
) -> None:
    """List the methods: what each is good for, what it costs, and where it is described.

    Parameters
    ----------
    as_json
        Print one JSON document, and nothing else.
    """
    if as_json:
        print_json({"methods": [{**row._asdict(), "url": row.url} for row in method_rows()]})
        return
    for row in method_rows():
        lines = (row.good_for, row.cost, row.url or row.paper)
        names = (row.name, "", "")
        print_whole(f"{name:<{_NAMES}} {line}" for name, line in zip(names, lines, strict=True))


def method_rows() -> list[MethodRow]:
    """Read the rows from the source of `eli5.keras.METHODS`.

    To import it takes Keras and a backend, which is seconds of waiting for a few lines.
    """
    constants: dict[str, Any] = {}
    costs: dict[str, Any] = {}  # of a `functools.partial` of Method, where it has one
    rows: list[MethodRow] = []
    for node in ast.walk(ast.parse(_TABLE.read_text(encoding="utf-8"))):
        match node:
            case ast.Assign([ast.Name(name)], ast.Constant(text)):
                constants[name] = text
            case ast.Assign([ast.Name(name)], ast.Call(ast.Attribute(attr="partial")) as made):
                costs[name] = _keyword(made, "cost")
            case ast.Call(ast.Name(made_by), [ast.Constant(name), _, ast.Constant(paper), *rest]):
                cost: Any = [*rest, costs.get(made_by)][0]
                cost = constants[cost.id] if isinstance(cost, ast.Name) else cost.value
                good_for: Any = _keyword(node, "good_for")
                rows.append(MethodRow(str(name), good_for.value, cost, str(paper)))
    return rows


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def complete_methods(_: object) -> list[str]:
    """Return what a shell offers for ``--method``."""
    return [row.name for row in method_rows()]
