"""Many pictures in batches: what does not fit is skipped, and little is in memory."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
from keras import layers
from PIL import Image

from eli5.loading import files
from helpers.cli_helpers import colour_model, fails, run, saved, two_colours

Capsys = pytest.CaptureFixture[str]

# ---- the model and the pictures ------------------------------------------------------------------


def test_pictures_that_do_not_fit_a_model_of_any_size(
    capsys: Capsys, colour_photos: Path, tmp_path: Path
) -> None:
    # Eight pixels are the least that this model takes.
    first = [layers.Rescaling(1 / 255), layers.Conv2D(3, 8, padding="valid", name="window")]
    model = colour_model(*first, size=(None, None, 3))
    path = saved(model, tmp_path)
    (colour_photos / "broken.png").unlink()
    for name in ("a.png", "z.png"):
        Image.new("RGB", (4, 4)).save(colour_photos / name)
    ended = run(capsys, "explain", path, colour_photos)
    assert ended.code == 1
    assert ended.fact("Images") == "3 explained, 2 skipped"
    assert ended.err.splitlines()[0].startswith(f"eli5: error: {colour_photos}/a.png: ")
    assert ended.err.splitlines()[1].startswith(f"eli5: error: {colour_photos}/z.png: ")
    assert ended.err.count("\n") == 2
    assert "Arguments received" not in ended.err
    assert ended.fact("Input").endswith(" scales, and other sizes")


@pytest.mark.usefixtures("no_keras")
def test_a_path_without_a_picture_is_told_of_before_the_model_is_loaded(
    capsys: Capsys, model_path: str, colour_photos: Path
) -> None:
    message = fails(capsys, "explain", model_path, colour_photos, f"{colour_photos}/*.gif")
    assert message.startswith("Expected IMAGE to be a file, a folder, or a pattern that matches")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "nonsense"], "Expected one of the methods Grad-CAM, HiResCAM, "),
        (
            ["--method", "gradcamm"],
            "Expected one of the methods in `eli5.keras.METHODS`. ",
        ),
        (["--method", "Saliency", "--layer", "colours"], "Expected no `layer` for methods that "),
    ],
)
def test_options_are_checked_before_the_model_is_loaded(
    capsys: Capsys,
    model_path: str,
    colour_photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("eli5.loading.models.load", None)
    said = fails(capsys, "explain", model_path, colour_photos, *options)
    assert said.startswith(message)
    assert said.endswith("Did you mean method='Grad-CAM'?") == ("gradcamm" in options)


def test_a_defect_in_reading_is_not_taken_for_a_picture_that_does_not_fit(
    capsys: Capsys, model_path: str, colour_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr("eli5.loading.preprocess.picture_to_doc", broken)
    with pytest.raises(ValueError, match="a defect"):
        run(capsys, "explain", model_path, colour_photos)


def test_a_backend_that_fails_from_the_start_is_not_taken_for_pictures_that_do_not_fit(
    capsys: Capsys, model_path: str, colour_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no device")

    monkeypatch.setattr("eli5.keras.pipeline.explain.explain_batch", broken)
    with pytest.raises(RuntimeError, match="no device"):
        run(capsys, "explain", model_path, colour_photos)


def test_what_fails_in_a_batch_is_tried_alone(
    capsys: Capsys, model_path: str, colour_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eli5.keras.pipeline import explain

    explain_batch, sizes = explain.explain_batch, []

    def short_of_memory(request: Any, samples: Any, size: Any = None) -> Any:
        sizes.append(len(samples))
        if len(samples) > 1:
            raise RuntimeError("out of memory")
        return explain_batch(request, samples, size)

    monkeypatch.setattr("eli5.keras.pipeline.explain.explain_batch", short_of_memory)
    (colour_photos / "broken.png").unlink()
    ended = run(capsys, "explain", model_path, colour_photos, "--batch-size", "2")
    assert (ended.code, ended.err) == (0, "")
    assert ended.fact("Images") == "3 explained, 0 skipped"
    assert sizes == [2, 1, 1, 1]


# ---- memory --------------------------------------------------------------------------------------


@pytest.fixture
def most_alive(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the pictures that are in memory whenever one more is read."""
    alive: dict[int, weakref.ref[Image.Image]] = {}
    counts: list[int] = []
    read = files.read_picture

    def counting(path: str, frame: int | None = None) -> Image.Image:
        counts.append(sum(one() is not None for one in alive.values()))
        picture = read(path)
        alive[len(alive)] = weakref.ref(picture)
        return picture

    monkeypatch.setattr(files, "read_picture", counting)
    return counts


@pytest.mark.parametrize("to_folder", [False, True])
def test_the_pictures_in_memory_are_no_more_than_two_batches(
    capsys: Capsys,
    model_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most_alive: list[int],
    to_folder: bool,
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for k in range(24):
        two_colours(60 + k, 40).save(pictures / f"{k}.png")
    # A page's pictures are copies of the size that it shows.
    monkeypatch.setattr("eli5.cli.output._AREA", 1000)
    out = ("--out", tmp_path / "out") if to_folder else ()
    assert run(capsys, "explain", model_path, pictures, "--batch-size", "4", *out).code == 0
    assert len(most_alive) == 24
    assert max(most_alive) <= 2 * 4
