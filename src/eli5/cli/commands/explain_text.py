"""``eli5 explain-text``: one model, one or many texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.commands.methods import complete_methods
from eli5.cli.console import UserError
from eli5.cli.destination import TEXT_ENDINGS, as_folder, check_file, check_folder
from eli5.cli.options import Asked, checked_classes
from eli5.cli.run_batch import explain_many
from eli5.cli.run_single import explain_one
from eli5.cli.text_sources import Source, find_texts
from eli5.cli.texts import Vocabulary, text_job
from eli5.loading import files

__all__ = ["TEXT_EXAMPLES", "explain_texts"]

TEXT_EXAMPLES = """**Examples**

Which words speak for the likeliest class, marked in the terminal:

```
eli5 explain-text reader.keras "not a good film"
```

Two classes of a text in a file, as a page:

```
eli5 explain-text reader.keras review.txt --class 0 --class 1 --out review.html
```

Each line of a file by two methods, into a folder with a page, index.html:

```
eli5 explain-text reader.keras reviews.txt --lines --method Grad-CAM --method LIME --out explained
```

A model that takes token ids, with its words; the text comes from another program:

```
echo "not a good film" | eli5 explain-text ids.keras --vocabulary words.txt --pad-value 0
```

For a script, a line of JSON per text:

```
eli5 explain-text reader.keras new.txt --lines --json | jq -r '[.source, .targets[0].target] | @tsv'
```
"""

_AtLeastOne = Number(gte=1)


def explain_texts(
    model: str | Path,
    texts: Annotated[list[str] | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    lines: Annotated[bool, Parameter(show_default=False)] = False,
    classes: Annotated[list[int] | None, Parameter(name="--class", metavar="ID")] = None,
    top: Annotated[int | None, Parameter(validator=_AtLeastOne)] = None,
    methods: Annotated[
        list[str] | None, Parameter(name="--method", metavar="NAME", completer=complete_methods)
    ] = None,
    layer: int | str | None = None,
    score: Literal["auto", "output", "logit"] = "auto",
    labels: Path | None = None,
    vocabulary: Path | None = None,
    pad_value: Annotated[int | None, Parameter(metavar="ID", validator=Number(gte=0))] = None,
    batch_size: Annotated[int, Parameter(validator=_AtLeastOne)] = 8,
    out: Annotated[str | Path | None, Parameter(metavar="PATH")] = None,
    as_json: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> int:
    """Explain which words of a text a classifier looked at.

    Parameters
    ----------
    model
        A `.keras` or `.h5` file of a model that takes texts, with a TextVectorization layer or a
        preprocessor; or, with `--vocabulary`, of one that takes token ids.
    texts
        Texts in quotes, or files with one text each, in UTF-8. What exists as a file is read.
        `-`, or nothing, for standard input.
    lines
        Each line of a file, or of standard input, is a text of its own.
    classes
        Explain this class; may be given several times. [default: the likeliest class]
    top
        Explain this many classes, the likeliest first.
    methods
        Explain by this method; may be given several times. `eli5 methods` lists them.
        [default: Grad-CAM]
    layer
        Name or index of the layer that is explained. [default: the last with a map over the tokens]
    score
        What is explained: the class score before the final softmax or sigmoid (`logit`), the
        model's output (`output`), or the former where there is one (`auto`).
    labels
        A text file of class names: line i, counted from 0, names class i.
    vocabulary
        A text file of words, for a model that takes token ids: the word in line i, counted from 0,
        has the id i. Texts are cut at white space and looked up in lower case.
    pad_value
        The id that fills up a text that is shorter than the model's input, at its end; with
        `--vocabulary`. [default: 0 if the first word is named as padding is, such as `[PAD]`]
    batch_size
        How many texts, or variants of one, the model sees at once.
    out
        Write one text to this file: a page as `.html`, what eli5.load reads as `.json` or `.npz`,
        or `.txt`. Or a folder for any number of them, new, empty or of an earlier run: a page of
        all, `index.html`, and `explanations.jsonl`.
    as_json
        Print a line of JSON per text and method, and nothing else.
    """
    classes = checked_classes(classes, top)
    _check_model(str(model))
    words = _read_vocabulary(vocabulary, pad_value)
    folder = None if out is None else as_folder(str(out))
    if folder is not None:
        check_folder(folder)
    file = Path(out) if out is not None and folder is None else None
    sources = find_texts(texts or [], lines=lines)
    if file is not None:
        _check_out(file, sources, methods or [], (str(model), labels, vocabulary))
    asked = Asked(
        model=str(model),
        classes=classes,
        methods=methods or ["Grad-CAM"],
        options={"layer": layer, "score": score, "top_targets": top},
        labels=labels,
        weights=None,
        batch_size=batch_size,
        as_json=as_json,
    )
    job = text_job(sources, words)
    if folder is None and len(sources) == 1:
        explain_one(asked, job, file)
        return 0
    return explain_many(asked, job, folder)


def _check_model(model: str) -> None:
    if not files.is_model_file(model):
        raise UserError(f"Expected MODEL to be a .keras or .h5 file. Received: MODEL={model}")
    files.check_model(model, None)


def _read_vocabulary(path: Path | None, pad_value: int | None) -> Vocabulary | None:
    if path is None and pad_value is not None:
        raise UserError(
            "Expected --pad-value only with --vocabulary; a model that takes texts knows its own "
            f"padding. Received: --pad-value={pad_value}"
        )
    if path is None:
        return None
    words = [word.strip() for word in files.read_lines(path, "--vocabulary", "word")]
    if not any(words):
        raise UserError(
            "Expected --vocabulary to be a text file with one word per line. Received: "
            f"--vocabulary={path}, which is empty"
        )
    return Vocabulary(path, words, pad_value)


def _check_out(
    file: Path, sources: list[Source], methods: list[str], others: tuple[str | Path | None, ...]
) -> None:
    paths = (source.path for source in sources)
    names = [source.name for source in sources]
    check_file(file, names, (*others, *paths), what="texts", endings=TEXT_ENDINGS)
    if len(methods) > 1 and file.suffix.lower() in (".json", ".npz"):
        raise UserError(
            f"Expected one --method for --out {file}, which holds one explanation. Received: "
            f"{', '.join(methods)}. Write an .html or .txt file, or a folder"
        )
