"""Run the notebooks of this folder and write their outputs back into them.

    python examples/execute.py [examples/first-explanation.ipynb ...]

They run with the Python that runs this, each in an empty folder. What depends on the day or the
machine is left out of the file, so that running them again changes little.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

__all__ = ["FOLDER", "execute", "tidy"]

FOLDER = Path(__file__).resolve().parent
PATIENCE = 300  # seconds for one cell


def main() -> None:
    """Run the notebooks that are named, or all."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    paths = [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb"))
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, folder)
        nbformat.write(tidy(notebook), path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


def execute(notebook: NotebookNode, folder: str | Path, **env: str) -> None:
    """Run all cells of a notebook, which gets their outputs.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    folder : str or path-like
        Where the notebook runs, and what it saves goes to.
    **env
        Added to the environment.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises an error.
    """
    # Without the folders of installed kernels, which may belong to another Python, there is one
    # left: this Python's own. Nor are the user's settings and history of IPython read.
    specs = KernelSpecManager(kernel_dirs=[])
    with tempfile.TemporaryDirectory() as private:
        manager = AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=specs,
            connection_file=str(Path(private, "kernel.json")),
            transport="tcp" if os.name == "nt" else "ipc",  # no port is opened where none is needed
        )
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=PATIENCE,
            record_timing=False,
            coalesce_streams=True,
            # What TensorFlow's libraries say about the machine stays out of the notebook.
            extra_arguments=["--IPKernelApp.capture_fd_output=False"],
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(cleanup_kc=True, env={**os.environ, "IPYTHONDIR": private, **env})


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Leave out of a notebook what need not be kept; the notebook is changed.

    Bars are left out, which a slow machine shows and a fast one does not; and an explanation's page
    where there is its picture, too: it needs styles, and front ends ignore those in a notebook that
    somebody else ran. Pictures get 256 colours, none far off, which is a quarter of the size.
    """
    language = {"name": "python"}
    kernel = {"display_name": "Python 3", "name": "python3", "language": "python"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": language})
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if not _is_cleared(one)]
        for output in cell.get("outputs", ()):
            output.pop("transient", None)
            _tidy_data(output.get("data", {}))
    return notebook


def _is_cleared(output: NotebookNode) -> bool:
    """Tell what is left of a bar that showed how far a slow cell was."""
    return output.output_type == "display_data" and not any(output.data.values())


def _tidy_data(data: dict[str, Any]) -> None:
    if "image/png" in data:
        data.pop("text/html", None)
        data["image/png"] = _smaller(data["image/png"])


def _smaller(png: str) -> str:
    with Image.open(io.BytesIO(b64decode(png))) as image:
        picture = Image.new("RGB", image.size, "white")
        picture.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
    file = io.BytesIO()
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3).save(file, "PNG", optimize=True)
    return b64encode(file.getvalue()).decode("ascii")


if __name__ == "__main__":
    main()
