"""What a whole crawl makes of a site that refuses in every way, and fails in every way: nothing wrong, nobody lost.

Half of the exits are banned, in all styles of block. Beside that the site has honest 404s, honest 403s that look like
one of these styles, 500s now and then, cookies that are bound to their visitor, and an outage in the middle.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from tests.fetch.crawls import Crawl, crawl

from proxysieve.testbed import BlockStyle, Outage, World
from proxysieve.testbed.world import SCRIPTED_STYLES

PAGE_COUNT = 350
# What nobody has a sign for is another matter, below, and what takes a browser to see.
STYLES = tuple(style for style in get_args(BlockStyle) if style not in {"unknown", *SCRIPTED_STYLES})
WORLD = World(
    proxies=60,
    # Each in a network of its own, as one of the blocks says that all of the network is banned.
    networks=60,
    banned_share=0.5,
    block_styles=STYLES,
    bound_cookies=True,
    missing_share=0.05,
    forbidden_share=0.03,
    empty_share=0.03,
    flaky_share=0.02,
    page_bytes=4_000,
    # Long enough for most exits to be tried before the first of them works.
    latency_seconds=0.3,
    # At least two banned exits of each style.
    seed=165,
)
OUTAGES = {
    "maintenance": Outage(after_requests=200, seconds=0.5, style="maintenance"),
    "dropped connections": Outage(after_requests=200, seconds=0.5, style="drop"),
}


@pytest.fixture(scope="module", params=list(OUTAGES))
def crawled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Crawl:
    """One crawl for all that is asserted of it: with more requests at once than there are exits, and no thrift."""
    world = msgspec.structs.replace(WORLD, outages=(OUTAGES[request.param],))
    folder = tmp_path_factory.mktemp("crawl")
    return asyncio.run(crawl(world, PAGE_COUNT, folder, concurrency=80, thrift=0.1, max_wait_seconds=5.0))


def test_the_site_showed_what_it_has(crawled: Crawl) -> None:
    """Else the rest of these would be true of nothing; a slow machine may leave out some styles of block."""
    blocked = {hit.exit for hit in crawled.truth.hits if hit.answer == "blocked"}

    styles = {exit_.style for exit_ in crawled.bed.exits if exit_.address in blocked}
    assert len(styles) >= len(STYLES) - 3
    assert {"ok", "blocked", "missing", "forbidden", "empty", "error", "outage"} <= set(crawled.truth.answer_counts)


def test_no_wrong_page_is_saved(crawled: Crawl) -> None:
    """What stands in the output with status 200 is the site's page, byte for byte."""
    assert crawled.wrong() == {}


def test_the_pages_that_are_served_are_saved(crawled: Crawl) -> None:
    """As good as all of them: one may fail five times by the site's own fault."""
    served = [page_id for page_id in range(PAGE_COUNT) if crawled.bed.world.fate_of(page_id) == "ok"]

    saved = [page_id for page_id in served if crawled.statuses().get(page_id) == 200]

    assert crawled.report.stalled == []
    assert len(saved) >= 0.95 * len(served)


def test_honest_404s_are_results(crawled: Crawl) -> None:
    """They are saved as what they are, and nothing else is saved as one; one may fail by the site's own fault."""
    missing = [page_id for page_id in range(PAGE_COUNT) if crawled.bed.world.is_missing(page_id)]
    saved = [page_id for page_id, status in sorted(crawled.statuses().items()) if status == 404]

    lost = {crawled.bed.page_urls(PAGE_COUNT)[page_id] for page_id in missing if page_id not in saved}

    assert set(saved) <= set(missing)
    assert len(lost) <= 1
    assert lost <= {record["url"] for record in crawled.failed if record["error"]}


def test_no_exit_is_lost_for_what_the_site_did(crawled: Crawl) -> None:
    """None that the site does not ban stands as blocked, dead or cooling down, whatever the site said through it."""
    assert crawled.lost() == {}


def test_every_url_is_accounted_for(crawled: Crawl) -> None:
    """Once: as a page, as failed with a cause, or as pending."""
    done = Counter(record["url"] for record in crawled.pages + crawled.failed)

    assert set(done.values()) == {1}
    assert len(done) + crawled.report.pending == PAGE_COUNT
    assert (len(crawled.pages), len(crawled.failed)) == (crawled.report.pages, crawled.report.failed)
    assert [record["url"] for record in crawled.failed if not record["error"]] == []


async def test_a_block_page_that_nobody_knows_is_saved_once_at_most(tmp_path: Path) -> None:
    """At the second address the same page is no page, and then it is known how the site's own pages look."""
    world = World(proxies=40, networks=40, banned_share=0.5, block_styles=("unknown",), page_bytes=4_000)

    done = await crawl(world, 200, tmp_path, concurrency=40, thrift=0.1, max_wait_seconds=5.0)

    assert done.truth.answer_counts["blocked"] > 1
    assert len(done.wrong()) <= 1
    assert done.lost() == {}
    assert len(done.pages) + len(done.failed) + done.report.pending == 200
