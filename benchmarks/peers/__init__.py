"""The alternatives: one file each, which does what its documentation shows for Grad-CAM.

Each has ``prepare(model, layer, targets) -> Calls``: what a user does once for a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np

Array = np.ndarray[Any, Any]

BACKENDS = ("jax", "tensorflow", "torch")


class Calls(NamedTuple):
    """What a user calls for each batch.

    Attributes
    ----------
    explain : callable
        ``explain(docs)``: this is measured, with all that the peer does if not told otherwise.
    maps : callable
        ``maps(docs) -> (B, h, w)``: what it found, of the layer's grid where the peer can do that.
    is_one_by_one : bool
        Whether it takes one doc at a time.
    interpolation : str
        How `maps` are resized to the docs' size, if they are.
    """

    explain: Callable[[Array], Any]
    maps: Callable[[Array], Array]
    is_one_by_one: bool = False
    interpolation: str = ""


class Peer(NamedTuple):
    """An alternative.

    Attributes
    ----------
    title : str
        With the version, if it is a package.
    module : str
        The file in this folder.
    backends : tuple of str
        Those that it is made for.
    package : str
        The distribution; "" for a recipe.
    options : mapping
        For the module's ``prepare``.
    is_apart : bool
        Whether it needs an environment of its own.
    """

    title: str
    module: str
    backends: tuple[str, ...]
    package: str = ""
    options: Mapping[str, Any] = MappingProxyType({})
    is_apart: bool = False


OURS = "ours"

PEERS = {
    OURS: Peer("this package", "ours", BACKENDS, "eli5-keras"),
    "recipe-tensorflow": Peer("recipe by hand", "recipe_tensorflow", ("tensorflow",)),
    "recipe-tensorflow-kept": Peer(
        "recipe by hand, sub-model kept",
        "recipe_tensorflow",
        ("tensorflow",),
        options={"is_kept": True},
    ),
    "recipe-jax": Peer("recipe by hand", "recipe_jax", ("jax",)),
    "recipe-jax-kept": Peer(
        "recipe by hand, sub-models kept", "recipe_jax", ("jax",), options={"is_kept": True}
    ),
    "recipe-torch": Peer("recipe by hand", "recipe_torch", ("torch",)),
    "recipe-torch-kept": Peer(
        "recipe by hand, sub-model kept", "recipe_torch", ("torch",), options={"is_kept": True}
    ),
    "captum": Peer("captum", "captum", ("torch",), "captum"),
    "eli5": Peer("eli5", "eli5", ("tensorflow",), "eli5", is_apart=True),
    "tf-explain": Peer("tf-explain", "tf_explain", ("tensorflow",), "tf-explain"),
    "tf-keras-vis": Peer("tf-keras-vis", "tf_keras_vis", ("tensorflow",), "tf-keras-vis"),
    "xplique": Peer("Xplique", "xplique", ("tensorflow",), "xplique"),
}


def find_layer(model: keras.Model, path: str) -> keras.layers.Layer:
    """Return a layer by its path, as ``"backbone/out_relu"``."""
    layer = model
    for name in path.split("/"):
        layer = layer.get_layer(name)
    return layer


def name_of(path: str) -> str:
    """Return the name of the layer itself, for a peer that takes nothing else."""
    return path.rpartition("/")[2]


def one_by_one(explain: Callable[[Array], Array]) -> Calls:
    """Return what a user does with a peer that takes one doc, and returns one map, at a time."""

    def all_of(docs: Array) -> Array:
        return np.stack([explain(doc[None]) for doc in docs])

    return Calls(all_of, all_of, is_one_by_one=True)
