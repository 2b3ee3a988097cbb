"""The rules that keep the layout: which module may import which, and what an import costs."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import eli5

PACKAGE = Path(eli5.__file__).parent
MODULES = {
    ".".join(("eli5", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in PACKAGE.rglob("*.py")
}
BACKENDS = {"tensorflow", "jax", "torch"}


def imports(path: Path, *, everywhere: bool) -> Iterator[str]:
    """Yield the modules that a file imports when it is loaded, or `everywhere` in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else runtime_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def runtime_nodes(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements at module level but for those under ``if TYPE_CHECKING``."""
    yield from tree.body


def inside(name: str) -> str | None:
    """Return the package's own module that an imported name belongs to."""
    while name.startswith("eli5"):
        if name in MODULES:
            return name
        name = name.rpartition(".")[0]
    return None


def test_modules_import_each_other_in_one_direction() -> None:
    graph = {
        module: {
            target
            for name in imports(path, everywhere=False)
            if (target := inside(name)) and target != module
        }
        for module, path in MODULES.items()
    }
    # A package's __init__ is loaded before its modules and is allowed to gather names from them.
    graph = {m: {t for t in targets if not m.startswith(f"{t}.")} for m, targets in graph.items()}
    tuple(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize("module", MODULES)
def test_only_the_engine_imports_backends_and_nobody_private_keras(module: str) -> None:
    names = set(imports(MODULES[module], everywhere=True))
    own = {module.rpartition(".")[2]} if module.startswith("eli5.keras.engine.") else set()
    assert not {name.partition(".")[0] for name in names} & (BACKENDS - own)
    assert not any(name.startswith("keras.src") for name in names)


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("eli5.formatters")])
def test_formatters_know_nothing_of_keras(module: str) -> None:
    names = set(imports(MODULES[module], everywhere=True))
    assert not any(name.startswith(("keras", "eli5.keras")) for name in names)


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("eli5.keras")])
def test_keras_part_knows_nothing_of_formatters(module: str) -> None:
    names = set(imports(MODULES[module], everywhere=True))
    assert not any(name.startswith(("eli5.formatters", "eli5.cli")) for name in names)


def test_import_loads_no_heavy_library() -> None:
    code = "import sys, eli5; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "eli5" in loaded
    heavy = {"keras", "PIL", "matplotlib", "numpy", *BACKENDS}
    assert not heavy & {name.partition(".")[0] for name in loaded}


def test_public_names_are_what_dir_shows() -> None:
    for name in eli5.__all__:
        assert getattr(eli5, name) is not None
        assert name in dir(eli5)
    with pytest.raises(AttributeError, match="module 'eli5' has no attribute 'no_such_name'"):
        eli5.no_such_name  # noqa: B018


def test_the_keras_part_is_reached_without_importing_it() -> None:
    code = "import eli5; eli5.keras.target_layers; eli5.keras.gradcam.gradcam"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
