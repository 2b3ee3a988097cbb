"""Model files of strangers: refused in one line; nothing runs, and memory is bounded."""

from __future__ import annotations

import importlib.util
import json
import resource
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import pytest
from keras import layers

from helpers.cli_helpers import colour_model, fails, run, saved

Capsys = pytest.CaptureFixture[str]
Change = Callable[[dict[str, Any]], Any]

EVIL = "eli5_tests_evil"  # a module that notes that it was imported
LARGEST = 600  # MiB that a file of some kB may cost at most, beyond what a good model takes


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that is there if code of a model file has run."""
    site, marker = tmp_path / "site", tmp_path / "marker"
    site.mkdir()
    (site / f"{EVIL}.py").write_text(
        f"import pathlib, keras\npathlib.Path({str(marker)!r}).touch()\n"
        "class Evil(keras.layers.Layer): pass\n"
    )
    monkeypatch.syspath_prepend(site)
    return marker


def refusal(capsys: Capsys, path: Path, image: str) -> str:
    """Return why a model file is refused, in the one line that is said, and without much memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = fails(capsys, "explain", path, image, "--preprocess", "unit")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    assert grown < LARGEST
    start = f"Expected MODEL to be a model that Keras can load. Received: MODEL={path}: "
    assert message.startswith(start)
    assert len(message) < len(start) + 700
    return message.removeprefix(start)


def rewritten(path: Path, member: str, content: Callable[[bytes], bytes]) -> None:
    """Write an archive anew with another content of one member."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = content(members[member])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, one in members.items():
            archive.writestr(name, one)


def with_config(folder: Path, ending: str, change: Change) -> Path:
    """Save a good model whose configuration is then changed, or replaced by what is returned."""
    path = Path(saved(colour_model(), folder, f"model{ending}"))

    def changed(text: bytes | str) -> bytes:
        config = json.loads(text)
        other = change(config)
        return other if isinstance(other, bytes) else json.dumps(other or config).encode()

    if ending == ".keras":
        rewritten(path, "config.json", changed)
    else:
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = changed(file.attrs["model_config"]).decode()
    return path


def layer(config: dict[str, Any], number: int) -> dict[str, Any]:
    found: dict[str, Any] = config["config"]["layers"][number]
    return found


# ---- the configuration ---------------------------------------------------------------------------


def a_million_channels(config: dict[str, Any]) -> None:
    layer(config, 2)["config"]["filters"] = 10**9


def a_wide_dense_layer(config: dict[str, Any]) -> None:
    layer(config, -1)["config"]["units"] = 10**9


def a_huge_input(config: dict[str, Any]) -> None:
    one = layer(config, 0)["config"]
    one[next(key for key in one if key.endswith("shape"))] = [None, 10**6, 10**6, 3]


def a_huge_padding(config: dict[str, Any]) -> None:
    layer(config, 1).update(
        class_name="ZeroPadding2D", config={"name": "pad", "padding": [[10**6, 0], [10**6, 0]]}
    )


def of_another_module(config: dict[str, Any]) -> None:
    layer(config, 1).update(
        class_name="Evil", module=EVIL, registered_name="Evil", config={"name": "evil"}
    )


def a_function_of_another_module(config: dict[str, Any]) -> None:
    layer(config, 2)["config"]["activation"] = {
        "class_name": "function",
        "module": EVIL,
        "config": "run",
        "registered_name": "run",
    }


def a_saved_model(config: dict[str, Any]) -> None:
    layer(config, 1).update(class_name="TFSMLayer", config={"filepath": "/tmp/x", "name": "x"})


def a_pickle(config: dict[str, Any]) -> None:
    module = {"class_name": "__bytes__", "config": {"value": "gASVIQ=="}}
    layer(config, 1).update(class_name="TorchModuleWrapper", config={"module": module})


def a_vocabulary_elsewhere(config: dict[str, Any]) -> None:
    one = {"name": "lookup", "vocabulary": "/etc/passwd"}
    layer(config, 1).update(class_name="StringLookup", config=one)


def nested_deep(_: dict[str, Any]) -> bytes:
    return b'{"class_name":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (a_million_channels, "what the weights take up to 'colours' has 1.2e+10 bytes, more than"),
        (a_wide_dense_layer, "what the weights take up to 'classes' has 1.2e+10 bytes, more than"),
        (a_huge_input, "shape=[None, 1000000, 1000000, 3] in it has 3e+12 numbers, more than"),
        (a_huge_padding, "the output of 'pad', (1000032, 1000032, 3), in it has 3e+12 numbers"),
        (of_another_module, "Could not locate class 'Evil'"),
        (a_function_of_another_module, "Could not locate function 'run'"),
        (a_saved_model, "its layer of class TFSMLayer holds or loads code of its own"),
        (a_pickle, "its layer of class TorchModuleWrapper holds or loads code of its own"),
        (a_vocabulary_elsewhere, "it reads its vocabulary from another file, '/etc/passwd'"),
        (nested_deep, "its configuration is nested too deep"),
        (lambda _: b"[1]", "its configuration is no object of JSON but of type list"),
        (lambda _: b'{"class_name": ', "Expecting value: line 1 column 16"),
        (lambda _: b'{"class_name": "Sequential", "config": 3}', ""),
        (lambda _: b'{"class_name": 3, "config": {}}', ""),
        (lambda _: {"class_name": "Sequential", "config": {"layers": [1, None]}}, ""),
    ],
)
def test_hostile_configurations(
    capsys: Capsys,
    image_path: str,
    tmp_path: Path,
    marker: Path,
    ending: str,
    change: Change,
    reason: str,
) -> None:
    path = with_config(tmp_path, ending, change)
    assert reason in refusal(capsys, path, image_path)
    assert not marker.exists()


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_code_in_a_lambda_does_not_run(
    capsys: Capsys, image_path: str, tmp_path: Path, marker: Path, ending: str
) -> None:
    place = str(marker)
    code = layers.Lambda(lambda x: (Path(place).write_bytes(b""), x)[1], output_shape=(32, 32, 3))
    path = Path(saved(colour_model(code), tmp_path, f"model{ending}"))
    marker.unlink(missing_ok=True)  # saving has built the model
    assert "Requested the deserialization of a `Lambda` layer" in refusal(capsys, path, image_path)
    assert not marker.exists()


def test_the_evil_module_would_have_been_noticed(marker: Path) -> None:
    found = importlib.util.find_spec(EVIL)
    assert found is not None
    assert found.loader is not None
    found.loader.exec_module(importlib.util.module_from_spec(found))
    assert marker.exists()


# ---- the archive ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../outside.txt", "would lie outside of it"),
        ("assets/../../outside.txt", "would lie outside of it"),
        ("/tmp/outside.txt", "would lie outside of it"),
        ("..\\outside.txt", "would lie outside of it"),
        ("C:\\outside.txt", "would lie outside of it"),
        ("assets/link", "is a link"),
    ],
)
def test_paths_out_of_the_archive(
    capsys: Capsys, image_path: str, tmp_path: Path, name: str, reason: str
) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    path = Path(saved(colour_model(), folder))
    before = sorted(tmp_path.rglob("*"))
    info = zipfile.ZipInfo(name)
    if reason == "is a link":
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    said = refusal(capsys, path, image_path)
    assert said.startswith("its member '")
    assert reason in said
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("member", "size", "reason"),
    [
        ("config.json", 2**26, "its configuration has 6.71e+07 bytes, more than the 3.36e+07"),
        ("model.weights.h5", 2**28, "what it unpacks to has 2.68e+08 bytes, more than the"),
        ("assets/zeros", 2**28, "what it unpacks to has 2.68e+08 bytes, more than the"),
    ],
)
def test_archives_that_unpack_to_much_more(
    capsys: Capsys, image_path: str, tmp_path: Path, member: str, size: int, reason: str
) -> None:
    path = Path(saved(colour_model(), tmp_path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/zeros", b"")
    rewritten(path, member, lambda _: bytes(size))
    assert path.stat().st_size < 2**20
    assert reason in refusal(capsys, path, image_path)


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
@pytest.mark.parametrize("place", [0, 50])
def test_archives_that_are_broken(
    capsys: Capsys, image_path: str, tmp_path: Path, member: str, place: int
) -> None:
    path = Path(saved(colour_model(), tmp_path))
    with zipfile.ZipFile(path) as archive:
        place += archive.getinfo(member).header_offset
    content = path.read_bytes()
    path.write_bytes(content[:place] + b"\xff" * 40 + content[place + 40 :])
    refusal(capsys, path, image_path)


# ---- HDF5 ----------------------------------------------------------------------------------------


def external_link(file: h5py.File, name: str, _: Path) -> None:
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File, name: str, _: Path) -> None:
    del file[name]
    file[name] = h5py.SoftLink("/elsewhere")


def external_values(file: h5py.File, name: str, folder: Path) -> None:
    shape = file[name].shape
    del file[name]
    secret = folder / "secret"
    secret.write_bytes(bytes(10**4))
    file.create_dataset(name, shape, "float32", external=[(str(secret), 0, 10**4)])


def virtual_values(file: h5py.File, name: str, folder: Path) -> None:
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape, "float32")
    layout[...] = h5py.VirtualSource(str(folder / "other.h5"), "x", shape)
    file.create_virtual_dataset(name, layout)


def huge_values(file: h5py.File, name: str, _: Path) -> None:
    del file[name]
    file.create_dataset(name, (10**5, 10**5), "float32", chunks=(100, 100), compression="gzip")


def ring(file: h5py.File, name: str, _: Path) -> None:
    group = file[name].parent
    group["ring"] = file["/"]  # walked once
    del file[name]


HDF5 = [
    (external_link, "is an HDF5 ExternalLink"),
    (soft_link, "is an HDF5 SoftLink"),
    (external_values, "lie in another file"),
    (virtual_values, "lie in another file"),
    (huge_values, "what its datasets declare has 4e+10 bytes, more than"),
    (ring, ""),
]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("change", "reason"), HDF5)
def test_hostile_weights_in_an_archive(
    capsys: Capsys,
    image_path: str,
    tmp_path: Path,
    change: Callable[[h5py.File, str, Path], None],
    reason: str,
    *,
    packed: bool,
) -> None:
    path = Path(saved(colour_model(), tmp_path))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = tmp_path / "model.weights.h5"
    weights.write_bytes(members[weights.name])
    with h5py.File(weights, "r+") as file:
        change(file, "layers/conv2d/vars/0", tmp_path)
    members[weights.name] = weights.read_bytes()
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert reason in refusal(capsys, path, image_path)


@pytest.mark.parametrize(("change", "reason"), HDF5)
def test_a_hostile_h5_file(
    capsys: Capsys,
    image_path: str,
    tmp_path: Path,
    change: Callable[[h5py.File, str, Path], None],
    reason: str,
) -> None:
    path = Path(saved(colour_model(), tmp_path, "model.h5"))
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file["model_weights"].visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        change(file, f"model_weights/{names[0]}", tmp_path)
    assert reason in refusal(capsys, path, image_path)


def test_a_hostile_weights_file_of_an_application(
    capsys: Capsys, image_path: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "/")
    message = fails(capsys, "explain", "MobileNetV2", image_path, "--weights", path)
    assert message.startswith("Expected --weights to be a file with weights of the whole MobileNet")
    assert message.endswith("is an HDF5 ExternalLink")


# ---- good ones are loaded as before --------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_good_models_are_loaded(
    capsys: Capsys, image_path: str, tmp_path: Path, method: int
) -> None:
    inner = keras.Sequential([keras.Input((32, 32, 3)), layers.Rescaling(1 / 255)], name="inner")
    path = Path(saved(colour_model(inner), tmp_path))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    add_weight = keras.Layer.add_weight
    assert run(capsys, "explain", path, image_path, "--preprocess", "none").code == 0
    assert keras.Layer.add_weight is add_weight
