"""``eli5 demo``: the main job on a model and a picture that come with the package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from eli5.cli.backend import start_keras
from eli5.cli.console import print_fact, print_text
from eli5.cli.interrupts import exit_at_once
from eli5.cli.output import check_output, write_output

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.demo import Scene

DEMO_EXAMPLES = """**Examples**

```
eli5 demo
eli5 demo --out folder
```
"""

_ENLARGED = 3  # times: the model's pictures are small for people


def explain_demo(*, out: Annotated[Path, Parameter(show_default=False)] = Path()) -> None:
    """Explain a picture of two objects for both of their classes, with nothing to download.

    Prints how much of each heatmap lies on each object: it must move to the object asked for.

    Parameters
    ----------
    out
        The folder to write eli5-demo.html and eli5-demo.png to. [default: the current one]
    """
    outputs = [out / "eli5-demo.html", out / "eli5-demo.png"]
    for path in outputs:
        check_output(path, sources=())
    begun = perf_counter()
    with exit_at_once():
        start_keras()
        import keras
        from PIL import Image

        import eli5
        from eli5.demo import class_names, load_model, load_scene
        from eli5.formatters.text import format_as_text

        scene, model = load_scene(), load_model()
        picture = Image.fromarray(scene.image)
        picture = picture.resize((picture.width * _ENLARGED, picture.height * _ENLARGED))
        loaded = perf_counter()
        (expl,) = eli5.explain_predictions(
            model,
            scene.image[None],
            targets=[scene.kinds],
            images=[picture],
            class_names=class_names,
        )
        done = perf_counter()
    for path in outputs:
        write_output([expl], path, title="What the demo's model looked at")
    print_text(f"{format_as_text(expl)}\n")
    print_text(f"{_share_table(expl, scene, class_names)}\n")
    time = f"{done - loaded:.2f} s on {keras.backend.backend()}"
    print_fact("Time", f"{time}, beside {loaded - begun:.2f} s of loading")
    print_fact("Written", ", ".join(map(str, outputs)))


def _share_table(expl: Explanation, scene: Scene, class_names: Sequence[str]) -> str:
    """Return which share of each heatmap falls on each object, as lines."""
    names = [class_names[kind] for kind in scene.kinds]
    lines = [f"Share of the heatmap that lies on the {' | the '.join(names)}:"]
    for k, name in enumerate(names):
        spread = expl.heatmap_on_input(k)
        shares = " | ".join(f"{spread[mask].sum() / spread.sum():4.0%}" for mask in scene.masks)
        lines.append(f"  asked for the {name:<{max(map(len, names))}}  {shares}")
    return "\n".join(lines)
