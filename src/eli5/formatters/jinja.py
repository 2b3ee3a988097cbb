"""The Jinja environment of all pages: what is in ``templates/``, with everything escaped."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any

from eli5.formatters.colours import AGAINST, FOR
from eli5.formatters.labels import number, one_line, printable

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, /, *, package: str = "eli5.formatters", **values: Any) -> str:
    """Fill in a template of ``formatters/templates``; Jinja2 is loaded by the first call.

    Or one of another `package`, which can include those of ``formatters``.
    """
    return _environment(package).get_template(template).render(values)


@cache
def _environment(package: str) -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def asset(name: str) -> Markup:
        """Return a style sheet or script of our own, which stands in a page as it is."""
        return Markup(loader.get_source(environment, name)[0].strip())

    packages = dict.fromkeys((package, "eli5.formatters"))
    loader = ChoiceLoader([PackageLoader(one) for one in packages])
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,  # a misspelt name is an error, not an empty place
        # A template may be laid out for its reader: what steers it leaves no blanks in the page.
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,  # also of each template that another one includes
        auto_reload=False,  # the files come with the package and do not change
    )
    environment.filters |= {"number": number, "one_line": one_line, "printable": printable}
    environment.globals |= {"asset": asset, "digest": _digest}
    environment.globals |= {"FOR": FOR, "AGAINST": AGAINST}
    return environment


def _digest(script: str) -> str:
    """Return what a Content-Security-Policy calls a script by."""
    return b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
