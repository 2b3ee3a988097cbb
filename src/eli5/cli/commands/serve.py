"""``eli5 serve``: models as a local web app."""

from __future__ import annotations

import shlex
import webbrowser
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.backend import start_keras
from eli5.cli.console import UserError, print_fact, print_notice
from eli5.cli.interrupts import exit_at_once
from eli5.cli.options import AT_LEAST_ONE
from eli5.cli.report import collected_warnings, warning_lines
from eli5.loading import files

if TYPE_CHECKING:
    from eli5.server.explaining import Explained
    from eli5.server.fields import Asked
    from eli5.server.models import ServedModel

SERVE_EXAMPLES = """**Examples**

A model of your own, in the browser:

```
eli5 serve model.keras --labels names.txt --preprocess tf --open
```

Two models, compared on the pictures of a folder:

```
eli5 serve old.keras new.keras --examples photos
```

What a bulk run has explained, beside the model:

```
eli5 serve model.keras --gallery explained --port 9000
```
"""

T = TypeVar("T")

_NEEDED = ("starlette", "uvicorn", "python_multipart")


def serve_models(
    models: list[str | Path],
    /,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8501,
    token: str | None = None,
    labels: list[Path] | None = None,
    preprocess: list[Literal["tf", "torch", "caffe", "unit", "none"]] | None = None,
    examples: Path | None = None,
    gallery: str | Path | None = None,
    imports: Annotated[list[str] | None, Parameter(name="--import", metavar="MODULE")] = None,
    queue: Annotated[int, AT_LEAST_ONE] = 16,
    time_limit: Annotated[int, Parameter(metavar="SECONDS", validator=Number(gte=1))] = 120,
    open: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Serve models as a web app on this machine: explain, compare, grade.

    Parameters
    ----------
    models
        `.keras` or `.h5` files, or names of `keras.applications` models. No code in a file runs.
    host
        The address to listen at. Any other than this machine's own asks clients for a token.
    port
        0 for any that is free.
    token
        What clients must know, at least 16 characters. [default: none on this machine; else one
        that is made, and printed]
    labels
        A text file of class names: line i, counted from 0, names class i. Once for all models, or
        as often as there are models.
    preprocess
        How pixels become the model's input; see `eli5 explain --help`. Once for all models, or as
        often as there are models.
    examples
        A folder of pictures that are offered. [default: the demo's]
    gallery
        Explanations to be shown: of `eli5 bulk`, of `eli5 explain`, or a file of them. Or a folder
        of pictures.
    imports
        Import this module first, which registers layers of your own with Keras; may be given
        several times.
    queue
        How many explanations may be made or wait at once. More are refused.
    time_limit
        How long one may take.
    open
        Open the page in the browser.
    """
    _check_installed()
    sources = [str(one) for one in models]
    for one in sources:
        files.check_model(one, None)
    named = _each("--labels", labels or [], len(sources))
    modes = _each("--preprocess", preprocess or [], len(sources))
    _check_token(token)
    with exit_at_once(), collected_warnings() as counts:
        start_keras()
        from eli5.server.models import ModelSource
        from eli5.server.running import Settings, serve

        rows = zip(sources, named, modes, strict=True)
        asked = [ModelSource(*row, imports=tuple(imports or ())) for row in rows]
        settings = Settings(
            host=host,
            port=port,
            token=token or "",
            examples=None if examples is None else str(examples),
            gallery=None if gallery is None else str(gallery),
            n_places=queue,
            seconds=time_limit,
        )

        def ready(address: str) -> None:
            print_notice(*warning_lines(counts))
            print_fact("Serving", address)
            print_fact("End", "Ctrl-C")
            if open:
                webbrowser.open(address)

        serve(asked, settings, ready, as_command)
    return 0


def _check_installed() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            "Expected the web app's libraries to be installed. Received: no module "
            f'{", ".join(missing)}. Install them: pip install "eli5-keras[serve]"'
        )


def _each(flag: str, given: Sequence[T], n: int) -> list[T | None]:
    """Return one for each model."""
    if len(given) not in (0, 1, n):
        raise UserError(
            f"Expected {flag} once, or {n} times, once for each model. Received: {len(given)} times"
        )
    return [*given] if len(given) == n else [given[0] if given else None] * n


def _check_token(token: str | None) -> None:
    is_plain = token is None or (token.isascii() and token.isprintable() and " " not in token)
    if token is not None and not (len(token) >= 16 and is_plain):
        raise UserError("Expected --token to be at least 16 letters, digits and signs")


# ---- as a command --------------------------------------------------------------------------------


def as_command(explained: Explained, asked: Asked) -> str:
    """Return the command that makes what the web app has explained, or why there is none."""
    served, options = explained.served, explained.options
    if served.input == "series":
        return "# There is no command for a series: copy it as Python."
    is_text = served.input == "text"
    words = ["eli5", "explain-text" if is_text else "explain", served.source.model]
    # A text that starts with a dash looks like an option.
    text = f" {asked.text}" if asked.text.startswith("-") else asked.text
    words.append(text if is_text else _path(explained.document.name))
    for flag, value in _flags(served, asked, options):
        words += [flag, str(value)]
    words += ["--grade"] * asked.grade + ["--signed"] * (asked.signed and not is_text)
    stem = explained.document.name.rpartition(".")[0] or "explained"
    return shlex.join([*words, "--out", _path(f"{stem}.html")])


def _flags(served: ServedModel, asked: Asked, options: dict[str, Any]) -> list[tuple[str, Any]]:
    source = served.source
    flags: list[tuple[str, Any]] = [("--method", one) for one in options["methods"]]
    flags += [("--option", f"{name}={_typed(value)}") for name, value in asked.options.items()]
    once = {
        "--layer": options.get("layer"),
        "--score": options.get("score"),
        "--sign": options.get("sign"),
        "--labels": source.labels,
        "--preprocess": source.preprocess,
        "--top": options.get("top_targets"),
    }
    flags += [(flag, value) for flag, value in once.items() if value is not None]
    flags += [("--import", one) for one in source.imports]
    flags += [("--class", one) for one in options.get("classes", ())]
    return flags + _target_flags(asked, options.get("target", ()))


def _target_flags(asked: Asked, targets: Any) -> list[tuple[str, Any]]:
    from eli5.targets import Box, Detection, Missing

    flags: list[tuple[str, Any]] = []
    for k, target in enumerate(targets):
        if isinstance(target, Detection):
            flags.append(("--detection", target.k))
        elif isinstance(target, Box | Missing):
            flags.append(("--box" if isinstance(target, Box) else "--missing", _box(asked, k)))
        else:
            flags.append(("--region", target.class_id))
            flags += [("--mask", "mask.png")] if target.mask is not None else []
    classes = [("--class", one) for one in asked.classes[:1]]
    return flags + (classes if any(isinstance(one, Box | Missing) for one in targets) else [])


def _box(asked: Asked, k: int) -> str:
    from eli5.server.explaining import place_box

    return ",".join(f"{one:g}" for one in place_box(asked.places[k]))


def _typed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _path(name: str) -> str:
    # A name that starts with a dash would be an option.
    return f"./{name}" if name.startswith("-") else name
