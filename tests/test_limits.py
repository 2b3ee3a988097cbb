"""Files are read to a limit, pipes not at all, and the docs name the limits."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest

from eli5 import limits

PAGE = (Path(__file__).parents[1] / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("n", [1, 100])
def test_a_file_is_read_to_its_limit_and_no_further(n: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(n))
    with limits.open_file(tmp_path / "file") as file:
        assert limits.read_bounded(file, n) == bytes(n)
    with (
        limits.open_file(tmp_path / "file") as file,
        pytest.raises(ValueError, match=f"^it is larger than {n - 1} bytes"),
    ):
        limits.read_bounded(file, n - 1)
    assert limits.read_bounded(io.BytesIO(bytes(n)), n) == bytes(n)
    with pytest.raises(ValueError, match=r"^it is larger than 1 MiB"):
        limits.read_bounded(io.BytesIO(bytes(2**20 + 1)), 2**20)


@pytest.mark.parametrize("is_link", [False, True])
def test_pipes_and_devices_are_not_opened(is_link: bool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if is_link:
        (tmp_path / "link").symlink_to(pipe)
        pipe = tmp_path / "link"
    with pytest.raises(OSError, match=rf"Received: {pipe}, which is a pipe or a device$"):
        limits.open_file(pipe)
    with pytest.raises(OSError, match=r"Received: /dev/zero, which is a pipe or a device$"):
        limits.open_file("/dev/zero")


def test_what_may_be_a_device_is_read_to_its_limit() -> None:
    with limits.open_file("/dev/null", pipes=True) as file:
        assert limits.read_bounded(file, 10) == b""
    with (
        limits.open_file("/dev/zero", pipes=True) as file,
        pytest.raises(ValueError, match=r"^it is larger than 10 bytes"),
    ):
        limits.read_bounded(file, 10)


def test_what_is_no_file_is_told_as_python_does(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        limits.open_file(tmp_path)
    with pytest.raises(FileNotFoundError, match="No such file"):
        limits.open_file(tmp_path / "nothing")


def test_the_docs_name_each_limit() -> None:
    numbers = {name: value for name, value in vars(limits).items() if isinstance(value, int)}
    assert len(numbers) == 27
    for name, value in numbers.items():
        written = f"{value:,}"
        if name.endswith("_BYTES"):
            units = ((30, "GiB"), (20, "MiB"), (10, "KiB"))
            written = next(f"{value >> bits} {unit}" for bits, unit in units if value >> bits)
        assert re.search(rf"(?<![\d,]){written}(?!,?\d)", PAGE), name
    (formats,) = (line for line in PAGE.splitlines() if line.startswith("| a picture's format"))
    for name in limits.PICTURE_FORMATS:
        assert name.lower() in formats.lower().replace(" ", ""), name
