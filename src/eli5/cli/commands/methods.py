"""``eli5 methods``: the methods with their cost and paper, read without starting Keras."""

from __future__ import annotations

import ast
from pathlib import Path

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
    nodes = list(ast.walk(ast.parse(_TABLE.read_text(encoding="utf-8"))))
    costs = {
        node.targets[0].id: node.value.value
        for node in nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    calls = [
        node
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Method"
    ]
    calls.sort(key=lambda call: call.lineno)

    def value(node: ast.expr) -> str:
        return str(costs[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node))

    return [(value(call.args[0]), value(call.args[2]), value(call.args[3])) for call in calls]


def complete_methods(_: object) -> list[str]:
    """Return what a shell offers for ``--method``."""
    return [name for name, *_ in method_rows()]
