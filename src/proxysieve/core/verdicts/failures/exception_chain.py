"""What is known of any exception: its classes by their names, where it came through, and what it was raised from."""

from __future__ import annotations

from collections.abc import Iterator


def names_of(error: BaseException) -> list[str]:
    """The class of *error* and its bases, each with its module."""
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]


def frames_of(error: BaseException) -> list[tuple[str, str]]:
    """The modules and functions that *error* came through, the one that raised it last."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append((str(trace.tb_frame.f_globals.get("__name__")), trace.tb_frame.f_code.co_name))
        trace = trace.tb_next
    return frames


def beneath(error: BaseException) -> Iterator[BaseException]:
    """What *error* was raised from, or while it was handled, or is made of, as urllib3's are; and so on down."""
    seen = {id(error)}
    cause = _cause(error)
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = _cause(cause)


def _cause(error: BaseException) -> BaseException | None:
    within = (part for part in error.args if isinstance(part, BaseException))
    return error.__cause__ or error.__context__ or next(within, None)
