import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.async_api import Error as BrowserError
from tests.core.verdicts.made_up_sites import Make, block_page

from proxysieve.clients.protocol import Request, Response
from proxysieve.fetch import job as module
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.urls import read_urls
from proxysieve.sessions.session import Session
from proxysieve.testbed import Testbed, World

NOT_PAGE_1 = "User-agent: *\nDisallow: /page/1\n"
QUICK = {"store": "memory:", "max_rate": 0.0, "timeout_seconds": 2.0, "max_wait_seconds": 0.0}


class FakeClient:
    """Answers by a function, without a network."""

    def __init__(self, answer: Callable[[Request], Awaitable[int]]) -> None:
        self._answer = answer

    async def send(self, request: Request, session: Session) -> Response:
        status = await self._answer(request)
        return Response(url=request.url, status=status, headers=(), body=f"{session.name} {request.url}".encode())


def options(tmp_path: Path, urls: list[str], proxies: list[str], **changes: object) -> JobOptions:
    settings: dict[str, Any] = {"out": tmp_path / "pages.jsonl", **QUICK, **changes}
    return JobOptions(urls=read_urls(urls, "urls"), proxies=proxies, **settings)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_every_page_is_there_once_and_right(tmp_path: Path) -> None:
    """Through proxies most of which are banned, in all styles of block, or broken."""
    world = World(
        proxies=60,
        banned_share=0.7,
        refusing=3,
        demanding=3,
        failing=3,
        block_styles=("forbidden", "throttled", "challenge", "captcha", "sorry", "empty"),
        missing_share=0.05,
        flaky_share=0.02,
    )
    async with Testbed(world) as bed:
        urls = bed.page_urls(150)

        # Who is called off at robots.txt was heard by the site, and is not counted.
        report = await Job(options(tmp_path, urls, bed.proxy_lines, max_sessions=10, robots=False)).run()

        pages = {record["url"]: record for record in records(tmp_path / "pages.jsonl")}
        assert sorted(pages) == sorted(urls)
        for number, url in enumerate(urls):
            if world.is_missing(number):
                assert pages[url]["status"] == 404
            else:
                assert pages[url]["body"].encode() == bed.page_body(number)
        assert report.pages == 150
        assert report.is_complete
        assert report.requests == report.pages + round(report.wasted_per_page * report.pages)
        truth = bed.truth()
        # Where a redirect leads is asked by the client, within the same try.
        assert report.requests >= truth.hit_count - truth.answer_counts.get("sorry", 0)


async def test_what_robots_txt_disallows_is_skipped_and_counted(tmp_path: Path) -> None:
    """Obeyed by default; the switch turns it off."""
    async with Testbed(World(proxies=3, robots=NOT_PAGE_1)) as bed:
        urls = [bed.page_url(number) for number in (1, 2, 3, 11)]

        obeyed = await Job(options(tmp_path, urls, bed.proxy_lines)).run()
        ignored = await Job(options(tmp_path, urls, bed.proxy_lines, robots=False)).run()

        assert (obeyed.pages, obeyed.skipped, obeyed.is_complete) == (2, 2, True)
        assert (ignored.pages, ignored.skipped, ignored.resumed) == (4, 0, 2)


async def test_robots_that_cannot_be_read_forbid_everything_for_now(tmp_path: Path) -> None:
    """RFC 9309, 2.3.1.4: an error of the server means that nothing may be fetched; it is pending, and said."""

    async def answer(request: Request) -> int:
        return 500 if request.url.endswith("/robots.txt") else 200

    report = await Job(
        options(tmp_path, ["https://shop.example/1"], ["p:1"], client=FakeClient(answer), attempts=1)
    ).run()

    assert (report.pages, report.skipped, report.pending, report.is_complete) == (0, 0, 1, False)
    assert "robots.txt cannot be read (status 500)" in report.stalled[0].why


async def test_robots_are_looked_for_until_somebody_gets_them(tmp_path: Path) -> None:
    """Exits that are blocked or dead say nothing of them, however many there are."""
    async with Testbed(
        World(proxies=120, banned_share=0.98, refusing=20, block_styles=("challenge", "forbidden"), robots=NOT_PAGE_1)
    ) as bed:
        urls = [bed.page_url(1), bed.page_url(2)]

        report = await Job(options(tmp_path, urls, bed.proxy_lines, seed=1)).run()

    assert (report.pages, report.skipped, report.is_complete) == (1, 1, True)
    assert report.requests > 30


async def test_a_proxy_that_refuses_says_nothing_of_robots(tmp_path: Path) -> None:
    """Its 407 is no answer of the site, so it does not come to mean that nothing is asked."""

    async def answer(_: Request) -> int:
        return 407

    proxies = [f"10.0.0.{number}:8000" for number in range(60)]
    report = await Job(options(tmp_path, ["https://shop.example/1"], proxies, client=FakeClient(answer))).run()

    assert (report.pages, report.pending, report.requests) == (0, 1, 60)
    assert report.stalled[0].why.startswith("none of the 60 exits tried since the last good answer works")


async def test_robots_that_are_refused_everywhere_ask_nothing(tmp_path: Path) -> None:
    """RFC 9309, 2.3.1.3: some servers say 403 for no such file; many exits are asked before that is believed."""
    asked = 0

    async def answer(request: Request) -> int:
        nonlocal asked
        asked += request.url.endswith("/robots.txt")
        return 403 if request.url.endswith("/robots.txt") else 200

    proxies = [f"10.0.0.{number}:8000" for number in range(200)]
    report = await Job(options(tmp_path, ["https://shop.example/1"], proxies, client=FakeClient(answer))).run()

    assert (report.pages, report.is_complete) == (1, True)
    assert asked == 30


async def test_empty_robots_ask_nothing(tmp_path: Path) -> None:
    """An empty page is doubtful, an empty robots.txt is not."""
    async with Testbed(World(proxies=2, robots="")) as bed:
        report = await Job(options(tmp_path, bed.page_urls(3), bed.proxy_lines)).run()

        assert (report.pages, report.unclear) == (3, 0)


async def test_an_unexpected_error_costs_one_page(tmp_path: Path) -> None:
    """It is told with that page, without what it says, and the others are fetched."""

    async def answer(request: Request) -> int:
        if request.url.endswith("/2"):
            raise RuntimeError("secret")
        return 200

    urls = [f"https://shop.example/{number}" for number in range(5)]
    report = await Job(options(tmp_path, urls, ["p:1"], client=FakeClient(answer), robots=False)).run()

    (failed,) = records(tmp_path / "pages.failed.jsonl")
    assert (report.pages, report.failed) == (4, 1)
    assert failed["error"] == "unexpected error: RuntimeError"


async def test_an_unexpected_error_of_a_browser_is_quoted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By its first line, in what failed and in the log, which has no word of the rest."""
    caplog.set_level(logging.DEBUG)

    said = "Page.goto: Frame was detached\nCall log:\n  - cookie: sid=1\n  - http://anna:s3cret@proxy:1"

    async def answer(_: Request) -> int:
        raise BrowserError(said)

    report = await Job(
        options(tmp_path, ["https://shop.example/1"], ["p:1"], client=FakeClient(answer), robots=False)
    ).run()

    (failed,) = records(tmp_path / "pages.failed.jsonl")
    assert report.failed == 1
    assert failed["error"] == "unexpected error: Page.goto: Frame was detached"
    assert "https://shop.example/1: unexpected error: Page.goto: Frame was detached" in caplog.text
    assert __file__ in caplog.text
    assert "cookie" not in caplog.text
    assert "s3cret" not in caplog.text


async def test_what_fails_is_told_and_can_be_taken_up_again(tmp_path: Path) -> None:
    """The second run leaves it alone, the third tries again and gets it."""
    statuses = {"https://shop.example/1": 200, "https://shop.example/2": 500}

    async def answer(request: Request) -> int:
        return statuses.get(request.url, 404)

    def job(**changes: object) -> Job:
        return Job(options(tmp_path, list(statuses), ["p:1"], client=FakeClient(answer), attempts=1, **changes))

    first = await job().run()
    second = await job().run()
    failed = records(tmp_path / "pages.failed.jsonl")
    statuses["https://shop.example/2"] = 200
    third = await job(retry_failed=True).run()

    assert (first.pages, first.failed, first.is_complete) == (1, 1, False)
    assert (second.pages, second.failed, second.requests, second.resumed) == (1, 1, 0, 2)
    assert failed[0]["error"] == "site_error: status 500"
    assert failed[0]["attempts"][0]["status"] == 500
    assert (third.pages, third.failed, third.resumed) == (2, 0, 1)
    assert records(tmp_path / "pages.failed.jsonl") == []
    assert [record["url"] for record in records(tmp_path / "pages.jsonl")] == list(statuses)


async def test_what_ends_for_another_reason_than_its_attempts_tells_that_too(tmp_path: Path) -> None:
    """The record has the last verdict, and why it was the last one."""

    class Busy:
        async def send(self, request: Request, _: Session) -> Response:
            return Response(url=request.url, status=500, headers=(("retry-after", "90"),), body=b"busy")

    urls = ["https://shop.example/1"]
    report = await Job(options(tmp_path, urls, ["p:1"], client=Busy(), robots=False, deadline_seconds=60.0)).run()

    (failed,) = records(tmp_path / "pages.failed.jsonl")
    assert (report.failed, report.requests) == (1, 1)
    assert failed["error"] == ("site_error: status 500; the site asked to come back in 90 s, past the deadline of 60 s")


async def test_pages_that_have_to_queue_for_longer_than_their_deadline_are_fetched(tmp_path: Path) -> None:
    """At a low rate, a turn may come late: that is no fault of the site's, which is not left alone for it."""

    async def answer(request: Request) -> int:
        return 404 if request.url.endswith("/robots.txt") else 200

    urls = [f"https://{origin}.shop.example/{number}" for number in range(3) for origin in "ab"]
    job = Job(
        options(tmp_path, urls, ["p:1"], client=FakeClient(answer), concurrency=6, max_rate=40.0, deadline_seconds=0.02)
    )

    report = await job.run()

    assert (report.pages, report.is_complete, report.stalled) == (6, True, [])


async def test_a_site_at_which_nothing_works_is_left_and_the_others_are_fetched(tmp_path: Path) -> None:
    """The job says what was tried and what is pending; the rest is there."""

    async def answer(request: Request) -> int:
        if request.url.endswith("/robots.txt"):
            return 404
        return 403 if "bad.example" in request.url else 200

    urls = [f"https://{site}.example/{number}" for number in range(20) for site in ("bad", "good")]
    proxies = [f"10.0.0.{number}:8000" for number in range(5)]

    report = await Job(options(tmp_path, urls, proxies, client=FakeClient(answer), concurrency=4)).run()

    (stalled,) = report.stalled
    assert (report.pages, report.pending, report.failed) == (20, 20, 0)
    assert (stalled.site, stalled.pending) == ("bad.example", 20)
    assert stalled.retry_at is not None
    assert "none of the 5 exits" in stalled.why


async def test_an_interrupt_lets_requests_end_and_sends_no_more(tmp_path: Path) -> None:
    """What was under way is in the output, what was not is pending."""
    job: Job
    sent: list[str] = []

    async def answer(request: Request) -> int:
        sent.append(request.url)
        if len(sent) == 10:
            job.interrupt()
        await asyncio.sleep(0.01)
        return 200

    urls = [f"https://shop.example/{number}" for number in range(100)]
    job = Job(options(tmp_path, urls, ["p:1", "q:1"], client=FakeClient(answer), concurrency=5, robots=False))

    report = await job.run()

    assert report.interrupted
    assert sorted(record["url"] for record in records(tmp_path / "pages.jsonl")) == sorted(sent)
    assert report.pages == len(sent) == 100 - report.pending
    assert len(sent) <= 15


async def test_a_second_interrupt_waits_for_nothing(tmp_path: Path) -> None:
    """Requests under way are given up; their pages are pending."""
    job: Job

    async def answer(_: Request) -> int:
        job.interrupt()
        job.interrupt()
        await asyncio.sleep(3600)
        return 200

    job = Job(options(tmp_path, ["https://shop.example/1"], ["p:1"], client=FakeClient(answer), robots=False))

    report = await asyncio.wait_for(job.run(), timeout=2)

    assert (report.pages, report.pending) == (0, 1)


class FailingShop:
    """A site of one make, which shows its first visitor a block page that nobody knows once it has sent 30 pages."""

    def __init__(self) -> None:
        self._rng = Random(1)
        self._make = Make(self._rng)
        self.block = block_page(self._rng)
        self._visitors: list[str] = []

    async def send(self, request: Request, session: Session) -> Response:
        self._visitors.append(session.proxy.key)
        is_refused = len(self._visitors) > 30 and session.proxy.key == self._visitors[0]
        body = self.block if is_refused else self._make.page(self._rng)
        return Response(url=request.url, status=200, headers=(), body=body)


@pytest.mark.parametrize("looks", [True, False])
async def test_unknown_block_pages_are_not_saved(tmp_path: Path, *, looks: bool) -> None:
    """Unless looks are switched off: then nothing tells them from pages."""
    shop = FailingShop()
    urls = [f"https://shop.example/{number}" for number in range(100)]
    proxies = [f"proxy.example:{port}" for port in range(8_000, 8_009)]

    report = await Job(options(tmp_path, urls, proxies, client=shop, robots=False, concurrency=5, looks=looks)).run()

    bodies = [record["body"].encode() for record in records(tmp_path / "pages.jsonl")]
    assert (report.pages, report.failed) == (100, 0)
    assert (shop.block in bodies) is not looks
    assert (report.unclear > 0) is looks


async def test_pages_wait_where_the_disk_is_slower_than_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the memory holds is brought to the disk before more is asked for."""
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    monkeypatch.setattr(module, "COMMIT_SECONDS", 3600.0)
    held = []

    async def answer(_: Request) -> int:
        held.append(job._output.batch_bytes)
        return 200

    urls = [f"https://shop.example/{number}" for number in range(5)]
    job = Job(options(tmp_path, urls, ["p:1"], client=FakeClient(answer), robots=False, concurrency=1))

    await job.run()

    assert held == [0, 0, 0, 0, 0]
