"""Playwright's objects for callers without ``await``: each call is made on the bridge's loop while the caller waits.

Playwright's own synchronous objects belong to a loop of their own in the caller's thread, where no pool is. So these
are its asynchronous ones, with the same names and arguments.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from proxysieve.sync.loop import Loop

# To these, functions are handed over that are called later, and may use the page; all others take questions, which are
# asked on the loop and answered at once.
SUBSCRIPTIONS = frozenset({"on", "once", "route", "route_web_socket", "expose_function", "expose_binding"})


class Synced:
    """An object of Playwright's; what it gives is wrapped likewise."""

    def __init__(self, loop: Loop, thing: Any) -> None:  # noqa: ANN401 - any of them
        self._loop = loop
        self._thing = thing

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - Playwright's own
        value = self._loop.call(lambda: getattr(self._thing, name))
        if inspect.isawaitable(value):
            return wrap(self._loop, self._loop.run(come(value)))
        if not callable(value):
            return wrap(self._loop, value)
        hand_over = self._later if name in SUBSCRIPTIONS else self._plain

        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - likewise
            given = [hand_over(one) for one in arguments]
            given_by_name = {key: hand_over(one) for key, one in named.items()}
            return wrap(self._loop, self._loop.run(settled(value, given, given_by_name)))

        return call

    def __enter__(self) -> Any:  # noqa: ANN401 - likewise
        return wrap(self._loop, self._loop.run(self._thing.__aenter__()))

    def __exit__(self, *error: object) -> None:
        self._loop.run(self._thing.__aexit__(*error))

    def __repr__(self) -> str:
        return f"<Synced {self._thing!r}>"

    def _plain(self, argument: Any) -> Any:  # noqa: ANN401 - likewise
        return argument._thing if isinstance(argument, Synced) else argument  # noqa: SLF001 - one of ours

    def _later(self, argument: Any) -> Any:  # noqa: ANN401 - likewise
        return self._off_loop(argument) if inspect.isroutine(argument) else self._plain(argument)

    def _off_loop(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """*function*, called in a thread, as on the loop it would wait for itself."""
        # Playwright hands over as much as a function takes, and what this one takes it cannot see.
        limit = taken(function)

        async def call(*arguments: Any) -> Any:  # noqa: ANN401 - likewise
            return await asyncio.to_thread(function, *(wrap(self._loop, one) for one in arguments[:limit]))

        return call


def taken(function: Callable[..., Any]) -> int | None:
    """How many arguments *function* takes by their places; None for any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return None  # some of those that are built in do not tell
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return None
    return sum(one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD} for one in parameters)


async def come(value: Awaitable[Any]) -> Any:  # noqa: ANN401 - likewise
    """What *value* comes to."""
    return await value


async def settled(function: Callable[..., Any], arguments: list[Any], named: dict[str, Any]) -> Any:  # noqa: ANN401
    """What *function* returns, or what comes of that."""
    value = function(*arguments, **named)
    return await value if inspect.isawaitable(value) else value


def wrap(loop: Loop, value: Any) -> Any:  # noqa: ANN401 - whatever Playwright gives
    """*value*, for a caller without ``await``."""
    if isinstance(value, list):
        return [wrap(loop, one) for one in value]
    is_playwrights = any(kind.__module__.startswith("playwright.") for kind in type(value).__mro__)
    return Synced(loop, value) if is_playwrights and not isinstance(value, BaseException) else value
