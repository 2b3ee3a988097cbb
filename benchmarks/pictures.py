"""Draw the pictures of README and docs.

    python benchmarks/pictures.py [docs/demo.png ...]

The demo's model explains the demo's scene, so nothing is downloaded and anyone can draw them anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import eli5
from eli5.demo import class_names, load_model, load_scene
from eli5.keras.methods import WITHOUT_ATTENTION

ROOT = Path(__file__).parent.parent
FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")  # comes with matplotlib
GAP = 8  # pixels


def draw_demo(model: keras.Model) -> Image.Image:
    """Draw the scene, what speaks for each of its classes, and what for one and not the other."""
    image = scene_picture(256)
    explanation = eli5.explain_prediction(
        model, load_scene().image[None], top_targets=2, class_names=class_names, image=image
    )
    first, second = explanation.targets

    def contrast(outputs: Any) -> Any:
        return outputs[:, first.target] - outputs[:, second.target]

    against = eli5.explain_prediction(
        model, load_scene().image[None], score=contrast, method="HiResCAM", image=image
    )
    tiles = {"The picture": image}
    for target in explanation.targets:
        explanation.targets = [target]
        overlay = eli5.format_as_image(explanation)
        tiles[f"{target.class_name.capitalize()}: {target.proba:.0%}"] = overlay
    # Stretched, for the square is far fainter than the star.
    name = f"{first.class_name.capitalize()}, not {second.class_name}"
    tiles[name] = eli5.format_as_image(against, signed=True, percentile=96)
    return side_by_side(tiles, columns=4, font_size=18)


def draw_methods(model: keras.Model) -> Image.Image:
    """Draw the scene and what each method shows of one of its classes."""
    scene, image = load_scene(), scene_picture(182)  # six are as wide as a README shows
    target = scene.kinds[0]
    tiles = {f"Asked for: the {class_names[target]}": image}
    for name in WITHOUT_ATTENTION:
        found = eli5.explain_prediction(
            model, scene.image[None], targets=[target], method=name, image=image, score="logit"
        )
        tiles[name] = eli5.format_as_image(found)
    return side_by_side(tiles, columns=6, font_size=14)


def draw_crop(model: keras.Model) -> Image.Image:
    """Draw what a model sees that crops and mirrors a larger picture, stretched and in place."""
    scene, (top, left) = load_scene(), (16, 112)
    size = scene.image.shape[0]
    canvas = np.full((size + 2 * top, size + 2 * left, 3), 235, np.uint8)
    canvas[top : top + size, left : left + size] = scene.image[:, ::-1]
    inputs = keras.Input(canvas.shape)
    seen = keras.ops.flip(keras.layers.CenterCrop(size, size)(inputs), axis=2)
    wrapped = keras.Model(inputs, model(seen))
    found = eli5.explain_prediction(wrapped, canvas[None], targets=[scene.kinds[0]])
    tiles = {"The picture": Image.fromarray(canvas)}
    tiles["Where the layer looked"] = eli5.format_as_image(found)
    found.targets[0].placement = None
    tiles["Stretched over all of it"] = eli5.format_as_image(found)
    return side_by_side(tiles, columns=3, font_size=16)


PICTURES: dict[str, Callable[[keras.Model], Image.Image]] = {
    "docs/demo.png": draw_demo,
    "docs/methods.png": draw_methods,
    "docs/crop.png": draw_crop,
}


def scene_picture(size: int) -> Image.Image:
    """Return the demo's scene, enlarged to so many pixels each way."""
    return Image.fromarray(load_scene().image).resize((size, size), Image.Resampling.BICUBIC)


def side_by_side(pictures: Mapping[str, Image.Image], columns: int, font_size: int) -> Image.Image:
    """Return a white sheet with pictures of one size, in rows of so many, each under its name."""
    width, height = next(iter(pictures.values())).size
    font = ImageFont.truetype(FONT, font_size)
    line = round(1.5 * font_size)
    step = width + GAP, height + line + GAP
    n_rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * step[0] + GAP, n_rows * step[1] + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (name, picture) in enumerate(pictures.items()):
        row, column = divmod(k, columns)
        x, y = GAP + column * step[0], GAP + row * step[1]
        draw.text((x, y), name, fill="black", font=font)
        sheet.paste(picture.convert("RGB"), (x, y + line))
    return sheet


def main() -> None:
    """Draw the pictures that are named, or all."""
    model = load_model()
    for name in sys.argv[1:] or PICTURES:
        if name not in PICTURES:
            sys.exit(f"Expected one of {', '.join(PICTURES)}. Received: {name}")
        # 256 colours, none far off, are a quarter of the size.
        picture = PICTURES[name](model).quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3)
        picture.save(ROOT / name, optimize=True)
        print(f"{name}: {(ROOT / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
