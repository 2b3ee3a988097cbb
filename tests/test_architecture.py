"""The rules that keep the layout: who may import whom, what is public, and what an import costs.

The table of who may import whom is `MAY_IMPORT` in tools/structure.py.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

import eli5

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from structure import (
    MAY_IMPORT,
    NAMED_PAIRS,
    Import,
    find_cycles,
    find_imports,
    find_upward,
    function_lines,
    imported_names,
    measure,
    part_of,
    read_package,
)

PACKAGE = Path(eli5.__file__).parent
MODULES = read_package(PACKAGE)
IMPORTS = find_imports(MODULES)
FIGURES, LISTS = measure(PACKAGE)
BACKENDS = {"tensorflow", "jax", "torch"}

# What `dir` shows, submodules included: what the docs promise.
PUBLIC = {
    "eli5": {
        "DocWeightedSpans",
        "Explanation",
        "Explanations",
        "Grade",
        "Series",
        "TargetExplanation",
        "WeightedSpans",
        "base",
        "benchmark",
        "bulk",
        "callbacks",
        "compare",
        "demo",
        "explain_prediction",
        "explain_predictions",
        "format_as_dataframe",
        "format_as_dict",
        "format_as_html",
        "format_as_image",
        "format_as_page",
        "format_as_text",
        "formatters",
        "keras",
        "load",
        "metrics",
        "plot",
        "sanity_check",
        "save",
        "show_prediction",
        "targets",
        "testing",
        "warm_up",
    },
    "eli5.targets": {
        "Box",
        "Candidates",
        "Contrast",
        "Detection",
        "Missing",
        "Objects",
        "Pixel",
        "Region",
        "Similarity",
    },
    "eli5.keras": {
        "METHODS",
        "attention_maps",
        "explain_prediction",
        "explain_prediction_keras",
        "forget",
        "gradcam",
        "methods",
        "target_layers",
    },
    "eli5.metrics": {
        "METRICS",
        "Comparison",
        "Metric",
        "MetricResult",
        "average_drop",
        "average_gain",
        "average_increase",
        "best_iou",
        "cascading_randomisation",
        "complexity",
        "deletion",
        "efficient_randomisation",
        "energy_inside",
        "infidelity",
        "insertion",
        "max_sensitivity",
        "pointing_game",
        "random_logit",
        "rank_accuracy",
        "road",
        "single_deletion",
        "smooth_randomisation",
        "sparseness",
        "srg",
    },
    "eli5.testing": {
        "EvidenceChange",
        "EvidenceDiff",
        "Prediction",
        "TOLERANCE",
        "assert_looks_at",
        "assert_same_evidence",
        "compare_evidence",
        "evidence_distance",
    },
}
# The modules that a program outside may import names from, so that `import *` means something.
WITH_ALL = {
    "eli5",
    "eli5.bulk",
    "eli5.callbacks",
    "eli5.keras",
    "eli5.keras.explain_prediction",
    "eli5.keras.gradcam",
    "eli5.metrics",
    "eli5.targets",
    "eli5.testing",
}
FACE = {
    "eli5.keras",
    "eli5.keras.explain_prediction",
    "eli5.keras.explain_predictions",
    "eli5.keras.gradcam",
}


def as_list(rows: Iterable[str]) -> str:
    return "\n" + "\n".join(sorted(set(rows)))


def ways(imports: Iterable[Import]) -> str:
    """Return a shortest way around in each cycle."""
    return as_list(" -> ".join(way) for way in find_cycles(imports).values())


def places(finds: Callable[[ast.Module], Iterator[ast.AST]], *, but: str) -> list[str]:
    """Return file, line and code of what is found outside of one part of the package."""
    return [
        f"{module}:{node.lineno}: {ast.unparse(node)[:120]}"  # type: ignore[attr-defined]
        for module, (_, _, tree) in MODULES.items()
        if part_of(module) != but
        for node in finds(tree)
    ]


def outside_names(module: str) -> set[str]:
    """Return the names that a module imports anywhere in it, in full."""
    return {name for name, *_ in imported_names(MODULES[module].tree.body, MODULES[module].folder)}


def printed(code: str) -> list[str]:
    """Run code in a new process, and return the words that it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_each_module_is_in_a_part_that_the_table_knows() -> None:
    unknown = [module for module in MODULES if part_of(module) not in MAY_IMPORT]
    assert not unknown, as_list(unknown)
    # What lies under eli5.keras in no folder that the table knows would count as its face.
    assert {module for module in MODULES if part_of(module) == "keras"} == FACE


def test_imports_run_one_way() -> None:
    upward = [f"{one.importer} -> {one.imported}" for one in find_upward(IMPORTS)]
    assert not upward, as_list(upward)


def test_no_modules_import_each_other() -> None:
    found = ways(one for one in IMPORTS if not one.is_lazy)
    assert not found.strip(), found


def test_no_modules_import_each_other_lazily_but_the_named_pairs() -> None:
    found = ways(one for one in IMPORTS if one.parts not in NAMED_PAIRS)
    assert not found.strip(), found


def test_backends_are_imported_in_their_own_file_of_the_engine() -> None:
    found = [
        f"{module}: {name}"
        for module in MODULES
        for name in outside_names(module)
        if (backend := name.partition(".")[0]) in BACKENDS
        if module != f"eli5.keras.engine.{backend}"
    ]
    assert not found, as_list(found)


def test_nobody_imports_what_keras_keeps_private() -> None:
    found = [module for module in MODULES for name in outside_names(module) if is_private(name)]
    assert not found, as_list(found)


def is_private(name: str) -> bool:
    return name == "keras.src" or name.startswith("keras.src.")


@pytest.mark.parametrize(
    "part", ["checks", "targets", "explanations", "base", "formatters", "saving"]
)
def test_what_shows_and_saves_knows_nothing_of_keras(part: str) -> None:
    modules = [module for module in MODULES if part_of(module) == part]
    found = [
        f"{module}: {name}"
        for module in modules
        for name in outside_names(module)
        if f"{name}.".startswith(("keras.", "eli5.keras."))
    ]
    assert modules
    assert not found, as_list(found)


def test_keras_part_knows_nothing_of_formatters() -> None:
    found = [
        f"{one.importer} -> {one.imported}"
        for one in IMPORTS
        if one.parts[0].partition(".")[0] == "keras"
        if one.parts[1].partition(".")[0] in {"formatters", "saving", "loading", "cli"}
    ]
    assert not found, as_list(found)


def test_only_inputs_ask_for_the_kind_of_a_doc() -> None:
    found = places(kind_questions, but="keras.inputs")
    assert not found, as_list(found)


def kind_questions(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the comparisons of a kind with a name of one or several, and what matches on it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Match) and is_kind(node.subject):
            yield node.subject
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(
                (is_kind(one) and may_be_kinds(other)) or (is_kind(other) and may_be_kinds(one))
                for one, other in itertools.pairwise(sides)
            ):
                yield node


def is_kind(node: ast.AST) -> bool:
    """Tell whether this is something's kind; that of NumPy's dtypes is another one."""
    if isinstance(node, ast.Attribute):
        return node.attr == "kind" and ast.unparse(node.value).rpartition(".")[2] != "dtype"
    return isinstance(node, ast.Name) and node.id == "kind"


def may_be_kinds(node: ast.AST) -> bool:
    """Tell whether this may stand for one kind or several; those of parameters are others."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(getattr(inspect.Parameter, getattr(node, "attr", ""), None), int):
        return False
    return isinstance(node, ast.Name | ast.Attribute | ast.Tuple | ast.List | ast.Set)


@pytest.mark.parametrize(
    ("source", "n"),
    [
        ("kind == 'image'", 1),
        ("'image' != view.kind", 1),
        ("view.kind in ('image', 'text')", 1),
        ("kind not in KINDS", 1),
        ("kind is kinds.IMAGE", 1),
        ("a if sample.kind == TEXT else b", 1),
        ("match view.kind:\n    case 'image': pass", 1),
        ("array.dtype.kind in 'fiub'", 0),
        ("dtype.kind == 'M'", 0),
        ("kind is None", 0),
        ("parameter.kind is parameter.KEYWORD_ONLY", 0),
        ("0 <= kind < len(KINDS)", 0),
        ("type(operation) is not row.kind", 0),
        ("view.kind.has_steps", 0),
        ("TABLE[kind]", 0),
        ("[one for kind in KINDS]", 0),
    ],
)
def test_questions_for_a_kind_are_recognised(source: str, n: int) -> None:
    assert len(list(kind_questions(ast.parse(source)))) == n


def test_only_the_command_line_speaks_of_its_flags() -> None:
    found = places(flags, but="cli")
    assert not found, as_list(found)


def flags(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the strings, docstrings too, that speak of ``--flags``; CSS variables are none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.search(r"(?<![\w-])--(?!eli5-)[a-z]", node.value):
                yield node
        elif isinstance(node, ast.JoinedStr):
            texts = [part.value for part in node.values[:-1] if isinstance(part, ast.Constant)]
            if any(re.search(r"(?<![\w-])--$", str(text)) for text in texts):
                yield node


def test_pictures_are_opened_in_formats_that_are_named() -> None:
    # Or an EPS of any name would come to Ghostscript.
    found = places(opened_pictures, but="")
    assert not found, as_list(found)


def opened_pictures(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the calls of ``Image.open`` that leave the formats open."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("Image.open")
            and not any(keyword.arg == "formats" for keyword in node.keywords)
        ):
            yield node


@pytest.mark.parametrize(
    ("source", "n"),
    [
        ("Image.open(file)", 1),
        ("PIL.Image.open(file, 'r')", 1),
        ("Image.open(file, formats=formats)", 0),
        ("open(file)", 0),
    ],
)
def test_open_formats_are_recognised(source: str, n: int) -> None:
    assert len(list(opened_pictures(ast.parse(source)))) == n


@pytest.mark.parametrize(
    ("source", "n"),
    [
        ("'Take another --out.'", 1),
        ("f'Received: --out={out}'", 1),
        ("f'Expected --{name}'", 1),
        ("def f():\n    'See ``--labels``.'", 1),
        ("'var(--eli5-opacity)'", 0),
        ("'a -- b, a--b, --'", 0),
        ("f'{a} --'", 0),
    ],
)
def test_flags_are_recognised(source: str, n: int) -> None:
    assert len(list(flags(ast.parse(source)))) == n


def test_only_public_modules_have_an_all() -> None:
    found = {
        module
        for module, (_, _, tree) in MODULES.items()
        if any(isinstance(n, ast.Name) and n.id == "__all__" for n in ast.walk(tree))
    }
    assert found <= WITH_ALL, as_list(found - WITH_ALL)
    assert found >= WITH_ALL, as_list(WITH_ALL - found)


@pytest.mark.parametrize("module", PUBLIC)
def test_dir_shows_the_public_names_and_nothing_else(module: str) -> None:
    show = f"print(*(name for name in dir({module}) if not name.startswith('__')))"
    use = "eli5.format_as_html; eli5.load; eli5.show_prediction; eli5.keras.METHODS"
    shown = printed(f"import {module}; {show}; import eli5.checks; {use}; print('|'); {show}")
    at_first, in_the_end = " ".join(shown).split("|")
    assert set(at_first.split()) == PUBLIC[module], as_list({*at_first.split()} ^ PUBLIC[module])
    assert at_first.split() == in_the_end.split()


def test_documented_paths_are_reached() -> None:
    printed("from eli5.formatters.image import expand_heatmap, format_as_image, heatmap_to_image")
    assert printed("import eli5; print(callable(eli5.base.TargetExplanation))") == ["True"]
    # Those of the Keras part work dotted, after importing eli5 alone.
    keras = {f"eli5.keras.{name}" for name in PUBLIC["eli5.keras"]} | {
        "eli5.keras.explain_prediction.explain_prediction_keras",
        "eli5.keras.explain_prediction.explain_prediction_keras_image",
        "eli5.keras.gradcam.gradcam",
        "eli5.keras.gradcam.gradcam_backend",
        "eli5.keras.methods.smoothing.Smoothing",
    }
    assert printed(f"import eli5; print(None in ({', '.join(sorted(keras))}))") == ["False"]


def test_what_all_names_is_there_and_what_is_not_is_refused() -> None:
    assert set(eli5.__all__) <= PUBLIC["eli5"]
    for name in eli5.__all__:
        assert getattr(eli5, name) is not None
    with pytest.raises(AttributeError, match="module 'eli5' has no attribute 'no_such_name'"):
        eli5.no_such_name  # noqa: B018


def test_import_loads_no_heavy_library() -> None:
    loaded = printed("import sys, eli5; print(*sys.modules)")
    assert "eli5" in loaded
    heavy = {"keras", "PIL", "matplotlib", "numpy", "jinja2", "regex", "pandas", *BACKENDS}
    assert not heavy & {name.partition(".")[0] for name in loaded}


def test_functions_fit_on_a_screen() -> None:
    found = [f"{lines} lines: {name}" for lines, name in function_lines(MODULES) if lines > 40]
    assert not found, as_list(found)
    assert FIGURES["lines of a function, median"] <= 6
    assert FIGURES["lines of a function, 90 %"] <= 17


def test_no_folder_is_a_drawer_for_everything() -> None:
    assert FIGURES["lines of the largest folder, %"] <= 20


def test_few_modules_are_fragments_of_their_only_importer() -> None:
    single = LISTS["modules with one importer"]
    assert FIGURES["modules with one importer, %"] <= 25, as_list(single)
