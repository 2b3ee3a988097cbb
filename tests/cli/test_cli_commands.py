"""``eli5 layers``, ``methods``, ``--version``, completion, and how fast the command starts."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import keras
import pytest
from keras import layers

import eli5
from eli5.cli import backend
from eli5.keras import target_layers
from helpers.cli_helpers import SIZE, TIMEOUT, colour_model, fails, run, run_process, saved
from helpers.models import make_classifier

Capsys = pytest.CaptureFixture[str]


# ---- layers --------------------------------------------------------------------------------------


def table(text: str) -> list[tuple[str, str, str]]:
    """Return mark, name and grid of each layer."""
    header, *rows = text.split("\n\n")[0].splitlines()
    assert header.split() == ["Layer", "Grid"]
    return [(row[:3].strip(), *row[3:].rsplit(maxsplit=1)) for row in rows]  # type: ignore[misc]


def test_layers_with_their_grids_and_the_automatic_choice(capsys: Capsys, tmp_path: Path) -> None:
    model = make_classifier()
    ended = run(capsys, "layers", saved(model, tmp_path))
    assert (ended.code, ended.err) == (0, "")
    rows = table(ended.out)
    expected = [(one.name, "x".join(map(str, one.grid))) for one in target_layers(model)]
    assert [(name.strip(), grid) for _, name, grid in rows] == expected
    assert len(expected) > 1
    chosen = eli5.explain_prediction(
        model, keras.random.uniform((1, 12, 20, 3), seed=1).__array__()
    ).layer
    assert [name.strip() for mark, name, _ in rows if mark == "*"] == [chosen]
    assert ended.out.endswith("\n\n* is explained if no --layer is given\n")
    assert not any(line.endswith(" ") for line in ended.out.splitlines())


def test_calls_of_a_layer_that_is_called_twice(capsys: Capsys, tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    pooled = layers.GlobalAveragePooling2D()(shared(shared(inputs)))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(pooled))
    rows = table(run(capsys, "layers", saved(model, tmp_path)).out)
    assert [(mark, name.strip()) for mark, name, _ in rows] == [
        ("", "shared (call 0)"),
        ("*", "shared (call 1)"),
    ]


def test_layers_of_a_model_of_any_size_need_a_picture(
    capsys: Capsys, tmp_path: Path, image_path: str
) -> None:
    path = saved(colour_model(size=(None, None, 3)), tmp_path)
    assert fails(capsys, "layers", path) == (
        "Expected --image, because model 'colour_model' takes pictures of any size. Received: none."
        " Name a picture: --image photo.jpg"
    )
    rows = table(run(capsys, "layers", path, "--image", image_path).out)
    assert rows == [("*", "colours".ljust(len(rows[0][1])), "40x60")]


def test_layers_of_a_model_without_classes_have_no_mark(capsys: Capsys, tmp_path: Path) -> None:
    trunk = colour_model().layers[:-2]
    model = saved(keras.Sequential([keras.Input((SIZE, SIZE, 3)), *trunk]), tmp_path)
    ended = run(capsys, "layers", model)
    assert ended.code == 0
    assert [(mark, name.strip()) for mark, name, _ in table(ended.out)] == [("", "colours")]
    assert "*" not in ended.out
    assert ended.err.startswith("eli5: No layer is taken by itself. Expected a classifier, ")


def test_layers_of_a_model_without_any(capsys: Capsys, tmp_path: Path) -> None:
    inputs = keras.Input((5,))
    path = saved(keras.Model(inputs, layers.Dense(2)(inputs)), tmp_path)
    message = fails(capsys, "layers", path)
    assert message.startswith("Expected a model with a layer that gives a feature map of shape ")


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize(("name", "reason"), [("nope.keras", "does not exist"), ("x.png", "MODEL")])
def test_layers_of_what_is_no_model(capsys: Capsys, name: str, reason: str) -> None:
    assert reason in fails(capsys, "layers", name)


# ---- methods -------------------------------------------------------------------------------------


def test_shells_complete_methods(capsys: Capsys) -> None:
    ended = run(capsys, "__complete", "explain", "m.keras", "i.png", "--method", "Grad")
    assert ended.code == 0
    assert "Grad-CAM++" in ended.out


# ---- versions ------------------------------------------------------------------------------------


def test_versions(capsys: Capsys) -> None:
    name = keras.backend.backend()
    names = (name, f"{name}-cpu")
    (version,) = {d.version for d in metadata.distributions() if d.name in names}
    assert run(capsys, "--version") == (
        0,
        f"eli5 {eli5.__version__}\n"
        f"keras {keras.version()}\n"
        f"backend {name} {version}\n"
        f"python {platform.python_version()}\n",
        "",
    )


def test_versions_without_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_backend", lambda: None)
    assert "backend none\n" in backend.installed_versions()


def test_version_of_a_package_that_nobody_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "packages_distributions", dict)
    assert f"backend {keras.backend.backend()} of unknown version\n" in backend.installed_versions()


def test_the_backend_is_the_one_that_would_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert backend.find_backend(lambda name: True) == "jax"
    assert backend.find_backend(lambda name: name == "torch") == "torch"
    assert backend.find_backend(lambda name: False) is None


# ---- completion ----------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    return tmp_path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_and_files(capsys: Capsys, home: Path) -> None:
    ended = run(capsys, "--install-completion", "--shell", "bash")
    assert ended.code == 0
    script = home / ".local/share/bash-completion/completions/eli5"
    assert f"Completion script installed to {script}" in ended.out
    assert str(script) in (home / ".bashrc").read_text(encoding="utf-8")
    (home / "model.keras").touch()

    def completed(*words: str) -> list[str]:
        code = (
            'source "$1"; cd "$2"; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _eli5; '
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "-c", code, "bash", script, home, *words],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert {"explain", "layers", "methods", "demo"} <= set(completed("eli5", ""))
    assert completed("eli5", "lay") == ["layers"]
    assert completed("eli5", "explain", "mod") == ["model.keras"]
    assert completed("eli5", "explain", "m.keras", "mod") == ["model.keras"]
    assert completed("eli5", "explain", "m.keras", "--pre") == ["--preprocess"]
    assert completed("eli5", "explain", "m.keras", "--preprocess", "t") == ["tf", "torch"]
    assert completed("eli5", "explain", "m.keras", "--out", "mod") == ["model.keras"]


def test_completion_into_a_file_of_ones_own(capsys: Capsys, home: Path) -> None:
    out = home / "_eli5"
    assert run(capsys, "--install-completion", "--shell", "zsh", "--output", out).code == 0
    assert out.read_text(encoding="utf-8").startswith("#compdef eli5")


# ---- the start -----------------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [["--help"], ["explain", "--help"], ["methods"], ["--version"]])
def test_what_needs_no_keras_does_not_load_it(argv: list[str]) -> None:
    code = (
        "import sys\nfrom eli5.cli import main\n"
        f"main({argv})\n"
        "heavy = {'keras', 'numpy', 'PIL', 'matplotlib', 'jax', 'tensorflow', 'torch'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (0, "")


def test_methods_in_a_process() -> None:
    ended = run_process("methods")
    assert (ended.code, ended.err) == (0, "")
    assert "Gradient × Input" in ended.out
