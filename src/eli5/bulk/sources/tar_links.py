"""What links in a tar file lead to, without keeping the names of all that is in it."""

from __future__ import annotations

import math
import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from tarfile import TarFile, TarInfo
from typing import NamedTuple

__all__ = ["find_targets", "is_link", "members"]

_CHAIN = 8  # links that lead to links; more are taken for a circle


class _Wanted(NamedTuple):
    name: str
    before: float  # a byte


def is_link(member: TarInfo) -> bool:
    """Tell a link, hard or symbolic."""
    return member.islnk() or member.issym()


def members(archive: TarFile) -> Iterator[TarInfo]:
    """Yield what is in an archive, from where it was opened on."""
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # or it would keep them all
        yield member


def find_targets(
    scan: Callable[[], AbstractContextManager[TarFile]], links: list[TarInfo]
) -> dict[int, TarInfo]:
    """Find the files that links lead to.

    Parameters
    ----------
    scan : callable
        Opens the archive from its start.
    links : list of TarInfo

    Returns
    -------
    dict
        From a link's offset to a file. A link to nothing in the archive is not there.
    """
    found: dict[int, TarInfo] = {}
    wanted = {link.offset: _wanted(link) for link in links}
    for _ in range(_CHAIN):
        with scan() as archive:
            met = _meet(archive, wanted)
        found |= {offset: member for offset, member in met.items() if member.isfile()}
        wanted = {offset: _wanted(member) for offset, member in met.items() if is_link(member)}
        if not wanted:
            break
    return found


def _wanted(link: TarInfo) -> _Wanted:
    if link.islnk():  # to what that name stood for by then
        return _Wanted(posixpath.normpath(link.linkname), link.offset)
    folder = posixpath.dirname(link.name)
    return _Wanted(posixpath.normpath(posixpath.join(folder, link.linkname)), math.inf)


def _meet(archive: TarFile, wanted: dict[int, _Wanted]) -> dict[int, TarInfo]:
    """Return what stands under each name that is wanted; the last, if there are several."""
    links = defaultdict(list)
    for offset, one in wanted.items():
        links[one.name].append(offset)
    met = {}
    for member in members(archive):
        for offset in links.get(posixpath.normpath(member.name), ()):
            if member.offset < wanted[offset].before:
                met[offset] = member
    return met
