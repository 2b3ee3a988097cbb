"""What is asked of a segmenter or a detector on the command line, as Python takes it.

Masks, pixels and boxes are those of the picture; the model sees it in another size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from eli5.cli.console import UserError, wrong_argument
from eli5.cli.options import IdOrName
from eli5.loading import files

if TYPE_CHECKING:
    from PIL.Image import Image

Regions = Annotated[list[IdOrName] | None, Parameter(name="--region", metavar="CLASS")]
Pixels = Annotated[list[str] | None, Parameter(name="--pixel", metavar="ROW,COLUMN")]
Boxes = Annotated[list[str] | None, Parameter(name="--box", metavar="X1,Y1,X2,Y2")]
MissingBoxes = Annotated[list[str] | None, Parameter(name="--missing", metavar="X1,Y1,X2,Y2")]
Detections = Annotated[list[int] | None, Parameter(name="--detection", metavar="N")]

_NUMBER = r"\s*(\d+(?:\.\d+)?)\s*"


@Parameter(name="*")  # the command line has its fields as options, and not the object
@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """What is asked of a segmenter, or of a detector.

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
    boxes
        Explain what a detector says of this box, left, top, right and bottom in pixels of the
        picture: the class that it predicts there, or the one that `--class` names; may be given
        several times.
    missing
        Explain why there is no box of `--class` here; may be given several times.
    detections
        Explain the boxes that a detector keeps, by their number from 0; may be given several times.
    """

    regions: Regions = None
    mask: Path | None = None
    pixels: Pixels = None
    boxes: Boxes = None
    missing: MissingBoxes = None
    detections: Detections = None

    def check(self, classes: Sequence[Any] | None, top: int | None) -> None:
        """Raise UserError if options do not go together, or are none."""
        if self.mask is not None and len(self.regions or ()) != 1:
            received = ", ".join(f"--region={one}" for one in self.regions or ()) or "none"
            raise UserError(f"Expected one --region beside --mask. Received: {received}")
        if self.is_given and top is not None:
            raise UserError(
                "Expected no --top beside --region, --pixel, --box, --missing or --detection. "
                f"Received: --top={top}"
            )
        for name, ids in (("--region", self.regions), ("--class", classes)):
            negative = [one for one in ids or () if not isinstance(one, str) and one < 0]
            if negative and self.is_given:
                raise wrong_argument(name, negative[0], "a class, by its number from 0 or its name")
        self._check_classes(classes)
        if (self.regions or self.pixels) and (self.boxes or self.missing or self.detections):
            raise UserError(
                "Expected what a segmenter has, --region and --pixel, or what a detector has, "
                "--box, --missing and --detection. Received: both"
            )
        wrong = [one for one in self.detections or () if one < 0]
        if wrong:
            raise wrong_argument("--detection", wrong[0], "a number from 0")
        self._places()
        self._corners()

    def _check_classes(self, classes: Sequence[Any] | None) -> None:
        given = ", ".join(f"--class={one}" for one in classes or ())
        takes_one = self.pixels or self.boxes or self.missing
        takes_none = self.regions or self.detections
        if classes and (takes_none or (takes_one and len(classes) > 1)):
            raise UserError(
                "Expected no --class beside --region or --detection, and one at most beside "
                f"--pixel, --box or --missing. Received: {given}"
            )
        if self.missing and not classes:
            raise UserError("Expected --class beside --missing: which class. Received: none")

    @property
    def is_given(self) -> bool:
        """Whether something is asked of a segmenter or a detector."""
        asked = (self.regions, self.pixels, self.boxes, self.missing, self.detections)
        return any(map(bool, asked))

    def _corners(self) -> dict[str, list[tuple[float, ...]]]:
        """Return the boxes, by the name of their option."""
        found: dict[str, list[tuple[float, ...]]] = {"--box": [], "--missing": []}
        for name, given in (("--box", self.boxes), ("--missing", self.missing)):
            for typed in given or ():
                match = re.fullmatch(",".join([_NUMBER] * 4), typed)
                box = tuple(map(float, match.groups())) if match else (0.0,) * 4
                if box[0] >= box[2] or box[1] >= box[3]:
                    expected = "LEFT,TOP,RIGHT,BOTTOM in pixels, such as 10,20,60,80"
                    raise wrong_argument(name, typed, expected)
                found[name].append(box)
        return found

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
        return [*asked, *self._boxes(class_id, picture.width, picture.height)]

    def _boxes(self, class_id: Any, width: int, height: int) -> list[Any]:
        """Return what is asked of a detector, of a picture of a size."""
        from eli5.targets import Box, Detection, Missing

        kinds: dict[str, Any] = {"--box": Box, "--missing": Missing}
        asked: list[Any] = []
        for name, boxes in self._corners().items():
            for box in boxes:
                if box[2] > width or box[3] > height:
                    raise UserError(
                        f"Expected {name} within a picture of {width}x{height}. Received: "
                        f"{name}={','.join(f'{one:g}' for one in box)}"
                    )
                ends = (width, height, width, height)
                shares = tuple(one / end for one, end in zip(box, ends, strict=True))
                asked.append(kinds[name](shares, class_id, "rel_xyxy"))
        return asked + list(map(Detection, self.detections or ()))

    def for_check(self) -> list[Any] | None:
        """Return targets of the kind that is asked for, before there is a picture."""
        from eli5.targets import Pixel, Region

        if not self.is_given:
            return None
        largest = max((max(box) for boxes in self._corners().values() for box in boxes), default=1)
        asked = [*map(Region, self.regions or ()), *(Pixel(*one) for one in self._places())]
        return [*asked, *self._boxes(0, int(largest) + 1, int(largest) + 1)]


def _read_mask(path: Path, picture: Image, size: tuple[int, int]) -> Any:
    import numpy as np
    from PIL.Image import Resampling

    if not path.is_file():
        raise wrong_argument("--mask", path, "a picture's file", ", which is none")
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
