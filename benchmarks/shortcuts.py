"""Train a model anew 20 times, 10 with a shortcut: which are caught by what they look at?.

    python benchmarks/shortcuts.py [--retrainings 10] [--calibrations 8] [--backend tensorflow]

A picture has a patch of stripes or checks, which is its class, and a mark of one of three colours
in its corner. The reference is trained where the mark says nothing, as is a good retraining. For a
bad one the mark says the class; so it does on the docs, which both kinds therefore classify alike:
accuracy sees nothing. The tolerance is that of the package; the calibration shows, on retrainings
that are not tested, how far evidence moves between good ones.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

if TYPE_CHECKING:
    import keras

Array = np.ndarray[Any, Any]

SIZE, PATCH, N_CLASSES = 32, 12, 3
CORNER = slice(1, 5)  # where the mark is
N_DOCS, N_TRAINED, EPOCHS = 40, 1500, 7
DOCS_SEED, REFERENCE, CALIBRATION, TESTED = 7777, 0, 1000, 2000  # of which each is drawn
SHARE = 0.5  # of the evidence that is to lie in the patch


class Pictures(NamedTuple):
    """Pictures, their classes, and where the patch lies that makes them."""

    docs: Array
    classes: Array
    masks: Array


def draw_pictures(seed: int, n: int, told: float) -> Pictures:
    """Draw pictures whose mark tells the class in a share `told` of them, and else is random."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, N_CLASSES, n)
    docs, masks = np.zeros((n, SIZE, SIZE, 3)), np.zeros((n, SIZE, SIZE), bool)
    for picture, mask, label in zip(docs, masks, classes, strict=True):
        top, left = rng.integers(CORNER.stop + 1, SIZE - PATCH, 2)
        place = slice(top, top + PATCH), slice(left, left + PATCH)
        contrast = rng.uniform(0.12, 0.2, 3) * rng.choice([-1, 1], 3)
        picture[:] = rng.uniform(0.3, 0.7, 3)
        picture[place] += contrast * _texture(rng, label)[..., None]
        picture += rng.normal(0, 0.1, picture.shape)
        mark = label if rng.uniform() < told else rng.integers(0, N_CLASSES)
        picture[CORNER, CORNER] = np.eye(N_CLASSES)[mark]
        mask[place] = True
    return Pictures(docs.clip(0, 1).astype("float32"), classes, masks)


def _texture(rng: np.random.Generator, label: int) -> Array:
    """Return stripes along one axis, along the other, or checks, of -1 and 1."""
    y, x = np.mgrid[:PATCH, :PATCH] + rng.integers(0, 4, (2, 1, 1))
    stripes = (y // 2, x // 2, y // 2 + x // 2)[label]
    return np.asarray(2 * (stripes % 2) - 1)


def train(seed: int, told: float, width: int = 12) -> keras.Model:
    """Train a model on pictures of its own, whose mark tells the class in a share `told`."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    blocks: list[Any] = []
    for n_maps, side in ((width, 5), (2 * width, 3)):
        blocks += [
            layers.Conv2D(n_maps, side, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(),
        ]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(N_CLASSES, activation="softmax")]
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *blocks, *head])
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", jit_compile=False)
    pictures = draw_pictures(seed, N_TRAINED, told)
    model.fit(pictures.docs, pictures.classes, epochs=EPOCHS, verbose=0)
    return model


class Result(NamedTuple):
    """What was seen of one retraining.

    Attributes
    ----------
    distances : list of float
        How far the evidence of each doc has moved from the reference's.
    accuracy, unmarked : float
        On the docs, and on pictures whose mark says nothing.
    moved, elsewhere : bool
        Whether `assert_same_evidence` and `assert_looks_at` raise.
    """

    distances: list[float]
    accuracy: float
    unmarked: float
    moved: bool
    elsewhere: bool


def look_at(reference: Any, model: Any, pictures: Pictures, others: Pictures) -> Result:
    """Compare a retraining with the reference, by the classes that the docs have."""
    from eli5.testing import assert_looks_at, assert_same_evidence, compare_evidence

    targets, both = pictures.classes.tolist(), (reference, model, pictures.docs)
    return Result(
        compare_evidence(*both, targets=targets).distances,
        _accuracy(model, pictures),
        _accuracy(model, others),
        fails(lambda: assert_same_evidence(*both, targets=targets)),
        fails(
            lambda: assert_looks_at(
                model, pictures.docs, pictures.masks, SHARE, targets=targets, allow=N_DOCS // 4
            )
        ),
    )


def fails(check: Any) -> bool:
    """Tell whether an assertion does not hold."""
    try:
        check()
    except AssertionError:
        return True
    return False


def _accuracy(model: Any, pictures: Pictures) -> float:
    predicted = model.predict(pictures.docs, verbose=0).argmax(axis=1)
    return float((predicted == pictures.classes).mean())


def _report(name: str, seed: int, result: Result) -> None:
    distances = np.array(result.distances)
    print(
        f"{name:12} seed {seed}  moved by {distances.mean():.3f} on average, {distances.max():.3f} "
        f"at most  accuracy {result.accuracy:.2f}, without the mark's help {result.unmarked:.2f}  "
        f"same evidence {'FAILS' if result.moved else 'holds'}, "
        f"looks at {'FAILS' if result.elsewhere else 'holds'}",
        flush=True,
    )


def main() -> int:
    """Print what was seen of each retraining, and how many were caught; 0 if that is enough."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--retrainings", type=int, default=10, help="good ones, and bad ones")
    parser.add_argument("--calibrations", type=int, default=8)
    parser.add_argument("--backend", default="tensorflow")
    asked = parser.parse_args()
    os.environ["KERAS_BACKEND"] = asked.backend
    from eli5.testing import TOLERANCE

    begun = time.perf_counter()
    pictures, others = draw_pictures(DOCS_SEED, N_DOCS, 1.0), draw_pictures(DOCS_SEED + 1, 300, 0.0)
    reference = train(REFERENCE, 0.0)
    print(f"reference: accuracy without the mark's help {_accuracy(reference, others):.2f}")

    def results(name: str, start: int, n: int, told: float) -> list[Result]:
        found = []
        for seed in range(start, start + n):
            # Every other one has more maps, as retrainings may.
            model = train(seed, told, width=12 + 4 * (seed % 2))
            found.append(look_at(reference, model, pictures, others))
            _report(name, seed, found[-1])
        return found

    known = results("calibration", CALIBRATION, asked.calibrations, 0.0)
    most = max((max(one.distances) for one in known), default=float("nan"))
    print(f"the furthest that evidence moves between good ones: {most:.3f}; tolerance {TOLERANCE}")
    good = results("good", TESTED, asked.retrainings, 0.0)
    bad = results("shortcut", TESTED + 500, asked.retrainings, 1.0)
    caught, false = sum(one.moved for one in bad), sum(one.moved for one in good)
    for name in ("moved", "elsewhere"):
        n_bad, n_good = (sum(getattr(one, name) for one in some) for some in (bad, good))
        print(
            f"{'assert_same_evidence' if name == 'moved' else 'assert_looks_at'}: caught {n_bad} "
            f"of {len(bad)} shortcuts, false alarms {n_good} of {len(good)}"
        )
    print(f"{time.perf_counter() - begun:.0f} s on {asked.backend}")
    return int(caught < len(bad) or false > max(len(good) // 10, 0))


if __name__ == "__main__":
    sys.exit(main())
