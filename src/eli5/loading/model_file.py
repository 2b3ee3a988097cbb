"""What a model file may not have, looked at before Keras opens it: files come from strangers.

Keras itself runs no code from a file in its safe mode. What is refused here is what leads out of
the file, and what would take much more memory than the file is large.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import shutil
import stat
import struct
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import h5py
import keras

# A model has as many bytes of weights as its file, or several times that where they are packed.
_TIMES, _AT_LEAST = 8, 2**26
_LARGEST_CONFIG = 2**25  # bytes; as objects they take about twenty times that
_LARGEST_OUTPUT = 2**30  # numbers that a layer may make of one sample
_CONFIG = "config.json"
# Layers that hold code, or load what is somewhere else.
_FOREIGN = {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"}
_LOADING = threading.Lock()


class ModelFileError(ValueError):
    """A model file has what it may not have."""


def check_file(path: str, *, allow_code: bool = False) -> int:
    """Check a ``.keras`` or HDF5 file; return how many bytes of weights its model may have.

    With `allow_code`, layers with code of their own, and vocabularies in other files, may be there.
    Raises ModelFileError, or what comes up in reading a broken file.
    """
    limit = _TIMES * os.path.getsize(path) + _AT_LEAST
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            _check_archive(archive, limit)
            for member in archive.infolist():
                if member.filename.endswith(".h5"):
                    with _opened(archive, member, file) as inner:
                        _check_hdf5(inner, limit)
            if _CONFIG in archive.namelist():
                _check_config(archive.read(_CONFIG), allow_code)
        return limit
    config = _check_hdf5(path, limit)
    if config is not None:
        _check_config(config, allow_code)
    return limit


# ---- the archive ---------------------------------------------------------------------------------


def _check_archive(archive: zipfile.ZipFile, limit: int) -> None:
    members = archive.infolist()
    for member in members:
        name = member.orig_filename.replace("\\", "/")
        if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/"):
            raise ModelFileError(f"its member {member.orig_filename!r} would lie outside of it")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ModelFileError(f"its member {member.filename!r} is a link")
        if member.filename == _CONFIG and member.file_size > _LARGEST_CONFIG:
            raise _too_large("its configuration", member.file_size, _LARGEST_CONFIG)
    _check_size("what it unpacks to", sum(member.file_size for member in members), limit)


@contextmanager
def _opened(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: IO[bytes]
) -> Iterator[IO[bytes]]:
    """Open a member to read here and there in it, which `zipfile` does by reading all before."""
    if member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1:
        yield _Window(file, member)  # type: ignore[misc]
        return
    with tempfile.TemporaryFile() as unpacked, archive.open(member) as packed:
        shutil.copyfileobj(packed, unpacked)
        yield unpacked


class _Window(io.RawIOBase):
    """The bytes of a member that is not compressed, in the archive's own file."""

    def __init__(self, file: IO[bytes], member: zipfile.ZipInfo) -> None:
        file.seek(member.header_offset)
        header = file.read(30)
        if header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile(f"its member {member.filename!r} is not where it should be")
        self.file, self.size, self.place = file, member.file_size, 0
        self.start = member.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + {io.SEEK_CUR: self.place, io.SEEK_END: self.size}.get(whence, 0)
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self.size - self.place)]
        self.file.seek(self.start + self.place)
        content = self.file.read(len(view))
        view[: len(content)] = content
        self.place += len(content)
        return len(content)


# ---- HDF5 ----------------------------------------------------------------------------------------


def _check_hdf5(file: str | IO[bytes], limit: int) -> str | bytes | None:
    """Check the links and datasets of an HDF5 file; return the model's configuration, if any."""
    with h5py.File(file, "r") as root:
        total = sum(one.size * one.dtype.itemsize for one in _datasets(root))
        _check_size("what its datasets declare", total, limit)
        config = root.attrs.get("model_config")
    return config if isinstance(config, str | bytes) else None


def _datasets(root: h5py.Group) -> Iterator[h5py.Dataset]:
    """Yield each dataset once; what leads out of the file, or around in it, raises."""
    groups, seen = [root], {h5py.h5o.get_info(root.id).addr}
    while groups:
        group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ModelFileError(f"{group.name}/{name} in it is an HDF5 {type(link).__name__}")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise ModelFileError(f"the values of {item.name} lie in another file")
                yield item


# ---- the configuration ---------------------------------------------------------------------------


def _check_config(text: str | bytes, allow_code: bool) -> None:
    """Check what a configuration asks for, however deep it is."""
    if len(text) > _LARGEST_CONFIG:
        raise _too_large("its configuration", len(text), _LARGEST_CONFIG)
    try:
        config = json.loads(text)
    except RecursionError as error:
        raise ModelFileError("its configuration is nested too deep") from error
    if not isinstance(config, dict):
        kind = type(config).__name__
        raise ModelFileError(f"its configuration is no object of JSON but of type {kind}")
    waiting: list[Any] = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            _check_object(value, allow_code)
            waiting += value.values()


def _check_object(value: dict[str, Any], allow_code: bool) -> None:
    name = value.get("class_name")
    if not allow_code and isinstance(name, str) and name.rpartition(">")[2] in _FOREIGN:
        raise ModelFileError(f"its layer of class {name} holds or loads code of its own")
    for key, one in value.items():
        if key.endswith("shape") and isinstance(one, list):
            _check_shape(f"{key}={one}", one)
        elif key == "vocabulary" and isinstance(one, str) and not allow_code:
            raise ModelFileError(f"it reads its vocabulary from another file, {one!r}")


def _check_shape(name: str, shape: Iterable[Any]) -> None:
    size = math.prod(max(abs(one), 1) for one in shape if isinstance(one, int))
    if size > _LARGEST_OUTPUT:
        raise ModelFileError(f"{name} in it has {size:.3g} numbers, more than {_LARGEST_OUTPUT}")


# ---- the model -----------------------------------------------------------------------------------


@contextmanager
def limited_weights(limit: int) -> Iterator[None]:
    """Let layers make weights of so many bytes in all, on this thread; more raise ModelFileError.

    A configuration of a few bytes can ask for more than any machine has.
    """
    add_weight, thread, total = keras.Layer.add_weight, threading.get_ident(), 0

    def count(layer: keras.Layer, shape: Any = None, *args: Any, **options: Any) -> Any:
        nonlocal total
        if threading.get_ident() == thread:
            total += 4 * math.prod(one for one in shape or () if isinstance(one, int))
            _check_size(f"what the weights take up to {layer.name!r}", total, limit)
        return add_weight(layer, shape, *args, **options)

    with _LOADING:
        keras.Layer.add_weight = count
        try:
            yield
        finally:
            keras.Layer.add_weight = add_weight


def check_outputs(model: keras.Model) -> None:
    """Check how much each layer makes of one sample, as far as the model's shapes tell."""
    for layer in model.layers:
        if getattr(layer, "layers", None):
            check_outputs(layer)
        for one in keras.tree.flatten(getattr(layer, "output", None)):
            if one is not None:
                _check_shape(f"the output of {layer.name!r}, {one.shape[1:]},", one.shape[1:])


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise _too_large(what, size, limit)


def _too_large(what: str, size: int, limit: int) -> ModelFileError:
    return ModelFileError(
        f"{what} has {size:.3g} bytes, more than the {limit:.3g} that a file of its size may have"
    )
