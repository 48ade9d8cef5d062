"""What is told of a site, of its sessions and exits: values for a person or a machine to read.

Every moment is in Unix seconds. Proxies stand there as their ``str()`` shows them, without what is secret of them.
"""

from __future__ import annotations

import msgspec

from proxysieve.core.learning.usage_limits import FLOOR

HELD_BACK = "has done all that is proven to be borne, so it may only go ahead of the others"


class LimitStory(msgspec.Struct, frozen=True, kw_only=True):
    """One limit that is believed in.

    Attributes:
        scope: ``exit`` or ``network``: whose requests it counts together.
        request_count: So many are borne.
        above_seconds: Its window is longer than this.
        below_seconds: And at most as long as this; None while no end is known.
        chance: How likely it is to be a limit, and not somebody else's doing.
        learned_at: When it was learned or changed.
        learned_from: The proxy or network whose block told of it; empty where that is not known any more.
        blocked_within_count: How many were blocked though they had kept it.
        neighbour_count: How many neighbours of a blocked exit were tried, to see whether it is their network's.
    """

    scope: str
    request_count: int
    above_seconds: float
    below_seconds: float | None
    chance: float
    learned_at: float
    learned_from: str
    blocked_within_count: int
    neighbour_count: int


class ProvenStory(msgspec.Struct, frozen=True, kw_only=True):
    """So many requests within so long were answered well, several times."""

    request_count: int
    window_seconds: float


class LimitsStory(msgspec.Struct, frozen=True, kw_only=True):
    """How hard an exit, or a network, may be used.

    Attributes:
        late_seconds: How long after its cause a ban may come.
        unproven_count: So many requests are granted though nothing is proven.
    """

    scope: str
    limits: list[LimitStory]
    proven: list[ProvenStory]
    late_seconds: float
    unproven_count: int = FLOOR


class TierStory(msgspec.Struct, frozen=True, kw_only=True):
    """The proxies of one cost, and how likely a fresh one is to work."""

    cost: float
    chance: float
    worked_count: int
    failed_count: int


class NetworkStory(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the exits of a network that were tried have worked."""

    network: str
    worked_count: int
    tried_count: int


class RecoveryStory(msgspec.Struct, frozen=True, kw_only=True):
    """How likely a blocked exit is to work again.

    Attributes:
        history: What it was before: ``worked``, ``never worked`` or ``dead``; ``challenged`` where the session was
            refused and not its exit, ``barred`` where all of its network or country is.
        chances: After each of the ``after_seconds`` of the story.
        recheck_count: How many were tried again; old ones weigh less, so that it may be a fraction.
        recovered_count: How many of those worked.
    """

    history: str
    after_seconds: tuple[float, ...]
    chances: list[float]
    recheck_count: float
    recovered_count: float


class HeldStory(msgspec.Struct, frozen=True, kw_only=True):
    """A session that worked and was refused, and it is not known whether it is to blame."""

    session: str
    proxy: str
    at: float
    why: str


class SignStory(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign meant here, by what others got.

    Attributes:
        blocked_count: Exits that it was a block of: others got the same page.
        page_count: Pages that it was the nature of: sessions were refused them alike that work elsewhere.
    """

    sign: str
    blocked_count: int
    page_count: int


class NextStory(msgspec.Struct, frozen=True, kw_only=True):
    """What the next request would get.

    Attributes:
        proxy: Empty if it had to wait.
        session: Empty for a new one.
        reach: How far it would go: ``proven``, ``unproven``, ``ahead`` (of the others) or ``past_limit``.
        until: When to ask again; None if nothing is due by itself, and for a pick.
    """

    why: str
    proxy: str = ""
    session: str = ""
    reach: str = "proven"
    until: float | None = None


class SiteStory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a site.

    Attributes:
        at: The moment of the story.
        last_used_at: None if it was never.
        request_count: All that were ever sent.
        answer_seconds: How long a good answer takes, on average; 0 while that is unknown.
        unclear_count: Plain proxies that were tried, and nothing came of it that tells.
        untried_count: Those that were never tried.
        unlisted_count: Exits that are known but whose proxy is not in the list.
        in_flight_count: So many requests of one exit may be out at once.
        alarm_at: Since when everything fails; None while it does not.
        signs: What signs meant here, the most frequent first.
    """

    site: str
    at: float
    last_used_at: float | None
    request_count: int
    answer_seconds: float
    proxy_count: int
    gateway_count: int
    working_count: int
    cooling_down_count: int
    blocked_count: int
    dead_count: int
    unclear_count: int
    untried_count: int
    unlisted_count: int
    tiers: list[TierStory]
    network_count: int
    best_networks: list[NetworkStory]
    worst_networks: list[NetworkStory]
    in_flight_count: int
    exits: LimitsStory
    networks: LimitsStory
    recoveries: list[RecoveryStory]
    held_sessions: list[HeldStory]
    signs: list[SignStory]
    alarm_at: float | None
    next: NextStory


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """Whether something may be used now; if not, *until* when and why, None if time alone will not help."""

    is_granted: bool
    why: str = ""
    until: float | None = None


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit is used up.

    Attributes:
        scope: ``exit`` or ``network``.
        window_seconds: How far back it is counted.
        is_own: Whether this very network told of it; then it is not held to it.
    """

    scope: str
    used_count: int
    request_count: int
    window_seconds: float
    is_own: bool


class ExitStory(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to an exit at the site.

    Attributes:
        proxy: Empty where it is not in the list.
        proxy_key: The hash that stores know it by.
        session_name: What it is called at a gateway provider; empty for a plain proxy, and for a provider's sums.
        standing: ``working``, ``cooling down``, ``blocked``, ``dead``, ``unclear``, ``untried`` or ``provider``.
        chance: How likely it is to work, if it does not; None if it does, or its proxy is unknown.
        last: What the last answer that counts said; empty if there is none.
        last_bad_why: What the last bad answer was.
        cooldown_until: None if it does not cool down.
        uses: How much of each limit is used up.
        sessions: The names of those that are open on it.
    """

    proxy: str
    session_name: str
    network: str
    cost: float
    standing: str
    chance: float | None
    ok_count: int
    blocked_count: int
    throttled_count: int
    proxy_error_count: int
    unclear_count: int
    last: str
    last_used_at: float | None
    last_ok_at: float | None
    last_bad_at: float | None
    last_bad_why: str
    cooldown_until: float | None
    uses: list[LimitUse]
    sessions: list[str]
    permission: Permission
    proxy_key: str = ""


class SessionStory(msgspec.Struct, frozen=True, kw_only=True):
    """One session.

    Attributes:
        is_named: Whether its user named it.
        worked_at: When it was first answered well; None while that has not happened.
        browser: What it looks like.
        ok_count: Its good answers; *exit* has those of all the sessions there.
        lost: Why its exit is lost; empty while it is not.
    """

    name: str
    is_named: bool
    opened_at: float
    worked_at: float | None
    browser: str
    user_agent: str
    ok_count: int
    lost: str
    exit: ExitStory
    permission: Permission


class SiteSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A site in a line.

    Attributes:
        last_used_at: None if it was never.
        request_count: All that were ever sent.
        session_count: The open ones.
        working_count: Those of them that work; the other counts are of exits.
    """

    site: str
    last_used_at: float | None
    request_count: int
    session_count: int
    working_count: int
    cooling_down_count: int
    blocked_count: int
    dead_count: int
