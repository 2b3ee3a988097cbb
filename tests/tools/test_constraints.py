"""The versions that `make test-oldest` installs are the lowest that pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def test_each_lower_bound_has_its_pin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    del extras["docs"]  # which is not installed there
    lists = [project["dependencies"], *extras.values()]
    required = [Requirement(line) for lines in lists for line in lines]
    bounds = {
        one.name: Version(bound.version)
        for one in required
        for bound in one.specifier
        if bound.operator == ">="
    }
    assert bounds.keys() == {one.name for one in required} - {project["name"]}
    pins = (ROOT / "constraints-oldest.txt").read_text(encoding="utf-8").partition("\n\n")[0]
    pinned = {name: Version(version) for name, version in re.findall(r"(?m)^(\S+)==(\S+)$", pins)}
    assert pinned == bounds
