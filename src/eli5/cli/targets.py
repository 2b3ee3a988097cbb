"""What is asked of a segmenter on the command line, and how it becomes what Python takes.

Masks and pixels are those of the picture; the model sees it in another size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from eli5.cli.console import UserError, wrong_argument
from eli5.loading import files

if TYPE_CHECKING:
    from PIL.Image import Image

Regions = Annotated[list[int | str] | None, Parameter(name="--region", metavar="CLASS")]
Pixels = Annotated[list[str] | None, Parameter(name="--pixel", metavar="ROW,COLUMN")]


@Parameter(name="*")  # the command line has its fields as options, and not the object
@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """What is asked of a segmenter.

    Parameters
    ----------
    regions
        Explain a segmenter's class, by its number or its name, over the pixels where it is
        predicted; may be given several times.
    mask
        A picture of the size of the one that is explained: the region is where it is not black.
        For one `--region`.
    pixels
        Explain the class that a segmenter predicts at this pixel of the picture, counted from 0 at
        the top left, or the one that `--class` names; may be given several times.
    """

    regions: Regions = None
    mask: Path | None = None
    pixels: Pixels = None

    def check(self, classes: Sequence[Any] | None, top: int | None) -> None:
        """Raise UserError if options do not go together, or are none."""
        if self.mask is not None and len(self.regions or ()) != 1:
            received = ", ".join(f"--region={one}" for one in self.regions or ()) or "none"
            raise UserError(f"Expected one --region beside --mask. Received: {received}")
        if self.is_given and top is not None:
            raise UserError(f"Expected no --top beside --region or --pixel. Received: --top={top}")
        if classes and (self.regions or (self.pixels and len(classes) > 1)):
            given = ", ".join(f"--class={one}" for one in classes)
            raise UserError(
                "Expected no --class beside --region, and one at most beside --pixel. Received: "
                f"{given}"
            )
        self._places()

    @property
    def is_given(self) -> bool:
        """Whether something is asked of a segmenter."""
        return bool(self.regions or self.pixels)

    def _places(self) -> list[tuple[int, int]]:
        found = [re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*", one) for one in self.pixels or ()]
        for one, typed in zip(found, self.pixels or (), strict=True):
            if one is None:
                raise wrong_argument("--pixel", typed, "ROW,COLUMN, such as 120,64")
        return [(int(one[1]), int(one[2])) for one in found if one is not None]

    def for_model(
        self, classes: Sequence[Any] | None, picture: Image, size: tuple[int, int]
    ) -> list[Any]:
        """Return what is asked of a picture that the model sees in this size, (width, height)."""
        from eli5.targets import Pixel, Region

        mask = None if self.mask is None else _read_mask(self.mask, picture, size)
        asked: list[Any] = [Region(one, mask) for one in self.regions or ()]
        class_id = classes[0] if classes else None
        for row, column in self._places():
            if row >= picture.height or column >= picture.width:
                raise UserError(
                    f"Expected --pixel in a picture of {picture.width}x{picture.height}, with row "
                    f"< {picture.height} and column < {picture.width}. Received: --pixel="
                    f"{row},{column}"
                )
            place = row * size[1] // picture.height, column * size[0] // picture.width
            asked.append(Pixel(*place, class_id))
        return asked

    def for_check(self) -> list[Any] | None:
        """Return targets of the kind that is asked for, before there is a picture."""
        from eli5.targets import Pixel, Region

        if not self.is_given:
            return None
        return [*map(Region, self.regions or ()), *(Pixel(*one) for one in self._places())]


def _read_mask(path: Path, picture: Image, size: tuple[int, int]) -> Any:
    import numpy as np
    from PIL.Image import Resampling

    mask = files.read_picture(str(path)).convert("L")
    if mask.size != picture.size:
        raise UserError(
            f"Expected --mask of the picture's size, {picture.width}x{picture.height}. Received: "
            f"--mask={path} of {mask.width}x{mask.height}"
        )
    values = np.asarray(mask.resize(size, Resampling.NEAREST)) > 0
    if not values.any():
        raise wrong_argument("--mask", path, "a picture that is not black everywhere")
    return values


DEFAULT_TARGETS = TargetOptions()
