"""Print how the package is built: lines, functions, imports, cycles; two trees side by side.

    python tools/structure.py [--package DIR] [--before DIR] [--json]

The source is read, never imported. A folder's lines are those of the files directly in it, a
function's those of its body without the docstring. `from eli5.part import name` imports
eli5/part/name.py if there is one, else eli5/part/__init__.py, but no __init__ on the way. Imports
within functions are lazy; those under `if TYPE_CHECKING` make no cycle and no importer, but must
not run back up. What eli5/__init__.py loads by name on first use does not count.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

# Who may import whom, from the bottom up: the parts in a row, and whatever those may. A part is a
# folder or a module; modules of one part are free. __init__ is eli5's own, with its version.
_TABLE = {
    "checks": "",
    "backend": "",
    "limits": "",
    "tracebacks": "",
    "advice": "checks",
    "progress": "",
    "placement": "checks",
    "targets": "checks",
    "explanations": "",
    "base": "explanations placement advice tracebacks",
    "loading.errors": "",
    "loading.files": "limits loading.errors",  # these two know nothing of Keras
    "formatters": "base targets",
    "saving": "formatters loading.files __init__",
    "demo": "",
    "keras.engine": "base progress",
    "keras.methods": "keras.engine",
    "keras.targets": "keras.engine targets",
    "keras.layers": "keras.engine",
    "keras.text": "keras.layers keras.targets keras.methods",
    "keras.inputs": "keras.text",
    "loading": "keras.inputs loading.files",
    "keras.pipeline": "keras.inputs",
    "keras": "keras.pipeline",
    "metrics": "keras saving loading",
    "explain": "metrics",  # which grades what it explains
    "ipython": "explain formatters",
    "testing": "explain",
    "callbacks": "explain saving loading",
    "ground_truth": "explain demo",
    "bulk": "explain saving loading",
    "server": "bulk callbacks testing ground_truth",
    "cli": "server backend",
    "__main__": "cli",
    "__init__": "bulk callbacks testing ground_truth ipython backend",
}
MAY_IMPORT: dict[str, set[str]] = {}
for _part, _row in _TABLE.items():
    MAY_IMPORT[_part] = {*_row.split()}.union(*(MAY_IMPORT.get(r, ()) for r in _row.split()))
# Explanations show and save themselves: these alone run back up, and only lazily.
NAMED_PAIRS = {("base", "formatters"), ("explanations", "formatters"), ("explanations", "saving")}
_DIRECTIVES = ("noqa", "type:", "mypy:", "fmt:", "pragma:")


class Import(NamedTuple):
    """An import of one module of the package by another, and the parts of both."""

    importer: str
    imported: str
    parts: tuple[str, str]
    is_lazy: bool
    is_typing: bool


class Module(NamedTuple):
    """A module as it is written, and the folder that it lies in: a package's own for __init__."""

    folder: str
    text: str
    tree: ast.Module


def read_package(folder: Path) -> dict[str, Module]:
    """Return the modules of the package in a folder, or in the ``src/eli5`` of a checkout."""
    folder = (folder / "src/eli5" if (folder / "src/eli5").is_dir() else folder).resolve()
    if not (folder / "__init__.py").is_file():
        raise SystemExit(f"Expected a package, or a checkout with src/eli5. Received: {folder}")
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        text = path.read_text(encoding="utf-8")
        name = ".".join(parts).removesuffix(".__init__")
        modules[name] = Module(".".join(parts[:-1]), text, ast.parse(text))
    return modules


def imported_names(
    nodes: Iterable[ast.AST], folder: str = "", is_lazy: bool = False, is_typing: bool = False
) -> Iterator[tuple[str, bool, bool]]:
    """Yield each imported name in full, whether lazily, and whether for types alone."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, is_lazy, is_typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder.split(".")[: folder.count(".") + 2 - node.level] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            yield from ((f"{origin}.{alias.name}", is_lazy, is_typing) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imported_names(node.body, folder, is_lazy, True)
            yield from imported_names(node.orelse, folder, is_lazy, is_typing)
        else:
            within = is_lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from imported_names(ast.iter_child_nodes(node), folder, within, is_typing)


def find_imports(modules: Mapping[str, Module]) -> list[Import]:
    """Return the imports of the package's modules by each other."""
    imports = []
    for importer, module in modules.items():
        for name, is_lazy, is_typing in imported_names(module.tree.body, module.folder):
            while name and name not in modules:
                name = name.rpartition(".")[0]
            if name and name != importer:
                parts = part_of(importer), part_of(name)
                imports.append(Import(importer, name, parts, is_lazy, is_typing))
    return imports


def part_of(module: str) -> str:
    """Return the part of a module: the longest beginning of its name that the table knows."""
    name = module.partition(".")[2] or "__init__"
    parts = [part for part in MAY_IMPORT if f"{name}.".startswith(f"{part}.")]
    return max(parts, key=len, default=name)


def find_upward(imports: Iterable[Import]) -> list[Import]:
    """Return the imports that the table does not allow, of and by parts that it knows."""
    return [
        one
        for one in imports
        if one.parts[0] != one.parts[1] and MAY_IMPORT.keys() >= {*one.parts}
        if one.parts[1] not in MAY_IMPORT[one.parts[0]]
        if one.parts not in NAMED_PAIRS or not (one.is_lazy or one.is_typing)
    ]


def find_cycles(imports: Iterable[Import]) -> dict[frozenset[str], list[str]]:
    """Return each set of modules that import each other, and a shortest way around in it."""
    graph: dict[str, set[str]] = defaultdict(set)
    for one in imports:
        if not one.is_typing:
            graph[one.importer].add(one.imported)
    ways = {module: _ways(graph, module) for module in sorted(graph)}
    cycles: dict[frozenset[str], list[str]] = {}
    for module, reached in ways.items():
        if module in reached:
            members = frozenset(other for other in reached if module in ways.get(other, ()))
            way = [module, *reached[module]]
            cycles[members] = min(cycles.get(members, way), way, key=len)
    return cycles


def _ways(graph: Mapping[str, set[str]], start: str) -> dict[str, list[str]]:
    """Return a shortest way, without the start, to each module that can be reached."""
    ways: dict[str, list[str]] = {}
    ends: list[list[str]] = [[start]]
    for way in ends:  # which grows
        for module in sorted(graph.get(way[-1], set()) - ways.keys()):
            ways[module] = [*way[1:], module]
            ends.append([*way, module])
    return ways


def function_lines(modules: Mapping[str, Module]) -> list[tuple[int, str]]:
    """Return how many lines the body of each function has, the longest first."""
    found = []
    for name, module in modules.items():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :]
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                found.append((lines, f"{name}.{node.name}"))
    return sorted(found, reverse=True)


def count_comments(text: str) -> int:
    """Return how many lines have a comment for a reader."""
    tokens = tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return sum(not one.lstrip("# ").startswith(_DIRECTIVES) for one in comments)


def measure(folder: Path) -> tuple[dict[str, float], dict[str, list[str]]]:
    """Return the figures of a package, and the lists behind them."""
    modules = read_package(folder)
    folders: Counter[str] = Counter()
    for module in modules.values():
        folders[module.folder] += len(module.text.splitlines())
    percent = 100 / max(folders.total(), 1)
    comments = sum(count_comments(module.text) for module in modules.values())
    functions = function_lines(modules)
    sizes = sorted(lines for lines, _ in functions) or [0]
    imports = find_imports(modules)
    pairs = {(one.imported, one.importer) for one in imports if not one.is_typing}
    importers = Counter(imported for imported, _ in pairs)
    single = sorted(f"{a} <- {b}" for a, b in pairs if importers[a] == 1)
    upward = sorted({f"{a} -> {b}" for a, b, *_ in find_upward(imports)})
    figures = {
        "files": len(modules),
        "lines": folders.total(),
        **{f"lines in {folder}": lines for folder, lines in folders.most_common()},
        "lines of the largest folder, %": round(percent * max(folders.values()), 1),
        "lines with comments, %": round(percent * comments, 1),
        "functions": len(functions),
        "lines of a function, median": statistics.median_low(sizes),
        "lines of a function, 90 %": sizes[int(0.9 * len(sizes))],
        "lines of a function, most": sizes[-1],
        "modules with one importer": len(single),
        "modules with one importer, %": round(100 * len(single) / len(modules), 1),
        "modules in no part of the table": sum(part_of(m) not in MAY_IMPORT for m in modules),
        "imports that run back up": len(upward),
    }
    lists = {"modules with one importer": single, "imports that run back up": upward}
    lists["longest functions"] = [f"{lines} {name}" for lines, name in functions[:10]]
    for title, counted in {
        "cycles of top-level imports": [one for one in imports if not one.is_lazy],
        "cycles": imports,
        "cycles without the named pairs": [i for i in imports if i.parts not in NAMED_PAIRS],
    }.items():
        cycles = find_cycles(counted)
        figures[f"modules in {title}"] = sum(map(len, cycles))
        lists[title] = [f"{len(names)} modules: {' -> '.join(w)}" for names, w in cycles.items()]
    return figures, lists


def main() -> None:
    """Print the figures, those of the tree before beside them, then the lists."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    here = Path(__file__).parents[1]
    parser.add_argument("--package", type=Path, default=here, help="a package or a checkout")
    parser.add_argument("--before", type=Path, help="another one, printed beside it")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    figures, lists = measure(arguments.package)
    columns = [*([measure(arguments.before)[0]] if arguments.before else []), figures]
    if arguments.json:
        print(json.dumps({"figures": columns, "lists": lists}, indent=2))
        return
    for name in sorted(figures | columns[0], key=lambda name: name.startswith("lines in ")):
        print(f"{name:56}", *(f"{column.get(name, '-'):>8}" for column in columns))
    for title, rows in lists.items():
        print(f"\n{title}:", *(rows or ["none"]), sep="\n  ")


if __name__ == "__main__":
    main()
