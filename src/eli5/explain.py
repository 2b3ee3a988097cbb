"""Pick the implementation that explains an estimator, by its type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from eli5.advice import check_keras_model, is_keras_model, not_supported
from eli5.checks import expect_flag, shown
from eli5.tracebacks import ShortErrors

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.explanations import ExplanationStream


def explain_prediction(
    estimator: Any,
    doc: Any,
    targets: list[int] | None = None,
    layer: Any = None,
    image: Image | str | None = None,
    *,
    tokens: Iterable[Any] | None = None,
    pad_value: float | None = None,
    pad_token: str | None = None,
    time: Any = None,
    channel_names: Iterable[str] | None = None,
    input: str | int | None = None,
    output: str | int | None = None,
    method: Any = None,
    methods: Sequence[Any] | None = None,
    score: Any = "auto",
    sign: str = "positive",
    classes: Iterable[Any] | None = None,
    top_targets: int | None = None,
    target: Any = None,
    detector: Any = None,
    class_names: Any = None,
    task: str | None = None,
    grid: tuple[int, ...] | None = None,
    data_format: str | None = None,
    fusion: str = "mean",
    batch_size: int = 32,
    progress: bool | None = None,
    grade: bool = False,
    **method_options: Any,
) -> Any:
    """Explain one prediction of an estimator.

    Parameters
    ----------
    estimator : keras.Model
        The model: functional, `Sequential` or subclassed; it is built if it never was.
    doc : numpy.ndarray, a list or dict of them, or str
        One sample of the model's input(s), with batch size 1: a picture ``(1, H, W, C)`` or ``(1,
        H, W)``, a volume or video ``(1, D, H, W, C)``; token ids ``(1, T)`` or one vector per token
        ``(1, T, F)``; a series ``(1, T, F)``; or a string, for a model that takes strings or has a
        ``preprocessor``. ``(1, C, H, W)`` and the like where the model has its channels first.
    targets : list of one int, optional
        The class to explain; the top prediction if not given. One sigmoid unit stands for two
        classes: 1 is its own, 0 the other.
    layer : str, int, keras.layers.Layer or a pair, or a list of these, optional
        The target layer, by name (at any depth, as ``"base/conv"`` where ``"conv"`` is not alone),
        index into ``model.layers`` or itself. ``(layer, nth)`` picks one of several calls, in the
        order in which the model runs them, which in a functional model need not be that in which
        they were written; if not said, it is the last that sees the explained input. If no layer is
        given: the last that gives a feature map and that the score reacts to; in a transformer the
        last normalised tokens. `eli5.keras.target_layers` lists them. The maps of several layers
        are fused.
    image : PIL.Image.Image or str, optional
        The picture to lay the heatmap over; made from `doc` if not given. The name of a layer: its
        output, ``(1, H, W)`` or ``(1, H, W, C)``, is the picture and explained in the place of the
        doc, such as a spectrogram that the model makes of a waveform. With ``image=`` or ``grid=``
        flat columns ``(1, H * W)`` are a picture, where a `Reshape` in the model folds them to one.
    tokens : list or array of str, or any iterable of them, optional
        Of a text: one per step, also with a batch axis of 1. The ids if not given.
    pad_value : number, optional
        Of a text: what `doc` holds where there is padding. Padding before and after the text is
        left out of the result. If neither this nor `pad_token` is given, it is what the model
        itself masks (``Embedding(mask_zero=True)``, ``Masking``).
    pad_token : str, optional
        Of a text: what `tokens` hold where there is padding.
    time : array of T numbers, dates or durations, optional
        Of a series: when each step is; it must rise. Dates with a time zone are converted to UTC,
        durations (``timedelta64``) to seconds.
    channel_names : list of F strings, optional
        Of a series: or an array, or a column of a table.
    input : str or int, optional
        Which of several inputs is explained; needed where more than one looks like it.
    output : str or int, optional
        Which of several outputs is explained, by key, name or index; the first if not given. A
        callable `score` gets this one, or all if not given.
    method : str or callable, optional
        Grad-CAM if not given; LayerCAM for the boxes of a detector. A name from
        `eli5.keras.METHODS`, in any spelling (``"gradcam"``), or a formula of your own
        ``(activations, gradients) -> map``, traced, on `keras.ops` tensors of shape ``(B, H, W,
        C)`` to ``(B, H, W)``; pass the same function each time, a new one is compiled anew.
    methods : sequence of str or callable, optional
        Several methods in the place of one; those that can share a run of the model. One may be a
        pair with options of its own: ``[("RISE", {"n_masks": 200}), "LIME"]``.
    score : {"auto", "log-odds", "logit", "output"} or callable
        Which number is differentiated. ``"auto"``: the log-odds of the class where the model ends
        in a softmax or sigmoid, otherwise the output; CAM and Finer-CAM, which are defined on
        logits, take these. ``"log-odds"``: of the logits y before a softmax ``y_c - log sum_{k !=
        c} exp y_k``, what speaks for this class and not for the others; of a sigmoid its logit; a
        model without either has its outputs taken for logits. ``"logit"``: ``y_c``, as the papers
        have it. ``"output"``: the output as it is, which has no gradient where it is saturated. A
        callable takes the model's outputs (batch axis first) and returns one number per sample;
        pass the same function each time, a new one is compiled anew.
    sign : {"positive", "negative"}
        ``"negative"`` explains what speaks against the class: the score with the other sign.
    classes : list of int and str, optional
        Explain these classes, by id or by name (of `class_names`), in one run of the model.
    top_targets : int, optional
        Explain this many classes, from the highest output down, in one run of the model.
    target : one of `eli5.targets`, or a list of them, optional
        Something else than a class of a classifier: a `Region` or a `Pixel` of a segmenter, the
        `Similarity` to an embedding, a `Contrast` of two classes. Several share one run of the
        model. At most one of `targets`, `classes`, `top_targets`, `target` and a callable `score`
        is given. Boxes of a detector: a `Box`, a `Detection`, all `Objects` of a class, one that
        is `Missing`.
    detector : callable or str, optional
        How the outputs of a detector are read that is of no family that is known: an adapter, a
        function of the outputs that returns `eli5.targets.Candidates`; pass the same function each
        time. Or the format of boxes ``(1, N, 4)`` beside scores ``(1, N, n_classes)``;
        ``"xyxy"``, in pixels, if not given.
    class_names : sequence, mapping or callable, optional
        Class id to name, for all classes; or name to class id, as Keras's ``class_indices`` are. A
        function may return None for those without a name.
    task : {"classification", "regression"}, optional
        What the outputs are, where the model does not tell. ``"classification"``: the logits of
        classes, whose probabilities are shown; one unit is that of two. ``"regression"``: values,
        each a target of its own, explained as they are; the first if not said. If not given, one
        unit without a sigmoid is a value, and all else are classes.
    grid : tuple of int, optional
        Height and width of the grid that a transformer's tokens lie on, where it cannot be inferred
        from the model. Tokens before the last ``height * width`` are class or register tokens. Or
        of the picture that flat columns are, see `image`.
    data_format : {"channels_first", "channels_last"}, optional
        Where the channels of a picture are, if its model does not show it: the description says so.
    fusion : {"mean", "max"}
        How the maps of several layers become one, each divided by its largest absolute value.
    batch_size : int
        The most copies or perturbed inputs that the model sees at once.
    progress : bool, optional
        Whether a bar on standard error shows how far a method is that runs the model many times;
        after a second, between two runs. None: if that is a terminal or a notebook. True: elsewhere
        a line every ten seconds.
    grade : bool
        Whether each map is graded, ``targets[k].grade``: how far it can be trusted, by at most 40
        more passes of the model for each, in one or two batches; see `eli5.base.Grade`.
    **method_options
        Of the method: ``METHODS[name].options`` has them with their defaults, the docstring of
        ``METHODS[name].function`` says what they mean. Each formula also takes ``n_samples``,
        ``noise``, ``seed`` and ``augment``; see `eli5.keras.methods.smoothing.Smoothing`.

    Returns
    -------
    Explanation, or `eli5.Explanations`, a list of them, if `methods` is given
        ``image``, ``method``, ``layer``, ``description`` and ``targets``: one `TargetExplanation`
        per class, with ``attribution`` (float32, of the target layer's grid or the input's size),
        ``heatmap`` (the same in [0, 1], without what is negative), ``target``, ``score`` (the
        model's own output for the class), ``proba`` (the same, where it is a probability),
        ``explained`` (the number that the map explains) and ``explained_name``. With ``error`` set
        if estimators of this type are not supported.

    Raises
    ------
    TypeError
        If `doc` is no NumPy array, `targets` no list, its item no integer, `layer` of another type,
        `image` no Pillow image, `classes` no list of ids and names, or if no method has an option.
    ValueError
        If the doc's shape does not match, if `targets` has not one item in ``[0, n_classes)``, if
        there is no such class in `classes`, if `class_names` are not as many as the classes, if
        no suitable layer is found or the score cannot be differentiated with respect to it, if
        the model is no classifier, if there is no such method, if it cannot serve the model, or if
        numbers of the doc are masked, or too large for the backend.
    RuntimeError
        Inside of what ``jax.jit`` or ``tf.function`` compile.

    Warns
    -----
    UserWarning
        If a heatmap is empty; the reason is in ``description`` too.
    """
    options = _arguments(locals(), "estimator", "doc")
    with ShortErrors():
        if is_keras_model(estimator):
            from eli5.keras.explain_prediction import explain_prediction_keras

            return explain_prediction_keras(estimator, doc, **with_grader(options))
        from eli5.base import Explanation

        return Explanation(shown(estimator), error=not_supported(estimator))


def explain_predictions(
    model: Any,
    docs: Any,
    *,
    targets: Iterable[Any] | None = None,
    images: Iterable[Any] | None = None,
    tokens: Iterable[Any] | None = None,
    pad_value: float | None = None,
    pad_token: str | None = None,
    time: Any = None,
    channel_names: Iterable[str] | None = None,
    layer: Any = None,
    input: str | int | None = None,
    output: str | int | None = None,
    method: Any = None,
    methods: Sequence[Any] | None = None,
    score: Any = "auto",
    sign: str = "positive",
    classes: Iterable[Any] | None = None,
    top_targets: int | None = None,
    target: Any = None,
    detector: Any = None,
    class_names: Any = None,
    task: str | None = None,
    grid: tuple[int, ...] | None = None,
    data_format: str | None = None,
    fusion: str = "mean",
    batch_size: int = 32,
    progress: bool | None = None,
    grade: bool = False,
    **method_options: Any,
) -> ExplanationStream:
    """Explain many predictions, batch by batch.

    Parameters
    ----------
    model : keras.Model
    docs : Any
        An array ``(N, ...)``, any iterable of docs, a `keras.utils.PyDataset`, a
        ``tf.data.Dataset`` or a torch ``DataLoader`` (labels are left aside); for a model with
        several inputs also a list or dict of arrays ``(N, ...)``.
    targets : iterable, optional
        Per doc a class id or a list of them; the top prediction of each if not given.
    images : iterable of PIL.Image.Image, optional
        Per doc the picture to lay the heatmap over; made from the doc if not given.
    tokens : iterable of lists of str, optional
        Per doc that is a text its tokens. Strings themselves, as a list or an array, need none.
    target : one of `eli5.targets`, or an iterable, optional
        One for all docs; or per doc one, or a list of them.
    batch_size : int
        How many docs, or perturbed inputs, the model sees at once. A smaller last batch is filled
        up and compiles nothing anew.
    progress : bool, optional
        Whether a bar on standard error shows how far it is, as long as the model runs; see
        `eli5.explain_prediction`.
    pad_value, pad_token, time, channel_names, layer, input, output, method, methods, score, \
sign, classes, top_targets, detector, class_names, task, grid, data_format, fusion, grade, \
**method_options
        Of all docs; see `eli5.explain_prediction`.

    Yields
    ------
    Explanation, or `eli5.Explanations` if ``methods=`` is given
        One per doc, in order. At most one batch is in memory. ``.collect()`` of what is returned
        makes all that are left, as `eli5.Explanations` of it does: a list that shows, plots, prints
        and saves itself. All functions that take several explanations take what is returned, too.

    Raises
    ------
    TypeError, ValueError
        See `eli5.explain_prediction`. Options are checked at once, docs as they come; a note on the
        error tells which doc it is about.
    """
    options = _arguments(locals(), "model", "docs")
    with ShortErrors():
        check_keras_model(model)
        from eli5.explanations import ExplanationStream
        from eli5.keras.explain_predictions import explain_predictions_keras

        stream = explain_predictions_keras(model, docs, **with_grader(options))
        return ExplanationStream(_each(stream))


def _each(explanations: Iterator[Any]) -> Iterator[Any]:
    with ShortErrors():
        yield from explanations


def warm_up(
    model: Any,
    doc_or_shape: Any,
    methods: Sequence[Any] | None = None,
    *,
    batch_sizes: Iterable[int] = (1,),
    **options: Any,
) -> None:
    """Compile ahead what explanations need, so that the first is as fast as the second.

    It takes as long as a first explanation with these options. What is prepared is that of docs of
    one shape: call it once for each shape.

    Parameters
    ----------
    model : keras.Model
    doc_or_shape : numpy.ndarray, a list or dict of them, str, or tuple of int
        A doc as `eli5.explain_prediction` takes it, the best choice: its type counts, and the layer
        that is chosen may be the one that the score of this very doc reacts to. Or its shape, with
        a batch size of 1 or None in front or without; sizes that are None are as the model declares
        them; of several inputs a list or dict of shapes. Of a shape ``(T,)`` or ``(1, T)`` without
        ``time=`` or ``channel_names=`` the docs are taken for token ids (int64), else for float32.
    methods : sequence of str or callable, optional
        See `eli5.explain_prediction`; the default method if neither this nor ``method=`` is given.
    batch_sizes : iterable of int
        How many docs the model will see at once: 1 for `eli5.explain_prediction`, and up to
        ``batch_size=`` for `eli5.explain_predictions`, which fills a rest up to a power of two.
    **options
        Those of `eli5.explain_prediction`, as the explanations will have them: ``method``,
        ``layer``, ``score``, ``top_targets``, ``batch_size``, ``steps`` and so on. The number of
        classes counts, not which; a function must be the same object later.

    Raises
    ------
    TypeError
        If `model` is no Keras model, or `batch_sizes` are no integers.
    ValueError
        If a shape leaves a size open, or if `batch_sizes` has one below 1 or above ``batch_size``.
        Both also as from `eli5.explain_prediction`.
    """
    with ShortErrors():
        check_keras_model(model)
        from eli5.keras.pipeline.warm_up import warm_up_model

        warm_up_model(model, doc_or_shape, batch_sizes, methods=methods, **with_grader(options))


def with_grader(options: dict[str, Any]) -> dict[str, Any]:
    """Return options of an explanation with what grades it in the place of ``grade``.

    TypeError if that is no truth value.
    """
    rest = {name: value for name, value in options.items() if name != "grade"}
    if not expect_flag("grade", options.get("grade", False)):
        return rest
    from eli5.metrics.grade import grade_doc

    return {**rest, "grader": grade_doc}


def _arguments(given: dict[str, Any], *others: str) -> dict[str, Any]:
    """Return a function's own arguments, its ``**method_options`` among them, without `others`.

    The signature is written out for people and their editors; what is done with it is the same for
    each argument.
    """
    options = {name: value for name, value in given.items() if name not in others}
    return options.pop("method_options") | options
