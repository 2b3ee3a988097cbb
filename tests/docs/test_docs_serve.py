"""docs/serve.md tells the truth: its calls are sent, and its tables have what there is."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from eli5.cli.commands.serve import serve_models
from eli5.demo import SCENE
from eli5.server.openapi import make_document
from helpers.serving import Running

PAGE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^curl .*$", PAGE, flags=re.MULTILINE)
(CODE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_the_python_runs(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    exec(CODE.replace("http://127.0.0.1:8501", server.address), {})
    assert capsys.readouterr().out.startswith("star 0.5")


@pytest.mark.parametrize("call", CALLS, ids=range(len(CALLS)))
def test_a_call_is_answered(
    server: Running, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.jpg").write_bytes(SCENE.read_bytes())
    words = shlex.split(call)
    files: list[Any] = []
    fields = [words[k + 1].partition("=") for k, one in enumerate(words) if one == "-F"]
    for name, _, value in fields:
        path = value.removeprefix("@")
        files.append((name, (path, Path(path).read_bytes()) if value != path else (None, value)))
    headers = dict(words[k + 1].split(": ") for k, one in enumerate(words) if one == "-H")
    with server.client() as client:
        answer = client.post(words[-1].partition("8501")[2], files=files, headers=headers)
    assert answer.status_code == 200
    assert '"explanations"' in answer.text


def test_the_tables_have_what_there_is() -> None:
    options = PAGE.partition("| option |")[2].partition("\n\n")[0]
    for name, parameter in inspect.signature(serve_models).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            flag = {"imports": "import"}.get(name, name.replace("_", "-"))
            assert f"`--{flag}" in options, name
    addresses = PAGE.partition("| address |")[2].partition("\n\n")[0]
    paths = [re.sub(r"/\{.*", "", path) for path in make_document()["paths"]]
    assert all(path in addresses for path in paths if path != "/api/examples")
    statuses = PAGE.partition("| status |")[2].partition("\n\n")[0]
    document = make_document()["paths"]["/api/explain"]["post"]["responses"]
    assert all(status in statuses for status in document if status != "200")
