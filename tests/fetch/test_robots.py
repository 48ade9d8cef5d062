"""Jobs that look for robots.txt through proxies that refuse, hang and lie, on real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.clients.rude_servers import Behaviour, answer, by_path, listening, saying, silent
from tests.fakes import facts_of, pool_of

from proxysieve import GaveUp, Request, Response, Session
from proxysieve.cli.job_report import describe
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.report import Report
from proxysieve.fetch.urls import read_urls
from proxysieve.testbed import Testbed, World

SHOP = "http://shop.example"
# Longer than any test takes: what waits for one proxy that hangs waits for this.
LONG_SECONDS = 60.0
NOT_PAGE_1 = "User-agent: *\nDisallow: /page/1\n"


def job_of(tmp_path: Path, urls: list[str], proxies: list[str], **changes: object) -> Job:
    settings: dict[str, Any] = {
        "out": tmp_path / "pages.jsonl", "store": "memory:", "max_rate": 0.0, "max_wait_seconds": 0.0,
        "timeout_seconds": LONG_SECONDS, "seed": 1, **changes,
    }  # fmt: skip
    return Job(JobOptions(urls=read_urls(urls, "urls"), proxies=proxies, **settings))


class Answering:
    """A client that answers each request by a function, after as long as that takes, and counts who is under way."""

    def __init__(self, respond: Callable[[Request, Session], Any]) -> None:
        self._respond = respond
        self.under_way = self.most_under_way = 0
        self.sent: Counter[str] = Counter()

    async def send(self, request: Request, session: Session) -> Response:
        self.sent[request.url] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            async with asyncio.timeout(request.timeout_seconds):
                status = await self._respond(request, session)
        except TimeoutError as error:
            raise httpx.ReadTimeout("slow") from error
        finally:
            self.under_way -= 1
        body = b"" if is_robots(request) else f"{session.name} {request.url}".encode()
        return Response(url=request.url, status=status, headers=(), body=body)


def is_robots(request: Request) -> bool:
    return request.url.endswith("/robots.txt")


async def end(job: Job, running: asyncio.Task[Report]) -> None:
    """Wait for nothing that is under way."""
    job.interrupt()
    job.interrupt()
    await running


async def hang() -> int:
    """Wait for longer than any test takes."""
    await asyncio.sleep(LONG_SECONDS)
    return 200


async def test_it_is_found_among_many_that_refuse_and_many_that_hang(tmp_path: Path) -> None:
    """Before any of those that hang has used up its time."""
    world = World(proxies=120, refusing=60, hanging=54, robots=NOT_PAGE_1)
    async with Testbed(world) as bed:
        urls = [bed.page_url(number) for number in (1, 2)]
        started_at = time.monotonic()

        job = job_of(tmp_path, urls, bed.proxy_lines)
        running = asyncio.create_task(job.run())
        while not job.progress().finished:
            await asyncio.wait([running], timeout=0.01)
        took = time.monotonic() - started_at
        await end(job, running)

    assert took < LONG_SECONDS / 2


async def test_a_list_of_hanging_proxies_ends_in_one_time_out(tmp_path: Path) -> None:
    """All are asked side by side, and what was met is said: the job does not wait for one after the other."""
    async with Testbed(World(proxies=30, hanging=30)) as bed:
        job = job_of(tmp_path, bed.page_urls(40), bed.proxy_lines, timeout_seconds=0.5)
        report = await asyncio.wait_for(job.run(), LONG_SECONDS)

    (stalled,) = report.stalled
    assert (report.pages, report.pending) == (0, 40)
    assert "timed out" in stalled.why
    assert stalled.why.startswith("none of the 30 exits tried")


async def test_a_good_answer_makes_nobody_work(tmp_path: Path) -> None:
    """Who caches a site shows its robots.txt to the banned; pages are then looked for as if nothing had come."""
    banned = by_path({"robots.txt": saying(answer(body=b""))}, saying(answer("999 No", body=b"no")))
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(listening(banned)) for _ in range(5)]
        job = job_of(tmp_path, [f"{SHOP}/{number}" for number in range(3)], [f"127.0.0.1:{port}" for port in ports])
        report = await job.run()

    assert (report.pages, report.pending, report.sessions_working) == (0, 3, 0)
    assert report.sessions_blocked == 5


@pytest.mark.parametrize("policy", ["adaptive", "classic", "round_robin", "uniform_random"])
@pytest.mark.parametrize("status", [200, 404, 403, 500])
async def test_an_answer_of_the_site_leaves_everything_as_it_was(policy: str, status: int) -> None:
    """Whatever the policy: the session that got it is as fresh as before, and the site as unknown."""

    async def respond(_: Request, __: Session) -> int:
        return status

    async with pool_of(3, Answering(respond), policy=policy, attempts=1) as pool:
        for _ in range(5):
            if status in {200, 404}:
                await pool.get_aside(f"{SHOP}/robots.txt", 1.0)
            else:
                with pytest.raises(GaveUp):
                    await pool.get_aside(f"{SHOP}/robots.txt", 1.0)
        state, standing = facts_of(pool), await pool.status("shop.example")

    assert not any((standing.working, standing.blocked, standing.dead, standing.unclear, standing.held))
    assert (state.site.last_ok_at, state.site.last_bad_at, state.sessions, state.flights) == (0.0, 0.0, {}, {})


async def test_a_working_session_stays_one_whatever_it_answers() -> None:
    """Silence, a wall, a bare refusal and a broken site are of no account; a good page follows."""
    statuses = iter([200, 999, 403, 500, 999, 999, 403, 200])

    async def respond(_: Request, __: Session) -> int:
        return next(statuses)

    async with pool_of(1, Answering(respond)) as pool:
        first = await pool.get(f"{SHOP}/1")
        for _ in range(6):
            with pytest.raises(GaveUp):
                await pool.get_aside(f"{SHOP}/robots.txt", 1.0)
        second = await pool.get(f"{SHOP}/2")

    assert first.session == second.session


async def test_the_others_are_called_off_and_nobody_is_given_up_for_it(tmp_path: Path) -> None:
    """A session that works and hangs at the robots.txt of another origin still works once the other one got that."""
    hung: list[str] = []

    async def respond(request: Request, session: Session) -> int:
        if is_robots(request) and "b." in request.url and not hung:
            hung.append(session.name)
            return await hang()
        await asyncio.sleep(0.01)
        return 200

    urls = [*(f"http://a.shop.example/{number}" for number in range(30)), "http://b.shop.example/1"]
    client = Answering(respond)
    job = job_of(tmp_path, urls, ["p:1", "q:1"], client=client, concurrency=4)

    report = await asyncio.wait_for(job.run(), LONG_SECONDS / 2)

    assert (report.pages, report.is_complete, len(hung)) == (31, True, 1)
    assert client.under_way == 0
    assert report.unclear == 0


@pytest.mark.parametrize("concurrency", [2, 3, 20])
async def test_no_more_requests_are_under_way_than_was_asked_for(tmp_path: Path, concurrency: int) -> None:
    """Those for robots.txt of many origins and those for pages together; and pages of others come meanwhile."""

    async def respond(request: Request, session: Session) -> int:
        if is_robots(request) and "slow" in request.url and session.proxy.host != "10.0.0.0":
            return await hang()
        await asyncio.sleep(0.001)
        return 404 if is_robots(request) else 200

    sites = [*(f"slow-{number}.example" for number in range(3)), *(f"fine-{number}.example" for number in range(5))]
    urls = [f"http://{site}/{number}" for number in range(6) for site in sites]
    client = Answering(respond)
    proxies = [f"10.0.0.{number}:8000" for number in range(10)]
    job = job_of(tmp_path, urls, proxies, client=client, concurrency=concurrency, timeout_seconds=0.1)

    running = asyncio.create_task(job.run())
    while sum("fine" in url and not url.endswith("robots.txt") for url in client.sent) < 30 and not running.done():
        await asyncio.wait([running], timeout=0.01)
    await end(job, running)

    assert client.most_under_way <= concurrency
    assert sum("fine" in url and not url.endswith("robots.txt") for url in client.sent) == 30


async def test_an_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    """Nothing could be fetched any more, so nobody waits for the rules; all is pending."""
    async with Testbed(World(proxies=10, hanging=10)) as bed:
        job = job_of(tmp_path, bed.page_urls(20), bed.proxy_lines)
        running = asyncio.create_task(job.run())
        while not job.progress().news:
            await asyncio.wait([running], timeout=0.01)
        job.interrupt()
        # Less than the grace that pages under way are given.
        report = await asyncio.wait_for(running, 3)

    assert (report.pages, report.pending, report.interrupted, report.stalled) == (0, 20, True, [])
    assert job.progress().news == ""


async def test_what_is_done_meanwhile_is_told(tmp_path: Path) -> None:
    """Whose robots.txt is asked for, by how many tries, and why they failed; not who logs in there."""
    behaviours: list[Behaviour] = [saying(answer("407 Proxy Authentication Required")), silent]
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(listening(behave)) for behave in behaviours]
        urls = ["http://ann:s3cret@shop.example/1", "http://other.example/1"]
        job = job_of(tmp_path, urls, [f"127.0.0.1:{port}" for port in ports])
        running = asyncio.create_task(job.run())
        while job.progress().news.count(" x ") < 1:
            await asyncio.wait([running], timeout=0.01)
        told = describe(job.progress())
        await end(job, running)

    assert "asking shop.example's robots.txt: 1 try so far: 1 x status 407" in told or "asking other.example" in told
    assert "more)" in told
    assert "s3cret" not in told


async def test_it_is_asked_for_once_for_all_pages_of_an_origin(tmp_path: Path) -> None:
    """Where the first exit gets it, nobody else is asked."""

    async def respond(request: Request, _: Session) -> int:
        return 404 if is_robots(request) else 200

    client = Answering(respond)
    proxies = [f"10.0.0.{number}:8000" for number in range(10)]
    urls = [f"http://{origin}.shop.example/{number}" for number in range(20) for origin in "ab"]

    report = await job_of(tmp_path, urls, proxies, client=client).run()

    assert report.pages == 40
    assert {url: count for url, count in client.sent.items() if url.endswith("robots.txt")} == {
        "http://a.shop.example/robots.txt": 1,
        "http://b.shop.example/robots.txt": 1,
    }


async def test_an_unexpected_error_costs_the_pages_of_that_origin(tmp_path: Path) -> None:
    """And no others; it is told with them."""

    async def respond(request: Request, _: Session) -> int:
        if is_robots(request) and "bad" in request.url:
            raise RuntimeError("secret")
        return 404 if is_robots(request) else 200

    urls = ["http://bad.example/1", "http://good.example/1"]
    report = await job_of(tmp_path, urls, ["p:1"], client=Answering(respond)).run()

    (failed,) = map(json.loads, (tmp_path / "pages.failed.jsonl").read_text().splitlines())
    assert (report.pages, report.failed) == (1, 1)
    assert (failed["url"], failed["error"]) == ("http://bad.example/1", "unexpected error: RuntimeError")


async def test_a_file_that_is_made_to_take_long_costs_only_its_own_pages(tmp_path: Path) -> None:
    """500 kB of agents, and of rules for each of them; the pages are obeyed and fetched."""
    text = "".join(f"User-agent: {number}\n" for number in range(11_000)) + "Disallow: /x\n" * 15_000
    async with Testbed(World(proxies=3, robots=f"{text}\nUser-agent: *\nDisallow: /page/1\n")) as bed:
        report = await job_of(tmp_path, [bed.page_url(1), bed.page_url(2)], bed.proxy_lines).run()

    assert (report.pages, report.skipped, report.is_complete) == (1, 1, True)
