"""``eli5 explain-text``: one model, one or many texts."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.console import UserError, has_colours, print_notice, shortened, wrong_argument
from eli5.cli.options import DEFAULT_MODEL_OPTIONS, DEFAULT_OPTIONS, ExplainOptions, ModelOptions
from eli5.cli.output import TEXT_ENDINGS, file_or_folder
from eli5.cli.report import as_row
from eli5.cli.run import Inputs, explain_inputs
from eli5.loading import files
from eli5.loading.files import read_lines, read_text
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


def explain_texts(
    model: str | Path,
    texts: Annotated[list[str] | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    lines: Annotated[bool, Parameter(show_default=False)] = False,
    options: ExplainOptions = DEFAULT_OPTIONS,
    vocabulary: Path | None = None,
    pad_value: Annotated[int | None, Parameter(metavar="ID", validator=Number(gte=0))] = None,
    loading: ModelOptions = DEFAULT_MODEL_OPTIONS,
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
    return explain_inputs(inputs, options, str(model), loading=loading, file=file, folder=folder)


class _Texts(Inputs):
    """Texts as what is explained, with a vocabulary for a model that takes token ids."""

    noun, heading, key, output_heading = "texts", "Texts", "source", "Written"
    endings = TEXT_ENDINGS

    def __init__(self, sources: Sequence[TextSource], vocabulary: _Vocabulary | None) -> None:
        self.names = self.titles = [source.name for source in sources]
        self.texts = [source.text for source in sources]
        self.overlays = [None] * len(sources)
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

    def explain(self, docs: Sequence[Sample], metadata: Sequence[Any]) -> Any:
        from eli5.explain import with_grader
        from eli5.keras.pipeline.explain import explain_samples
        from eli5.keras.pipeline.request import make_request

        samples = [sample._replace(number=number) for number, sample in enumerate(docs)]
        return explain_samples(samples, make_request(**with_grader(self.options)))

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


def _ensure_tokenizer(model: keras.Model, vocabulary: _Vocabulary | None) -> str:
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
        _put_before(model, vocabulary)
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


# ---- which texts are meant -----------------------------------------------------------------------

_STDIN = "-"
# A word that looks like this is a file that is not there, rather than a text.
_FILE_ENDINGS = (
    ".csv", ".htm", ".html", ".json", ".jsonl", ".log", ".md", ".rst", ".text", ".tsv", ".txt",
    ".xml",
)  # fmt: skip
_FILE_BEGINNINGS = ("/", "./", "../", "~", ".\\", "..\\")


class TextSource(NamedTuple):
    """A text, and where it comes from."""

    name: str  # of its file, with the number of its line where each is a text
    text: str
    path: str | None = None  # of the file


def find_texts(arguments: Sequence[str], *, lines: bool) -> list[TextSource]:
    """Read the texts that are meant: each a file that exists, or a text.

    ``-``, or nothing at all, is standard input, and then all that there is. With `lines`, each line
    of a file is a text of its own, but for blank ones.
    """
    # A text may start with a dash, but hardly with one that stands at a letter of its only word.
    unknown = next((one for one in arguments if re.fullmatch(r"--?[^\W\d][\w=-]*", one)), None)
    if unknown is not None:
        raise UserError(
            f"Unknown option: {unknown}. Try: eli5 explain-text --help. To explain a word that "
            f"starts with a dash, put a space before it: ' {unknown}'"
        )
    n_stdin = arguments.count(_STDIN)
    if n_stdin and len(arguments) > 1:
        raise UserError(
            "Expected either texts and files, or - for standard input. Received: both, "
            f"{len(arguments) - n_stdin} and {n_stdin} times -"
        )
    if not arguments or n_stdin:
        return list(_texts("stdin", _read_stdin(), None, lines=lines))
    sources: list[TextSource] = []
    for number, argument in enumerate(arguments, 1):
        if os.path.exists(argument) or lines or _looks_like_a_file(argument):
            content = "\n".join(read_lines(argument, "text"))
            sources += _texts(argument, content, argument, lines=lines)
        else:
            sources += _texts(f"text {number}", argument, None, lines=False)
    return sources


def _looks_like_a_file(argument: str) -> bool:
    is_named_so = argument.lower().endswith(_FILE_ENDINGS) or argument.startswith(_FILE_BEGINNINGS)
    return is_named_so and argument.split() == [argument]


def _read_stdin() -> str:
    if sys.stdin is None:
        raise UserError("Expected TEXT, as there is no standard input. Received: none")
    if sys.stdin.isatty():
        print_notice("Reading a text from the terminal; Ctrl-D on a line of its own ends it.")
    try:
        return read_text(sys.stdin.buffer)
    except ValueError as error:
        reason = f", which cannot be read: {error}"
        raise wrong_argument("TEXT", _STDIN, "a text in UTF-8", reason) from error


def _texts(name: str, content: str, path: str | None, *, lines: bool) -> Iterator[TextSource]:
    """Yield what is in a file as one text, or each of its lines."""
    if not content.strip():
        where = _STDIN if name == "stdin" else path or repr(content)
        raise wrong_argument("TEXT", where, "a text", ", which is empty")
    if not lines:
        yield TextSource(name, content.rstrip("\n"), path)
        return
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield TextSource(f"{name}:{number}", line, path)


# ---- words for token ids -------------------------------------------------------------------------

# As what a vocabulary may name padding, and words that it does not have.
_PADDING = ("", "[PAD]", "<pad>", "<PAD>")
_UNKNOWN = ("[UNK]", "<unk>", "<UNK>", "<unknown>", "<oov>", "<OOV>", "[OOV]")


class _Vocabulary:
    """The words of ``--vocabulary`` as a tokenizer: at white space, and in lower case."""

    def __init__(self, path: Path, words: list[str], pad_id: int | None) -> None:
        self.path, self.words = path, words
        self.ids = {word: k for k, word in enumerate(words)}
        self.pad_token_id = pad_id
        self.oov_token = next((word for word in _UNKNOWN if word in self.ids), None)

    def __call__(self, text: str) -> list[int]:
        unknown = self.ids.get(self.oov_token or "[UNK]")
        ids = (self.ids.get(word, unknown) for word in text.lower().split())
        return [one for one in ids if one is not None]

    def id_to_token(self, number: int) -> str:
        return self.words[number] if 0 <= number < len(self.words) else "[PAD]"


def read_vocabulary(path: Path | None, pad_value: int | None) -> _Vocabulary | None:
    """Read the file of words, one per line, if there is one; UserError if something is wrong."""
    if path is None:
        if pad_value is None:
            return None
        raise UserError(
            "Expected --pad-value only with --vocabulary; a model that takes texts knows its own "
            f"padding. Received: --pad-value={pad_value}"
        )
    words = [word.strip() for word in read_lines(path, "vocabulary", "word")]
    if not any(words):
        expected = "a text file with one word per line"
        raise wrong_argument("--vocabulary", path, expected, ", which is empty")
    twice = [word for word, n in Counter(filter(None, words)).items() if n > 1]
    if twice:
        raise UserError(
            "Expected --vocabulary to hold each word once. Received: --vocabulary="
            f"{path} with {twice[0]!r} in several lines"
        )
    return _Vocabulary(path, words, pad_value)


def _put_before(model: keras.Model, vocabulary: _Vocabulary) -> None:
    """Give a model a ``preprocessor``, as the tasks of KerasHub have one."""
    length = _check_model(model, vocabulary)
    if vocabulary.pad_token_id is None and vocabulary.words[0] in _PADDING:
        vocabulary.pad_token_id = 0
    if vocabulary.pad_token_id is None and length is not None:
        raise UserError(
            f"Expected --pad-value, as the model takes {length} ids, and the first word of the "
            f"vocabulary is not named as padding is, such as [PAD]. Received: none, with "
            f"{vocabulary.words[0]!r} in the first line of --vocabulary={vocabulary.path}"
        )
    model.preprocessor = _Preprocessor(vocabulary, length)


def _check_model(model: keras.Model, vocabulary: _Vocabulary) -> int | None:
    """Return how many ids the model takes, or None if that is left open."""
    from keras.layers import Embedding

    from eli5.keras.inputs.model_inputs import input_shapes

    shapes = list((input_shapes(model) or {}).values())
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise UserError(
            "Expected a model with token ids as its one input, of shape (tokens,), for "
            f"--vocabulary. Received: model {model.name!r} with input shapes {shapes}"
        )
    # What a model does with an id that it does not know depends on the backend.
    sizes = [layer.input_dim for layer in model.layers if isinstance(layer, Embedding)]
    n_words = len(vocabulary.words)
    if sizes and n_words > sizes[0]:
        raise UserError(
            f"Expected --vocabulary to be that of the model, with at most {sizes[0]} words. "
            f"Received: {n_words} lines in --vocabulary={vocabulary.path}"
        )
    return shapes[0][1]


class _Preprocessor:
    """Ids of as many words as the model takes, with padding after them."""

    def __init__(self, tokenizer: _Vocabulary, length: int | None) -> None:
        self.tokenizer = tokenizer
        self.length = length

    def __call__(self, texts: list[str]) -> Any:
        import numpy as np

        if any(word not in self.tokenizer.ids for word in texts[0].lower().split()):
            name = self.tokenizer.oov_token
            what = f"and are {name} for the model" if name else "and are left out"
            warnings.warn(f"Some words are not in the vocabulary {what}.", stacklevel=2)
        ids = self.tokenizer(texts[0])[: self.length]
        padding = [self.tokenizer.pad_token_id] * ((self.length or 0) - len(ids))
        return np.array([[*ids, *padding]], "int32")
