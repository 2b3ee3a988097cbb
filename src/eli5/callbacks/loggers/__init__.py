"""The loggers that an epoch's explanations go to, one file for each, and the epoch they get."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.callbacks.loggers.active_runs import MLflowLogger, WandbLogger
from eli5.callbacks.loggers.folder import FolderLogger
from eli5.callbacks.loggers.tensorboard import TensorBoardLogger
from eli5.checks import expect_flag, expect_type, need, wrong_value
from eli5.formatters.image import format_as_image
from eli5.formatters.overlay.picture import to_rgba

# The longest side of a picture of a page, in pixels: all of a photo would take seconds and
# megabytes for each of its targets at each epoch, and a digit of 28 pixels could not be seen.
_LEAST, _MOST = 128, 256


class Cell(NamedTuple):
    """One overlay, of the `image`'s target at `rank`, both counted from 0."""

    image: int
    method: str  # a name as `Epoch` has them
    rank: int
    expl: Explanation  # with a picture of the overlay's size, see `Epoch.fitted`
    target: TargetExplanation
    overlay: Image.Image  # in mode ``RGBA``


@dataclass(frozen=True)
class Epoch:
    """What is logged of one epoch; its pictures are drawn when a logger first needs them."""

    step: int  # the number of the epoch as Keras counts, from 0
    logs: Mapping[str, float]  # loss and metrics
    methods: Sequence[str]  # their names in letters that files and tags can have, each another
    explanations: Sequence[Sequence[Explanation]]  # per image one for each method
    drawing: Mapping[str, Any]  # options of `eli5.format_as_image`

    @property
    def number(self) -> int:
        """The number of the epoch as people count, from 1."""
        return self.step + 1

    @cached_property
    def fitted(self) -> list[list[Explanation]]:
        """The explanations with pictures of a size to look at, one by one, on a page."""
        return [list(map(_with_fitted_picture, per_method)) for per_method in self.explanations]

    @cached_property
    def cells(self) -> list[Cell]:
        """All overlays in that size: by image, then method, then target."""
        return [
            Cell(
                image, method, rank, expl, target,
                format_as_image(replace(expl, targets=[target]), **self.drawing),
            )
            for image, per_method in enumerate(self.fitted)
            for method, expl in zip(self.methods, per_method, strict=True)
            for rank, target in enumerate(expl.targets)
        ]  # fmt: skip

    @cached_property
    def grids(self) -> dict[str, Image.Image]:
        """By method one picture of all its overlays, with names and scores; in mode ``RGB``.

        They keep the size of their pictures, see `eli5.formatters.sheet.to_sheet`: a browser that
        shows it smaller still lets its reader look closer.
        """
        return {
            method: format_as_image(explanations, **self.drawing).convert("RGB")
            for method, *explanations in zip(self.methods, *self.explanations, strict=True)
        }


class Logger(Protocol):
    """Where an epoch's explanations go."""

    def is_active(self) -> bool:
        """Tell whether there is something to log to at this moment."""

    def log(self, epoch: Epoch) -> None:
        """Log; raise whatever goes wrong."""

    def close(self) -> None:
        """Finish what is open; `log` may be called again later."""


def open_loggers(log_dir: Any, tensorboard: Any, active_runs: Any) -> dict[str, Logger]:
    """Return the loggers that are wanted, by the name that a warning calls them.

    See `eli5.callbacks.ExplainCallback` for the parameters and errors.
    """
    _check_log_dir(log_dir)
    _check_tensorboard(tensorboard, log_dir)
    expect_flag("active_runs", active_runs)
    loggers: dict[str, Logger] = {}
    if log_dir is not None:
        loggers["a folder"] = run = FolderLogger(log_dir)
    if tensorboard is True:
        loggers["TensorBoard"] = TensorBoardLogger(lambda: str(run.folder))
    elif tensorboard is not False:
        loggers["TensorBoard"] = TensorBoardLogger(lambda: os.fspath(tensorboard))
    if active_runs:
        loggers |= {"MLflow": MLflowLogger(), "Weights & Biases": WandbLogger()}
    if not loggers:
        raise ValueError(
            "Expected at least one logger. Received: log_dir=None, tensorboard=False and "
            "active_runs=False. Give `log_dir`."
        )
    return loggers


def _check_log_dir(log_dir: Any) -> None:
    expect_type("log_dir", log_dir, str | os.PathLike | None, "None or the path of a folder")
    if log_dir is not None and not os.fspath(log_dir):
        raise wrong_value("log_dir", log_dir, "to name a folder")
    if log_dir is not None and os.path.exists(log_dir) and not os.path.isdir(log_dir):
        raise wrong_value("log_dir", log_dir, "to be a folder", "It is a file")


def _check_tensorboard(tensorboard: Any, log_dir: Any) -> None:
    expected = "True, False or the path of a folder"
    expect_type("tensorboard", tensorboard, bool | str | os.PathLike, expected)
    if tensorboard is True and log_dir is None:
        raise ValueError(
            "Expected a folder for the event file. Received: tensorboard=True and log_dir=None. "
            "Give the folder as `tensorboard`."
        )
    if tensorboard is not False:
        need("tensorboardX")


def make_epoch(
    step: int,
    logs: Mapping[str, Any] | None,
    explanations: Sequence[Sequence[Explanation]],
    drawing: Mapping[str, Any],
) -> Epoch:
    """Bring together what is logged of an epoch; see `Epoch`."""
    methods = _tags([expl.method or "" for expl in explanations[0]])
    return Epoch(step, _numbers(logs or {}), methods, explanations, drawing)


def _tags(names: Sequence[str]) -> list[str]:
    plain = [name.casefold().replace("×", "x").replace("+", " plus ") for name in names]
    tags = [re.sub("[^a-z0-9]+", "-", name).strip("-") or "method" for name in plain]
    return [f"{tag}-{k}" if tags.count(tag) > 1 else tag for k, tag in enumerate(tags, 1)]


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    numbers = {}
    for name, value in logs.items():
        if np.ndim(value) == 0:
            with contextlib.suppress(TypeError, ValueError):  # other callbacks add what they like
                numbers[str(name)] = float(value)
    return numbers


def _with_fitted_picture(expl: Explanation) -> Explanation:
    if not isinstance(expl.image, Image.Image):
        return expl  # `format_as_image` says what is wrong
    n_slices = [len(t.heatmap) for t in expl.targets if np.ndim(t.heatmap) == 3]
    return replace(expl, image=_fitted(to_rgba(expl.image), *n_slices[:1]))


def _fitted(picture: Image.Image, n_slices: int = 1) -> Image.Image:
    """Bring a picture to a size to look at; its slices side by side, if any, stay of one size."""
    width, height = picture.width // n_slices, picture.height
    longest = max(width, height)
    if _LEAST <= longest <= _MOST:
        return picture
    if longest < _LEAST:
        factor = math.ceil(_LEAST / longest)  # a whole number: a pixel is to be seen as a pixel
        return picture.resize((picture.width * factor, height * factor), Image.Resampling.NEAREST)
    width, height = (max(round(side * _MOST / longest), 1) for side in (width, height))
    return picture.resize((width * n_slices, height), Image.Resampling.LANCZOS)
