"""A job's sessions, on another machine: the next job goes on with those that work."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from proxysieve.cli import main
from proxysieve.stores.sqlite import DATABASE
from proxysieve.testbed import TestbedProcess, World

# A site that bans four in five from the start, and blocks who shows a cookie from another address or browser.
MOSTLY_BANNED = World(
    proxies=100, networks=20, banned_share=0.8, bound_cookies=True, latency_seconds=0.02, page_bytes=500
)
WORLDS = {"plain": MOSTLY_BANNED, "provider": msgspec.structs.replace(MOSTLY_BANNED, provider_names=True)}


class Machine:
    """A directory with the list, and a store of its own."""

    def __init__(self, directory: Path, bed: TestbedProcess) -> None:
        directory.mkdir()
        self._directory = directory
        self._options = ["--proxies", str(directory / "proxies.txt"), "--store", str(directory / "store")]
        self.site = bed.site_url.partition("://")[2]
        (directory / "proxies.txt").write_text("\n".join(bed.proxy_lines))

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(main, [*arguments, *self._options], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def fetch(self, urls: list[str]) -> dict[str, Any]:
        """The report of a job."""
        out, listed = self._directory / "pages.jsonl", self._directory / "urls.txt"
        listed.write_text("\n".join(urls))
        options = ["--out", str(out), "--no-robots", "--max-rate", "0", "--quiet", "--json"]
        report: dict[str, Any] = json.loads(self.run("fetch", str(listed), *options))
        return report

    def cookies(self) -> dict[str, bytes]:
        """What the store keeps, session by session."""
        with closing(sqlite3.connect(self._directory / "store" / DATABASE)) as database:
            return dict(database.execute("SELECT key, value FROM records WHERE kind = 'cookies'"))

    def workers(self) -> Counter[str]:
        """How many pages each session got."""
        lines = (self._directory / "pages.jsonl").read_text().splitlines()
        return Counter(json.loads(line)["session"] for line in lines)


@pytest.mark.parametrize("kind", WORLDS)
def test_the_next_job_goes_on_elsewhere(kind: str, tmp_path: Path) -> None:
    """Those that came do most of the work, as each cookie is shown by the exit and browser that it was given to."""
    file = str(tmp_path / "sessions.json")
    with TestbedProcess(WORLDS[kind]) as bed:
        here, there = Machine(tmp_path / "here", bed), Machine(tmp_path / "there", bed)
        urls = bed.page_urls(160)
        here.fetch(urls[:80])
        here.run("export", here.site, "--out", file)

        there.run("import", file)
        moved, again = there.cookies(), there.run("export", there.site)
        second = there.fetch(urls[80:])

    assert moved
    assert moved == here.cookies()
    assert again == Path(file).read_text()
    assert (second["pages"], second["failed"]) == (80, 0)
    # Looked for anew, those that work would cost some ten to thirty requests; a few go to others all the same.
    assert second["requests"] <= 100
    assert sum(count for name, count in there.workers().items() if name in moved) >= 40
    assert {name: there.cookies().get(name) for name in there.workers() if name in moved}.items() <= moved.items()
