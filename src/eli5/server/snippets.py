"""An answer as the call that gives it again, in Python."""

from __future__ import annotations

from typing import Any

from eli5.server.documents import Document
from eli5.server.explaining import Explained, drawn_corners
from eli5.server.fields import Asked
from eli5.server.models import ServedModel
from eli5.targets import Box, Detection, Missing, Region


def as_python(explained: Explained, asked: Asked) -> str:
    """Return Python that makes the very explanations, where the files are at hand."""
    served, document = explained.served, explained.document
    before, about = _DOCS[served.input](served, document, asked)
    options = {name: ascii(value) for name, value in explained.options.items()}
    if "target" in options:
        masks, options["target"] = _targets(explained, asked)
        before += masks
    if served.class_names is not None:
        options["class_names"] = "names"
    arguments = ["loaded.model", "doc", *about]
    arguments += [f"{name}={value}" for name, value in options.items()]
    return "\n".join(
        [
            *_imports(served, explained),
            "",
            *_load(served),
            *before,
            "explanations = eli5.explain_prediction(",
            *(f"    {one}," for one in arguments),
            ")",
            "print(explanations)",
            "",
        ]
    )


def _imports(served: ServedModel, explained: Explained) -> list[str]:
    kinds = sorted({type(one).__name__ for one in explained.options.get("target", ())})
    has_masks = "Region" in kinds and any(
        one.mask is not None for one in explained.options["target"]
    )
    needs_numpy = served.input == "series" or has_masks
    lines = ["import numpy as np"] if needs_numpy else []
    lines += ["from PIL import Image, ImageDraw"] if has_masks else []
    lines += ["", "import eli5"] if lines else ["import eli5"]
    if served.source.labels is not None:
        lines.append("from eli5.loading.files import read_lines")
    if served.input == "picture":
        lines.append("from eli5.loading.files import read_picture")
    names = "class_names, load" if served.class_names is not None else "load"
    lines.append(f"from eli5.loading.models import {names}")
    if served.input == "picture":
        lines.append("from eli5.loading.preprocess import picture_to_doc")
    return [*lines, *([f"from eli5.targets import {', '.join(kinds)}"] if kinds else [])]


def _load(served: ServedModel) -> list[str]:
    source = served.source
    imports = f", imports={list(source.imports)!a}" if source.imports else ""
    lines = [f"loaded = load({source.model!a}, None{imports})"]
    if served.class_names is not None:
        labels = source.labels
        read = "None" if labels is None else f"read_lines({str(labels)!a}, 'labels')"
        lines.append(f"names = class_names(loaded, {read})")
    return lines


def _picture(served: ServedModel, document: Document, asked: Asked) -> tuple[list[str], list[str]]:
    mode = served.source.preprocess
    lines = [
        f"image = read_picture({_file(document.name)!a})",
        f"doc, _ = picture_to_doc(loaded, image, {mode!a})",
    ]
    return lines, ["image=image"]


def _text(served: ServedModel, document: Document, asked: Asked) -> tuple[list[str], list[str]]:
    return [f"doc = {document.doc!a}"], []


def _series(served: ServedModel, document: Document, asked: Asked) -> tuple[list[str], list[str]]:
    about = document.about
    skipped = int(bool(about))  # the line of names
    read = f"np.loadtxt({_file(document.name)!a}, delimiter=',', ndmin=2, skiprows={skipped})"
    lines, first = [f"table = {read}"], int("time" in about)
    lines.append(f"doc = table[:, {first}:].astype('float32')[None]")
    named = [f"channel_names={about['channel_names']!a}"] if "channel_names" in about else []
    return lines, [*(["time=table[:, 0]"] if first else []), *named]


_DOCS = {"picture": _picture, "text": _text, "series": _series}


def _file(name: str) -> str:
    # A name that starts with a dash would be an option of a command.
    return f"./{name}" if name.startswith("-") else name


def _targets(explained: Explained, asked: Asked) -> tuple[list[str], str]:
    """Return what is asked of a segmenter or a detector, and before it the masks that it needs."""
    lines: list[str] = []
    calls = []
    for k, target in enumerate(explained.options["target"]):
        if isinstance(target, Region) and target.mask is not None:
            lines += _mask(asked, explained.document, k)
            calls.append(f"Region({target.class_id!a}, mask_{k})")
        else:
            calls.append(_target(target))
    return lines, f"[{', '.join(calls)}]"


def _target(target: Any) -> str:
    if isinstance(target, Detection):
        return f"Detection({target.k})"
    if isinstance(target, Box | Missing):
        return f"{type(target).__name__}({target.xyxy!r}, {target.class_id!a}, 'rel_xyxy')"
    return f"Region({target.class_id!a})"


def _mask(asked: Asked, document: Document, k: int) -> list[str]:
    return [
        f"mask_{k} = Image.new('L', image.size)",
        f"ImageDraw.Draw(mask_{k}).polygon({drawn_corners(asked.places[k])!r}, fill=255)",
        f"mask_{k} = np.asarray(mask_{k}.resize({document.seen!r}, Image.Resampling.NEAREST)) > 0",
    ]
