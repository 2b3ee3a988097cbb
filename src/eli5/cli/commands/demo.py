"""``eli5 demo``: the main job on a model and a picture that come with the package."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from eli5.cli.backend import start_keras
from eli5.cli.console import print_fact, print_text
from eli5.cli.destination import check_output, write_output
from eli5.cli.interrupt import ended_by_ctrl_c

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.demo import Scene

__all__ = ["DEMO_EXAMPLES", "explain_demo"]

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
    with ended_by_ctrl_c():
        start_keras()
        import keras
        from eli5.demo import load_model, load_scene

        scene = load_scene()
        expl, seconds = _explain(load_model(), scene)
    loading = perf_counter() - begun - seconds
    for path in outputs:
        write_output(expl, path, title="What the demo's model looked at")
    from eli5.formatters.text import format_as_text

    print_text(f"{format_as_text(expl)}\n")
    print_text(f"{_share_table(expl, scene)}\n")
    backend = keras.backend.backend()
    print_fact("Time", f"{seconds:.2f} s on {backend}, beside {loading:.2f} s of loading")
    print_fact("Written", ", ".join(map(str, outputs)))


def _explain(model: Any, scene: Scene) -> tuple[Explanation, float]:
    from PIL import Image

    from eli5.demo import class_names
    from eli5.keras.explain_prediction import explain_classes

    picture = Image.fromarray(scene.image)
    shown = picture.resize((picture.width * _ENLARGED, picture.height * _ENLARGED))
    begun = perf_counter()
    expl = explain_classes(
        model, scene.image[None], scene.kinds, image=shown, class_names=class_names
    )
    return expl, perf_counter() - begun


def _share_table(expl: Explanation, scene: Scene) -> str:
    """Return which share of each heatmap falls on each object, as lines."""
    from eli5.demo import class_names

    names = [class_names[kind] for kind in scene.kinds]
    width = max(map(len, names))
    lines = [f"Share of the heatmap that lies on the {' | the '.join(names)}:"]
    for name, target in zip(names, expl.targets, strict=True):
        shares = " | ".join(f"{share:4.0%}" for share in _shares(target.heatmap, scene))
        lines.append(f"  asked for the {name:<{width}}  {shares}")
    return "\n".join(lines)


def _shares(heatmap: Any, scene: Scene) -> list[float]:
    import numpy as np
    from PIL import Image

    height, width = scene.masks.shape[1:]
    spread = np.asarray(Image.fromarray(heatmap).resize((width, height), Image.Resampling.BILINEAR))
    return [float(spread[mask].sum() / spread.sum()) for mask in scene.masks]
