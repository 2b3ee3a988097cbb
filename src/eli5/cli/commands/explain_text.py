"""``eli5 explain-text``: one model, one or many texts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.console import UserError, has_colours, shortened, wrong_argument
from eli5.cli.options import ExplainOptions
from eli5.cli.output import TEXT_ENDINGS, file_or_folder
from eli5.cli.report import as_row
from eli5.cli.run import Inputs, explain_inputs
from eli5.cli.text_sources import TextSource, find_texts
from eli5.cli.vocabulary import Vocabulary, put_before, read_vocabulary
from eli5.loading import files
from eli5.loading.stream import StreamItem

if TYPE_CHECKING:
    import keras
    from eli5.base import Explanation
    from eli5.keras.inputs.sample import Sample
    from eli5.loading.models import LoadedModel

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

_DEFAULTS = ExplainOptions()


def explain_texts(
    model: str | Path,
    texts: Annotated[list[str] | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    lines: Annotated[bool, Parameter(show_default=False)] = False,
    options: ExplainOptions = _DEFAULTS,
    vocabulary: Path | None = None,
    pad_value: Annotated[int | None, Parameter(metavar="ID", validator=Number(gte=0))] = None,
    out: Annotated[str | Path | None, Parameter(metavar="PATH")] = None,
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
    vocabulary
        A text file of words, for a model that takes token ids: the word in line i, counted from 0,
        has the id i. Texts are cut at white space and looked up in lower case.
    pad_value
        The id that fills up a text that is shorter than the model's input, at its end; with
        `--vocabulary`. [default: 0 if the first word is named as padding is, such as `[PAD]`]
    out
        Write one text to this file: a page as `.html`, what eli5.load reads as `.json` or `.npz`,
        or `.txt`. Or a folder for any number of them, new, empty or of an earlier run: a page of
        all, `index.html`, and `explanations.jsonl`.
    """
    options.check()
    if not files.is_model_file(str(model)):
        raise wrong_argument("MODEL", model, "a .keras or .h5 file")
    files.check_model(str(model), None)
    words = read_vocabulary(vocabulary, pad_value)
    file, folder = file_or_folder(out)
    inputs = _Texts(find_texts(texts or [], lines=lines), words)
    return explain_inputs(inputs, options, str(model), file=file, folder=folder)


class _Texts(Inputs):
    """Texts as what is explained, with a vocabulary for a model that takes token ids."""

    noun, heading, key, output_heading = "texts", "Texts", "source", "Written"
    endings = TEXT_ENDINGS

    def __init__(self, sources: Sequence[TextSource], vocabulary: Vocabulary | None) -> None:
        self.names = [source.name for source in sources]
        self.texts = [source.text for source in sources]
        self.files = [source.path for source in sources if source.path is not None]
        self.vocabulary = vocabulary
        if vocabulary is not None:
            self.files.append(str(vocabulary.path))

    def read(self, number: int) -> str:
        return self.texts[number]

    def label(self, number: int, content: str) -> str:
        return f"{self.names[number]} ({len(content)} characters)"

    def use_model(self, loaded: LoadedModel, options: dict[str, Any]) -> None:
        self.model, self.options = loaded.model, options
        self.conversion = _ensure_tokenizer(loaded.model, self.vocabulary)

    def make_item(self, number: int, content: str) -> tuple[StreamItem, str]:
        from eli5.keras.inputs.sample import read_sample

        try:
            sample = read_sample(self.model, content)
        except (TypeError, ValueError) as error:
            return StreamItem(number, problem=shortened(str(error))), ""
        _warn_if_cut(content, sample)
        return StreamItem(number, sample), self.conversion

    def explain(self, docs: Sequence[Sample], metadata: Sequence[Any], targets: Any) -> Any:
        from eli5.keras.pipeline.explain import explain_samples
        from eli5.keras.pipeline.request import make_request

        per_doc = targets or [None] * len(docs)
        samples = [
            sample._replace(targets=classes, number=number)
            for number, (sample, classes) in enumerate(zip(docs, per_doc, strict=True))
        ]
        return explain_samples(samples, make_request(targets=per_doc[0], **self.options))

    def row(self, name: str, explanations: Sequence[Explanation]) -> str:
        """Return classes and scores, and the text below them, its strong words marked."""
        from eli5.formatters.labels import target_label
        from eli5.formatters.text import marked_texts

        expl = explanations[0]
        lines = [as_row(name, expl)]
        for target in expl.targets:
            marked = marked_texts(expl, target, ansi=has_colours())[0]
            label = f"{target_label(target)}: " if len(expl.targets) > 1 else ""
            lines += [f"  {line}" for line in f"{label}{marked}".splitlines()]
        return "\n".join(lines)


def _ensure_tokenizer(model: keras.Model, vocabulary: Vocabulary | None) -> str:
    """See to it that the model takes texts; say what makes token ids of them."""
    from eli5.keras.text.subword_tokenizer import tokenizer_of
    from eli5.keras.text.text_vectorization import split_model

    own = "preprocessor" if tokenizer_of(model) is not None else None
    if own is None and any(type(layer).__name__ == "TextVectorization" for layer in model.layers):
        own = "TextVectorization"
    if vocabulary is not None:
        if own is not None:
            raise UserError(
                "Expected --vocabulary only for a model that takes token ids. Received: "
                f"--vocabulary={vocabulary.path} with model {model.name!r}, which takes texts "
                "itself"
            )
        put_before(model, vocabulary)
        return "token ids, its words cut at white space and looked up in lower case"
    if own is None:
        raise UserError(
            "Expected a model that takes texts, or --vocabulary for one that takes token ids. "
            f"Received: model {model.name!r} with neither a TextVectorization nor a "
            "preprocessor. Give its words: --vocabulary FILE, with one per line"
        )
    if own == "TextVectorization":
        try:
            split_model(model)  # raises if the strings do not go straight into the layer
        except ValueError as error:
            raise UserError(shortened(str(error))) from error
    return f"token ids, by the model's own {own}"


def _warn_if_cut(text: str, sample: Sample) -> None:
    """Warn if the model's own rules leave out the end of a text."""
    from eli5.keras.text.tokenize import tokenize

    ends = [end for offsets in sample.details.offsets for _, end in offsets]
    rest = text[max(ends, default=len(text)) :]
    if sample.details.document != text or not any(map(str.isalnum, rest)):
        return
    try:
        is_cut = any(tokenize(sample.given_model, rest).offsets)
    except ValueError:  # there is nothing in it that the model reads
        return
    if is_cut:
        warnings.warn(
            f"The text is longer than the {sample.size[0]} tokens that the model takes: it is cut "
            "off after them.",
            stacklevel=2,
        )
