"""What the package offers, and what it does not do by being imported."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from importlib.resources import files
from types import ModuleType

import pytest
from tests.fakes import URL, InTurn, pool_of

import proxysieve
from proxysieve import NamedSession, SessionPool, SyncNamedSession, SyncSessionPool


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


def test_the_public_names_are_sorted_and_complete() -> None:
    """What can be seen in the package is what it says it offers."""
    seen = [
        name
        for name, value in vars(proxysieve).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    ]

    assert proxysieve.__all__ == sorted(set(proxysieve.__all__))
    assert sorted(seen) == proxysieve.__all__


@pytest.mark.parametrize("name", proxysieve.__all__)
def test_every_public_name_says_what_it_is(name: str) -> None:
    """Each has a docstring of its own, and so has each of its public methods, or that which it overrides."""
    thing = getattr(proxysieve, name)
    methods = [one for key, one in vars(thing).items() if inspect.isfunction(one) and not key.startswith("_")]

    # What a dataclass or an enumeration makes up for itself begins with the name.
    assert thing.__doc__
    assert not thing.__doc__.startswith(f"{name}(")
    assert [one.__qualname__ for one in methods if not inspect.getdoc(one)] == []


def test_types_are_told() -> None:
    """The marker for type checkers is in the package."""
    assert (files("proxysieve") / "py.typed").is_file()


def test_importing_needs_no_extra() -> None:
    """Clients and what only the testbed needs stay out until somebody asks for them."""
    done = python(
        "import sys, proxysieve; "
        "extras = {'httpx', 'requests', 'aiohttp', 'playwright', 'crawlee', 'trustme', 'pytest', 'rich'}; "
        "print(sorted(extras & set(sys.modules)))"
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_synchronous_pool_has_the_same_names() -> None:
    """What is learned for one pool holds for the other."""

    def public(kind: type) -> set[str]:
        return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}

    assert {"get", "attempts", "acquire", "session", "status", "close"} <= public(SyncSessionPool)
    assert public(SyncSessionPool) <= public(SessionPool)
    assert public(SyncNamedSession) <= public(NamedSession)


def test_a_library_is_silent_by_default() -> None:
    """Warnings of the pool do not get to standard error unless the user asks for them."""
    done = python(
        "import logging, proxysieve; "
        "proxysieve.SyncSessionPool(['proxy.example:8000', 'nonsense here'], store='memory:').__enter__().close(); "
        "logging.getLogger('proxysieve').warning('something'); "
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_user_who_asks_for_warnings_gets_them() -> None:
    """Whatever the user sets up for logging holds for the pool too."""
    done = python(
        "import logging, proxysieve; logging.basicConfig(); "
        "proxysieve.SyncSessionPool(['proxy.example:8000', 'nonsense here'], store='memory:').__enter__().close()"
    )

    assert "line 2: not a proxy" in done.stderr


async def test_debugging_tells_what_was_chosen_and_why(caplog: pytest.LogCaptureFixture) -> None:
    """By the classic: how many sessions work, the chance to use one of them, and which was opened or picked."""
    caplog.set_level(logging.DEBUG, "proxysieve")
    async with pool_of(9, InTurn(999, 200, 200), policy="classic", max_sessions=1) as pool:
        first = await pool.get(URL)
        await pool.get(URL)

    refused, worked = first.tries
    chosen = [line for line in caplog.messages if "chance" in line]
    expected = []
    for how, tried in (
        ("0 working, chance to use one of them 0%; opened", refused),
        ("0 working, chance to use one of them 0%; opened", worked),
        ("1 working, chance to use one of them 100%; picked", worked),
    ):
        expected.append(f"shop.example: {how} <Session {tried.session} at shop.example via {tried.proxy}>")
    assert chosen == expected
    assert any("was blocked status 999" in line for line in caplog.messages)
