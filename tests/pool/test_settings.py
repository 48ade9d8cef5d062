"""The options: each stands once, and pools, jobs, checks and commands take its name, default and limit from there."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from tests.fakes import SITE, URL, Scripted, answers, lines

from proxysieve import ConfigError, SessionPool, SyncSessionPool
from proxysieve.check.check import CheckOptions
from proxysieve.cli import main
from proxysieve.core.records import Record
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.urls import read_urls
from proxysieve.pool.events import PoolEvent, TryEnded
from proxysieve.pool.settings import RequestSettings, Settings, defaults, limits
from proxysieve.stores.memory import MemoryStore


class OwnStore:
    """Keeps records as a user's own store would."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.saved: list[Record] = []
        self.is_closed = False

    async def claim(self, key: str, ttl_seconds: float) -> int:
        return await self.inner.claim(key, ttl_seconds)

    async def load(self, site: str | None = None, kinds: Collection[str] = ()) -> list[Record]:
        return await self.inner.load(site, kinds)

    async def save(self, records: list[Record], fence: int) -> None:
        self.saved += records
        await self.inner.save(records, fence)

    async def forget(self, site: str, fence: int) -> None:
        await self.inner.forget(site, fence)

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("pool", [SessionPool, SyncSessionPool])
def test_the_signature_of_a_pool_names_every_option(pool: type) -> None:
    """With its default, as editors and help() show it."""
    shown = inspect.signature(pool).parameters

    assert list(shown) == ["proxies", *Settings.__struct_fields__]
    assert shown["max_rate"].default == 30.0


@pytest.mark.parametrize("pool", [SessionPool, SyncSessionPool])
def test_an_option_that_does_not_exist_is_an_error(pool: type) -> None:
    """The error names it."""
    with pytest.raises(TypeError, match="'max_rat'"):
        pool(lines(1), max_rat=5)


@pytest.mark.parametrize(("name", "limit"), limits(Settings).items())
def test_a_value_beyond_its_limit_is_an_error(name: str, limit: msgspec.Meta) -> None:
    """For a pool and for a job; the limit itself is good, unless the value must be more."""
    least = limit.ge if limit.ge is not None else limit.gt
    job: dict[str, Any] = {"urls": read_urls([URL], "urls"), "proxies": lines(1), "out": "pages.jsonl"}
    for wrong in (-1, float("nan"), "5", None, *([0] if limit.gt == 0 else [])):
        options: dict[str, Any] = {name: wrong}
        with pytest.raises(ConfigError, match=f"^{name} is {wrong!r}: expected .*{least}"):
            Settings(**options)
        with pytest.raises(ConfigError, match=name):
            JobOptions(**job, **options)

    if limit.ge is not None:
        good: dict[str, Any] = {name: least}
        assert getattr(Settings(**good), name) == least


@pytest.mark.parametrize("options", [{"names": 0}, {"concurrency": 0}, {"timeout_seconds": 0}, {"max_rate": -1}])
def test_a_check_has_limits_too(options: dict[str, Any]) -> None:
    """Those of its own, and those that it shares with a pool."""
    with pytest.raises(ConfigError, match=f"^{next(iter(options))} is "):
        CheckOptions(url=URL, proxies=[], **options)


@pytest.mark.parametrize(("command", "options"), [("fetch", JobOptions), ("check", CheckOptions)])
def test_the_command_line_has_the_same_defaults(command: str, options: type[RequestSettings]) -> None:
    """And the same least values; --concurrency of fetch depends on --browser."""
    found = {param.name: param for param in main.commands[command].params}
    assert found.keys() >= {"max_rate", "timeout_seconds", "concurrency"}
    for name, default in defaults(options).items():
        param = found.get(name)
        if param is None or (command, name) == ("fetch", "concurrency"):
            continue
        limit = limits(options).get(name)
        if limit:
            assert isinstance(param.type, click.IntRange | click.FloatRange)
            assert param.type.min == (limit.gt if limit.ge is None else limit.ge)
            assert param.type.min_open is (limit.ge is None)
        if isinstance(default, int | float | str) and default:
            assert param.default == default


async def test_a_pool_takes_a_store_of_the_users_own() -> None:
    """It saves there, and closes it."""
    store = OwnStore()
    async with SessionPool(lines(1), store=store, client=Scripted(answers(200))) as pool:
        page = await pool.get(URL)
        assert not store.is_closed

    assert page.session in {record.key for record in store.saved if record.site == SITE}
    assert store.is_closed


async def test_a_job_takes_a_store_and_a_listener_of_the_users_own(tmp_path: Path) -> None:
    """The job hears every try as well, for its figures."""
    store, heard = OwnStore(), list[PoolEvent]()
    options = JobOptions(
        urls=read_urls([URL], "urls"),
        proxies=lines(1),
        out=tmp_path / "pages.jsonl",
        store=store,
        on_event=heard.append,
        client=Scripted(answers(200)),
        robots=False,
    )

    report = await Job(options).run()

    assert (report.pages, report.requests, len(heard)) == (1, 1, 1)
    assert isinstance(heard[0], TryEnded)
    assert heard[0].site == SITE
    assert store.saved


def test_settings_do_not_show_secrets() -> None:
    """Headers, cookies and proxies may have some; numbers have none."""
    options = JobOptions(
        urls=read_urls([URL], "urls"), proxies=lines(1), out="pages.jsonl", headers={SITE: {"X-Token": "secret"}}
    )

    assert "secret" not in repr(options)
    assert "max_rate=30.0" in repr(options)
