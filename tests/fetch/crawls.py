"""Jobs at a testbed, with what came of them beside what really happened."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.site.engine import Engine
from proxysieve.core.story.telling import tell_exits
from proxysieve.fetch.job import Job, JobOptions
from proxysieve.fetch.report import Report
from proxysieve.fetch.urls import read_urls
from proxysieve.lists.proxy_list import read_proxies
from proxysieve.site_of import site_of
from proxysieve.stores.sqlite import SqliteStore
from proxysieve.testbed import Testbed, Truth, World


@dataclass(frozen=True, kw_only=True)
class Crawl:
    """A job that has ended.

    Attributes:
        bed: The testbed, which has ended too, but knows its pages and exits.
        urls: What was asked for: the page with each id.
        truth: What the servers saw.
        pages: The records of the output.
        failed: Those of the failed pages.
        standings: How exits stand in the store, by their address, as ``proxysieve explain`` tells it.
    """

    bed: Testbed
    urls: list[str]
    truth: Truth
    report: Report
    pages: list[dict[str, Any]]
    failed: list[dict[str, Any]]
    standings: dict[str, str]

    def id_of(self, record: dict[str, Any]) -> int:
        """The id of the page that *record* is of."""
        return self.urls.index(record["url"])

    def statuses(self) -> dict[int, int]:
        """The status of each page in the output, by its id."""
        return {self.id_of(record): record["status"] for record in self.pages}

    def wrong(self, *, may_be_marked: bool = False) -> dict[int, str]:
        """The pages in the output that the site does not have so, by their ids: how they begin."""
        return {
            self.id_of(record): record["body"][:200]
            for record in self.pages
            if record["status"] == 200 and not self._is_right(record, may_be_marked=may_be_marked)
        }

    def lost(self) -> dict[str, str]:
        """The exits that the site does not ban, and which do not stand as working or idle: how they stand instead."""
        good = {exit_.address for exit_ in self.bed.exits if not exit_.banned}
        return {
            address: standing
            for address, standing in self.standings.items()
            if address in good and standing not in {"working", "unclear", "untried"}
        }

    def _is_right(self, record: dict[str, Any], *, may_be_marked: bool) -> bool:
        page_id = self.id_of(record)
        if self.bed.world.fate_of(page_id) not in {"ok", "empty"}:
            return False
        looks = {False, may_be_marked}
        return record["body"].encode() in {self.bed.page_body(page_id, is_marked=is_marked) for is_marked in looks}


async def crawl(world: World, page_count: int, folder: Path, **changes: object) -> Crawl:
    """Fetch the first pages of a site of *world*, with a store and an output in *folder*."""
    settings: dict[str, Any] = {"max_rate": 0.0, "timeout_seconds": 5.0, "robots": False, "seed": 1, **changes}
    out, store = folder / "pages.jsonl", folder / "store"
    async with Testbed(world) as bed:
        urls = bed.page_urls(page_count)
        options = JobOptions(urls=read_urls(urls, "urls"), proxies=bed.proxy_lines, out=out, store=store, **settings)
        report = await Job(options).run()
        truth = bed.truth()
    return Crawl(
        bed=bed,
        urls=urls,
        truth=truth,
        report=report,
        pages=_records(out),
        failed=_records(folder / "pages.failed.jsonl"),
        standings=await _standings(bed, store),
    )


async def _standings(bed: Testbed, folder: Path) -> dict[str, str]:
    site, store = site_of(bed.site_url), SqliteStore(folder)
    records = await store.load(site)
    await store.close()
    engine = Engine(site, Catalog(read_proxies(bed.proxy_lines)[0]), Adaptive(), records=records)
    places = [urlsplit(line).netloc.rpartition("@")[2] for line in bed.proxy_lines]
    stories = [tell_exits(engine, place, time.time()) for place in places]
    return {exit_.address: story.standing for exit_, (story,) in zip(bed.exits, stories, strict=True)}


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
