"""What every test gets: quiet backends, a seed, one model and one doc for it."""

from __future__ import annotations

import os
from typing import Any

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from models import make_classifier, sample

if keras.backend.backend() == "torch":
    import torch

    # The models are so small that threads cost more than they gain, most of all on a busy machine.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture
def model() -> keras.Model:
    """Return a classifier of 12x20 RGB images with 4 classes, not square, with a softmax."""
    return make_classifier()


@pytest.fixture
def doc() -> np.ndarray[Any, Any]:
    """Return one sample for `model`."""
    return sample((12, 20, 3))


@pytest.fixture(scope="module")
def classifier() -> keras.Model:
    """Return a model whose programs are shared by the tests."""
    return make_classifier()
