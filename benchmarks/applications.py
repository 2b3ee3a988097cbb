"""Show the layer that is chosen in each model of `keras.applications`, and its heatmap respond.

    python benchmarks/applications.py [--all] [--write docs/models.md] [name ...]

Without names: the smallest model of each family, or every model. Weights are random and seeded;
nothing is downloaded. Exits with 1 if a model cannot be explained or its heatmap does not respond.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pages import as_table, write_between

import eli5

Array = np.ndarray[Any, Any]
Build = Callable[..., keras.Model]

HEIGHT, WIDTH = 192, 256  # not square: a swapped axis shows in the grid
N_CLASSES = 5  # random weights leave some classes without anything that speaks for them
MIN_CHANGE = 1e-3  # of a heatmap, which is at most 1; above what rounding does
SIZES = ("Tiny", "Small", "Mobile", "Base", "S", "M", "Large", "L", "XLarge")  # in ascending order

SCRIPT = "benchmarks/applications.py"


class Row(NamedTuple):
    """What was found out about one model.

    Attributes
    ----------
    model : str
    layer : str
        Path of the target layer.
    readers : list of str
        Classes of the layers that take its output.
    grid : tuple of int
        The heatmap's shape.
    change : float or None
        Largest difference between the heatmaps of two pictures, or None if no class has both.
    """

    model: str
    layer: str
    readers: list[str]
    grid: tuple[int, ...]
    change: float | None

    @property
    def responds(self) -> bool:
        """Whether the heatmap is another one for another picture."""
        return self.change is not None and self.change > MIN_CHANGE


def main() -> int:
    """Print the table, and write it where it was asked for; return the exit status."""
    arguments = _parse()
    builders = applications()
    names = arguments.names or (list(builders) if arguments.all else smallest(builders))
    rows = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows.append(examine(name, builders[name]))
        except ValueError as error:  # Keras builds not every model on every backend
            print(f"{name}: {error}", file=sys.stderr)
        # A model's graph has cycles, and Keras keeps what was compiled.
        keras.backend.clear_session()
        gc.collect()
    text = f"{_origin()}\n\n{table(rows)}"
    print(text)
    if arguments.write:
        write_between(arguments.write, "applications", text)
    return 0 if len(rows) == len(names) and all(row.responds for row in rows) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="name", help="models, such as ResNet50")
    parser.add_argument("--all", action="store_true", help="every model")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the table in this page")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(applications()))
    if unknown:
        parser.error(f"expected models of keras.applications, received: {', '.join(unknown)}")
    return arguments


def applications() -> dict[str, Build]:
    """Return what builds a classifier in `keras.applications`: by family, the smallest first."""
    found = {
        name: thing
        for name, thing in vars(keras.applications).items()
        if inspect.isfunction(thing)
        and {"weights", "include_top", "classes"} <= set(inspect.signature(thing).parameters)
    }
    names = sorted(found, key=lambda name: (found[name].__module__, _size(name)))
    return {name: found[name] for name in names}


def _size(name: str) -> tuple[int, list[int]]:
    """Return what sorts a family: its sizes in letters, or else its numbers."""
    letters = [k for k, size in enumerate(SIZES) if name.endswith(size)]
    return max(letters, default=-1), [int(number) for number in re.findall(r"\d+", name)]


def smallest(builders: dict[str, Build]) -> list[str]:
    """Return the first name of each family; a family is one module of `keras.applications`."""
    families: dict[str, str] = {}
    for name, build in builders.items():
        families.setdefault(build.__module__, name)
    return list(families.values())


def examine(name: str, build: Build) -> Row:
    """Explain two pictures with the layer that is chosen, for a class that both speak for."""
    keras.utils.set_random_seed(0)
    model = build(weights=None, input_shape=(HEIGHT, WIDTH, 3))
    family = getattr(keras.applications, build.__module__.rpartition(".")[2])
    docs = [family.preprocess_input(picture) for picture in pictures()]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The heatmap of target", UserWarning)
        first = eli5.explain_prediction(model, docs[0], top_targets=N_CLASSES)
        classes = [target.target for target in first.targets]
        (second,) = eli5.explain_predictions(model, docs[1], targets=[classes])
    heatmaps = [[target.heatmap for target in one.targets] for one in (first, second)]
    changes = (np.abs(a - b).max() for a, b in zip(*heatmaps, strict=True) if a.any() and b.any())
    change = next(changes, None)
    layer = str(first.layer)
    return Row(
        model=name,
        layer=layer,
        readers=_readers(model, layer),
        grid=heatmaps[0][0].shape,
        change=None if change is None else float(change),
    )


def pictures() -> Iterator[Array]:
    """Yield the same noise twice, with a bright square on its left and on its right side."""
    noise = np.random.default_rng(0).uniform(0, 128, (1, HEIGHT, WIDTH, 3)).astype("float32")
    side = HEIGHT // 3
    for left in (side // 2, WIDTH - side - side // 2):
        picture = noise.copy()
        picture[:, side : 2 * side, left : left + side] += 127
        yield picture


def _readers(model: keras.Model, layer: str) -> list[str]:
    """Name the kinds of what comes next; these models are flat graphs of layers and `keras.ops`."""
    output = next(operation.output for operation in model.operations if operation.name == layer)
    return [
        type(reader).__name__
        for reader in model.operations
        if any(tensor is output for tensor in keras.tree.flatten(reader.input))
    ]


def table(rows: list[Row]) -> str:
    """Return what was found as a Markdown table."""
    head = ["Model", "Target layer", "Followed by", "Grid", "Responds"]
    return as_table(head, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    found = "no: empty" if row.change is None else f"no: {row.change:.1e}"
    return [
        row.model,
        f"`{row.layer}`",
        ", ".join(f"`{reader}`" for reader in row.readers),
        "x".join(map(str, row.grid)),
        f"yes, by {row.change:.2f}" if row.responds else found,
    ]


def _origin() -> str:
    """Say where the table comes from, and what its last column means."""
    command = " ".join([SCRIPT, *sys.argv[1:]])
    return textwrap.fill(
        f"Made by `python {command}` with Keras {keras.__version__} on {keras.backend.backend()}, "
        f"for pictures of {HEIGHT}x{WIDTH} pixels and random weights. The last column tells by how "
        "much the heatmap, which is at most 1, changes where a bright square moves from the left "
        "of a noise picture to the right. The class is the likeliest that both heatmaps show "
        f"something for, of the first {N_CLASSES}.",
        width=120,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    sys.exit(main())
