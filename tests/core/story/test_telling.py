"""What is told of a site: of engines that a real pool's store was loaded into, on a clock that only moves when told."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import msgspec
import pytest

from proxysieve import Request, Response, Session, SessionPool
from proxysieve.clock import VirtualClock
from proxysieve.core.learning.learned_limit import Limit
from proxysieve.core.model import Outcome
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import Record
from proxysieve.core.site.engine import Engine
from proxysieve.core.story.telling import tell_exits, tell_session, tell_site
from proxysieve.core.story.values import SiteStory
from proxysieve.lists.proxy_list import read_proxies
from proxysieve.stores.sqlite import SqliteStore

SITE, URL = "shop.example", "http://shop.example/"
BORNE = 12
LINES = [f"http://user:secret@10.1.{network}.{host}:8000" for network in (1, 2, 3) for host in range(1, 7)]
DEAD = "10.1.3.6"


class Banning:
    """A site that refuses 10.1.2.0/24, and bans for good who asks more often than it bears within a minute."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._asked: defaultdict[str, list[float]] = defaultdict(list)
        self.sent: Counter[str] = Counter()
        self.banned: set[str] = set()

    async def send(self, request: Request, session: Session) -> Response:
        host, now = session.proxy.host, self._clock.now()
        self.sent[host] += 1
        if host == DEAD:
            return Response(url=request.url, status=407, headers=(), body=b"")
        self._asked[host] = [at for at in self._asked[host] if at > now - 60] + [now]
        if len(self._asked[host]) > BORNE:
            self.banned.add(host)
        is_refused = host in self.banned or host.startswith("10.1.2.")
        return Response(url=request.url, status=403 if is_refused else 200, headers=(), body=b"page")


async def crawl(store: Path, clock: VirtualClock, *, pages: int, apart_seconds: float, name: str = "") -> Banning:
    """Fetch pages one after the other with a real pool."""
    site = Banning(clock)
    async with SessionPool(LINES, store=store, client=site, clock=clock, max_rate=0, seed=1, policy="adaptive") as pool:
        if name:
            await pool.session(name, site=SITE).get(URL)
        for _ in range(pages):
            page = asyncio.create_task(pool.get(URL))
            await clock.advance(apart_seconds)
            while not page.done():
                await clock.advance(1)
            page.result()
    return site


async def engine_of(store: Path, lines: list[str] = LINES) -> Engine:
    kept = SqliteStore(store)
    records = await kept.load(SITE)
    await kept.close()
    return Engine(SITE, Catalog(read_proxies(lines)[0]), Adaptive(), records=records)


def told(engine: Engine, now: float) -> SiteStory:
    return tell_site(engine, now, Random(0))


async def test_the_story_adds_up(tmp_path: Path, clock: VirtualClock) -> None:
    """Every proxy of the list stands somewhere, and the counts are those of what was sent."""
    site = await crawl(tmp_path, clock, pages=60, apart_seconds=1)

    story = told(await engine_of(tmp_path), clock.now())

    assert (story.site, story.at, story.proxy_count) == (SITE, clock.now(), 18)
    assert story.request_count == site.sent.total()
    assert story.untried_count == 18 - len(site.sent)
    stand = (story.working_count, story.cooling_down_count, story.blocked_count, story.dead_count, story.unclear_count)
    assert sum(stand) + story.untried_count == 18
    assert story.last_used_at == pytest.approx(clock.now() - 1)
    assert sum(tier.worked_count + tier.failed_count for tier in story.tiers) == len(site.sent)
    assert story.unlisted_count == 0


async def test_a_limit_is_told_with_its_evidence(tmp_path: Path, clock: VirtualClock) -> None:
    """What it is, how sure, since when, and by whose block."""
    site = await crawl(tmp_path, clock, pages=150, apart_seconds=1)

    story = told(await engine_of(tmp_path), clock.now())

    limit = story.exits.limits[0]
    assert limit.scope == "exit"
    assert limit.request_count == pytest.approx(BORNE, abs=1)
    assert limit.above_seconds < 60
    assert 0.5 < limit.chance <= 1
    assert limit.learned_from in {f"http://user:***@{host}:8000" for host in site.banned}
    assert clock.now() - 150 < limit.learned_at <= clock.now()


async def test_networks_stand_by_how_many_of_their_exits_worked(tmp_path: Path, clock: VirtualClock) -> None:
    """The refused one is never told as better than others."""
    await crawl(tmp_path, clock, pages=150, apart_seconds=1)

    story = told(await engine_of(tmp_path), clock.now())

    networks = [*story.best_networks, *story.worst_networks]
    assert len(networks) == story.network_count == len({one.network for one in networks})
    shares = [one.worked_count / one.tried_count for one in networks]
    refused = next(one for one in networks if one.network == "10.1.2.0/24")
    assert refused.worked_count == 0 == min(shares)
    assert networks[0].worked_count > 0


async def test_the_next_pick_is_the_engines(tmp_path: Path, clock: VirtualClock) -> None:
    """The story names what choose() answers, and applies nothing."""
    await crawl(tmp_path, clock, pages=20, apart_seconds=1)
    engine = await engine_of(tmp_path)

    story = told(engine, clock.now())

    assert story.next.proxy
    assert story.next.session in {"", *engine.state.sessions}
    assert engine.state.flights == {}
    assert engine.take_changes() == []


def test_nobody_is_picked_where_there_is_no_proxy(clock: VirtualClock) -> None:
    """The story says for how long one would wait, and what for."""
    engine = Engine(SITE, Catalog(), Adaptive())

    story = told(engine, clock.now())

    assert (story.next.proxy, story.last_used_at, story.proxy_count) == ("", None, 0)
    assert story.next.why


async def test_a_session_that_was_refused_last_is_a_doubt(tmp_path: Path, clock: VirtualClock) -> None:
    """It was held when the process ended, and whoever looks is told."""
    await crawl(tmp_path, clock, pages=20, apart_seconds=1)
    engine = await engine_of(tmp_path)
    session = next(iter(engine.state.working))
    record = engine.state.exits[session.exit_id]
    before = told(engine, clock.now()).held_sessions

    record.last, record.last_bad_at, record.why = Outcome.BLOCKED, clock.now() - 5, "status 403"

    doubt = told(engine, clock.now()).held_sessions[0]
    assert before == []
    assert (doubt.session, doubt.at, doubt.why) == (session.name, clock.now() - 5, "status 403")


async def test_recovery_grows_with_time_and_says_what_it_rests_on(tmp_path: Path, clock: VirtualClock) -> None:
    """For who had worked, who never had, and the dead."""
    await crawl(tmp_path, clock, pages=20, apart_seconds=1)

    recoveries = told(await engine_of(tmp_path), clock.now()).recoveries

    assert [one.history for one in recoveries] == ["worked", "never worked", "dead"]
    for one in recoveries:
        assert one.chances == sorted(one.chances)
        assert one.recheck_count >= one.recovered_count >= 0


async def test_exits_whose_proxy_left_the_list_are_counted_apart(tmp_path: Path, clock: VirtualClock) -> None:
    """Nobody can name them."""
    site = await crawl(tmp_path, clock, pages=40, apart_seconds=1)
    lines = [line for line in LINES if "10.1.1." not in line]

    story = told(await engine_of(tmp_path, lines), clock.now())

    assert story.unlisted_count == sum(host.startswith("10.1.1.") for host in site.sent)
    assert story.proxy_count == 12


async def test_a_session_tells_how_much_of_its_limits_is_used_up(tmp_path: Path, clock: VirtualClock) -> None:
    """And until when it waits for that."""
    await crawl(tmp_path, clock, pages=20, apart_seconds=0)
    engine = await engine_of(tmp_path)
    session = next(iter(engine.state.working))
    assert engine.state.learner is not None
    uses = engine.state.learner.usage.exits[session.exit_id]
    used = uses.within(60, clock.now())
    engine.state.learner.usage.exit_limits.limits = [Limit(used, 30.0, 60.0)]

    story = tell_session(engine, session.name, clock.now(), Random(0))

    assert story is not None
    use = story.exit.uses[0]
    assert (use.scope, use.used_count, use.request_count, use.window_seconds) == ("exit", used, used, 60)
    assert story.permission.is_granted is False
    assert story.permission.until == pytest.approx(clock.now() + 60)
    assert story.permission.why == f"it has used up a limit: {used} of {used}"
    later = tell_session(engine, session.name, clock.now() + 61, Random(0))
    assert later is not None
    assert later.exit.uses[0].used_count == 0
    assert "limit" not in later.permission.why


async def test_a_session_that_rests_says_until_when(tmp_path: Path, clock: VirtualClock) -> None:
    """The site asked so."""
    await crawl(tmp_path, clock, pages=5, apart_seconds=100)
    engine = await engine_of(tmp_path)
    session = next(iter(engine.state.working))
    engine.state.exits[session.exit_id].cooldown_until = clock.now() + 30

    story = tell_session(engine, session.name, clock.now(), Random(0))

    assert story is not None
    assert story.exit.standing == "cooling down"
    assert story.exit.cooldown_until == story.permission.until == clock.now() + 30
    assert story.permission.why == "the site asked to leave it alone"


async def test_a_named_session_tells_that_it_is_lost(tmp_path: Path, clock: VirtualClock) -> None:
    """Only its user can say whether it may have another exit, so no time is told."""
    await crawl(tmp_path, clock, pages=5, apart_seconds=1, name="anna")
    engine = await engine_of(tmp_path)
    before = tell_session(engine, "anna", clock.now(), Random(0))

    engine.state.sessions["anna"].lost = "blocked: status 403"

    after = tell_session(engine, "anna", clock.now(), Random(0))
    assert before is not None
    assert after is not None
    assert (before.is_named, before.permission.is_granted) == (True, True)
    assert (after.permission.is_granted, after.permission.until) == (False, None)
    assert "blocked: status 403" in after.permission.why


async def test_an_unknown_session_has_no_story(tmp_path: Path, clock: VirtualClock) -> None:
    """Nothing is opened by the question."""
    await crawl(tmp_path, clock, pages=2, apart_seconds=1)
    engine = await engine_of(tmp_path)

    assert tell_session(engine, "nobody", clock.now(), Random(0)) is None
    assert "nobody" not in engine.state.sessions


@pytest.mark.parametrize(
    ("address", "count"),
    [
        pytest.param("10.1.1.2", 1, id="host"),
        pytest.param("10.1.1.2:8000", 1, id="port"),
        pytest.param("http://10.1.1.2:8000/", 1, id="scheme"),
        pytest.param("socks5://10.1.1.2:8000", 0, id="other scheme"),
        pytest.param("10.1.1.2:8001", 0, id="other port"),
        pytest.param("10.1.1", 0, id="part"),
        pytest.param("secret", 0, id="password"),
    ],
)
def test_proxies_are_found_by_their_address(address: str, count: int, clock: VirtualClock) -> None:
    """Without their credentials."""
    engine = Engine(SITE, Catalog(read_proxies(LINES)[0]), Adaptive())

    assert len(tell_exits(engine, address, clock.now())) == count


async def test_an_exit_tells_how_it_stands(tmp_path: Path, clock: VirtualClock) -> None:
    """Working, blocked, dead, or never tried; and who does not work has a chance."""
    site = await crawl(tmp_path, clock, pages=150, apart_seconds=1)
    engine = await engine_of(tmp_path)

    for line in LINES:
        host = line.partition("@")[2].partition(":")[0]
        [story] = tell_exits(engine, host, clock.now())
        told = story.ok_count + story.blocked_count + story.proxy_error_count + story.unclear_count
        assert told == site.sent[host]
        if host not in site.sent:
            assert (story.standing, story.last_used_at) == ("untried", None)
        elif host == DEAD:
            assert story.standing == "dead"
        elif host.startswith("10.1.2."):
            assert story.standing == "blocked"
        assert (story.chance is None) == (story.standing == "working")


def test_a_provider_is_told_by_its_sums(clock: VirtualClock) -> None:
    """Its names come and go."""
    line = "http://user-{session}:secret@gate.example:8000"
    engine = Engine(SITE, Catalog(read_proxies([line])[0]), Adaptive())

    [story] = tell_exits(engine, "gate.example:8000", clock.now())
    whole = told(engine, clock.now())

    assert (story.standing, story.network, story.sessions) == ("provider", "", [])
    assert (whole.gateway_count, whole.untried_count, whole.network_count) == (1, 0, 0)


async def test_no_story_has_a_password_in_it(tmp_path: Path, clock: VirtualClock) -> None:
    """Neither that of a site nor that of a session or an exit."""
    await crawl(tmp_path, clock, pages=150, apart_seconds=1, name="anna")
    engine = await engine_of(tmp_path)

    exits = [story for line in LINES for story in tell_exits(engine, line.partition("@")[2], clock.now())]
    sessions = [tell_session(engine, name, clock.now(), Random(0)) for name in engine.state.sessions]
    text = msgspec.json.encode([told(engine, clock.now()), exits, sessions]).decode()

    assert len(exits) == len(LINES)
    assert "secret" not in text


def test_what_classic_kept_can_be_told_too(clock: VirtualClock) -> None:
    """A store whose policy learned nothing has exits and sessions all the same."""
    [proxy], _ = read_proxies(LINES[:1])
    kept = Record(SITE, "exit", proxy.key, b'{"blocked_count":1,"last":"blocked","why":"status 403","last_bad_at":5}')
    engine = Engine(SITE, Catalog([proxy]), Adaptive(), records=[kept])

    story = told(engine, clock.now())

    assert (story.blocked_count, story.untried_count, story.exits.limits) == (1, 0, [])
