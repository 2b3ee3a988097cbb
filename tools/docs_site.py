"""What the site has beyond the files of docs/, made as it is built: hooks of MkDocs.

The notebooks of examples/, the changelog and CONTRIBUTING.md become pages; the table of methods,
and a section for each, come from `eli5.keras.METHODS`. Links lead on the site where they lead on a
checkout.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]

# By its path in the checkout: where on the site it is, as docs/ itself has no such file.
_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "examples/README.md": "tutorials/index.md",
}
_LINK = re.compile(r"(\]\()(?![a-z]+:|#|/)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie elsewhere in the checkout."""
    for source, page in _PAGES.items():
        if page != "index.md":
            text = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, page, content=_moved(text, source, page)))
    for notebook in sorted((ROOT / "examples").glob("*.ipynb")):
        for name, content in _converted(notebook):
            files.append(File.generated(config, f"tutorials/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let the links of a page of docs/ lead to pages, and fill in what METHODS tells."""
    path = page.file.src_uri
    if page.file.generated_by is None:
        markdown = _moved(markdown, f"docs/{path}", path)
    if "<!-- methods -->" in markdown:
        markdown = markdown.replace("<!-- methods -->", "\n".join(_methods()))
    return markdown


# ---- links ---------------------------------------------------------------------------------------


def _moved(text: str, source: str, page: str) -> str:
    """Return a text of the file `source` of the checkout with its links as those of a page."""

    def relink(match: re.Match[str]) -> str:
        there = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        target = _page_of(there)
        return match[0] if target is None else match[1] + _relative(target, page)

    return _LINK.sub(relink, text)


def _page_of(path: str) -> str | None:
    """Return where on the site a file of the checkout is; None if it is not there."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path.startswith("examples/") and path.endswith(".ipynb"):
        return f"tutorials/{Path(path).stem}.md"
    return _PAGES.get(path)


def _relative(target: str, page: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


# ---- notebooks -----------------------------------------------------------------------------------


def _converted(notebook: Path) -> Iterator[tuple[str, str | bytes]]:
    """Yield a notebook as a page, and its pictures, by their names."""
    from nbconvert import MarkdownExporter

    text, resources = MarkdownExporter().from_filename(str(notebook))
    pictures = resources["outputs"]
    for name, content in pictures.items():
        yield f"{notebook.stem}-{name}", content
        text = text.replace(f"]({name})", f"]({notebook.stem}-{name})")
    page = f"tutorials/{notebook.stem}.md"
    yield f"{notebook.stem}.md", _moved(text, f"examples/{notebook.name}", page)


# ---- methods -------------------------------------------------------------------------------------


def _methods() -> Iterator[str]:
    """Yield the table of all methods with their own options, and the sections that it links to."""
    from eli5.keras import METHODS
    from eli5.keras.methods.smoothing import Smoothing

    yield "| `method=` | Map of | Its own options | Cost |\n| --- | --- | --- | --- |"
    for method in METHODS.values():
        options = [f"`{name}={value!r}`" for name, value in method.own_options.items()]
        link = f"[{method.name}](#{_path(method.function)})"
        where = f"the {method.at}"
        yield f"| {link} | {where} | {', '.join(options) or 'none'} | {method.cost} |"
    smoothed = ", ".join(one.name for one in METHODS.values() if one.smooths)
    yield f"\n{smoothed} also take the options of [smoothing](#{_path(Smoothing)})."
    yield f"\n## What each does\n{_section(Smoothing, 'Smoothing')}"
    for method in METHODS.values():
        yield _section(method.function, method.name)


def _section(what: Any, heading: str) -> str:
    options = f"{{ heading: '{heading}', toc_label: '{heading}', members: false }}"
    return f"\n::: {_path(what)}\n    options: {options}"


def _path(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"
