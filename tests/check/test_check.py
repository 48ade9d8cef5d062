"""Checks at a real site, through real proxies."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from playwright.async_api import Error as BrowserError
from tests.fakes import InTurn, Scripted, answers, lines

from proxysieve import ConfigError, Request, Response, Session
from proxysieve.check.check import Check, CheckOptions, CheckReport, Pace
from proxysieve.clients.curl import CurlClient
from proxysieve.clock import VirtualClock, settle
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Outcome, Proxy
from proxysieve.testbed import BlockStyle, Testbed, Truth, World
from proxysieve.testbed.world import SCRIPTED_STYLES

URL = "http://shop.example/"
# Whoever hangs costs as much; on a busy machine, less would fail the others too.
TIMEOUT = 2.0


async def check(bed: Testbed, url: str = "", **changes: object) -> CheckReport:
    """What a check of all proxies of *bed* comes to."""
    settings = {"max_rate": 0.0, "timeout_seconds": TIMEOUT, "seed": 1, "client": client_of(bed)} | changes
    proxies = [parse_proxy(line) for line in bed.proxy_lines]
    options = {"url": url or bed.page_url(1), "proxies": proxies} | settings
    return await Check(CheckOptions(**options)).run()  # type: ignore[arg-type] # named there


def client_of(bed: Testbed) -> CurlClient:
    return CurlClient(ca_path=str(bed.ca_path) if bed.ca_path else None)


def by_kind(bed: Testbed, report: CheckReport) -> dict[str, set[tuple[Outcome, str | None]]]:
    """What was met through the exits of each kind."""
    exits = dict(zip((str(parse_proxy(line)) for line in bed.proxy_lines), bed.exits, strict=True))
    met: dict[str, set[tuple[Outcome, str | None]]] = {}
    for one in report.results:
        exit_ = exits[one.proxy]
        kind = f"blocked: {exit_.style}" if exit_.banned else exit_.kind
        met.setdefault(kind, set()).add((one.verdict, one.sign))
    return met


async def test_every_style_of_block_is_told_from_a_page() -> None:
    """By its sign, or by what others got; what may be an accident is unclear, and nobody works who is banned."""
    styles = tuple(style for style in get_args(BlockStyle) if style not in SCRIPTED_STYLES)
    world = World(proxies=90, networks=90, banned_share=0.6, block_styles=styles, page_bytes=6_000, seed=5)
    async with Testbed(world) as bed:
        report = await check(bed, timeout_seconds=10.0)
        met = by_kind(bed, report)

    assert met == {
        "plain": {(Outcome.OK, None)},
        "blocked: forbidden": {(Outcome.BLOCKED, "status-403")},
        "blocked: throttled": {(Outcome.THROTTLED, "status-429")},
        "blocked: challenge": {(Outcome.BLOCKED, "cloudflare-challenge")},
        "blocked: captcha": {(Outcome.BLOCKED, "human-captcha")},
        "blocked: sorry": {(Outcome.BLOCKED, "google-sorry")},
        "blocked: empty": {(Outcome.BLOCKED, "empty-body")},
        "blocked: unknown": {(Outcome.UNCLEAR, "unlike")},
        "blocked: reset": {(Outcome.UNCLEAR, "reset")},
        "blocked: json": {(Outcome.BLOCKED, "datadome-banned")},
        "blocked: country": {(Outcome.BLOCKED, "cloudfront-country")},
        "blocked: network": {(Outcome.BLOCKED, "cloudflare-asn")},
    }
    assert (report.works, report.tried, report.remarks) == (36, 90, [])
    assert all(one.retry_after for one in report.results if one.verdict is Outcome.THROTTLED)


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
async def test_a_dead_proxy_is_no_blocked_one(*, https: bool) -> None:
    """Why it is dead is told, as far as it can be."""
    world = World(proxies=24, refusing=3, hanging=3, slow=3, slow_seconds=0.01, demanding=3, failing=3, https=https)
    async with Testbed(world) as bed:
        report = await check(bed)
        met = by_kind(bed, report)

    unreachable = (Outcome.PROXY_ERROR, "proxy-unreachable")
    assert met == {
        "plain": {(Outcome.OK, None)},
        "slow": {(Outcome.OK, None)},
        "refusing": {unreachable},
        # Without a tunnel, nobody knows how far the request came.
        "hanging": {unreachable if https else (Outcome.UNCLEAR, "timeout")},
        "demanding": {(Outcome.PROXY_ERROR, "proxy-credentials")},
        "failing": {(Outcome.PROXY_ERROR, "proxy-status-502" if https else "status-502")},
    }
    assert report.works == 12


async def test_a_slow_proxy_works_and_comes_last() -> None:
    """The best ones first."""
    async with Testbed(World(proxies=8, slow=2, slow_seconds=0.3)) as bed:
        report = await check(bed, timeout_seconds=10.0)
        slow = [
            str(parse_proxy(line)) for line, one in zip(bed.proxy_lines, bed.exits, strict=True) if one.kind == "slow"
        ]

    assert {one.proxy for one in report.results[-2:]} == set(slow)
    assert report.works == 8


async def test_a_wrong_password_is_the_proxys_affair() -> None:
    """And shows nowhere."""
    async with Testbed(World(proxies=3)) as bed:
        proxies = [parse_proxy(line.replace(":pass@", ":s3cr3t@")) for line in bed.proxy_lines]
        report = await check(bed, proxies=proxies)

    assert {(one.verdict, one.sign, one.status) for one in report.results} == {
        (Outcome.PROXY_ERROR, "proxy-credentials", 407)
    }
    assert b"s3cr3t" not in msgspec.json.encode(report)
    assert "s3cr3t" not in repr(report)


async def test_the_site_is_asked_once_by_each_proxy() -> None:
    """And robots.txt not at all."""
    async with Testbed(World(proxies=30, banned_share=0.5)) as bed:
        report = await check(bed)
        truth = bed.truth()

    assert report.tried == 30
    assert set(Counter(hit.exit for hit in truth.hits).values()) == {1}
    assert {hit.path for hit in truth.hits} == {"/page/1"}


def served(truth: Truth) -> set[str]:
    return {hit.exit for hit in truth.hits if hit.answer == "ok"}


async def test_a_provider_is_tried_by_fresh_names() -> None:
    """Each may have an exit of its own; the provider works if one of them does."""
    async with Testbed(World(proxies=200, provider_names=True, banned_share=0.5)) as bed:
        one = await check(bed)
        many = await check(bed, names=40)
        truth = bed.truth()

    assert (one.exits, one.tried) == (1, 1)
    assert (many.exits, many.tried) == (40, 40)
    assert len({result.name for result in many.results}) == 40
    assert len({result.proxy for result in many.results}) == 1
    assert "{session}" in many.results[0].proxy
    assert 0 < many.works < 40
    assert len(served(truth)) > 10


async def test_what_all_are_refused_may_be_the_page() -> None:
    """A page that nobody may see looks like a block to each; it is said, and nobody is called blocked."""
    async with Testbed(World(proxies=6, forbidden_share=1.0)) as bed:
        report = await check(bed)

    assert (report.works, report.blocked, report.unclear) == (0, 0, 6)
    assert "all 6 that got through were answered alike (status 403)" in report.remarks[0]


async def test_what_nobody_finds_is_an_answer() -> None:
    """Through whom the site says so, that one works; but a page that is there would tell more."""
    async with Testbed(World(proxies=6, missing_share=1.0)) as bed:
        report = await check(bed)

    assert report.works == 6
    assert "status 404" in report.remarks[0]


async def test_what_is_expected_decides() -> None:
    """Where a page without it comes, and others got it, it was a block."""
    world = World(proxies=30, banned_share=0.7, block_styles=("unknown",), page_bytes=6_000)
    async with Testbed(world) as bed:
        unsure = await check(bed)
        sure = await check(bed, expect="css:h1")

    assert unsure.works == 30
    assert "21 a slight page" in unsure.remarks[0]
    assert (sure.works, sure.blocked, sure.remarks) == (9, 21, [])


async def test_signs_of_ones_own_are_asked(tmp_path: Path) -> None:
    """As by a job."""
    signs = tmp_path / "own.toml"
    signs.write_text('off = ["status-403"]')
    async with Testbed(World(proxies=4, banned_share=0.5)) as bed:
        report = await check(bed, signs=(str(signs),))

    # What is not refused says that the page cannot be had, while others get it.
    assert (report.works, report.blocked, report.unclear) == (2, 0, 2)


async def test_an_answer_that_takes_ever_more_bytes_is_cut() -> None:
    """It is no page, and one proxy's whim must not fill the memory."""
    async with Testbed(World(proxies=1, networks=1)) as bed:
        report = await check(bed, f"{bed.site_url}/big?bytes=90000000", timeout_seconds=10.0)

    (result,) = report.results
    assert (result.verdict, result.sign, result.bytes) == (Outcome.SITE_ERROR, "too-large", 0)


def proxies_of(count: int) -> list[Proxy]:
    return [parse_proxy(line) for line in lines(count)]


async def test_one_proxys_surprise_does_not_end_the_check(caplog: pytest.LogCaptureFixture) -> None:
    """Errors that nobody knows are told by their kind, as their words may have a password in them."""
    client = InTurn(200, RuntimeError("http://user:secret@proxy-1.example:8000"), 200)
    report = await Check(CheckOptions(url=URL, proxies=proxies_of(3), client=client, max_rate=0)).run()

    assert report.works == 2
    assert report.results[-1].why == "unexpected error: RuntimeError"
    assert "RuntimeError" in caplog.text
    assert "secret@" not in caplog.text


async def test_a_browsers_surprise_is_told_in_its_words() -> None:
    """In a line of them."""
    client = InTurn(200, BrowserError("Page.goto: Frame was detached\nCall log:\n  - cookie: secret"))
    report = await Check(CheckOptions(url=URL, proxies=proxies_of(2), client=client, max_rate=0)).run()

    assert report.results[-1].why == "unexpected error: Page.goto: Frame was detached"


async def test_a_sign_that_raises_is_passed_over() -> None:
    """It is the caller's own mistake, which costs no answer its verdict."""

    def broken(_: object) -> None:
        raise KeyError("mine")

    options = CheckOptions(url=URL, proxies=proxies_of(3), client=Scripted(answers(200)), signs=(broken,))

    report = await Check(options).run()

    assert [one.verdict for one in report.results] == [Outcome.OK] * 3


class Endless:
    """A client that answers the first ones, and then nobody."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.is_out = asyncio.Event()

    async def send(self, request: Request, session: Session) -> Response:
        if not self.left:
            self.is_out.set()
            await asyncio.Event().wait()
        self.left -= 1
        return answers(200)(request, session)


async def test_an_interrupt_keeps_what_is_known() -> None:
    """What was under way is not waited for, and says nothing of its proxy."""
    client = Endless(3)
    run = Check(CheckOptions(url=URL, proxies=proxies_of(10), client=client, max_rate=0, concurrency=4))
    running = asyncio.create_task(run.run())
    await client.is_out.wait()

    run.interrupt()
    report = await running

    assert (report.exits, report.tried, report.works, report.interrupted) == (10, 3, 3, True)
    assert len(run.working()) == 3
    assert run.progress()[:3] == (10, 3, 3)


async def test_an_interrupt_before_the_start_sends_nothing() -> None:
    """Ctrl-C may come at any moment."""
    run = Check(CheckOptions(url=URL, proxies=proxies_of(2), client=InTurn(), max_rate=0))

    run.interrupt()
    report = await run.run()

    assert (report.tried, report.interrupted) == (0, True)


async def test_working_proxies_keep_their_order() -> None:
    """Whichever was asked first."""
    proxies = proxies_of(20)
    run = Check(CheckOptions(url=URL, proxies=proxies, client=Scripted(answers(200)), max_rate=0))

    await run.run()

    assert run.working() == proxies


async def test_no_more_are_under_way_than_wanted() -> None:
    """However many there are."""
    under_way, most = 0, 0

    class Counting:
        async def send(self, request: Request, session: Session) -> Response:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await settle()
            under_way -= 1
            return answers(200)(request, session)

    await Check(CheckOptions(url=URL, proxies=proxies_of(40), client=Counting(), max_rate=0, concurrency=7)).run()

    assert most == 7


async def test_turns_keep_to_the_cap(clock: VirtualClock) -> None:
    """Those that redirects took included; who comes late has missed no more than a few milliseconds' worth."""
    turns, taken = Pace(10.0, clock), list[float]()
    start = clock.now()

    async def take(count: int) -> None:
        for _ in range(count):
            await turns.take()
            taken.append(round(clock.now() - start, 3))

    taking = asyncio.create_task(take(4))
    await clock.advance(1.0)
    await taking
    turns.add(3)
    await clock.advance(9.0)
    late = asyncio.create_task(take(2))
    await clock.advance(1.0)
    await late

    assert taken == [0.0, 0.05, 0.15, 0.25, 10.0, 10.05]


async def test_redirects_put_off_all_who_wait(clock: VirtualClock) -> None:
    """Also those who asked for a turn before."""
    turns, taken = Pace(1.0, clock), list[float]()
    start = clock.now()

    async def take() -> None:
        await turns.take()
        taken.append(round(clock.now() - start, 2))

    waiting = [asyncio.create_task(take()) for _ in range(3)]
    await clock.advance(0.5)
    turns.add(2)
    await clock.advance(9.5)
    await asyncio.gather(*waiting)

    assert taken == [0.0, 2.95, 3.95]


async def test_without_a_cap_nobody_waits(clock: VirtualClock) -> None:
    """Time stands still here."""
    turns = Pace(0.0, clock)

    for _ in range(1_000):
        await turns.take()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param({"url": "shop.example"}, "not a URL", id="url"),
        pytest.param({"expect": "css:["}, "no CSS selector", id="selector"),
        pytest.param({"signs": ("none.toml",)}, "cannot be read", id="signs"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(options: dict[str, object], says: str) -> None:
    """In one sentence."""
    with pytest.raises(ConfigError, match=says):
        Check(CheckOptions(**{"url": URL, "proxies": proxies_of(1), **options}))  # type: ignore[arg-type] # named there
