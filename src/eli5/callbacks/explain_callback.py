"""A callback for `keras.Model.fit` that explains the same images again and again."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from eli5.base import Explanation, TargetExplanation, missing_picture_libraries
from eli5.callbacks.loggers import Logger, make_epoch, open_loggers
from eli5.checks import expect_integer, expect_type, listed, wrong_type
from eli5.explain import explain_predictions, with_grader
from eli5.keras.inputs.dataset import stream_docs
from eli5.keras.inputs.image import check_image
from eli5.keras.inputs.model_inputs import check_doc
from eli5.keras.pipeline.plan import at_doc
from eli5.keras.pipeline.request import make_request
from eli5.keras.targets.classes import as_class_ids

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from PIL.Image import Image


class ExplainCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Explain the same images while a model is trained, and log the overlays.

    It works at the end of every `every`-th epoch and of the last one, with the weights of that
    epoch, and costs as much as `eli5.explain_predictions` of these images. The training is the same
    with and without it, to the bit. An error in it is a warning, once per `fit` and logger, and the
    training goes on.

    Epochs are counted from 1, as the progress bar of `fit` does, and the count goes on where `fit`
    is called again with the same callback: nothing is overwritten.

    Parameters
    ----------
    images : numpy.ndarray, or a list or dict
        What is explained, as `eli5.explain_predictions` takes it: an array ``(N, ...)`` of the
        model's input, a list of docs, or a list or dict with such an array for each of several
        inputs. It is copied, and must not be a dataset, which may shuffle.
    every : int
        Explain each epoch whose number this divides, and the last.
    methods : sequence of str or callable, optional
        Grad-CAM if not given.
    layer : optional
        The target layer; see `eli5.explain_prediction`.
    targets : sequence, optional
        Per image a class id or a list of them; the top prediction of each epoch if not given.
    pictures : sequence of PIL.Image.Image, optional
        Per image the picture to lay the heatmap over; made from the image if not given.
    log_dir : str or path-like, optional
        Gets a folder ``run-1``, ``run-2``, … for each callback, with a page ``index.html`` that
        shows all epochs side by side, and their pictures. ``None`` writes none.
    tensorboard : bool, str or path-like
        Whether an event file for TensorBoard is written, into the run's folder or into the folder
        that is given. A picture's step is Keras's own number of the epoch, which starts at 0, so
        that it stands beside the curves of `keras.callbacks.TensorBoard`. Needs tensorboardX.
    active_runs : bool
        Whether the run of MLflow and of Weights & Biases that is active at the time gets the
        pictures too. Neither library is ever imported by this.
    batch_size : int
        How many images the model sees at once.
    **options
        ``score``, ``top_targets``, ``class_names`` and all else of `eli5.explain_predictions`;
        ``colormap``, ``alpha_limit`` and all else of `eli5.format_as_image`.

    Attributes
    ----------
    explanations : list of lists of Explanation
        Those of the last explained epoch: per image one for each method.
    page : pathlib.Path or None

    Raises
    ------
    TypeError, ValueError
        If an option is wrong, as far as that can be told without a model.
    ImportError
        If Pillow, matplotlib or, with `tensorboard`, tensorboardX is missing.

    Warns
    -----
    UserWarning
        If the images do not fit the model, cannot be explained, or cannot be logged.
    """

    def __init__(
        self,
        images: Any,
        *,
        every: int = 1,
        methods: Sequence[Any] | None = None,
        layer: Any = None,
        targets: Sequence[Any] | None = None,
        pictures: Sequence[Image] | None = None,
        log_dir: str | PathLike[str] | None = "explanations",
        tensorboard: bool | str | PathLike[str] = False,
        active_runs: bool = True,
        batch_size: int = 32,
        **options: Any,
    ) -> None:
        super().__init__()
        if missing := missing_picture_libraries():
            raise ImportError(
                "Expected Pillow and matplotlib, to draw pictures. Received: no "
                f"{' and no '.join(missing)}. Install with: pip install {' '.join(missing)}"
            )
        self._every = expect_integer("every", every, least=1, expected="an integer, in epochs")
        self._drawing = _check_drawing(options)
        others = {name: options[name] for name in options if name not in self._drawing}
        self._explaining = {"methods": methods, "layer": layer, "batch_size": batch_size, **others}
        make_request(targets=targets, **with_grader(self._explaining))
        self._images = _copy_of(images)
        self._pictures = _per_image("pictures", pictures, self._images, check_image)
        self._targets = _per_image("targets", targets, self._images, as_class_ids)
        self._loggers = open_loggers(log_dir, tensorboard, active_runs)
        self.explanations: list[list[Explanation]] = []
        self._next_step = 0
        self._shift: int | None = None
        self._warned: set[str] = set()

    @property
    def page(self) -> Path | None:
        """The page, once the first epoch is on it."""
        return getattr(self._loggers.get("a folder"), "page", None)

    def on_train_begin(self, logs: Any = None) -> None:
        """Warn before the first epoch if the images do not fit the model."""
        self._warned.clear()
        self._shift = None
        with self._survive("explain the images"):
            self._start()  # counts what belongs to the images
            for number, doc in enumerate(stream_docs(self.model, self._images)):
                with at_doc(number):
                    check_doc(self.model, doc)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Explain and log, if it is the epoch's turn."""
        step = self._step(epoch)
        if (step + 1) % self._every and not self._is_last(epoch):
            return
        active = self._active_loggers()
        if not active:
            self._warn("log", "there is no folder, and no run of MLflow or W&B is active")
            return
        with self._survive("explain the images"):
            explained = list(self._start())
            self.explanations = [one if isinstance(one, list) else [one] for one in explained]
            logged = make_epoch(step, logs, self.explanations, self._drawing)
            for name, logger in active.items():
                with self._survive(f"log to {name}"):
                    logger.log(logged)

    def on_train_end(self, logs: Any = None) -> None:
        """Close what was opened; a next `fit` opens it again."""
        for name, logger in self._loggers.items():
            with self._survive(f"log to {name}"):
                logger.close()

    def _start(self) -> Iterator[Any]:
        """Return what explains the images, of which the options are checked and nothing is run."""
        # The bar of `fit` is shown.
        chosen = {
            "targets": self._targets, "images": self._pictures, "progress": False,
            **self._explaining,
        }  # fmt: skip
        return explain_predictions(self.model, self._images, **chosen)

    def _step(self, epoch: int) -> int:
        """Return which epoch it is, from 0, over all calls of `fit`."""
        if self._shift is None:  # the first of this `fit`, which may start at an `initial_epoch`
            self._shift = max(self._next_step - epoch, 0)
        self._next_step = epoch + self._shift + 1
        return epoch + self._shift

    def _is_last(self, epoch: int) -> bool:
        """Tell whether `fit` ends here, as planned or because a callback before this one says so.

        At `on_train_end` it would be too late: then the weights may be those of another epoch, as
        `keras.callbacks.EarlyStopping` restores the best.
        """
        was_planned = epoch + 1 == (self.params or {}).get("epochs")
        return was_planned or getattr(self.model, "stop_training", False)

    def _active_loggers(self) -> dict[str, Logger]:
        active = {}
        for name, logger in self._loggers.items():
            with self._survive(f"log to {name}"):
                if logger.is_active():
                    active[name] = logger
        return active

    @contextlib.contextmanager
    def _survive(self, task: str) -> Iterator[None]:
        """Turn an error into a warning; training is worth more than a picture of it."""
        try:
            yield
        except Exception as error:
            notes = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
            self._warn(task, f"{type(error).__name__}: {error}{notes}".removesuffix("."))

    def _warn(self, task: str, reason: str) -> None:
        if task in self._warned:
            return
        self._warned.add(task)
        warnings.warn(
            f"ExplainCallback could not {task}: {reason}. The training goes on. Each epoch that is "
            "to be explained tries again, and this warning is not repeated.",
            UserWarning,
            stacklevel=2,
        )


def _check_drawing(others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `eli5.format_as_image`; one pixel tells whether they will do."""
    from PIL import Image

    from eli5.formatters.image import format_as_image

    names = list(inspect.signature(format_as_image).parameters)[1:]
    drawing = {name: value for name, value in others.items() if name in names}
    empty = np.zeros((1, 1), np.float32)
    target = TargetExplanation(0, heatmap=empty, attribution=empty)
    format_as_image(Explanation("", targets=[target], image=Image.new("RGB", (1, 1))), **drawing)
    return drawing


def _per_image(
    name: str, values: Any, images: Any, check: Callable[[Any], Any]
) -> list[Any] | None:
    """Return one entry per image as a list, which can be read at each epoch."""
    if values is None:
        return None
    entries = listed(values)
    if entries is None:
        raise wrong_type(name, values, "None or to hold one entry per image")
    # A list may hold one array per image, or one per input of the model.
    n_images = None if isinstance(images, list | tuple) else len(keras.tree.flatten(images)[0])
    if n_images is not None and len(entries) != n_images:
        raise ValueError(
            f"Expected one entry in `{name}` per image, {n_images} of them. Received: "
            f"{len(entries)}"
        )
    for entry in entries:
        check(entry)
    return entries


def _copy_of(images: Any) -> Any:
    """Return the images as NumPy arrays of our own, which nobody changes during the training."""
    if not hasattr(images, "shape"):
        # A dataset may shuffle, and draw from the random numbers that the training needs.
        advice = "Take the docs that are to be shown out of it first"
        kinds = (list, tuple, dict)
        expect_type("images", images, kinds, "an array, or a list or dict of arrays", advice)
    arrays = keras.tree.map_structure(_array_of, images)
    leaves = keras.tree.flatten(arrays)
    if not leaves or not all(map(len, leaves)):
        raise ValueError("Expected `images` to hold at least one image. Received: none")
    return arrays


def _array_of(leaf: Any) -> Any:
    if hasattr(leaf, "detach"):  # PyTorch, on any device
        leaf = leaf.detach().cpu()
    if not hasattr(leaf, "shape") or np.ndim(leaf) == 0:
        raise wrong_type("images", leaf, "one array or several", "Convert it with `np.asarray`")
    return np.array(leaf)
