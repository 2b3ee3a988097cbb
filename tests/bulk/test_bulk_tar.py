"""Tar files: nothing in them is lost silently, neither by damage nor by links."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from eli5.bulk.plan import Plan, make_plan, read_items, read_shards
from eli5.bulk.sources import find_source, tar
from eli5.loading.errors import UserError
from helpers.bulk_helpers import make_tar
from helpers.bulk_listing import listed

N = 16
CONTENTS = {f"{number:02d}.png": b"%d" % number * 600 for number in range(N)}
# A header of a block and content of two or three, and then a header and a block of what is none.
HEADERS = [number * 5 * 512 for number in range(10)]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    content = make_tar(tmp_path_factory.mktemp("tar") / "a.tar", CONTENTS).read_bytes()
    assert all(content[at + 257 :].startswith(b"ustar") for at in HEADERS)
    return content


def ids(path: Path) -> list[str]:
    return [one for found in tar.ranges([str(path)], 4) for one in found.ids]


def flipped(content: bytes, at: int, mask: int = 1) -> bytes:
    return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


# ---- damage --------------------------------------------------------------------------------------


def test_no_bit_of_a_header_loses_a_picture_silently(good: bytes, tmp_path: Path) -> None:
    path, refused = tmp_path / "a.tar", []
    for byte in range(512):
        path.write_bytes(flipped(good, HEADERS[6] + byte, 1 << byte % 8))
        try:
            found = ids(path)
        except UserError as error:
            refused.append(str(error))
        else:  # in the padding of the checksum
            assert found == [f"a.tar/{name}" for name in CONTENTS]
    assert len(refused) > 500
    assert all(f"{path}, which is damaged" in one for one in refused)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "junk": lambda content: b"junk" * 1000,
    "first header": lambda content: flipped(content, 0),
    "cut within a header": lambda content: content[: HEADERS[6] + 100],
    "cut within a picture": lambda content: content[: HEADERS[6] + 700],
    "cut before a header": lambda content: content[: HEADERS[6]],
    "a hole of zeros": lambda content: (
        content[: HEADERS[6]] + bytes(1024) + content[HEADERS[6] + 1024 :]
    ),
    "two in one": lambda content: content * 2,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_damaged_file_is_named(ending: str, damage: str, good: bytes, tmp_path: Path) -> None:
    content = DAMAGES[damage](good)
    for name, data in (("a", good), ("b", content), ("c", good)):
        packed = gzip.compress(data, 1) if ending == "tar.gz" else data
        (tmp_path / f"{name}.{ending}").write_bytes(packed)
    with pytest.raises(UserError, match=rf"to be a tar file. .*/b\.{ending}, which is damaged"):
        listed(tmp_path / "plan", tmp_path / f"*.{ending}")


@pytest.mark.parametrize("damage", ["checksum", "cut", "flipped", "junk", "empty"])
def test_a_damaged_compression_is_named(damage: str, good: bytes, tmp_path: Path) -> None:
    packed = gzip.compress(good)
    damaged = {
        "checksum": flipped(packed, len(packed) - 8),
        "cut": packed[: len(packed) // 2],
        "flipped": packed[:60] + b"\xff" * 20 + packed[80:],
        "junk": b"junk" * 1000,
        "empty": b"",
    }
    (tmp_path / "a.tgz").write_bytes(damaged[damage])
    with pytest.raises(UserError, match=r"/a\.tgz, which is damaged"):
        listed(tmp_path / "plan", tmp_path / "a.tgz")


def test_what_is_compressed_must_be_called_so(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(gzip.compress(good))
    with pytest.raises(UserError, match=r"a\.tar, which is compressed. Name it \.tar\.gz"):
        listed(tmp_path / "plan", tmp_path / "a.tar")


@pytest.mark.parametrize("cut", [700, 100, 0])  # in a picture, in a header, and between two
@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_file_that_is_cut_off_later_loses_no_row(ending: str, cut: int, tmp_path: Path) -> None:
    path, plan = make_tar(tmp_path / f"a.{ending}", CONTENTS, "w"), str(tmp_path / "plan")
    good = path.read_bytes()
    pack = gzip.compress if ending == "tar.gz" else bytes
    path.write_bytes(pack(good))
    make_plan(plan, Plan("a", "mark", {}, N), find_source(str(path)))
    path.write_bytes(pack(good[: HEADERS[5] + cut]))
    (shard,) = read_shards(plan)
    found = list(read_items(shard))
    assert [item.id for item in found[:3]] == [f"a.{ending}/{name}" for name in list(CONTENTS)[:3]]
    assert len({item.id for item in found}) == N
    with pytest.raises(OSError, match=r"damaged|cannot be read"):
        found[-1].read()


# ---- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_link_is_one_bad_item(ending: str, kind: bytes, tmp_path: Path) -> None:
    path, plan = tmp_path / f"a.{ending}", str(tmp_path / "plan")
    with tarfile.open(path, "w:gz" if ending == "tar.gz" else "w") as archive:
        for name, content in (("first.png", b"first"), ("link.png", None), ("last.png", b"last")):
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = kind, "first.png"
            info.size = len(content or b"")
            archive.addfile(info, io.BytesIO(content or b""))
    make_plan(plan, Plan("a", "mark", {}, 2), find_source(str(path)))
    first, link, last = (item for shard in read_shards(plan) for item in read_items(shard))
    assert (first.read(), last.read(), link.id) == (b"first", b"last", f"a.{ending}/link.png")
    with pytest.raises(OSError, match="it is a link, and links in tar files are not followed"):
        link.read()
