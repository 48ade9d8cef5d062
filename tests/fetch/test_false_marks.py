"""What a crawl makes of a site that begins to quote, on all of its pages, what a sign takes for a challenge."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fetch.crawls import crawl

from proxysieve.testbed import World

PAGE_COUNT, MARKED_AFTER = 300, 150
WORLD = World(
    proxies=40,
    networks=10,
    banned_share=0.5,
    # Real challenges among them, which bear the same mark.
    block_styles=("forbidden", "challenge", "captcha"),
    false_mark_after=MARKED_AFTER,
    page_bytes=4_000,
    latency_seconds=0.02,
)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"concurrency": 50, "thrift": 0.1, "max_wait_seconds": 0.0}, id="many at work, no patience"),
        pytest.param({"concurrency": 50, "thrift": 0.1, "max_wait_seconds": 1.5}, id="many at work"),
        pytest.param({"concurrency": 5, "max_wait_seconds": 1.5}, id="few at work"),
    ],
)
async def test_a_false_mark_costs_no_session_that_worked(tmp_path: Path, settings: dict[str, float]) -> None:
    """Who was answered well before the marks stands as working, and nothing wrong is saved."""
    done = await crawl(WORLD, PAGE_COUNT, tmp_path, **settings)

    served = [hit.exit for hit in done.truth.hits if hit.answer == "ok"]
    worked, misjudged = set(served[:MARKED_AFTER]), set(served[MARKED_AFTER:])
    assert worked & misjudged
    assert {address: done.standings[address] for address in worked} == dict.fromkeys(worked, "working")
    assert done.wrong(may_be_marked=True) == {}
    assert len(done.pages) + len(done.failed) + done.report.pending == PAGE_COUNT
