"""The limits of what is read from outside: one table for all readers; docs/security.md shows it.

What strangers made must neither fill the memory nor keep a run for ever. Readers look up the
numbers when they read, as attributes of this module. Nothing here loads another library.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import IO

# ---- pictures ------------------------------------------------------------------------------------

PICTURE_FORMATS = {
    "JPEG": (".jfif", ".jpe", ".jpeg", ".jpg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "JPEG2000": (".jp2",),
    "AVIF": (".avif",),
    "TGA": (".tga",),  # last: it has no mark by which it is known
}
"""What is opened, by Pillow's names, and how such files are called.

Pillow would look for more in any file, and give an EPS, whatever its name, to Ghostscript.
"""

PICTURE_BYTES = 2**28
"""Of a picture's file, of a cell with one in Parquet, of a file in a tar file."""

PICTURE_PIXELS = 178_956_970
"""Of a picture; from here on Pillow takes it for a bomb, unless a program has told it otherwise."""

# ---- text files ----------------------------------------------------------------------------------

TEXT_BYTES = 2**27
"""Of a file of texts, of words or of class names, and of standard input."""

TEXT_LINES = 2**22
"""Of such a file: each line becomes an object."""

# ---- sources of many pictures --------------------------------------------------------------------

FOLDER_LEVELS = 100
"""Of folders in a folder that is looked through."""

ENTRY_CHARS = 2**17
"""Of an id or a path: a line of a list, a cell of a table. That of CSV is Python's own limit."""

CSV_LINE_CHARS = 2**20
"""Of a line of a table as text, with all its cells."""

PARQUET_BYTES = 2**30
"""Of what is unpacked of Parquet at once, if each row were as large as the column of its group."""

TAR_HEADER_BYTES = 2**20
"""Of what stands before a file in a tar file, such as its name."""

WAITING_BYTES = 2**28
"""Of pictures' files that wait in a worker's memory; one more may come on top."""

# ---- saved explanations --------------------------------------------------------------------------

SAVED_BYTES = 2**30
"""Of a file, of what it unpacks to, and of all pictures in it."""

SAVED_JSON_BYTES = 2**27
"""Of its JSON, which takes many times its size when it is read."""

SAVED_JSON_LISTS = 2**21
"""Of brackets that open a list or an object in its JSON: each may take thirty times its size."""

SAVED_JSON_ITEMS = 2**23
"""Of commas in its JSON, between the items of lists and objects."""

SAVED_KEYS = 2**13
"""Of keys of a dict that are no strings: their hashes, unlike those of strings, can be foreseen."""

SAVED_MEMBERS = 2**16
"""Of arrays in a file."""

# ---- what a client sends to the web app ----------------------------------------------------------

SERVED_BODY_BYTES = 20 * 2**20
"""Of the body of a request."""

SERVED_FIELD_BYTES = 2**18
"""Of a field of a form that is no file, such as a text."""

SERVED_FIELDS = 64
"""Of a form."""

SERVED_HEADER_BYTES = 2**15
"""Of the first line of a request and its headers."""

SERVED_MAPS = 64
"""Of a request: methods times classes or places, each of which has a map."""

SERVED_NUMBERS = 2**20
"""Of a series: steps times channels."""

SERVED_OPTION = 2000
"""How large a number among the options of a method may be, which is how often the model runs."""

SERVED_PICTURE_BYTES = 2**26
"""Of pictures' files that the web app keeps in memory, to show them again."""

SERVED_RESULTS = 32
"""Of explanations that can be downloaded; older ones are forgotten."""

SERVED_RESULT_BYTES = 2**29
"""Of the pictures and maps of all of these."""

SERVED_SHOWN_PIXELS = 2**22
"""Of a picture as it is kept with its explanation; a larger one is made smaller for it."""


def open_file(path: str | os.PathLike[str], *, pipes: bool = False) -> IO[bytes]:
    """Open a file; OSError if there is none.

    So it is for a pipe or a device, which might never end or even begin; with `pipes` it may be.
    """
    kind = os.stat(path).st_mode
    if not (pipes or stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # of a folder, `open` tells
        raise OSError(f"Expected a file. Received: {os.fspath(path)}, which is a pipe or a device")
    return open(path, "rb")


def read_bounded(file: IO[bytes], most: int) -> bytes:
    """Read an open file to its end; ValueError if that is more than `most` bytes away."""
    size = 0
    with suppress(OSError):  # it is in memory
        size = os.fstat(file.fileno()).st_size
    # Python makes room for as much as is asked for; of a pipe, nobody knows the size.
    content = file.read(min(size or most, most) + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {in_words(most)}")
    return content


def in_words(n_bytes: int) -> str:
    """Return a number of bytes in MiB, if it is some."""
    return f"{n_bytes >> 20} MiB" if n_bytes >= 2**20 else f"{n_bytes} bytes"
