"""Write what a program found into a page of the docs."""

from __future__ import annotations

from pathlib import Path


def write_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between the lines ``<!-- name: begin -->`` and ``<!-- name: end -->``.

    Raises
    ------
    ValueError
        If the page has not both lines.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, found_begin, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(
            f"Expected the lines {begin!r} and {end!r} in the page, in this order. Received: "
            f"page={str(page)!r} without them. Write them where the text is to stand."
        )
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def as_table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
