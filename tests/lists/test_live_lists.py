"""Lists that change while a pool is open, from the file or the address to the requests that wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.fakes import OK, SITE, URL, InTurn, Scripted, answers, facts_of

from proxysieve import Proxy, ProxyList, Request, Response, Session, SessionPool
from proxysieve.clock import VirtualClock, settle
from proxysieve.core.policies import POLICIES
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.urls import read_urls
from proxysieve.pool.events import PoolEvent, ProxiesJoined
from proxysieve.testbed import Testbed, World

SECRET = "s3cr3t-t0ken"


def line(number: int, options: str = "") -> str:
    return f"http://user:pw@proxy-{number}.example:8000{options}"


def write(path: Path, *lines: str) -> None:
    """As careful programs do: in another file, which then takes its place."""
    draft = path.with_suffix(".draft")
    draft.write_text("".join(f"{one}\n" for one in lines))
    draft.replace(path)


def repair(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    write(path, line(5))


async def until(clock: VirtualClock, is_so: Callable[[], bool], seconds: float = 1.0) -> None:
    """Let time pass until *is_so*; threads and sockets take theirs meanwhile."""
    async with asyncio.timeout(60):
        while not is_so():
            await clock.advance(seconds)


def hosts(pool: SessionPool) -> list[str]:
    return sorted(proxy.host.partition(".")[0] for proxy in pool._catalog)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "proxies.txt"
    write(path, line(0), line(1))
    return path


def pool_on(path: Path | str, clock: VirtualClock, client: object = None, **options: object) -> SessionPool:
    settled = {"store": "memory:", "max_rate": 0, "seed": 1, "client": client or Scripted(answers(200)), **options}
    return SessionPool(path, clock=clock, **settled)  # type: ignore[arg-type] # whatever a test sets


@pytest.mark.parametrize("policy", sorted(POLICIES))
async def test_who_joins_is_used_and_who_left_is_not(
    path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    """From the second look on at which the file is as it is; what they carried ends, and the log says how many."""
    caplog.set_level(logging.INFO, "proxysieve")
    heard: list[PoolEvent] = []
    async with pool_on(path, clock, policy=policy, on_event=heard.append) as pool:
        await pool.get(URL)
        async with pool.acquire(URL) as lease:
            write(path, line(2), line(3), line(4))
            await until(clock, lambda: hosts(pool) == ["proxy-2", "proxy-3", "proxy-4"])
            lease.report(OK)
        pages = [await pool.get(f"{URL}{number}") for number in range(6)]

        assert not any("proxy-0" in page.proxy or "proxy-1" in page.proxy for page in pages)
        assert f"{path}: 3 proxies joined, 2 left; there are 3 now" in caplog.messages
        assert ProxiesJoined(3) in heard


async def test_who_comes_back_is_the_same_visitor(path: Path, clock: VirtualClock) -> None:
    """Its session is kept with its cookies, and its client was closed meanwhile."""
    closed = []

    class Made:
        def close(self) -> None:
            closed.append(self)

    write(path, line(0))
    async with pool_on(path, clock) as pool:
        async with pool.acquire(URL) as lease:
            first = lease.session
            first.data["basket"] = 7
            made = first.client(lambda _: Made())
            lease.report(OK)
        write(path, line(1))
        await until(clock, lambda: hosts(pool) == ["proxy-1"])
        await settle()
        assert closed == [made]
        write(path, line(0))
        await until(clock, lambda: hosts(pool) == ["proxy-0"])

        async with pool.acquire(URL) as lease:
            assert lease.session is first
            lease.report(OK)
        records = {record.key: record.value for record in await pool._store.load(SITE) if record.kind == "data"}

    assert records == {first.name: b'{"basket":7}'}


@pytest.mark.parametrize("policy", sorted(POLICIES))
async def test_a_request_that_waits_because_nothing_works_is_woken(
    path: Path, clock: VirtualClock, policy: str
) -> None:
    """It need not wait for a probe that is due in a minute."""

    def by_proxy(request: Request, session: Session) -> Response:
        return answers(200 if session.proxy.host.startswith("proxy-7") else 999)(request, session)

    async with pool_on(path, clock, Scripted(by_proxy), policy=policy, max_wait_seconds=500) as pool:
        waiting = asyncio.create_task(pool.get(URL))
        await clock.advance(60)
        assert not waiting.done()

        write(path, line(0), line(1), *(line(70 + number) for number in range(3)))
        joined_at = clock.now()
        await until(clock, waiting.done)

        assert "proxy-7" in (await waiting).proxy
        assert facts_of(pool).site.last_ok_at - joined_at < 60


async def test_other_options_take_effect(path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    """The name in what is shown, and how many requests it carries; the session stays."""
    caplog.set_level(logging.INFO, "proxysieve")
    write(path, line(0))
    async with pool_on(path, clock) as pool:
        first = await pool.get(URL)
        write(path, line(0, " name=berlin max_in_flight=1"))
        await until(clock, lambda: "1 have other options" in caplog.text)
        async with pool.acquire(URL) as lease:
            other = asyncio.create_task(pool.get(URL))
            await clock.advance(5)
            assert not other.done()
            lease.report(OK)
        page = await other

    assert (page.proxy, page.session) == ("berlin", first.session)
    assert first.proxy == "http://user:***@proxy-0.example:8000"


async def test_who_waits_at_one_site_is_served_when_another_has_done(clock: VirtualClock) -> None:
    """What a provider's plan limits is the sum over all sites."""
    proxies = [line(0, " max_in_flight=2")]
    async with SessionPool(
        proxies, store="memory:", max_rate=0, clock=clock, client=Scripted(answers(200)), max_wait_seconds=0
    ) as pool:
        async with pool.acquire("http://a.example/") as first:
            first.report(OK)
        async with pool.acquire("http://a.example/") as one, pool.acquire("http://b.example/") as two:
            waiting = asyncio.create_task(pool.get("http://c.example/"))
            await settle()
            assert not waiting.done()
            one.report(OK)
            await settle()
            assert waiting.done()
            two.report(OK)

        assert (await waiting).status == 200
        assert list(pool._loads) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(lambda path: path.write_text(""), "has no proxies any more", id="empty"),
        pytest.param(lambda path: path.write_text("# none\nnonsense\n"), "has no proxies any more", id="nonsense"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe\x00"), "not UTF-16 text", id="binary"),
        pytest.param(lambda path: path.unlink(), "No such file", id="gone"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "Is a directory", id="directory"),
    ],
)
async def test_a_file_that_is_of_no_use_changes_nothing_and_is_said_once(
    path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object], says: str
) -> None:
    """Until it is of use again."""
    caplog.set_level(logging.INFO, "proxysieve")
    async with pool_on(path, clock) as pool:
        spoil(path)
        await until(clock, lambda: says in caplog.text)
        for _ in range(30):
            await clock.advance(1)
        assert hosts(pool) == ["proxy-0", "proxy-1"]
        assert len([message for message in caplog.messages if says in message]) == 1
        assert "stay as they were" in caplog.text
        repair(path)
        await until(clock, lambda: hosts(pool) == ["proxy-5"])


async def test_a_line_that_is_no_proxy_is_said_once(
    path: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when its number is another; a second one of the kind is another."""
    bad = f"nonsense:{SECRET}"
    write(path, line(0), bad)
    async with pool_on(path, clock) as pool:
        for lines in ([line(1), bad], [line(2), line(3), bad], [line(4), bad, bad]):
            write(path, *lines)
            await until(clock, lambda: f"proxy-{lines[0].partition('-')[2][0]}" in hosts(pool))  # noqa: B023 - at once

    told = [message.partition(": ")[0] for message in caplog.messages if "not a proxy" in message]
    assert told == [f"{path}, line 2", f"{path}, line 3"]
    assert SECRET not in caplog.text


class Lists:
    """A provider's address, and who asked for it."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.body = ""
        self.asked: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(asked.decode())
        body = self.body.encode()
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
        writer.write(body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def provider(*lines: str) -> AsyncIterator[Lists]:
    lists = Lists()
    lists.body = "\n".join(lines)
    server = await asyncio.start_server(lists.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    lists.url = f"http://ann:{SECRET}@127.0.0.1:{port}/{SECRET}/list?token={SECRET}"
    async with server:
        yield lists


async def test_a_list_at_an_address_is_asked_for_every_five_minutes(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Directly, and with the credentials that it has; nothing of them is shown."""
    caplog.set_level(logging.DEBUG)
    async with provider(line(0), line(1)) as lists, pool_on(lists.url, clock) as pool:
        assert hosts(pool) == ["proxy-0", "proxy-1"]
        assert "authorization: Basic" in lists.asked[0].replace("Authorization", "authorization")
        assert f"GET /{SECRET}/list?token={SECRET} HTTP/1.1" in lists.asked[0]

        lists.body = line(2)
        await clock.advance(299)
        assert len(lists.asked) == 1
        await until(clock, lambda: hosts(pool) == ["proxy-2"])
        lists.status = "503 Busy"
        await until(clock, lambda: "status 503" in caplog.text, 300)
        lists.status, lists.body = "200 OK", "<html>Please log in</html>"
        await until(clock, lambda: "this is an HTML page" in caplog.text, 300)
        assert hosts(pool) == ["proxy-2"]

    assert SECRET not in caplog.text
    assert "http://127.0.0.1/…: 1 proxies joined, 2 left" in caplog.text


async def test_an_address_that_cannot_be_read_at_the_start_is_an_error(clock: VirtualClock) -> None:
    """It says why, without what is secret, in its causes neither."""
    async with provider(line(0)) as lists:
        lists.status = "403 Forbidden"
        with pytest.raises(ValueError, match="answers with status 403") as refused:
            await pool_on(lists.url, clock).__aenter__()
    with pytest.raises(ValueError, match="it cannot be reached") as unreachable:
        await pool_on(lists.url, clock).__aenter__()

    for error in (refused.value, unreachable.value):
        assert SECRET not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None


async def test_sources_can_be_mixed(path: Path, tmp_path: Path, clock: VirtualClock) -> None:
    """A file, another one, an address, lines and values: who leaves one of them stays if another has it."""
    other = tmp_path / "other.txt"
    write(other, line(1), line(2))
    value = Proxy(scheme="http", host="proxy-4.example", port=8000)
    async with provider(line(3)) as lists:
        listed = ProxyList(path, str(other), lists.url, lines=[value, line(5)])
        async with SessionPool(listed, store="memory:", clock=clock) as pool:
            assert hosts(pool) == [f"proxy-{number}" for number in range(6)]

            write(path, line(9))
            await until(clock, lambda: "proxy-9" in hosts(pool) and "proxy-0" not in hosts(pool))

            assert hosts(pool) == [f"proxy-{number}" for number in (1, 2, 3, 4, 5, 9)]


async def test_closing_does_not_wait_for_a_download(clock: VirtualClock) -> None:
    """A list may take a minute to come, and Ctrl-C must not."""
    is_asked = asyncio.Event()
    async with provider(line(0)) as lists:

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            is_asked.set()
            await reader.read()
            writer.close()

        pool = pool_on(lists.url, clock)
        async with pool:
            lists.serve = hang  # type: ignore[method-assign] # too late for the server
            listed = pool._listed._sources[0]
            server = await asyncio.start_server(hang, "127.0.0.1", 0)
            listed._url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"  # type: ignore[attr-defined]
            await until(clock, is_asked.is_set, 300)
        server.close()

    assert pool._watcher
    assert pool._watcher.done()


async def test_nothing_is_picked_from_an_empty_hand(
    path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that is replaced altogether never leaves the pool without proxies."""
    seen: list[int] = []
    async with pool_on(path, clock, InTurn(200, 200)) as pool:
        await pool.get(URL)
        site_queue = pool._site_registry[SITE]
        welcome, part = site_queue.welcome, site_queue.part

        def welcomed(proxies: Mapping[str, Proxy], *, are_new: bool = True) -> None:
            seen.append(len(pool._catalog))
            welcome(proxies, are_new=are_new)

        def parted(proxies: Mapping[str, Proxy]) -> None:
            seen.append(len(pool._catalog))
            part(proxies)

        monkeypatch.setattr(site_queue, "welcome", welcomed)
        monkeypatch.setattr(site_queue, "part", parted)
        write(path, *(line(number) for number in range(10, 30)))
        await until(clock, lambda: len(pool._catalog) == 20)

    assert seen == [22, 20]


async def test_a_job_goes_on_with_the_list_that_took_the_place_of_its_own(tmp_path: Path, clock: VirtualClock) -> None:
    """Over real sockets: nothing is lost, no exit of a removed proxy is used after it left, and new ones are."""
    path = tmp_path / "proxies.txt"
    async with Testbed(World(proxies=12, banned_share=0.3, latency_seconds=0.01, page_bytes=500)) as bed:
        write(path, *bed.proxy_lines[:6])
        # So many that it is not over before the new list is seen, however busy the machine is.
        urls = bed.page_urls(1_000)
        options = JobOptions(
            urls=read_urls(urls, "urls"),
            proxies=path,
            out=tmp_path / "pages.jsonl",
            store=tmp_path / "store",
            max_rate=0,
            robots=False,
            concurrency=4,
            seed=1,
            clock=clock,
        )
        job = Job(options)
        running = asyncio.create_task(job.run())
        await until(clock, lambda: job.progress().done >= 60, 0.05)

        early = len(bed.truth().hits)
        write(path, *bed.proxy_lines[6:])
        assert job._pool
        pool = job._pool
        old = {proxy.key for proxy in pool._catalog}
        await until(clock, lambda: len(pool._catalog) == 6 and not any(key in pool._catalog for key in old), 0.5)
        hit_count, out_count = len(bed.truth().hits), sum(map(pool._loads.of, old))
        done_before = job.progress().done
        await until(clock, running.done, 0.05)
        report = await running
        hits = bed.truth().hits

    exits = [exit_.address for exit_ in bed.exits]
    assert done_before < 950
    assert (report.pages, report.failed, report.pending) == (1_000, 0, 0)
    assert {hit.exit for hit in hits[:early]} <= set(exits[:6])
    late = [hit for hit in hits[hit_count:] if hit.exit in exits[:6]]
    assert len(late) <= out_count
    # One that works may carry all of them.
    assert {hit.exit for hit in hits[hit_count:]} & set(exits[6:])


async def test_a_job_takes_up_a_site_at_which_nothing_worked(tmp_path: Path, clock: VirtualClock) -> None:
    """As long as it has something else to do; its pages are not left for another run."""
    path = tmp_path / "proxies.txt"
    write(path, line(0))
    is_over = asyncio.Event()

    class Sites:
        async def send(self, request: Request, session: Session) -> Response:
            if "slow" in request.url:
                await is_over.wait()
                return answers(200)(request, session)
            return answers(200 if "proxy-7" in session.proxy.host else 999)(request, session)

    urls = ["http://slow.example/1", *(f"http://hard.example/{number}" for number in range(20))]
    options = JobOptions(
        urls=read_urls(urls, "urls"),
        proxies=path,
        out=tmp_path / "pages.jsonl",
        store="memory:",
        client=Sites(),
        max_wait_seconds=5,
        max_rate=0,
        robots=False,
        concurrency=8,
        looks=False,
        clock=clock,
    )
    job = Job(options)
    running = asyncio.create_task(job.run())
    await until(clock, lambda: "hard.example" in job._stalled)

    write(path, line(0), line(7))
    await until(clock, lambda: job.progress().done == 20)
    is_over.set()
    await until(clock, running.done)

    report = await running
    assert (report.pages, report.stalled) == (21, [])
