"""Records that were damaged, or written by somebody else: they are refused, or they work."""

from __future__ import annotations

import copy
from collections.abc import Callable
from http.cookiejar import CookieJar
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.verdicts.made_up_sites import Make
from tests.core.worlds import BAD, World, gateway, new_policy, plain

from proxysieve.clock import VirtualClock
from proxysieve.core.events import Reported
from proxysieve.core.model import Exchange, Outcome, Scope, Verdict
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.records import Record
from proxysieve.core.site.choices import Pick
from proxysieve.core.site.engine import Engine
from proxysieve.core.story.telling import tell_site
from proxysieve.core.verdicts.judge import Judge
from proxysieve.core.verdicts.looks import Looks, traits_of
from proxysieve.judging.samples import Samples
from proxysieve.judging.sign_tables import make_judge
from proxysieve.pool.site_queue import SiteQueue
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.screens import BrowserWindow
from proxysieve.sessions.storage import PLAIN_FIELDS, BrowserRecord, CookieRecord, cookie_of, dump_cookies

SITE = "shop.example"
PROXIES = [*(plain(number) for number in range(4)), gateway(0)]
# Whatever it can hold.
Json = Any
KINDS = ("site", "exit", "session", "lore", "looks", "cookies", "data", "browser")
# Statistics of many answers: those of a site that mostly answers well.
ANSWERS = [*[Outcome.OK] * 12, *Outcome, Outcome.BLOCKED, None]
CHOICE_COUNT = 50
JUDGE: Judge = make_judge([])


def crawl(policy: str, seed: int) -> list[Record]:
    """What is kept of a site after some hundred requests."""
    rng = Random(seed)
    world = World(PROXIES, policy, seed=seed)
    for _ in range(300):
        world.pass_time(rng.choice((0.0, 0.2, 1.0, 30.0)))
        pick = world.choose_named("ann") if rng.random() < 0.1 else world.choose(waiting=rng.randint(1, 4))
        if not isinstance(pick, Pick):
            world.pass_time(60)
            continue
        leased, outcome = world.take(pick), rng.choice(ANSWERS)
        scope = rng.choice([None, *Scope]) if outcome is Outcome.BLOCKED else None
        said = None if outcome is None else Verdict(outcome=outcome, why="as told", sign="mark", scope=scope)
        world.apply(Reported(world.now, leased.lease, said, page_number=rng.randint(1, 9)))
    world.save()
    names = [key for kind, key in world.store if kind == "session"]
    return [*world.store.values(), looks_record(rng), *storage(names[0])]


def looks_record(rng: Random) -> Record:
    """The looks of a site that has shown some pages."""
    looks, make = Looks(), Make(rng)
    for _ in range(30):
        looks.learn(traits_of(page(make.page(rng))))
    looks.accept(traits_of(page(b"<title>nothing</title><p>we have none of these at the moment")))
    return Record(SITE, "looks", "", msgspec.json.encode(looks.record()))


def storage(name: str) -> list[Record]:
    """Cookies and data of the session called *name*."""
    jar = CookieJar()
    fields: dict[str, Any] = dict.fromkeys(PLAIN_FIELDS, 0) | {"name": "sid", "value": "1", "domain": SITE, "path": "/"}
    jar.set_cookie(cookie_of(CookieRecord(**fields, http_only=True, same_site="Lax")))
    browser = BrowserRecord(
        window=BrowserWindow(screen_width=1920, screen_height=1080, width=1500, height=900),
        timezone="Europe/Berlin",
        origins=[{"origin": f"https://{SITE}"}],
    )
    return [
        Record(SITE, "cookies", name, dump_cookies(jar)),
        Record(SITE, "data", name, msgspec.json.encode({"cart": [1, 2]})),
        Record(SITE, "browser", name, msgspec.json.encode(browser)),
    ]


def page(body: bytes) -> Exchange:
    return Exchange(url="https://shop.example/1", status=200, headers=(("content-type", "text/html"),), body=body)


CRAWLS = {
    policy: [crawl(policy, seed) for seed in range(3)]
    for policy in ("adaptive", "classic", "round_robin", "uniform_random")
}
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 1, 2**31, 2**63, 10**30, 0.0, -0.5, 1e-300, 1e300, -1e300, 1.7e308, "", "a/b", "plain0"])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values stand in *value*, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in places(one, (*path, key)))]


def at(value: Json, path: tuple[Any, ...]) -> Json:
    for key in path:
        value = value[key]
    return value


def like(value: Json) -> st.SearchStrategy[Any]:
    """Something else of the kind of *value*: what a check of types lets pass."""
    match value:
        case bool():
            return st.booleans()
        case int():
            return st.sampled_from([0, -1, 1, 2, 2**31, 2**52, 2**64, 10**400]) | st.integers()
        case float():
            return st.sampled_from([0.0, -0.5, 1e-300, 1e11, 1e15, 1e300, -1e300]) | st.floats(
                allow_nan=False, allow_infinity=False
            )
        case list() if value:
            return st.sampled_from([value * 2, value[:-1], value[::-1], value[:1] * 500, []])
        case str():
            return st.sampled_from(["", "a/b", "plain0", "ok", "blocked", "exit"]) | st.text(max_size=5)
        case _:
            return ANY_JSON


def with_other(value: Json, path: tuple[Any, ...], other: Json) -> Json:
    """*value* with *other* at *path*."""
    if not path:
        return other
    changed = copy.copy(value)
    changed[path[0]] = with_other(value[path[0]], path[1:], other)
    return changed


@st.composite
def one_field_changed(draw: st.DrawFn, value: bytes) -> bytes:
    """The record with something else in one place of it."""
    whole = msgspec.json.decode(value)
    found = places(whole)
    for _ in range(draw(st.integers(1, 2))):
        path = found[draw(st.integers(0, len(found) - 1))]
        whole = with_other(whole, path, draw(like(at(whole, path)) | ANY_JSON))
        found = places(whole)
    return msgspec.json.encode(whole)


@st.composite
def torn(draw: st.DrawFn, value: bytes) -> bytes:
    """The record cut short, or with some bits flipped."""
    if draw(st.booleans()):
        return value[: draw(st.integers(0, len(value)))]
    flipped = bytearray(value)
    for _ in range(draw(st.integers(1, 3))):
        flipped[draw(st.integers(0, len(value) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(flipped)


def foreign(_: bytes) -> st.SearchStrategy[bytes]:
    """What never was a record."""
    return st.binary(max_size=40) | ANY_JSON.map(msgspec.json.encode) | st.just(b"[" * 10_000)


def load(policy: str, records: list[Record], clock: VirtualClock) -> SiteQueue | None:
    """What a run would begin with; None if it says that a record is damaged."""
    try:
        engine = Engine(SITE, Catalog(PROXIES), new_policy(policy), records=records)
        return SiteQueue(
            engine, clock=clock, rng=Random(1), judge=JUDGE, clients=Clients(9), samples=Samples(None), records=records
        )
    except msgspec.DecodeError:
        return None


def work(site_queue: SiteQueue, rng: Random) -> None:
    """Send requests, look at all there is, and save."""
    engine, now = site_queue.engine, 1_000_000.0
    out = []
    for _ in range(CHOICE_COUNT):
        now += rng.choice((0.0, 0.5, 61.0, 90_000.0))
        pick = engine.choose_named("ann", now, rng) if rng.random() < 0.1 else engine.choose(now, rng, 2)
        if isinstance(pick, Pick):
            for event in (pick.opened, pick.leased):
                if event:
                    engine.apply(event)
            out.append(pick.leased.lease)
        while out and rng.random() < 0.6:
            outcome = rng.choice((Outcome.OK, Outcome.OK, Outcome.UNCLEAR, *BAD))
            engine.apply(Reported(now, out.pop(), Verdict(outcome=outcome), page_number=rng.randint(1, 3)))
    engine.status(now)
    if engine.state.learner:
        tell_site(engine, now, rng)
    for session in list(engine.state.sessions.values()):
        if session.proxy_key in engine.state.catalog:
            held = site_queue._session(session.name)
            assert list(held.cookies) is not None
            assert isinstance(held.data, dict)
            assert held.proxy_url
            assert held.headers
    site_queue.judge_page(page(b"<title>sorry</title><p>one two three four five six"))
    site_queue.judge_page(page(Make(rng).page(rng)))


@pytest.mark.parametrize("policy", sorted(CRAWLS))
def test_what_was_not_damaged_works(policy: str, clock: VirtualClock) -> None:
    """Every kind of record there is."""
    kinds = set()
    for records in CRAWLS[policy]:
        kinds |= {one.kind for one in records}
        site_queue = load(policy, records, clock)
        assert site_queue is not None
        work(site_queue, Random(1))

    assert kinds == set(KINDS) - (set() if policy == "adaptive" else {"lore"})


@pytest.mark.parametrize("damage", [one_field_changed, torn, foreign])
@settings(deadline=None)
@given(data=st.data())
def test_a_damaged_record_is_refused_or_works(
    damage: Callable[[bytes], st.SearchStrategy[bytes]], data: st.DataObject
) -> None:
    """Nothing else than a decoding error comes of it, and nothing that could go wrong later."""
    policy = data.draw(st.sampled_from(["adaptive", "adaptive", "adaptive", *sorted(CRAWLS)]))
    records = list(CRAWLS[policy][data.draw(st.integers(0, 2))])
    kind = data.draw(st.sampled_from(sorted({one.kind for one in records})))
    place = data.draw(st.sampled_from([place for place, one in enumerate(records) if one.kind == kind]))
    damaged = data.draw(damage(records[place].value or b""))
    records[place] = Record(SITE, kind, records[place].key, damaged)

    site_queue = load(policy, records, VirtualClock())

    if site_queue is not None:
        work(site_queue, Random(data.draw(st.integers(0, 9))))
        again = {(one.kind, one.key): one for one in records}
        again |= {(one.kind, one.key): one for one in site_queue.take_changes()}
        assert load(policy, [one for one in again.values() if one.value is not None], VirtualClock()) is not None
