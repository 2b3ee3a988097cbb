"""The program that measures the package reads small ones as it should."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

from structure import (
    MAY_IMPORT,
    NAMED_PAIRS,
    Import,
    find_cycles,
    find_imports,
    find_upward,
    imported_names,
    measure,
    part_of,
    read_package,
)

PROGRAM = Path(__file__).resolve().parents[2] / "tools/structure.py"


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write a package called eli5; folders without an ``__init__.py`` get an empty one."""
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "eli5" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in (path.parent, *path.parent.parents):
            if parent.is_relative_to(folder / "eli5"):
                (parent / "__init__.py").touch()
        path.write_text(text, encoding="utf-8")
    return folder / "eli5"


def imports_of(folder: Path, files: dict[str, str]) -> list[Import]:
    return find_imports(read_package(write(folder, files)))


def edges(imports: list[Import]) -> set[tuple[str, str]]:
    return {(one.importer.removeprefix("eli5."), one.imported) for one in imports}


def cycles_of(folder: Path, files: dict[str, str]) -> list[tuple[set[str], list[str]]]:
    cycles = find_cycles(imports_of(folder, files))
    return [(set(names), way) for names, way in cycles.items()]


@pytest.mark.parametrize(
    ("statement", "imported"),
    [
        ("import eli5.keras.engine.jax", "eli5.keras.engine.jax"),
        ("import eli5.keras.engine as engine, os", "eli5.keras.engine"),
        ("import eli5", "eli5"),
        ("from eli5 import __version__", "eli5"),
        ("from eli5 import keras", "eli5.keras"),
        ("from eli5.keras.methods import METHODS", "eli5.keras.methods"),
        ("from eli5.keras.methods import cam", "eli5.keras.methods.cam"),
        ("from eli5.keras.methods.cam import grad_cam", "eli5.keras.methods.cam"),
        ("from eli5.keras.methods.cam import *", "eli5.keras.methods.cam"),
        ("from . import cam", "eli5.keras.methods.cam"),
        ("from .cam import grad_cam", "eli5.keras.methods.cam"),
        ("from ..engine import jax", "eli5.keras.engine.jax"),
        ("from .. import __name__", "eli5.keras"),
        ("try:\n    import eli5.keras\nexcept ImportError:\n    pass", "eli5.keras"),
    ],
)
def test_an_import_is_of_the_module_that_the_name_is_in(
    statement: str, imported: str, tmp_path: Path
) -> None:
    found = imports_of(
        tmp_path,
        {
            "keras/methods/cam.py": "",
            "keras/engine/jax.py": "import jax, eli5_other\nfrom keras import ops",
            "keras/methods/own.py": statement,
        },
    )
    assert edges(found) == {("keras.methods.own", imported)}
    assert not found[0].is_lazy
    assert not found[0].is_typing


def test_relative_imports_of_an_init_start_at_its_own_folder(tmp_path: Path) -> None:
    found = imports_of(
        tmp_path,
        {
            "keras/__init__.py": "from . import a\nfrom .b import x",
            "keras/a.py": "",
            "keras/b.py": "",
        },
    )
    assert edges(found) == {("keras", "eli5.keras.a"), ("keras", "eli5.keras.b")}


def test_lazy_imports_and_those_for_types_are_told_apart() -> None:
    source = """
from typing import TYPE_CHECKING
import typing
if TYPE_CHECKING:
    import a
else:
    import b
if typing.TYPE_CHECKING:
    import c
class C:
    import d
    def f(self):
        with self:
            import e
            if TYPE_CHECKING:
                import f
async def g():
    import h
"""
    names = {name: how for name, *how in imported_names(ast.parse(source).body)}
    assert {name for name, (_, is_typing) in names.items() if is_typing} == {"a", "c", "f"}
    assert {name for name, (is_lazy, _) in names.items() if is_lazy} == {"e", "f", "h"}
    assert {"b", "d"} <= names.keys()


def test_an_init_that_gathers_names_is_no_cycle(tmp_path: Path) -> None:
    files = {
        "bulk/__init__.py": "from eli5.bulk.run import run\nfrom eli5.bulk import plan",
        "bulk/run.py": "from eli5.bulk import plan\nfrom eli5.bulk.plan import make",
        "bulk/plan.py": "",
    }
    assert cycles_of(tmp_path, files) == []


def test_a_module_that_asks_the_init_that_gathers_it_is_a_cycle(tmp_path: Path) -> None:
    files = {
        "bulk/__init__.py": "from eli5.bulk.run import run",
        "bulk/run.py": "from eli5.bulk import name",
    }
    assert [names for names, _ in cycles_of(tmp_path, files)] == [{"eli5.bulk", "eli5.bulk.run"}]


def test_cycles_are_found_apart_each_with_a_shortest_way_around(tmp_path: Path) -> None:
    files = {
        "a.py": "import eli5.b, eli5.x",
        "b.py": "import eli5.c",
        "c.py": "import eli5.a, eli5.d",
        "d.py": "import eli5.c",
        "x.py": "def f():\n    import eli5.y",
        "y.py": "import eli5.x",
        "outside.py": "import eli5.a",
        "types.py": "import eli5.typed",
        "typed.py": "if TYPE_CHECKING:\n    import eli5.types",
    }
    first, second = cycles_of(tmp_path, files)
    assert first[0] == {"eli5.a", "eli5.b", "eli5.c", "eli5.d"}
    assert first[1] == ["eli5.c", "eli5.d", "eli5.c"]
    assert second == ({"eli5.x", "eli5.y"}, ["eli5.x", "eli5.y", "eli5.x"])
    figures, lists = measure(tmp_path / "eli5")
    assert figures["modules in cycles of top-level imports"] == 4
    assert figures["modules in cycles"] == 6
    assert lists["cycles"][0] == "4 modules: eli5.c -> eli5.d -> eli5.c"


def test_the_named_pairs_are_counted_apart(tmp_path: Path) -> None:
    lazy = "def show():\n    import eli5.formatters.html, eli5.saving.json_file"
    package = write(
        tmp_path,
        {
            "base.py": "import eli5.explanations",
            "explanations.py": lazy,
            "formatters/html.py": "import eli5.base",
            "saving/json_file.py": "import eli5.base",
        },
    )
    figures, lists = measure(package)
    assert figures["modules in cycles of top-level imports"] == 0
    assert figures["modules in cycles"] == 4
    assert figures["modules in cycles without the named pairs"] == 0
    assert lists["imports that run back up"] == []
    (package / "base.py").write_text("import eli5.formatters.html")
    assert measure(package)[1]["imports that run back up"] == ["eli5.base -> eli5.formatters.html"]


def test_the_table_runs_from_the_bottom_up_and_hands_on() -> None:
    known: set[str] = {"__init__"}
    for part, others in MAY_IMPORT.items():
        assert others <= known, f"{part} stands below a part that it may import"
        known.add(part)
    assert MAY_IMPORT["keras.text"] >= {"keras.layers", "keras.engine", "base", "checks"}
    assert not MAY_IMPORT["keras"] & {"formatters", "saving", "loading", "explain"}
    of_base = {"advice", "base", "checks", "explanations", "placement", "tracebacks"}
    assert MAY_IMPORT["formatters"] == of_base | {"targets"}
    assert MAY_IMPORT["loading"] >= {"base", "checks", "keras.inputs"}
    assert not MAY_IMPORT["loading"] & {"keras.pipeline", "formatters", "cli"}
    assert not {(high, low) for low, high in NAMED_PAIRS} - {
        (part, other) for part, others in MAY_IMPORT.items() for other in others
    }


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("eli5", "__init__"),
        ("eli5.base", "base"),
        ("eli5.keras.gradcam", "keras"),
        ("eli5.keras.methods", "keras.methods"),
        ("eli5.keras.methods.cam", "keras.methods"),
        ("eli5.keras.methods_of_old", "keras"),
        ("eli5.drawer.loose", "drawer.loose"),
    ],
)
def test_a_module_belongs_to_the_narrowest_part(module: str, part: str) -> None:
    assert part_of(module) == part
    assert (part in MAY_IMPORT) == (part != "drawer.loose")


def test_imports_against_the_table_are_found(tmp_path: Path) -> None:
    found = find_upward(
        imports_of(
            tmp_path,
            {
                "checks.py": "",
                "drawer.py": "import eli5.cli.options",
                "cli/options.py": "import eli5.bulk.plan, eli5.drawer, eli5.saving.json_file",
                "bulk/plan.py": "import eli5.checks\ndef f():\n    import eli5.cli.options",
                "keras/inputs/text.py": "from eli5.keras.text import strings",
                "keras/text/strings.py": "if TYPE_CHECKING:\n    import eli5.keras.inputs.text",
                "keras/layers/grid.py": "from eli5.keras.targets import classes",
                "keras/targets/classes.py": "import eli5.keras.engine",
                "keras/engine/jax.py": "from eli5.keras.engine import hooks",
                "keras/engine/hooks.py": "",
                "saving/json_file.py": "from eli5 import __version__",
            },
        )
    )
    assert edges(found) == {
        ("bulk.plan", "eli5.cli.options"),
        ("keras.text.strings", "eli5.keras.inputs.text"),
        ("keras.layers.grid", "eli5.keras.targets.classes"),
    }


def test_figures_of_a_small_package(tmp_path: Path) -> None:
    package = write(
        tmp_path,
        {
            "base.py": '''"""A doc with a # that is no comment."""

# why
def long(a):
    """One.

    Two.
    """

    a += 1  # noqa: B005
    b = "#"  # also why

    return a, b
def short(): return 1
def documented():
    """Nothing but words."""
''',
            "keras/a.py": "import eli5.base\nif TYPE_CHECKING:\n    import eli5.keras.b\n",
            "keras/b.py": "def f():\n    import eli5.base\n    from eli5.keras.a import f, g\n",
        },
    )
    figures, lists = measure(package)
    expected = {
        "files": 5,
        "lines": 22,
        "lines in eli5": 16,
        "lines in eli5.keras": 6,
        "lines of the largest folder, %": 72.7,
        "lines with comments, %": 9.1,
        "functions": 4,
        "lines of a function, median": 1,
        "lines of a function, 90 %": 4,
        "lines of a function, most": 4,
        "modules with one importer": 1,
        "modules with one importer, %": 20.0,
        "modules in no part of the table": 0,
        "imports that run back up": 0,
    }
    assert {name: figures[name] for name in expected} == expected
    assert lists["modules with one importer"] == ["eli5.keras.a <- eli5.keras.b"]
    assert lists["longest functions"] == [
        "4 eli5.base.long",
        "2 eli5.keras.b.f",
        "1 eli5.base.short",
        "0 eli5.base.documented",
    ]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_trees_are_printed_side_by_side(tmp_path: Path) -> None:
    before = write(tmp_path / "old/src", {"drawer/a.py": "\n\n", "base.py": ""})
    after = write(tmp_path / "new", {"base.py": "\n"})
    done = run("--package", after, "--before", before.parents[1])
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["files", "4", "2"] in rows
    assert ["lines", "2", "1"] in rows
    assert ["lines", "in", "eli5.drawer", "2", "-"] in rows
    assert rows[-1] == ["none"]
    figures = json.loads(run("--package", after, "--json").stdout)["figures"]
    assert [column["files"] for column in figures] == [2]


def test_a_folder_without_a_package_is_refused(tmp_path: Path) -> None:
    done = run("--package", tmp_path)
    assert done.returncode == 1
    assert f"Expected a package, or a checkout with src/eli5. Received: {tmp_path}" in done.stderr
