"""What can be asked of a prediction beside its classes: a region, a pixel, a box, a likeness.

Plain objects for ``target=`` of `eli5.explain_prediction`; they know nothing of Keras. Each says
what is asked of one picture; several, in a list, share one run of the model. Those of a place in
the picture come back in ``region`` of a `TargetExplanation`, with all that was found out: a region
that was left open has its mask, a pixel its class.
"""

from __future__ import annotations

from eli5.targets.boxes import Box, Candidates, Detection, Missing, Objects
from eli5.targets.likeness import Contrast, Similarity
from eli5.targets.regions import Pixel, Region

__all__ = [
    "Box",
    "Candidates",
    "Contrast",
    "Detection",
    "Missing",
    "Objects",
    "Pixel",
    "Region",
    "Similarity",
]

# What a place in the input may be, by what it is called in files.
LOCATED: dict[str, type] = {
    "region": Region,
    "pixel": Pixel,
    "box": Box,
    "objects": Objects,
    "missing": Missing,
}

for _name in __all__:  # where they are imported from, and what a pickle remembers
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return [*(name for name in globals() if name.startswith("__")), *__all__]
