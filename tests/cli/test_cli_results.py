"""``eli5 explain --out`` with a folder: an overlay per picture, a line per explanation, pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.cli_helpers import BLUE, RED, fails, records, run, two_colours

Capsys = pytest.CaptureFixture[str]


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"), int)


# ---- a folder of results -------------------------------------------------------------------------


@pytest.mark.parametrize(("allowed", "code"), [(0, 1), (1, 0)])
def test_pictures_that_may_fail(
    allowed: int, code: int, capsys: Capsys, model_path: str, colour_photos: Path
) -> None:
    ended = run(capsys, "explain", model_path, colour_photos, "--allow-failed", allowed)
    assert ended.code == code
    assert ended.fact("Images") == "3 explained, 1 skipped"


def test_overlays_lines_and_pages(
    capsys: Capsys, model_path: str, colour_photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    ended = run(capsys, "explain", model_path, colour_photos, "--top", "2", "--out", out)
    assert ended.code == 1
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    overlays = {"red.png", "green.png", "sub/blue.png"}
    assert written == overlays | {"index.html", "explanations.jsonl"}
    assert ended.fact("Written") == f"{out}/index.html, explanations.jsonl, 3 overlays"
    rows = records((out / "explanations.jsonl").read_text(encoding="ascii"))
    assert {row["overlay"] for row in rows if not row["error"]} == overlays
    assert [len(row["targets"]) for row in rows if not row["error"]] == [2, 2, 2]
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "<title>What colour_model looked at</title>" in page
    assert page.count('class="eli5-layer"') >= 3
    for name in overlays:
        assert name in page
    assert "<nav" not in page


def test_the_overlay_lies_on_the_picture_itself(
    capsys: Capsys, model_path: str, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, size in {"a.png": (60, 40), "b.jpg": (90, 120)}.items():
        two_colours(*size).save(pictures / name)
    out = tmp_path / "out"
    assert run(capsys, "explain", model_path, pictures, "--class", RED, "--out", out).code == 0
    for name, size in {"a.png": (60, 40), "b.jpg": (90, 120)}.items():
        overlay, picture = pixels(out / name), pixels(pictures / name)
        assert overlay.shape == (size[1], size[0], 3)
        changed = np.abs(overlay - picture).max(axis=-1) > 30
        third = size[0] // 3
        assert changed[:, : third - 5].all()
        assert not changed[:, third + 8 :].any()


def test_the_same_as_one_by_one(
    capsys: Capsys, model_path: str, colour_photos: Path, tmp_path: Path
) -> None:
    pictures = [
        colour_photos / "red.png",
        colour_photos / "sub" / "blue.png",
        colour_photos / "green.png",
    ]
    alone = [
        records(run(capsys, "explain", model_path, picture, "--json", "--top", "2").out)[0]
        for picture in pictures
    ]
    for size in (1, 2, 8):
        ended = run(
            capsys, "explain", model_path, *pictures, "--json", "--top", 2, "--batch-size", size
        )
        together = records(ended.out)
        assert [row["path"] for row in together] == list(map(str, pictures))
        for one, other in zip(alone, together, strict=True):
            for key in ("target", "score"):
                assert [t[key] for t in one["targets"]] == pytest.approx(
                    [t[key] for t in other["targets"]], abs=1e-6
                )
            np.testing.assert_allclose(
                one["targets"][0]["heatmap"], other["targets"][0]["heatmap"], atol=1e-5
            )


def test_several_methods_and_classes(
    capsys: Capsys, model_path: str, colour_photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ["--method", "gradcam", "--method", "eigencam", "--class", RED, "--class", BLUE]
    ended = run(capsys, "explain", model_path, colour_photos, *options, "--out", out)
    assert ended.fact("Method") == "Grad-CAM, Eigen-CAM"
    assert ended.fact("Layer") == "colours"
    rows = records((out / "explanations.jsonl").read_text(encoding="ascii"))[1:]
    assert len(rows) == 6
    assert all([t["target"] for t in row["targets"]] == [RED, BLUE] for row in rows)
    with Image.open(out / "red.png") as sheet:
        assert sheet.width > 2 * 60
        assert sheet.height > 2 * 40


def test_json_and_a_folder(
    capsys: Capsys, model_path: str, colour_photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = run(capsys, "explain", model_path, colour_photos, "--out", out, "--json")
    assert ended.out == (out / "explanations.jsonl").read_text(encoding="ascii")
    assert (out / "index.html").exists()


def test_one_picture_into_a_folder(
    capsys: Capsys, model_path: str, image_path: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = run(capsys, "explain", model_path, image_path, "--out", out)
    assert (ended.code, ended.err) == (0, "")
    assert {path.name for path in out.iterdir()} == {
        *("two colours.png", "index.html", "explanations.jsonl")
    }


def test_results_inside_the_folder_that_is_explained(
    capsys: Capsys, model_path: str, colour_photos: Path
) -> None:
    (colour_photos / "broken.png").unlink()
    out = colour_photos / "explained"
    first = run(capsys, "explain", model_path, colour_photos, "--out", out)
    assert (first.code, first.err) == (0, "")
    before = {path.relative_to(out) for path in out.rglob("*")}
    again = run(capsys, "explain", model_path, colour_photos, "--out", out)
    assert again.fact("Images") == "3 explained, 0 skipped"
    assert again.err == f"eli5: Left out, as this command has made it: {out}.\n"
    assert {path.relative_to(out) for path in out.rglob("*")} == before
    elsewhere = run(
        capsys, "explain", model_path, colour_photos, "--out", colour_photos / "once more"
    )
    assert elsewhere.fact("Images") == "3 explained, 0 skipped"
    again = run(capsys, "explain", model_path, f"{colour_photos}/**/*.png")
    assert again.fact("Images") == "3 explained, 0 skipped"
    assert again.err.endswith(f"{out} and 1 more.\n")


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize("out", [".", "red.png/", "new.txt", "new.png", "new.html"])
def test_out_that_cannot_take_many(
    capsys: Capsys, model_path: str, colour_photos: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(colour_photos)
    before = set(colour_photos.rglob("*"))
    message = fails(capsys, "explain", model_path, ".", "--out", out)
    if out.startswith("new"):
        assert message == (
            "Expected --out to be a folder for several pictures: one that exists, a name without "
            f"an ending, or one with a slash at its end. Received: --out={out} for 4 pictures"
        )
    else:
        assert message.startswith("Expected --out to be a ")
    assert set(colour_photos.rglob("*")) == before


def test_nothing_is_made_if_nothing_can_be_explained(
    capsys: Capsys, model_path: str, colour_photos: Path, tmp_path: Path
) -> None:
    (colour_photos / "broken.png").unlink()
    out = tmp_path / "out"
    message = fails(capsys, "explain", model_path, colour_photos, "--class", "3", "--out", out)
    assert message.startswith("Expected a class id in [0, 3)")
    assert not out.exists()


def test_a_full_disk_ends_the_run(
    capsys: Capsys,
    model_path: str,
    colour_photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (colour_photos / "broken.png").unlink()

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("eli5.saving.atomic_write.os.fsync", fail)
    out = tmp_path / "out"
    assert fails(capsys, "explain", model_path, colour_photos, "--out", out) == (
        "Expected --out to be a folder that can be written to. Received: "
        f"--out={out}: [Errno 28] No space left on device: '{out / 'green.png'}'"
    )
    assert [path.name for path in out.iterdir()] == ["explanations.jsonl"]


def test_an_overlay_that_its_format_cannot_hold_is_skipped(
    capsys: Capsys, model_path: str, colour_photos: Path, tmp_path: Path
) -> None:
    (colour_photos / "broken.png").unlink()
    Image.new("RGB", (16_383, 2)).save(colour_photos / "wide.webp")
    out = tmp_path / "out"
    ended = run(capsys, "explain", model_path, colour_photos, "--top", "2", "--out", out)
    assert ended.code == 1
    assert ended.fact("Images") == "3 explained, 1 skipped"
    assert ended.err.startswith(
        f"eli5: error: {colour_photos}/wide.webp: Expected the overlay to be of a format that can "
        "hold "
    )
    assert not (out / "wide.webp").exists()


# ---- the pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "n_pages"),
    [([], 1), (["--top", 3], 1), (["--method", "gradcam", "--method", "layercam"], 2)],
)
def test_cards_per_page(
    capsys: Capsys,
    model_path: str,
    colour_photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    n_pages: int,
) -> None:
    monkeypatch.setattr("eli5.cli.output.CARDS", 4)
    out = tmp_path / "out"
    ended = run(capsys, "explain", model_path, colour_photos, *options, "--out", out)
    assert len(list(out.glob("index*.html"))) == n_pages
    more = ", 1 more page" if n_pages == 2 else ""
    assert ended.fact("Written") == f"{out}/index.html{more}, explanations.jsonl, 3 overlays"
