"""Files that were made to fill the memory, or to run something, are refused."""

from __future__ import annotations

import base64
import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import Explanation
from helpers.explanations import full_explanation
from helpers.saved_files import document_of, refused, write_document, write_members


@pytest.fixture(params=[".json", ".npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"saved{request.param}"


def test_a_file_that_is_too_large_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_explanation().save(path)
    monkeypatch.setattr("eli5.limits.SAVED_BYTES", 100)
    refused(path, "it is larger than 100 bytes")


def test_too_much_json_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Explanation("net", decision_tree=[[]] * 1000).save(path)
    monkeypatch.setattr("eli5.limits.SAVED_JSON_BYTES", 2000)
    refused(path, r"its JSON has \d{4} bytes, and at most 2000 are read")


def test_a_picture_that_would_be_too_large_is_not_read(path: Path) -> None:
    document = document_of(full_explanation(), path)
    document["image"] |= {"width": 2**15, "height": 2**14}
    write_document(document, path)
    refused(path, r"its picture has the size \(32768, 16384\)")


def test_a_small_file_that_unpacks_to_a_large_one_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    full_explanation().save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", bytes(2**22))
    assert path.stat().st_size < 2**14
    monkeypatch.setattr("eli5.limits.SAVED_BYTES", 2**22)
    refused(path, r"it unpacks to 419\d{4} bytes, and at most 4 MiB are read")


def test_json_of_other_arrays_and_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    document = document_of(full_explanation(), path)
    write_document(document | {"layer": {"$": "array", "dtype": "O", "values": [{}]}}, path)
    refused(path, "one of its arrays is of dtype 'O'")
    buffer = io.BytesIO()
    Image.new("RGB", (7, 5)).save(buffer, "JPEG")
    document["image"]["png"] = base64.b64encode(buffer.getvalue()).decode()
    write_document(document, path)
    refused(path, "SyntaxError: not a PNG file")


def test_no_more_is_unpacked_than_an_entry_says(tmp_path: Path) -> None:
    path = tmp_path / "liar.npz"
    write_members({"explanation.json": b" " * 2**26}, path, zipfile.ZIP_DEFLATED)
    says, lies = (2**26).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(says, lies))
    tracemalloc.start()
    try:
        refused(path, "BadZipFile: Bad CRC-32")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_one_array_is_not_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    document = document_of(full_explanation(), path)
    document["targets"][0]["heatmap"] = document["targets"][1]["heatmap"]
    write_document(document, path)
    refused(path, r"KeyError: 'targets\[1\]\.heatmap\.npy'")


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


class Harm:
    """Fail when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("It was unpickled",)


LITTLE, MUCH = b"(10,), }        ", b"(1000000000,), }"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            npy(np.array([Harm()]), allow_pickle=True),
            "Object arrays cannot be loaded when allow_pickle=False",
        ),
        (npy(np.array([(1, 2.0)], "i4,f4")), "not of numbers, but of .*'<i4'"),
        (npy(np.array(["a"])), "not of numbers, but of <U1"),
        (npy(np.zeros(3))[:-1], "EOF: reading array data, expected 24 bytes got 23"),
        (npy(np.zeros(10)).replace(b"(10,)", b"(9e9,)"), r"shape is not valid: \(9000000000\.0,\)"),
        (npy(np.zeros(10)).replace(LITTLE, MUCH), "EOF: reading array data, expected .* got 80"),
        (b"no array", ".*magic string is not correct"),
    ],
)
def test_an_array_of_another_kind_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "odd.npz"
    full_explanation().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    write_members(members | {"targets[0].heatmap.npy": content}, path)
    refused(path, f"(one of its arrays is )?{reason}")


def test_an_archive_that_is_packed_in_another_way_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.npz"
    write_members({"explanation.json": b"{}"}, path, zipfile.ZIP_BZIP2)
    refused(path, r"its explanation\.json is packed in another way than NumPy does")


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="saved"):
        eli5.load(path)
