"""What `ExplainCallback` makes of errors: warnings, so that the training goes on."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from PIL import Image

from eli5.callbacks import ExplainCallback
from eli5.callbacks.loggers import folder
from eli5.saving.atomic_write import write_atomically
from helpers.trainings import drive, explained, pictures, small_network, train

IMAGES = pictures(2)


@pytest.fixture
def callback(tmp_path: Path) -> ExplainCallback:
    return ExplainCallback(IMAGES, log_dir=tmp_path)


class Broken:
    """A logger that fails, in whichever way it is told to."""

    def __init__(self, error: BaseException | None, is_active: bool = True) -> None:
        self.error, self.active, self.n_logged, self.n_closed = error, is_active, 0, 0

    def is_active(self) -> bool:
        return self.active

    def log(self, epoch: Any) -> None:
        if self.error is not None:
            raise self.error
        self.n_logged += 1

    def close(self) -> None:
        self.n_closed += 1


@pytest.fixture
def caught() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def texts(caught: Any) -> list[str]:
    """Return what this callback said; Keras warns of its own affairs on PyTorch."""
    found = [str(warning.message) for warning in caught]
    return [text for text in found if text.startswith("ExplainCallback")]


@pytest.mark.parametrize(
    ("images", "options", "reason"),
    [
        (IMAGES[:, :10], {}, r"Expected `doc` of shape \(1, 12, 20, 3\).*\(1, 10, 20, 3\).*doc 0"),
        ([IMAGES[0], IMAGES[1, :9]], {}, r".*doc.shape=\(1, 9, 20, 3\).*doc 1"),
        # A list may as well hold one array per input: only the model tells.
        ([*IMAGES], {"targets": [1, 2, 3]}, "Expected one entry in `targets` per doc, 2"),
        ([*IMAGES], {"pictures": [Image.new("L", (9, 9))]}, "Expected one entry in `images` per "),
    ],
    ids=["shape", "one shape", "targets", "pictures"],
)
def test_what_does_not_fit_the_model_is_told_before_the_first_epoch(
    images: Any,
    options: Any,
    reason: str,
    tmp_path: Path,
    classifier: keras.Model,
    caught: list[warnings.WarningMessage],
) -> None:
    callback = ExplainCallback(images, log_dir=tmp_path, **options)
    callback.set_model(classifier)
    callback.on_train_begin()
    (text,) = texts(caught)
    assert re.search(
        f"ExplainCallback could not explain the images: (Type|Value)Error: {reason}", text
    )
    assert "The training goes on." in text
    drive(callback, classifier, 3)
    assert len(texts(caught)) == 2  # once for each `fit`


def test_a_training_survives_images_that_cannot_be_explained(tmp_path: Path) -> None:
    def broken(outputs: Any) -> Any:
        raise LookupError("no such score")

    callback = ExplainCallback(IMAGES, score=broken, log_dir=tmp_path)
    with pytest.warns(UserWarning, match="LookupError: no such score") as caught:
        history = train(small_network(), callback, epochs=3, validation_data=None)
    assert len(texts(caught)) == 1
    assert len(history["loss"]) == 3
    assert callback.page is None
    assert callback.explanations == []


def test_what_fails_once_may_work_later(
    callback: ExplainCallback, classifier: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [False, True, True, False]

    def write_if_there_is_room(path: Path, content: bytes) -> None:
        if full[0] and path.name == "index.html":
            raise OSError(28, "No space left on device", str(path))
        write_atomically(path, content)

    monkeypatch.setattr(folder, "write_atomically", write_if_there_is_room)
    callback.set_model(classifier)
    callback.on_train_begin()
    callback.on_epoch_end(0)
    full.pop(0)
    with pytest.warns(UserWarning, match="could not log to a folder: OSError: .* No space left"):
        callback.on_epoch_end(1)
    full.pop(0)
    callback.on_epoch_end(2)  # without a second warning
    full.pop(0)
    callback.on_epoch_end(3)
    assert callback.page is not None
    page = callback.page.read_text(encoding="utf-8")
    assert re.findall('id="epoch-([0-9]+)"', page) == ["1", "2", "3", "4"]


def test_a_broken_place_is_no_harm_to_the_others(
    callback: ExplainCallback, classifier: keras.Model
) -> None:
    first, last = Broken(ConnectionError("no server")), Broken(None)
    callback._loggers = {"first": first, **callback._loggers, "last": last}
    with pytest.warns(UserWarning, match="could not log to first: ConnectionError: no server"):
        drive(callback, classifier, 2)
    assert explained(callback) == [1, 2]
    assert last.n_logged == 2
    assert [first.n_closed, last.n_closed] == [1, 1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_training(
    error: type[BaseException], callback: ExplainCallback, classifier: keras.Model
) -> None:
    callback._loggers = {"logger": Broken(error())}
    with pytest.raises(error):
        drive(callback, classifier, 1)


def test_nothing_is_explained_where_nobody_asks_for_it(
    classifier: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = ExplainCallback(IMAGES, log_dir=None)
    idle = Broken(None, is_active=False)
    callback._loggers = {"idle": idle}
    with pytest.warns(UserWarning, match="could not log: there is no folder, and no run") as caught:
        drive(callback, classifier, 3)
    assert len(texts(caught)) == 1
    assert callback.explanations == []
