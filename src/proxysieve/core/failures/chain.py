"""What is known of any exception: its classes by their names, where it came through, and what it was raised from."""

from __future__ import annotations

from collections.abc import Iterator


def names_of(error: BaseException) -> list[str]:
    """The class of *error* and its bases, each with its module."""
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]


def modules_of(error: BaseException) -> list[str]:
    """The modules that *error* came through, the one that raised it last."""
    modules = []
    trace = error.__traceback__
    while trace is not None:
        modules.append(str(trace.tb_frame.f_globals.get("__name__")))
        trace = trace.tb_next
    return modules


def beneath(error: BaseException) -> Iterator[BaseException]:
    """What *error* was raised from, or while it was handled, and so on down."""
    seen = {id(error)}
    cause = error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
