"""Errors end where they concern the caller: at the public function, and not deep inside of it."""

from __future__ import annotations

from opcode import opmap
from types import TracebackType

# Whose frames between the public function and an error say nothing to its caller.
_INNER = ("contextlib", "eli5", "jax", "keras", "tensorflow", "torch")


class ShortErrors:
    """Leaves the frames of the package out of the traceback of an error that it raises itself.

    Used within a public function, ``with ShortErrors(): ...``, whose frame remains, as do those of
    the caller's own code that is called back. Errors of all other kinds, such as what a model or a
    library raises, keep their whole traceback: there it tells the cause.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType
    ) -> None:
        if error is not None and (hasattr(error, "_is_short") or _is_raised_here(trace)):
            error._is_short = True  # type: ignore[attr-defined]  # for those around this one
            _shorten(trace)


def _is_raised_here(trace: TracebackType) -> bool:
    """Tell whether an error comes from a ``raise`` of the package, and not from a mishap."""
    while trace.tb_next is not None:
        trace = trace.tb_next
    is_raised = trace.tb_frame.f_code.co_code[trace.tb_lasti] == opmap["RAISE_VARARGS"]
    return is_raised and _library(trace) == "eli5"


def _shorten(trace: TracebackType) -> None:
    last, inner = trace, trace.tb_next
    while inner is not None:
        if _library(inner) not in _INNER:
            last.tb_next = last = inner
        inner = inner.tb_next
    last.tb_next = None


def _library(trace: TracebackType) -> str:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
