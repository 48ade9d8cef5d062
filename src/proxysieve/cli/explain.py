"""``proxysieve explain``: what is known of a site, and why, in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from random import Random

import click
import msgspec

from proxysieve.cli.config import config_option
from proxysieve.cli.formatting import ago, count, moment, share, span
from proxysieve.cli.job_report import LABEL_WIDTH
from proxysieve.cli.options import command, json_option, kept_store_option, proxies_options
from proxysieve.cli.printing import NO_BREAK_SPACE, echo_json, echo_lines, printable, wrapped
from proxysieve.cli.store_access import load, read_records
from proxysieve.clock import SystemClock
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.site.engine import Engine
from proxysieve.core.story.telling import tell_exits, tell_session, tell_site
from proxysieve.core.story.values import (
    ExitStory,
    LimitsStory,
    LimitStory,
    LimitUse,
    NetworkStory,
    NextStory,
    Permission,
    RecoveryStory,
    SessionStory,
    SignStory,
    SiteStory,
    TierStory,
)
from proxysieve.errors import ConfigError
from proxysieve.lists.proxy_list import Proxies, read_proxies

# More have no room in a line; the JSON has all.
LIMITS_SHOWN, PROVEN_SHOWN, SIGNS_SHOWN, HELD_SHOWN, STORIES_SHOWN = 5, 6, 4, 3, 5
# A number stays with its unit.
BETWEEN = re.compile(r"(?<=\d) (?=(?:s|min|h|days)\b|%)")
# Less would be rounded to nothing.
SHORTEST_SECONDS = 0.05
RECOVERY_LABELS = ("1 min", "10 min", "1 h", "1 day")


class SubjectStory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one session, or of the proxies at one address."""

    site: str
    at: float
    exits: list[ExitStory]
    sessions: list[SessionStory]


@command(short_help="Tell what is known of a site or a session, and why.")
@click.argument("site")
@click.argument("session", default="", metavar="[SESSION]")
@proxies_options
@kept_store_option
@json_option
@config_option
def explain(site: str, session: str, proxies: Proxies, store: str, *, as_json: bool) -> None:
    """Tell what is known of SITE, and why; or of one SESSION there.

    SITE is a name such as shop.example, or a URL there. SESSION is the name of a session, or the address of a
    proxy without its credentials: host:port. A job may be running meanwhile: nothing is changed. The store knows
    proxies only by hashes; the job's list gives them their names.

    The next request is that of a run which begins now, with --max-rate 0.

    \b
    Example:
        proxysieve explain shop.example --proxies proxies.txt
        proxysieve explain shop.example 203.0.113.7:8000 --proxies proxies.txt
    """
    usable, _ = read_proxies(proxies)
    known_site, records = asyncio.run(read_records(store, site))
    engine = load(known_site, Catalog(usable), records, store)
    now, rng = SystemClock().now(), Random(0)
    if not session:
        story = tell_site(engine, now, rng)
        echo_json(story) if as_json else echo_lines(describe_site(story))
        return
    subject = tell_subject(engine, session, now, rng)
    echo_json(subject) if as_json else echo_lines(describe_subject(subject))


def tell_subject(engine: Engine, wanted: str, now: float, rng: Random) -> SubjectStory:
    """The story of the session named *wanted*, or of the proxies at that address.

    Raises:
        ConfigError: There is neither.
    """
    story = tell_session(engine, wanted, now, rng)
    if story:
        return SubjectStory(site=engine.site, at=now, exits=[], sessions=[story])
    # A pasted line of the list has a password.
    scheme, mark, behind = wanted.rpartition("://")
    address = f"{scheme}{mark}{behind.rpartition('@')[2]}"
    exits = tell_exits(engine, address, now)
    if not exits:
        raise ConfigError(f"no session {address!r} is open at {engine.site}, and no proxy in the list has that address")
    stories = [tell_session(engine, name, now, rng) for one in exits for name in one.sessions]
    return SubjectStory(site=engine.site, at=now, exits=exits, sessions=[one for one in stories if one])


# In words.


def describe_site(story: SiteStory) -> str:
    """The story of a site in lines of at most 80 columns."""
    return "\n".join([f"{printable(story.site)}, as of {moment(story.at)}", *_site_lines(story)])


def describe_subject(story: SubjectStory) -> str:
    """The same for a session, or for proxies."""
    blocks = [_exit_lines(one, story.at) for one in story.exits[:STORIES_SHOWN]]
    blocks += [_session_lines(one, story.at, is_whole=not story.exits) for one in story.sessions[:STORIES_SHOWN]]
    left_out = len(story.exits) + len(story.sessions) - len(blocks)
    if left_out:
        blocks.append(iter([f"and {left_out:,} more, which --json has"]))
    heading = f"{printable(story.site)}, as of {moment(story.at)}"
    return "\n\n".join("\n".join(block) for block in ([heading], *blocks))


def _answer_span(seconds: float) -> str:
    return span(seconds) if seconds >= SHORTEST_SECONDS else f"less than {SHORTEST_SECONDS:g} s"


def _site_lines(story: SiteStory) -> Iterator[str]:
    used = "never" if story.last_used_at is None else ago(story.last_used_at, story.at)
    took = f", a good answer takes {_answer_span(story.answer_seconds)}" if story.answer_seconds else ""
    yield _line("last used", f"{used}; {count(story.request_count, 'request')} in all{took}")
    yield _line(
        "standing",
        f"{count(story.working_count, 'session')} working; {story.cooling_down_count:,} exits cooling down, "
        f"{story.blocked_count:,} blocked, {story.dead_count:,} dead, {story.unclear_count:,} unclear",
    )
    if story.unlisted_count:
        yield _line("", f"{count(story.unlisted_count, 'exit')} more of proxies that are not in the list")
    gateways = f"; {count(story.gateway_count, 'provider')} with names without end" if story.gateway_count else ""
    plain_count = story.proxy_count - story.gateway_count
    yield _line("untried", f"{story.untried_count:,} of {count(plain_count, 'proxy', 'proxies')}{gateways}")
    for tier in story.tiers:
        cost = f"at cost {tier.cost:g}: " if len(story.tiers) > 1 else ""
        yield _line("" if tier is not story.tiers[0] else "fresh exits", f"{cost}{_tier(tier)}")
    yield from _network_lines(story)
    for pace in (story.exits, story.networks):
        yield from _limit_lines(pace, story.at)
    yield from _proven_lines(story)
    yield from _recovery_lines(story.recoveries)
    yield from _sign_lines(story.signs)
    yield from _held_lines(story)
    yield from _next_lines(story.next, story.at)


def _tier(tier: TierStory) -> str:
    tried = tier.worked_count + tier.failed_count
    known = f"{tier.worked_count:,} of {tried:,} tried have worked" if tried else "none was tried yet"
    return f"{share(tier.chance)} likely to work ({known})"


def _network_lines(story: SiteStory) -> Iterator[str]:
    if not story.network_count:
        yield _line("networks", "nothing is known by network")
        return
    yield _line("networks", f"best of {story.network_count:,}: {', '.join(map(_network, story.best_networks))}")
    if story.worst_networks:
        yield _line("", f"worst: {', '.join(map(_network, story.worst_networks))}")


def _network(network: NetworkStory) -> str:
    return f"{network.network} ({network.worked_count:,} of {network.tried_count:,} worked)"


def _limit_lines(pace: LimitsStory, now: float) -> Iterator[str]:
    label = "limits" if pace.scope == "exit" else ""
    whose = "an exit" if pace.scope == "exit" else "a network"
    if not pace.limits:
        yield _line(label, f"none found for {whose}")
    for limit in pace.limits[:LIMITS_SHOWN]:
        yield _line(label, _limit(limit, whose, now))
        label = ""
    if len(pace.limits) > LIMITS_SHOWN:
        yield _line("", f"and {len(pace.limits) - LIMITS_SHOWN:,} more for {whose}")
    if pace.late_seconds:
        yield _line("", f"bans of {whose} come up to {span(pace.late_seconds)} after what they are for")


def _limit(limit: LimitStory, whose: str, now: float) -> str:
    evidence = [f"{share(limit.chance)} sure"]
    source = f" of {limit.learned_from}" if limit.learned_from else ""
    evidence.append(f"learned {ago(limit.learned_at, now)} from a block{source}")
    if limit.blocked_within_count:
        evidence.append(f"{limit.blocked_within_count:,} blocked though within it")
    if limit.neighbour_count:
        evidence.append(f"{count(limit.neighbour_count, 'neighbour')} tried to check it")
    return f"at most {count(limit.request_count, 'request')} {_within(limit, whose)} ({'; '.join(evidence)})"


def _within(limit: LimitStory, whose: str) -> str:
    if limit.below_seconds is None:
        longer = f" longer than {span(limit.above_seconds)}" if limit.above_seconds else ""
        return f"{whose} within a window{longer} whose end is not known"
    if not limit.above_seconds:
        return f"within {span(limit.below_seconds)} or less {whose}"
    return f"within {limit.above_seconds:,.1f}-{limit.below_seconds:,.1f} s {whose}"


def _proven_lines(story: SiteStory) -> Iterator[str]:
    least = story.exits.unproven_count
    beyond = f"up to {story.in_flight_count}" if story.in_flight_count > least else f"nothing beyond {least}"
    yield _line("proven", f"{beyond} in flight")
    for pace, whose in (story.exits, "an exit"), (story.networks, "a network"):
        # The widest windows say most.
        proven = [f"{one.request_count:,} in {span(one.window_seconds)}" for one in pace.proven[-PROVEN_SHOWN:]]
        yield _line("", f"{whose}: {', '.join(proven) or f'nothing beyond {pace.unproven_count} requests'}")


def _recovery_lines(recoveries: list[RecoveryStory]) -> Iterator[str]:
    yield _line("recovery", f"{'works again after':<18}" + "".join(f"{label:>8}" for label in RECOVERY_LABELS))
    for one in recoveries:
        chances = "".join(f"{share(chance):>8}" for chance in one.chances)
        based = f"{one.recheck_count:,.0f} recheck{'' if round(one.recheck_count) == 1 else 's'}"
        yield f"{'':<{LABEL_WIDTH}}{one.history:<18}{chances}  {based}"


def _sign_lines(signs: list[SignStory]) -> Iterator[str]:
    for one in signs[:SIGNS_SHOWN]:
        said = []
        if one.blocked_count:
            said.append(f"{count(one.blocked_count, 'block')}, as others got the page")
        if one.page_count:
            said.append(f"{count(one.page_count, 'page')} refused to all, also to sessions that work elsewhere")
        yield _line("signs" if one is signs[0] else "", f"{one.sign}: {'; '.join(said)}")


def _held_lines(story: SiteStory) -> Iterator[str]:
    if story.alarm_at is not None:
        yield _line("alarm", f"everything fails, for {span(story.at - story.alarm_at)} now")
    if not story.held_sessions:
        yield _line("held", "none")
        return
    yield _line("held", f"{count(len(story.held_sessions), 'session')} refused last, and not ended yet:")
    for held in story.held_sessions[:HELD_SHOWN]:
        yield _line("", f"{held.session} on {held.proxy}, {ago(held.at, story.at)}: {held.why}")


def _next_lines(story: NextStory, now: float) -> Iterator[str]:
    if not story.proxy:
        until = "until something changes" if story.until is None else f"for {span(story.until - now)}"
        yield _line("next", f"would wait {until}: {story.why}")
        return
    who = f"session {story.session}" if story.session else "a new session"
    past = ", beyond what is proven" if story.reach == "unproven" else ""
    yield _line("next", f"{who} on {story.proxy}: {story.why}{past}")


def _session_lines(story: SessionStory, now: float, *, is_whole: bool) -> Iterator[str]:
    named = ", named by its user" if story.is_named else ""
    worked = "never worked" if story.worked_at is None else f"first worked {ago(story.worked_at, now)}"
    if story.lost:
        worked = f"lost its exit: {story.lost}"
    yield _line("session", f"{story.name}{named}, opened {ago(story.opened_at, now)}, {worked}")
    yield _line("browser", f"{story.browser}; {count(story.ok_count, 'good answer')} to this session")
    if is_whole or story.exit.session_name:
        yield from _answer_lines(story.exit, now)
    yield _permission(story.permission, now)


def _exit_lines(story: ExitStory, now: float) -> Iterator[str]:
    yield from _answer_lines(story, now)
    if story.sessions:
        yield _line("sessions", ", ".join(story.sessions[:STORIES_SHOWN]))
    elif story.permission.is_granted and story.chance is not None:
        yield _line("now", f"may be tried: {share(story.chance)} likely to work")
    else:
        yield _permission(story.permission, now)


def _answer_lines(story: ExitStory, now: float) -> Iterator[str]:
    network = f", network {story.network}" if story.network else ""
    called = f", exit {story.session_name}" if story.session_name else ""
    cost = "" if story.cost == 1 else f", cost {story.cost:g}"
    yield _line("proxy", f"{story.proxy or 'not in the list'}{called}{network}{cost}: {story.standing}")
    counts = {
        "good": story.ok_count,
        "blocked": story.blocked_count,
        "throttled": story.throttled_count,
        "failed by the proxy": story.proxy_error_count,
        "unclear": story.unclear_count,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none"
    yield _line("answers", told)
    yield _line("last used", "never" if story.last_used_at is None else ago(story.last_used_at, now))
    if story.last_ok_at is not None:
        yield _line("last good", ago(story.last_ok_at, now))
    if story.last_bad_at is not None:
        yield _line("last bad", f"{ago(story.last_bad_at, now)}: {story.last_bad_why}")
    if story.cooldown_until is not None:
        yield _line("cooling down", f"for {span(story.cooldown_until - now)}")
    for number, use in enumerate(story.uses):
        yield _line("" if number else "limits", _use(use))


def _use(use: LimitUse) -> str:
    whose = "" if use.scope == "exit" else " of its network"
    own = ", which its network told of itself" if use.is_own else ""
    return f"{use.used_count:,} of {use.request_count:,} in the last {span(use.window_seconds)}{whose}{own}"


def _permission(permission: Permission, now: float) -> str:
    if permission.is_granted:
        return _line("now", "may be used")
    until = "" if permission.until is None else f" for {span(permission.until - now)}"
    return _line("now", f"may not be used{until}: {permission.why}")


def _line(label: str, text: str) -> str:
    kept = BETWEEN.sub(NO_BREAK_SPACE, text)
    return wrapped(kept, first=f"{label:<{LABEL_WIDTH}}", rest=" " * LABEL_WIDTH)
