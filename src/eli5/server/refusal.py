"""What a client is told that gets nothing else."""

from __future__ import annotations

from collections.abc import Mapping


class RefusedError(Exception):
    """A request is answered with an error.

    Parameters
    ----------
    status : int
        Of HTTP.
    message : str
        For people; nothing in it is secret.
    headers : mapping, optional
        More of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})
