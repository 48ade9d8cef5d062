"""How fast the engine decides, and what it remembers costs, with up to a million proxies.

Speed: pick and report, with 50 requests in flight, in one process, without waiting and without a store; three quarters
of the proxies are blocked at their first use, and each network has ten. Both catalogs are in memory, and take turns.

Memory: what Python's allocator hands out, for 100,000 proxies made from lines of text; for a site at which none of
them was used; and for one at which each was, by a session that worked, or that was blocked. On disk: what the records
of the latter come to, and the file that the SQLite store makes of them.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

from measure import Bench, Cell, Spread
from proxysieve.core.events import Reported
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Outcome, Verdict
from proxysieve.core.policies import POLICIES
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import Record
from proxysieve.core.site.choices import Pick
from proxysieve.core.site.engine import Engine
from proxysieve.core.site.policy_protocol import Open, Policy
from proxysieve.core.site.state import SiteState
from proxysieve.stores.sqlite import DATABASE, SqliteStore

SITE = "shop.example"
SIZES = (100_000, 1_000_000)
WEIGHED = 100_000
PAIR_COUNT = 50_000
MAX_SESSIONS = 100
THRIFT = 1.0
IN_FLIGHT = 50
NETWORK_SIZE = 10
# As many leases a second as a fast job has.
SECONDS_APART = 0.001
OK = Verdict(outcome=Outcome.OK)
BLOCKED = Verdict(outcome=Outcome.BLOCKED, why="status 403")


class Next:
    """A policy that opens a session on one proxy after the other."""

    def __init__(self, catalog: Catalog) -> None:
        self._proxies = iter(catalog)

    def choose(self, state: SiteState, now: float, rng: Random) -> Open | None:  # noqa: ARG002 - it only counts
        return Open(next(self._proxies), "its turn")


class Learner(Next):
    """The same, with everything kept that the adaptive policy learns."""

    learns = True


def make_catalog(size: int) -> Catalog:
    """A catalog of *size* proxies in networks of ten, read as from a file."""
    places = (divmod(number, NETWORK_SIZE) for number in range(size))
    lines = (
        f"http://user:password@{(network >> 16) + 10}.{network >> 8 & 255}.{network & 255}.{host + 1}:8080"
        for network, host in places
    )
    return Catalog(map(parse_proxy, lines))


def pairs(engine: Engine, rng: Random, verdict_of: Callable[[str], Verdict], depth: int = 1) -> Iterator[None]:
    """Pick and report without end, *depth* in flight; *verdict_of* says what the site thinks of a proxy, by its key."""
    now = 1_000_000.0
    in_flight: deque[tuple[int, Verdict]] = deque()
    while True:
        pick = engine.choose(now, rng, depth - len(in_flight))
        if isinstance(pick, Pick):
            if pick.opened:
                engine.apply(pick.opened)
            engine.apply(pick.leased)
            in_flight.append((pick.leased.lease, verdict_of(engine.state.sessions[pick.leased.session_name].proxy_key)))
        assert in_flight, pick  # noqa: S101 - else it is no measurement
        now += SECONDS_APART
        if len(in_flight) == depth or not isinstance(pick, Pick):
            engine.apply(Reported(now, *in_flight.popleft()))
            yield


def three_in_four_blocked(key: str) -> Verdict:
    """The verdict of a site that blocks three quarters of the proxies."""
    return OK if key[-1] in "0123" else BLOCKED


def always_ok(_: str) -> Verdict:
    """The verdict of a site that blocks nobody."""
    return OK


def nearly_all_blocked(key: str) -> Verdict:
    """The verdict of a site that blocks all but so many that it does not seem to be down."""
    return OK if key.endswith("00") else BLOCKED


def seconds_for(some: Iterator[None], count: int) -> float:
    """How long *count* of them take."""
    started_at = time.perf_counter()
    for _ in islice(some, count):
        pass
    return time.perf_counter() - started_at


def measure_speed(bench: Bench, rounds: int) -> None:
    """Measure pairs a second, for each policy and size."""
    catalogs = {size: make_catalog(size) for size in SIZES}
    speeds: dict[tuple[str, int], list[float]] = {}
    for name, make in POLICIES.items():
        sites = {size: warm(catalog, make(MAX_SESSIONS, THRIFT)) for size, catalog in catalogs.items()}
        for _ in range(rounds):
            for size, site in sites.items():
                speed = PAIR_COUNT / seconds_for(site, PAIR_COUNT)
                speeds.setdefault((name, size), []).append(speed)
                bench.emit(part="speed", policy=name, proxies=size, pairs_a_second=speed)
    rows: list[dict[str, Cell]] = []
    for name in POLICIES:
        small, large = (speeds[name, size] for size in SIZES)
        ratios = [second / first for first, second in zip(small, large, strict=True)]
        rows.append(
            {
                "policy": name,
                "with 100,000": Spread.of(small).text(),
                "with 1,000,000": Spread.of(large).text(),
                "ratio": Spread.of(ratios).text(2),
            }
        )
    bench.table("pick + report, pairs a second", rows)


def warm(catalog: Catalog, policy: Policy) -> Iterator[None]:
    """A site at which the policy has found what it looks for."""
    site = pairs(Engine(SITE, catalog, policy), Random(1), three_in_four_blocked, IN_FLIGHT)
    seconds_for(site, 5_000)
    return site


def memory_rows(
    bench: Bench, name: str, catalog: Catalog, policy: Callable[[Catalog], Policy]
) -> Iterator[dict[str, Cell]]:
    """Bytes for an exit in each state, with what a *policy* has the engine keep."""
    start = traced()
    unused = Engine(SITE, catalog, policy(catalog))
    if unused.state.learner:
        unused.state.learner.candidates.tiers()  # the networks are looked up at the first choice
    yield memory_row(bench, f"{name}: never used at the site", traced() - start)
    for state, verdict_of in (("works", always_ok), ("blocked (255 in 256)", nearly_all_blocked)):
        start = traced()
        engine = Engine(SITE, catalog, policy(catalog))
        site = pairs(engine, Random(1), verdict_of)
        seconds_for(site, WEIGHED)
        # What is to be saved is held for a second at most.
        changes = engine.take_changes()
        recorded = sum(len(record.key) + len(record.value or b"") for record in changes)
        on_disk = saved_bytes(changes)
        del changes, site
        yield memory_row(bench, f"{name}: {state}", traced() - start, recorded, on_disk)
        del engine


def measure_memory(bench: Bench) -> None:
    """Measure bytes for an exit in each state."""
    tracemalloc.start()
    before = traced()
    catalog = make_catalog(WEIGHED)
    known = traced()
    rows = [memory_row(bench, "known, shared by all sites", known - before)]
    for name, policy in (("classic", Next), ("adaptive", Learner)):
        rows += memory_rows(bench, name, catalog, policy)
    tracemalloc.stop()
    bench.table(f"bytes for an exit, of {WEIGHED:,}", rows)


def traced() -> int:
    """Bytes that Python has in use."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def memory_row(bench: Bench, state: str, held: int, recorded: int = 0, on_disk: int = 0) -> dict[str, Cell]:
    """What an exit in *state* costs."""
    in_memory, as_records, as_file = (count / WEIGHED for count in (held, recorded, on_disk))
    bench.emit(part="bytes", state=state, in_memory=in_memory, records=as_records, database=as_file)
    return {
        "exit": state,
        "in memory": f"{in_memory:.1f}",
        "as records": f"{as_records:.0f}" if recorded else None,
        "in the database": f"{as_file:.0f}" if on_disk else None,
    }


def saved_bytes(changes: list[Record]) -> int:
    """How large a database becomes that keeps *changes*."""

    async def save(directory: Path) -> None:
        store = SqliteStore(directory)
        await store.save(changes, await store.claim("", 60.0))
        await store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(save(Path(directory)))
        return Path(directory, DATABASE).stat().st_size


def main() -> None:
    """Measure."""
    bench = Bench("engine", __doc__, rounds=5)
    options = bench.start()
    measure_memory(bench)
    measure_speed(bench, options.rounds)


if __name__ == "__main__":
    main()
