"""``eli5 methods``: the methods with their cost and paper, read without starting Keras."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import eli5
from eli5.cli.console import print_table

METHOD_EXAMPLES = """**Examples**

```
eli5 methods
eli5 explain model.keras cat.jpg --method LayerCAM --method Saliency
```
"""

_TABLE = Path(eli5.__file__).parent / "keras" / "methods" / "__init__.py"


def list_methods() -> None:
    """List the methods, with what they cost and where they are described."""
    print_table(("Method", "Paper", "Cost"), method_rows())


def method_rows() -> list[tuple[str, str, str]]:
    """Read name, paper and cost from the source of `eli5.keras.METHODS`.

    To import it takes Keras and a backend, which is seconds of waiting for a few lines.
    """
    constants: dict[str, Any] = {}
    costs: dict[str, Any] = {}  # of a `functools.partial` of Method, where it has one
    rows: list[tuple[str, str, str]] = []
    for node in ast.walk(ast.parse(_TABLE.read_text(encoding="utf-8"))):
        match node:
            case ast.Assign([ast.Name(name)], ast.Constant(text)):
                constants[name] = text
            case ast.Assign([ast.Name(name)], ast.Call(ast.Attribute(attr="partial")) as made):
                costs[name] = next((k.value for k in made.keywords if k.arg == "cost"), None)
            case ast.Call(ast.Name(made_by), [ast.Constant(name), _, ast.Constant(paper), *rest]):
                cost: Any = [*rest, costs.get(made_by)][0]
                cost = constants[cost.id] if isinstance(cost, ast.Name) else cost.value
                rows.append((str(name), str(paper), cost))
    return rows


def complete_methods(_: object) -> list[str]:
    """Return what a shell offers for ``--method``."""
    return [name for name, *_ in method_rows()]
