"""Whether the built-in client stays as small as it was, and leaves no connection open.

100,000 requests by 5,000 sessions, 50 at a time, over HTTPS through 100 proxies, of which 15 refuse connections, logins
or tunnels. Of the 20 requests of a session one is cancelled on its way, and one asks for more than it may take. Every
other session is ended after them; the rest stay until more than 200 are open, as in a pool.

Every 10,000 requests the resident memory and the open files of this process are looked at, and once all is closed. The
site and the proxies are a process of their own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

from measure import Bench, Cell, open_files, resident_mb
from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Request
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Failure
from proxysieve.core.records import SessionRecord
from proxysieve.core.verdicts.failures import failure_of
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.session import Session
from proxysieve.testbed import TestbedProcess, World

WORLD = World(
    proxies=100, networks=10, refusing=5, demanding=5, failing=5, https=True, page_bytes=1_000, hits_kept=0
)  # fmt: skip
SESSION_COUNT = 5_000
REQUESTS_A_SESSION = 20
CANCELLED, TOO_LARGE = 7, 13
CONCURRENCY = 50
MOST_CLIENTS = 200
MAX_BYTES = 100_000
LOOK_COUNT = 10
# Over the second half, once all that is made once has been made.
MOST_GROWTH = 0.05


class PageTraits(NamedTuple):
    """The process at a moment."""

    requests: int
    seconds: float
    mb: float
    files: int


class Soak:
    """Sessions, one after the other, at each of fifty places."""

    def __init__(self, bed: TestbedProcess, session_count: int) -> None:
        self.looks: list[PageTraits] = []
        self.outcomes: Counter[str] = Counter()
        self._bed = bed
        self._client = CurlClient(ca_path=str(bed.ca_path))
        self._clients = Clients(MOST_CLIENTS)
        self._fingerprints = cycle(FINGERPRINTS)
        self._numbers = iter(range(session_count))
        self._look_every = session_count * REQUESTS_A_SESSION // LOOK_COUNT
        self._started_at = time.monotonic()

    async def run(self) -> None:
        """Send all requests, and close everything."""
        self._look()
        async with asyncio.TaskGroup() as workers:
            for _ in range(CONCURRENCY):
                workers.create_task(self._work(self._numbers))
        await self._clients.close()
        self._look()

    async def _work(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            session = self._open(number)
            for place in range(REQUESTS_A_SESSION):
                self._clients.hold(session)
                self.outcomes[await self._ask(session, place)] += 1
                self._clients.release(session)
                if self.outcomes.total() % self._look_every == 0:
                    self._look()
            if number % 2:
                self._clients.end(session)

    def _open(self, number: int) -> Session:
        proxy = parse_proxy(self._bed.proxy_lines[number % WORLD.proxies])
        record = SessionRecord(
            name=f"s{number}", proxy_key=proxy.key, exit_name="", fingerprint=next(self._fingerprints), opened_at=0
        )
        return Session(record, "localhost", proxy, self._clients)

    async def _ask(self, session: Session, place: int) -> str:
        path = f"big?bytes={2 * MAX_BYTES}&chunked=1" if place == TOO_LARGE else f"page/{place}"
        request = Request(url=f"{self._bed.site_url}/{path}", max_bytes=MAX_BYTES)
        sending = asyncio.ensure_future(self._client.send(request, session))
        if place == CANCELLED:
            # By now it has been sent, or stands in the middle of a handshake.
            asyncio.get_running_loop().call_later(0.001, sending.cancel)
        try:
            response = await sending
        except asyncio.CancelledError:
            return "cancelled"
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            return "too large" if failure is Failure.TOO_LARGE else "failed at the proxy"
        return str(response.status)

    def _look(self) -> None:
        seconds, pid = time.monotonic() - self._started_at, os.getpid()
        self.looks.append(PageTraits(self.outcomes.total(), seconds, resident_mb(pid), open_files(pid)))


def main() -> None:
    """Soak, and print what was seen."""
    bench = Bench("soak_client", __doc__)
    bench.parser.add_argument("--sessions", type=int, default=SESSION_COUNT, help="how many (default: %(default)s)")
    options = bench.start()
    with TestbedProcess(WORLD) as bed:
        soak = Soak(bed, options.sessions)
        asyncio.run(soak.run())
    before, *between, after = soak.looks
    growth = between[-1].mb / between[len(between) // 2 - 1].mb - 1
    rows: list[dict[str, Cell]] = [
        {
            "requests": look.requests,
            "at s": round(look.seconds),
            "memory MB": round(look.mb, 1),
            "open files": look.files,
        }
        for look in soak.looks
    ]
    bench.table(f"{options.sessions:,} sessions, {MOST_CLIENTS} at most open; the last line once all are closed", rows)
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in soak.outcomes.most_common())
    bench.note(f"\n{counts}; memory {growth:+.1%} over the second half")
    bench.emit(looks=soak.looks, outcomes=soak.outcomes, growth=growth)
    if growth > MOST_GROWTH or after.files > before.files:
        sys.exit(1)


if __name__ == "__main__":
    main()
