"""Open saved explanations, put something else into them, and see them refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import eli5
from eli5.base import Explanation


def document_of(expl: Explanation, path: Path) -> Any:
    expl.save(path)
    if path.suffix == ".json":
        return json.loads(path.read_bytes())
    return json.loads(zipfile.ZipFile(path).read("explanation.json"))


def write_document(document: Any, path: Path) -> None:
    """Put a document in the place of the one in a saved file."""
    text = json.dumps(document)
    if path.suffix == ".json":
        path.write_text(text, encoding="utf-8")
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    write_members(members | {"explanation.json": text.encode()}, path)


def write_members(members: dict[str, bytes], path: Path, packed: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def refused(path: Path, reason: str) -> None:
    """Check that a file is not loaded, for a reason."""
    start = rf"Expected a file as eli5\.save writes \{path.suffix}\. Received: path='.*"
    with pytest.raises(ValueError, match=rf"{start}{path.name}', which cannot be read: {reason}"):
        eli5.load(path)
