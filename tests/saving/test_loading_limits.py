"""What is read of a saved explanation ends somewhere, and nothing beyond that is saved."""

from __future__ import annotations

import base64
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import eli5
from eli5 import limits
from eli5.base import Explanation
from helpers.saved_files import document_of, refused, write_document

Patch = pytest.MonkeyPatch


@pytest.fixture(params=[".json", ".npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"saved{request.param}"


def of(tree: Any) -> Explanation:
    return Explanation("net", decision_tree=tree)


TREES: dict[str, tuple[Any, bytes, str]] = {
    "SAVED_JSON_LISTS": ([{}] * 30, b"[{", "lists and objects"),
    "SAVED_JSON_ITEMS": ([1] * 30, b",", "items"),
}


@pytest.mark.parametrize("name", TREES)
def test_json_has_limits_before_it_is_parsed(name: str, path: Path, monkeypatch: Patch) -> None:
    tree, marks, unit = TREES[name]
    of(tree).save(path)
    is_json = path.suffix == ".json"
    text = path.read_bytes() if is_json else zipfile.ZipFile(path).read("explanation.json")
    n = sum(text.count(bytes([mark])) for mark in marks)
    monkeypatch.setattr(limits, name, n)
    assert eli5.load(path) == of(tree)
    of(tree).save(path)
    monkeypatch.setattr(limits, name, n - 1)
    refused(path, f"its JSON has {n} {unit}, and at most {n - 1} are read")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"at most {n - 1} {unit}, to be saved\. Received: {n} "):
        of(tree).save(path)
    assert path.read_bytes() == before


def test_keys_that_are_no_strings_have_a_limit(path: Path, monkeypatch: Patch) -> None:
    # They share their hash: each is compared with all before it.
    tree = {(2**61 - 1) * number: 0 for number in range(5)}
    monkeypatch.setattr(limits, "SAVED_KEYS", 5)
    of(tree).save(path)
    assert eli5.load(path) == of(tree)
    monkeypatch.setattr(limits, "SAVED_KEYS", 4)
    refused(path, "one of its dicts has more than 4 keys")
    with pytest.raises(ValueError, match=r"decision_tree` to have at most 4 keys that are no str"):
        of(tree).save(path)
    of({str(key): value for key, value in tree.items()}).save(path)  # of strings any number


def test_members_have_a_limit(tmp_path: Path, monkeypatch: Patch) -> None:
    import numpy as np

    path, tree = tmp_path / "saved.npz", [np.zeros(2), np.ones(2)]
    monkeypatch.setattr(limits, "SAVED_MEMBERS", 3)  # the scores are one
    of(tree).save(path)
    assert len(eli5.load(path).decision_tree) == 2
    monkeypatch.setattr(limits, "SAVED_MEMBERS", 2)
    refused(path, "it has 4 members, and at most 2 are read")
    with pytest.raises(ValueError, match=r"at most 2 arrays, to be saved\. Received: 3 arrays"):
        of(tree).save(path)


def test_all_pictures_together_have_a_limit(tmp_path: Path, monkeypatch: Patch) -> None:
    path = tmp_path / "saved.json"
    tree = [Image.new("RGB", (40, 10)), Image.new("L", (40, 10))]
    monkeypatch.setattr(limits, "SAVED_BYTES", 1600)
    of(tree).save(path)
    assert eli5.load(path) == of(tree)
    monkeypatch.setattr(limits, "SAVED_BYTES", 1599)
    with pytest.raises(
        ValueError, match=r"explanation's pictures to have at most 1599 bytes, .*1600"
    ):
        of(tree).save(path)


def test_a_small_file_of_many_large_pictures_is_not_unpacked(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    path, buffer = tmp_path / "saved.json", io.BytesIO()
    Image.new("RGB", (1000, 1000)).save(buffer, "PNG")
    document = document_of(Explanation("net", image=Image.new("RGB", (1000, 1000))), path)
    document["image"]["png"] = base64.b64encode(buffer.getvalue()).decode()
    document["decision_tree"] = [document["image"]] * 3
    write_document(document, path)
    assert path.stat().st_size < 2**20
    monkeypatch.setattr(limits, "SAVED_BYTES", 12_000_000)
    assert len(eli5.load(path).decision_tree) == 3
    monkeypatch.setattr(limits, "SAVED_BYTES", 11_999_999)
    refused(path, "its pictures unpack to more than 11 MiB")


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match=rf"Expected a file\. Received: {path}, which is a pipe or"):
        eli5.load(path)
