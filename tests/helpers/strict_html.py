from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from importlib import resources

from PIL import Image

# Texts that must arrive as they are, and change nothing around them.
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    'Tom & Jerry\'s "cat"',
    "&lt;b&gt; &amp;",
    "--> ]]> {title} %s",
    "👩‍👩‍👧 猫 ねこ",
    "\u202eevil\u202c שלום",
]

VOID = {"img", "meta", "input", "br"}
TAGS = {"html", "head", "meta", "title", "style", "script", "body", "main", "h1", "section", "form"}
TAGS |= {"fieldset", "legend", "label", "input", "output", "div", "span", "p", "b", "bdi", "br"}
TAGS |= {"img", "svg", "rect", "i", "ul", "li", "select", "option", "button", "article", "h2"}
ATTRIBUTES = {"charset", "http-equiv", "content", "name", "lang", "dir", "class", "role"}
ATTRIBUTES |= {"method", "autocomplete", "type", "min", "max", "step", "value", "checked", "style"}
ATTRIBUTES |= {"alt", "src", "aria-label", "aria-hidden", "data-lm-suppress-shortcuts"}
ATTRIBUTES |= {"data-number", "data-name", "data-class", "data-probability", "data-grade"}
ATTRIBUTES |= {"aria-pressed"}
ATTRIBUTES |= {"viewbox", "preserveaspectratio", "width", "height", "title"}
# Of comparisons: their tables and curves.
TAGS |= {"table", "thead", "tbody", "tr", "th", "td", "article", "h2", "h3", "details", "summary"}
TAGS |= {"figure", "figcaption", "g", "path", "circle", "text"}
ATTRIBUTES |= {"scope", "tabindex", "d", "cx", "cy", "r", "x", "y", "text-anchor"}
ATTRIBUTES |= {"stroke-dasharray"}
DATA = re.compile(r"data:image/(png|jpeg|webp);base64,([A-Za-z0-9+/]+=*)")


class Page(HTMLParser):
    """Read HTML strictly: every element is closed, in its order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts[-1] += data
        elif "style" not in self.open:
            self.text += data

    def attributes_of(self, wanted: str, classes: str = "") -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind, or of those that have a class, too."""
        return [
            attributes
            for tag, attributes in self.tags
            if tag == wanted and (not classes or classes in (attributes.get("class") or "").split())
        ]

    def pictures(self, classes: str) -> list[Image.Image]:
        """Return the pictures in the ``<img>`` elements that have a class."""
        found = [DATA.fullmatch(str(img["src"])) for img in self.attributes_of("img", classes)]
        return [
            Image.open(io.BytesIO(base64.b64decode(uri[2], validate=True))) for uri in found if uri
        ]

    def is_harmless(self) -> bool:
        """Tell whether the only script is ours and nothing refers to anything outside."""
        own = resources.files("eli5.formatters").joinpath("templates", "eli5.js").read_text("utf-8")
        attributes = [pair for _, found in self.tags for pair in found.items()]
        values = {name: [str(v) for key, v in attributes if key == name] for name, _ in attributes}
        styles = re.compile(r"--eli5-ratio: \d+ / \d+|--w:(1|0\.\d\d?)")
        return (
            {tag for tag, _ in self.tags} <= TAGS
            and set(values) <= ATTRIBUTES
            and all(script == own.strip() for script in self.scripts)
            and all(DATA.fullmatch(source) for source in values.get("src", []))
            and all(styles.fullmatch(style) for style in values.get("style", []))
            and set(values.get("method", [])) <= {"dialog"}
        )
