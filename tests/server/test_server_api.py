"""The JSON interface: what it answers is what `eli5.explain_prediction` gives."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path
from typing import Any

import httpx2
import keras
import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.cli import main
from eli5.demo import DETECTOR, MODEL, SCENE, SEGMENTER, class_names, load_scene
from eli5.keras import METHODS
from eli5.loading.errors import UserError
from eli5.server.fields import FIELDS, FILES, Asked
from eli5.server.gallery import count_pages, open_gallery
from eli5.server.jobs import Queue
from eli5.server.models import ModelSource, ServedModel, load_models, warm_up
from eli5.server.openapi import make_document
from eli5.server.pages import PAGES
from eli5.server.refusal import RefusedError
from eli5.server.site import Site
from helpers.serving import Running, make_site, photo, saved_series_model, scene, serving

Answer = dict[str, Any]

# Those of an explanation are told to whoever asked for it.
pytestmark = pytest.mark.filterwarnings("always::UserWarning")


def ask(client: httpx2.Client, expected: int = 200, files: Any = None, **fields: Any) -> Answer:
    """Send a form, each field once or several times."""
    parts: list[Any] = list((files or {}).items())
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            parts.append((name.removesuffix("_"), (None, str(value))))
    answer = client.post("/api/explain", files=parts)
    assert answer.status_code == expected, answer.text
    found: Answer = answer.json()
    return found


def maps(answer: Answer) -> list[np.ndarray[Any, Any]]:
    return [
        np.array(target["attribution"], "float32")
        for expl in answer["explanations"]
        for target in expl["targets"]
    ]


@pytest.fixture
def client(server: Running) -> Any:
    with server.client() as client:
        yield client


# ---- the answers ---------------------------------------------------------------------------------


def test_an_answer_is_that_of_python(client: httpx2.Client) -> None:
    answer = ask(client, example="scene.png", method=["Grad-CAM", "LayerCAM"], top=2, score="logit")
    direct = eli5.explain_prediction(
        eli5.demo.load_model(),
        load_scene().image[None].astype("float32"),
        methods=["Grad-CAM", "LayerCAM"],
        top_targets=2,
        score="logit",
    )
    expected = [target for expl in direct for target in expl.targets]
    for found, target in zip(maps(answer), expected, strict=True):
        np.testing.assert_allclose(found, target.attribution, atol=1e-5)
    first = answer["explanations"][0]
    assert [one["class_name"] for one in first["targets"]] == [
        class_names[one.target] for one in expected[:2]
    ]
    assert first["method"] == "Grad-CAM"
    assert first["model"] == "model"
    assert answer["version"] == eli5.format_as_dict(direct[0])["version"]


def test_a_picture_is_sent_once(client: httpx2.Client) -> None:
    first = ask(client, files={"picture": ("cat.png", scene(), "image/png")}, arrays="true")
    again = ask(client, digest=first["digest"], arrays="true")
    assert again["name"] == "cat.png"
    np.testing.assert_array_equal(maps(first)[0], maps(again)[0])
    assert ask(client, 404, digest="0" * 64)["error"].startswith("This picture is not here")


def test_arrays_are_left_out_where_they_are_not_asked_for(client: httpx2.Client) -> None:
    answer = ask(client, example="scene.png", arrays="false")
    target = answer["explanations"][0]["targets"][0]
    assert "attribution" not in target
    assert target["proba"] > 0.1
    assert "html" not in answer


def test_classes_and_options(client: httpx2.Client) -> None:
    options: dict[str, Any] = {
        "example": "scene.png",
        "method": "RISE",
        "options": "n_masks=50,seed=3",
    }
    by_name = ask(client, class_=["star", "1"], **options)
    assert [one["target"] for one in by_name["explanations"][0]["targets"]] == [3, 1]
    other = ask(client, class_=["star", "1"], **{**options, "options": "n_masks=50,seed=4"})
    assert not np.allclose(maps(by_name)[0], maps(other)[0])


def test_how_far_a_slow_method_is_comes_before_its_result(client: httpx2.Client) -> None:
    form = {"example": "scene.png", "method": "RISE", "options": "n_masks=200", "top": "1"}
    headers = {"Accept": "application/x-ndjson"}
    told = []
    parts: Any = {k: (None, v) for k, v in form.items()}
    with client.stream("POST", "/api/explain", files=parts, headers=headers) as answer:
        told = [json.loads(line) for line in answer.iter_lines()]
    *progress, last = told
    assert last["result"]["explanations"][0]["method"] == "RISE"
    done = [one["progress"]["done"] for one in progress if one["progress"]["label"] == "RISE"]
    assert done == sorted(done)
    assert len(set(done)) > 1
    assert progress[-1]["progress"]["total"] in (200, None)


def test_a_segmenter(client: httpx2.Client) -> None:
    here: dict[str, Any] = {"model": "segmenter", "example": "scene.png", "arrays": "true"}
    by_itself = ask(client, **here)["explanations"][0]["targets"]
    assert {one["class_name"] for one in by_itself} >= {"background"}
    masks = load_scene().masks[0]
    rows, columns = (np.flatnonzero(masks.any(axis=axis)) for axis in (1, 0))
    box = f"{columns[0]},{rows[0]},{columns[-1] + 1},{rows[-1] + 1}"
    places: list[Answer] = [{"box": box}, {"lasso": _lasso(columns, rows)}]
    for place in places:
        (target,) = ask(client, **here, **place)["explanations"][0]["targets"]
        assert target["target"] == load_scene().kinds[0] + 1
    named = ask(client, **here, box=box, class_="ring")["explanations"][0]["targets"]
    assert named[0]["class_name"] == "ring"


def _lasso(columns: Any, rows: Any) -> str:
    left, right, top, bottom = columns[0], columns[-1], rows[0], rows[-1]
    return f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"


def test_a_detector(client: httpx2.Client) -> None:
    here: dict[str, Any] = {"model": "detector", "example": "scene.png"}
    kept = ask(client, **here)["explanations"][0]["targets"]
    assert len(kept) == len(load_scene().kinds)
    box = ",".join(f"{max(value, 0):.0f}" for value in kept[0]["region"]["xyxy"])
    (again,) = ask(client, **here, box=box)["explanations"][0]["targets"]
    assert again["target"] == kept[0]["target"]
    missing = ask(client, **here, box="2,2,30,30", class_="star", ask="missing")
    assert missing["explanations"][0]["targets"][0]["class_name"] == "star"
    assert "a box and a class" in ask(client, 400, **here, ask="missing")["error"]
    assert "within the picture" in ask(client, 400, **here, box="2,2,300,30")["error"]


def test_two_models_on_one_picture(client: httpx2.Client) -> None:
    answer = ask(client, model=["model", "detector"], example="scene.png", html="true")
    assert [one["model"] for one in answer["explanations"]] == ["model", "detector"]
    assert len(answer["python"]) == len(answer["command"]) == 2
    assert answer["html"].count("eli5-card") == 2


def test_a_grade_and_its_curves(client: httpx2.Client) -> None:
    answer = ask(client, example="scene.png", top=1, grade="true", curves="true", html="true")
    target = answer["explanations"][0]["targets"][0]
    assert target["grade"]["verdict"] in ("supported", "weak", "contradicted")
    assert [one["name"] for one in answer["curves"]] == ["Deletion", "Insertion"]
    deletion = answer["curves"][0]
    assert deletion["share"][0] == 0
    assert deletion["share"][-1] == 1
    assert deletion["score"][0] == pytest.approx(target["proba"], abs=1e-4)
    area = np.trapezoid(deletion["score"], deletion["share"])
    assert deletion["area"] == pytest.approx(area, abs=1e-6)
    assert answer["curves_html"].count('<path class="line-') == 4
    asked: dict[str, Any] = {"model": "detector", "example": "scene.png", "box": "2,2,30,30"}
    boxes = ask(client, **asked, ask="missing", class_="star", curves="true")
    print(boxes["curves"], boxes["warnings"])


def test_downloads(client: httpx2.Client, server: Running, tmp_path: Path) -> None:
    answer = ask(client, example="scene.png", method=["Grad-CAM", "LayerCAM"], signed="true")
    files = {}
    for ending in ("html", "png", "json"):
        got = client.get(f"/api/results/{answer['result']}/{ending}")
        assert got.status_code == 200
        assert got.headers["content-disposition"].startswith("attachment")
        files[ending] = got.content
    assert b"What model looked at" in files["html"]
    assert Image.open(io.BytesIO(files["png"]), formats=("PNG",)).width > 256
    (tmp_path / "saved.json").write_bytes(files["json"])
    loaded = eli5.load(tmp_path / "saved.json")
    np.testing.assert_allclose(loaded[0].targets[0].attribution, maps(answer)[0], atol=1e-6)
    kept = server.site.results.get(answer["result"])
    assert kept.asked.picture is None  # what was sent is not kept with it
    assert kept.explained[0].document.doc is None
    for path in ("mask.png", "npz"):
        assert client.get(f"/api/results/{answer['result']}/{path}").status_code == 404
    assert client.get(f"/api/results/{'0' * 32}/html").status_code == 404


def test_large_pictures_are_kept_smaller(client: httpx2.Client) -> None:
    large = photo(4000, 3000, "JPEG")
    answer = ask(client, files={"picture": ("large.jpg", large, "image/jpeg")}, arrays="false")
    assert answer["size"] == [4000, 3000]
    shown = answer["explanations"][0]["image"]
    assert shown["width"] * shown["height"] <= 2**22 + 4000


# ---- the call that gives it again ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        (MODEL, {"method": ["Grad-CAM", "LayerCAM"], "top": 2}),
        (MODEL, {"method": "RISE", "options": "n_masks=40,cells=4", "class_": ["star", "0"]}),
        (MODEL, {"layer": "conv_2", "sign": "negative", "score": "logit"}),
        (SEGMENTER, {"lasso": "10,10 60,12 50,70"}),
        (SEGMENTER, {"box": "10,10,60,70", "class_": "star"}),
        (SEGMENTER, {"class_": "background"}),
        (DETECTOR, {"top": 1}),
        (DETECTOR, {"box": "70,60,120,110"}),
        (DETECTOR, {"box": "2,2,30,30", "class_": "star", "ask": "missing"}),
    ],
    ids=range(9),
)
def test_what_is_copied_gives_the_same(
    client: httpx2.Client,
    file: Path,
    fields: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a cat.png").write_bytes(scene())
    if "layer" in fields:
        layers = client.get("/api/layers").json()["layers"]
        fields = {**fields, "layer": layers[0]["name"]}
    files = {"picture": ("a cat.png", scene(), "image/png")}
    answer = ask(client, files=files, model=file.stem, **fields)
    names: dict[str, Any] = {}
    exec(answer["python"][0], names)
    again = [target for expl in names["explanations"] for target in expl.targets]
    for found, target in zip(maps(answer), again, strict=True):
        np.testing.assert_allclose(found, target.attribution, atol=1e-5)
    if answer["has_mask"]:
        mask = client.get(f"/api/results/{answer['result']}/mask.png").content
        (tmp_path / "mask.png").write_bytes(mask)
    program, *arguments = shlex.split(answer["command"][0])
    assert program == "eli5"
    del arguments[arguments.index("--out") :]
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for found, target in zip(maps(answer), maps({"explanations": said}), strict=True):
        np.testing.assert_allclose(found, target, atol=1e-5)


def test_a_name_is_one_word_of_the_command(client: httpx2.Client) -> None:
    name = "-x; rm -rf $(HOME) 'a'.png"
    answer = ask(client, files={"picture": (name, scene(), "image/png")})
    words = shlex.split(answer["command"][0])
    assert words[3] == f"./{name}"
    compile(answer["python"][0], "copied", "exec")
    assert repr(f"./{name}") in answer["python"][0]


# ---- texts and series ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def series_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_series_model(tmp_path_factory.mktemp("series"))


@pytest.mark.parametrize("head", ["", "time,a,b\n"])
def test_a_series(
    series_model: Path, head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    columns = 3 if head.startswith("time") else 2
    values = np.cumsum(rng.random((32, columns)), axis=0)
    table = head + "\n".join(",".join(map(str, row)) for row in values)
    site = make_site(load_models([ModelSource(str(series_model))]))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.csv").write_text(table, encoding="utf-8")
    with serving(site) as own, own.client() as client:
        answer = ask(client, files={"series": ("my.csv", table.encode())}, html="true")
        pasted = ask(client, series=table)
        for wrong in ("a,b\n1,x", "1,2\n3", "", "a,b", "\udc80".encode("utf-8", "surrogatepass")):
            sent = {"series": ("my.csv", wrong if isinstance(wrong, bytes) else wrong.encode())}
            assert client.post("/api/explain", files=sent).status_code in (400, 415)
    np.testing.assert_array_equal(maps(answer)[0], maps(pasted)[0])
    names: dict[str, Any] = {}
    exec(answer["python"][0], names)
    again = names["explanations"][0].targets[0]
    np.testing.assert_allclose(maps(answer)[0], again.attribution, atol=1e-6)
    assert answer["command"][0].startswith("# There is no command")
    assert "eli5-series" in answer["html"]


def test_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow", reason="TextVectorization runs on TensorFlow")
    from helpers.word_models import texts_model

    path = tmp_path / "reader.keras"
    texts_model().save(path)
    site = make_site(load_models([ModelSource(str(path))]))
    with serving(site) as own, own.client() as client:
        answer = ask(client, text="-not a good film", html="true")
        assert "a text" in ask(client, 400, text=" ")["error"]
        assert client.get("/api/models").json()["models"][0]["input"] == "text"
    assert "eli5-words" in answer["html"]
    names: dict[str, Any] = {}
    exec(answer["python"][0], names)
    again = names["explanations"][0].targets[0]
    np.testing.assert_allclose(maps(answer)[0], again.attribution, atol=1e-6)
    _, *arguments = shlex.split(answer["command"][0])
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 0


# ---- what there is -------------------------------------------------------------------------------


def test_what_is_served(client: httpx2.Client) -> None:
    models = {one["name"]: one for one in client.get("/api/models").json()["models"]}
    assert {name: one["asks"] for name, one in models.items()} == {
        "model": "classes",
        "segmenter": "pixels",
        "detector": "boxes",
    }
    assert models["model"]["classes"] == list(class_names)
    layers = client.get("/api/layers", params={"model": "model"}).json()["layers"]
    assert sum(one["is_default"] for one in layers) == 1
    listed = eli5.keras.target_layers(eli5.demo.load_model())
    assert [one["name"] for one in layers] == [one.name for one in listed]
    methods = client.get("/api/methods").json()["methods"]
    assert [one["name"] for one in methods] == list(METHODS)
    assert client.get("/api/health").json()["status"] == "ready"
    picture = Image.open(io.BytesIO(client.get("/api/examples/0").content), formats=("PNG",))
    assert picture.size == (128, 128)
    assert client.get("/api/examples/1").status_code == 404


def test_the_document_has_every_address_and_field(client: httpx2.Client) -> None:
    document = client.get("/api/openapi.json").json()
    assert document == json.loads(json.dumps(make_document()))
    from eli5.server.app import _ROUTES

    paths = {str(getattr(route, "path", "")).replace(":int", "") for route in _ROUTES}
    served = {path for path in paths if path.startswith("/api/")}
    assert set(document["paths"]) == served - {"/api/openapi.json"}
    form = document["paths"]["/api/explain"]["post"]["requestBody"]["content"]
    properties = form["multipart/form-data"]["schema"]["properties"]
    assert set(properties) == {one.name for one in FIELDS} | set(FILES)
    assert {one.target or one.name for one in FIELDS} | {*FILES} == set(Asked.__dataclass_fields__)
    page = client.get("/api").text
    assert all(name in page for name in properties)


def test_every_page_is_there(client: httpx2.Client) -> None:
    assert client.get("/").headers["location"] == "/explain"
    for name, label in PAGES.items():
        page = client.get(f"/{name}").text
        assert f'<a href="/{name}" aria-current="page">{label}</a>' in page
        assert "<script>" not in page
        assert "<style" not in page
        assert "http://" not in page
        assert "https://" not in page


def test_what_was_explained_before(
    served_models: dict[str, ServedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eli5.server.gallery.PER_PAGE", 2)
    target = TargetExplanation(3, proba=0.5, score=0.5, class_name="star")
    found = [Explanation("net", targets=[target], source=f"<b>{k}</b>") for k in range(3)]
    eli5.save(found, tmp_path / "saved.json")
    gallery, examples = open_gallery(str(tmp_path / "saved.json"))
    assert gallery is not None
    assert (gallery.n_found, count_pages(gallery), examples) == (3, 2, {})
    site = make_site(served_models)
    site.gallery = gallery
    with serving(site) as own, own.client() as client:
        first, second = (client.get("/gallery", params={"page": k}).text for k in (1, 2))
        assert client.get("/gallery", params={"page": 3}).status_code == 404
    assert first.count('<form class="eli5-card') == 2
    assert second.count('<form class="eli5-card') == 1
    assert "&lt;b&gt;2&lt;/b&gt;" in second
    assert "<b>2" not in second
    assert "Page 2 of 2" in second


def test_a_gallery_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no plan"):
        open_gallery(str(tmp_path))
    (tmp_path / "b.png").write_bytes(photo())
    (tmp_path / "a.jpg").write_bytes(photo(kind="JPEG"))
    (tmp_path / "notes.txt").write_text("no picture")
    gallery, examples = open_gallery(str(tmp_path))
    assert gallery is not None
    assert gallery.examples == ("a.jpg", "b.png")
    assert examples["a.jpg"] == tmp_path / "a.jpg"
    assert open_gallery(None) == (None, {})


def test_an_example_that_is_gone_is_said(tmp_path: Path) -> None:
    gone = {"a.png": tmp_path / "a.png"}
    site = Site({}, Queue(1, 1, 1.0), gone, None)
    with pytest.raises(RefusedError, match="cannot be read any more"):
        site.find_picture(Asked(example="a.png", options={}))


def test_models_of_one_name_are_told_apart() -> None:
    served = load_models([ModelSource(str(MODEL)), ModelSource(str(MODEL))])
    assert list(served) == ["model", "model-2"]
    assert served["model"].about()["classes"] == []
    warm_up(served["model"])


def test_a_model_that_cannot_be_served(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Embedding(5, 2), keras.layers.Flatten()]
    )
    model.save(tmp_path / "ids.keras")
    with pytest.raises(UserError, match="Expected"):
        load_models([ModelSource(str(tmp_path / "ids.keras"))])
    with pytest.raises(UserError, match="Expected `model` to be"):
        load_models([ModelSource(str(SCENE))])
