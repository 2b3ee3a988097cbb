"""Texts as what is explained."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.cli.console import UserError, has_colours, shortened
from eli5.cli.report import as_row
from eli5.cli.subject import Job, Prepared, Steps, Terms

if TYPE_CHECKING:
    import keras
    from eli5.base import Explanation
    from eli5.cli.options import Ready
    from eli5.cli.text_sources import Source
    from eli5.keras.inputs.text import Words

__all__ = ["Vocabulary", "text_job"]

_TERMS = Terms("texts", "Texts", "source", "Written")


class Vocabulary(NamedTuple):
    """What ``--vocabulary`` names: its file, its words, and the id of padding if that is said."""

    path: Path
    words: list[str]
    pad_value: int | None


class _Tokens(NamedTuple):
    """A text's tokens, the model that takes their ids, and the options for it."""

    model: keras.Model
    words: Words
    options: dict[str, Any]


def text_job(sources: Sequence[Source], vocabulary: Vocabulary | None) -> Job:
    """Return what explains texts.

    Parameters
    ----------
    sources : sequence of Source
    vocabulary : Vocabulary, optional
        For a model that takes token ids.
    """
    texts = [source.text for source in sources]
    names = [source.name for source in sources]
    return Job(
        terms=_TERMS,
        names=names,
        problems=[],
        results=[],
        read=texts.__getitem__,
        label=lambda number, text: f"{names[number]} ({len(text)} characters)",
        begin=functools.partial(_begin, vocabulary),
        row=_row,
    )


def _begin(vocabulary: Vocabulary | None, ready: Ready) -> Steps:
    said = _give_words(ready.loaded.model, vocabulary)
    return Steps(functools.partial(_prepare, ready, said), _explain)


def _give_words(model: Any, vocabulary: Vocabulary | None) -> str:
    """See to it that the model takes texts; say how they become ids."""
    from eli5.cli.vocabulary import give_words
    from eli5.keras.text.split_model import split_model
    from eli5.keras.text.subwords import tokenizer_of

    has_vectorizer = any(type(layer).__name__ == "TextVectorization" for layer in model.layers)
    if vocabulary is None:
        if tokenizer_of(model) is not None:
            return "token ids, by the model's own preprocessor"
        if not has_vectorizer:
            raise UserError(
                "Expected a model that takes texts, or --vocabulary for one that takes token ids. "
                f"Received: model {model.name!r} with neither a TextVectorization nor a "
                "preprocessor. Give its words: --vocabulary FILE, with one per line"
            )
        try:
            split_model(model)
        except ValueError as error:
            raise UserError(shortened(str(error))) from error
        return "token ids, by the model's own TextVectorization"
    if has_vectorizer or tokenizer_of(model) is not None:
        raise UserError(
            "Expected --vocabulary only for a model that takes token ids. Received: "
            f"--vocabulary={vocabulary.path} with model {model.name!r}, which takes texts itself"
        )
    give_words(model, vocabulary.words, vocabulary.path, vocabulary.pad_value)
    return "token ids, its words cut at white space and looked up in lower case"


def _prepare(ready: Ready, said: str, text: str) -> Prepared:
    from eli5.keras.inputs.model_inputs import check_doc
    from eli5.keras.inputs.text import Words
    from eli5.keras.text.strings import as_ids

    model = ready.loaded.model
    try:
        part, doc, words, options = as_ids(model, text, Words(), ready.options)
        check_doc(part, doc)
    except (TypeError, ValueError) as error:
        return Prepared(problem=shortened(str(error)))
    if words.is_pad is None or words.is_pad.all():
        return Prepared(
            problem="Expected a text with at least one token that the model knows. Received: "
            f"{shortened(repr(text))}"
        )
    _warn_if_cut(model, text, words)
    return Prepared(doc, _Tokens(part, words, options), said)


def _warn_if_cut(model: Any, text: str, words: Words) -> None:
    """Warn if the model's own rules leave out the end of a text."""
    from eli5.keras.text.tokenize import tokenize

    ends = [end for places in words.places or () for _, end in places]
    rest = text[max(ends, default=len(text)) :]
    if words.document != text or not any(map(str.isalnum, rest)):
        return
    try:
        is_cut = any(tokenize(model, rest).spans)
    except ValueError:  # there is nothing in it that the model reads
        return
    if is_cut:
        warnings.warn(
            f"The text is longer than the {len(words.tokens or ())} tokens that the model takes: "
            "it is cut off after them.",
            stacklevel=2,
        )


def _explain(
    docs: Iterable[Any], beside: Iterable[_Tokens], targets: Iterable[Any] | None
) -> Iterator[Any]:
    from eli5.keras.explain_predictions import explain_items
    from eli5.keras.pipeline.batch import Item
    from eli5.keras.pipeline.request import make_request

    rows = zip(docs, beside, itertools.repeat(None) if targets is None else targets, strict=False)
    first = next(rows, None)
    if first is None:
        return iter(())
    tokens = first[1]
    items = (
        Item(doc, classes, None, number, one.words)
        for number, (doc, one, classes) in enumerate(itertools.chain([first], rows))
    )
    request = make_request(targets=first[2], kind="tokens", **tokens.options)
    return explain_items(tokens.model, request, items)


def _row(name: str, explanations: Sequence[Explanation]) -> str:
    """Return a line with classes and scores, and the text below it, its strong words marked."""
    from eli5.formatters.labels import target_label
    from eli5.formatters.text import marked_texts

    expl = explanations[0]
    lines = [as_row(name, expl)]
    for target in expl.targets:
        marked = marked_texts(expl, target, ansi=has_colours())[0]
        label = f"{target_label(target)}: " if len(expl.targets) > 1 else ""
        lines += [f"  {line}" for line in f"{label}{marked}".splitlines()]
    return "\n".join(lines)
