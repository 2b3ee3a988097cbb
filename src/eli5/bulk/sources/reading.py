"""What is wrong with a source, in one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eli5.loading.errors import UserError, shortened

__all__ = ["reading", "reason"]


@contextmanager
def reading(file: str, what: str, damage: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Say which file it is that cannot be read, whatever a library raises.

    Parameters
    ----------
    file : str
    what : str
        What is expected of it.
    damage : tuple of type
        What is raised where the file can be read and is not what it should be.

    Raises
    ------
    UserError
        Instead of any other exception, but for that of a library that is missing.
    """
    try:
        yield
    except (UserError, ModuleNotFoundError):
        raise
    except Exception as error:
        state = "is damaged, or none at all" if isinstance(error, damage) else "cannot be read"
        raise UserError(
            f"Expected SOURCE to be {what}. Received: {file}, which {state}: {reason(error)}"
        ) from error


def reason(error: Exception) -> str:
    """Return in words what an exception is about."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shortened(said) or type(error).__name__
