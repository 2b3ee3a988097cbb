"""``eli5 methods``: the methods with their cost and paper, read without starting Keras."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, NamedTuple

import eli5
from eli5.cli.console import print_table

__all__ = ["METHOD_EXAMPLES", "Row", "complete_methods", "list_methods", "rows"]

METHOD_EXAMPLES = """**Examples**

```
eli5 methods
eli5 explain model.keras cat.jpg --method LayerCAM --method Saliency
```
"""

_TABLE = Path(eli5.__file__).parent / "keras" / "methods" / "__init__.py"


class Row(NamedTuple):
    """What `eli5.keras.METHODS` says of a method."""

    name: str
    paper: str
    cost: str


def list_methods() -> None:
    """List the methods, with what they cost and where they are described."""
    print_table(("Method", "Paper", "Cost"), rows())


def rows() -> list[Row]:
    """Read the table of methods from its source.

    To import it takes Keras and a backend, which is seconds of waiting for a few lines.
    """
    tree = ast.parse(_TABLE.read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }

    def value(node: ast.expr) -> Any:
        return constants[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)

    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Method"
    ]
    calls.sort(key=lambda call: call.lineno)
    return [Row(value(call.args[0]), value(call.args[2]), value(call.args[3])) for call in calls]


def complete_methods(_: object) -> list[str]:
    """Return what a shell offers for ``--method``."""
    return [row.name for row in rows()]
