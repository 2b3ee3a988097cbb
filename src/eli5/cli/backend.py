"""The Keras backend: chosen among those that are installed, and started without its chatter."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib import metadata

from eli5 import __version__
from eli5.backend import BACKENDS, configured_backend, is_installed
from eli5.cli.console import UserError, print_notice
from eli5.loading.quiet import import_keras


def start_keras() -> None:
    """Import Keras with a backend that is installed; see `choose_backend`."""
    if "keras" not in sys.modules:  # or it has its backend
        choose_backend()
    import_keras()


def choose_backend(is_installed: Callable[[str], bool] = is_installed) -> None:
    """Keep the configured Keras backend if it can be used, or set another one and say so."""
    chosen, configured = find_backend(is_installed), configured_backend()
    if chosen is None:
        raise UserError(
            "Expected a Keras backend to be installed. Received: none of "
            f'{", ".join(BACKENDS)}. Install one: pip install "eli5-keras[jax]" '
            "(or [torch], or [tensorflow])."
        )
    if chosen != configured:
        os.environ["KERAS_BACKEND"] = chosen
        why = "is not installed" if configured in BACKENDS else "gives no gradients"
        print_notice(f"The Keras backend {configured!r} {why}; using {chosen!r}.")


def find_backend(is_installed: Callable[[str], bool] = is_installed) -> str | None:
    """Return the configured backend, or the first that is installed if that cannot be used."""
    usable = [name for name in BACKENDS if is_installed(name)]
    configured = configured_backend()
    return configured if configured in usable else next(iter(usable), None)


def installed_versions() -> str:
    """Return the versions of eli5, Keras, the backend that would be used, and Python; in lines."""
    backend = find_backend()
    return (
        f"eli5 {__version__}\nkeras {_version('keras')}\n"
        f"backend {f'{backend} {_version(backend)}' if backend else 'none'}\n"
        f"python {platform.python_version()}"
    )


def _version(package: str) -> str:
    # A package may come from several distributions, such as tensorflow from tensorflow-cpu.
    distributions = metadata.packages_distributions().get(package)
    return metadata.version(distributions[0]) if distributions else "of unknown version"
