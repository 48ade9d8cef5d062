"""What is saved of a site, record by record. Records change in place; a changed one is saved whole.

The bounds catch damaged records: no site, clock or count reaches them. Beyond them sums overflow, searches find
nothing, and dates cannot be printed. They are checked only when a record is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeVar

import msgspec

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS, Outcome, Scope, Verdict

# The year 5138.
LATEST_AT = 1e11

MOST_COUNT = 2**53
Count = Annotated[int, msgspec.Meta(ge=-MOST_COUNT, le=MOST_COUNT)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=MOST_COUNT)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
Moment = Annotated[float, msgspec.Meta(ge=-LATEST_AT, le=LATEST_AT)]

T = TypeVar("T")


def decode(value: bytes | None, kind: type[T]) -> T:
    """What a record's *value* says.

    Raises:
        msgspec.DecodeError: It is damaged.
    """
    try:
        return msgspec.json.decode(value or b"", type=kind)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(f"no JSON: {type(error).__name__}") from error


def bring_back(record: object, now: float) -> bool:
    """Bring back the moments of *record* that lie ahead: the clock was wrong when they were written.

    What happened is no later than *now*, in Unix seconds; a cool-down lasts a day at most. The names of fields
    tell: ``_until`` for what is to come; ``at``, ``_at`` and ``since`` for what was.

    Returns:
        Whether any did.
    """
    if isinstance(record, dict):
        return _bring_each_back(record.values(), now)
    if not isinstance(record, msgspec.Struct):
        return False
    is_changed = False
    for name in record.__struct_fields__:
        value = getattr(record, name)
        is_past = name in {"at", "since"} or name.endswith("_at")
        latest = now if is_past else now + LONGEST_COOLDOWN_SECONDS
        if isinstance(value, float):
            if (is_past or name.endswith("_until")) and value > latest:
                setattr(record, name, latest)
                is_changed = True
        elif isinstance(value, list):
            if is_past and any(one > latest for one in value):
                value[:] = [min(one, latest) for one in value]
                is_changed = True
            is_changed |= _bring_each_back(value, now)
        else:
            is_changed |= bring_back(value, now)
    return is_changed


def _bring_each_back(records: Iterable[object], now: float) -> bool:
    # any() would end with the first.
    return sum([bring_back(one, now) for one in records]) > 0


class SessionRecord(msgspec.Struct, kw_only=True):
    """One session at the site.

    Attributes:
        exit_name: Its session name at a gateway; empty for a plain proxy.
        is_named: Whether its user named it.
        lost: Why a named session lost its exit; empty if it has it.
        worked_at: When it was first answered well; 0 if never.
        used_at: When it was used last; 0 if never.
        draw_count: How often it was drawn as a new one and answered well: the original classic stores so many.
        unclear_count: How many answers in a row said nothing.
    """

    name: str
    proxy_key: str = msgspec.field(name="proxy")
    exit_name: str = msgspec.field(name="exit")
    fingerprint: Fingerprint = msgspec.field(name="identity")
    opened_at: Moment
    is_named: bool = msgspec.field(default=False, name="pinned")
    lost: str = ""
    worked_at: Moment = 0.0
    used_at: Moment = 0.0
    draw_count: Count = 0
    ok_count: Count = 0
    unclear_count: Count = 0

    @property
    def exit_id(self) -> str:
        """The key of its proxy, and its session name at a gateway."""
        return f"{self.proxy_key}/{self.exit_name}" if self.exit_name else self.proxy_key

    @property
    def has_worked(self) -> bool:
        """Whether the site has answered it well."""
        return self.worked_at > 0


class ExitRecord(msgspec.Struct, kw_only=True, gc=False):
    """What happened to an exit at the site. Of a gateway only the sums of its names are kept.

    Attributes:
        last: What the last answer that counted said.
        why: What the last bad answer was.
        last_bad_at: When the last block, throttle or failure of the proxy came to be known.
        cooldown_until: Until when the site asked to leave it alone.
        scope: What the last block was aimed at, if known.
        used_at: The latest times of use; only for a policy that learns.
    """

    ok_count: Count = 0
    blocked_count: Count = 0
    throttled_count: Count = 0
    proxy_error_count: Count = 0
    unclear_count: Count = 0
    last: Outcome = Outcome.UNCLEAR
    why: str = ""
    last_ok_at: Moment = 0.0
    last_bad_at: Moment = 0.0
    last_unclear_at: Moment = 0.0
    cooldown_until: Moment = msgspec.field(default=0.0, name="rests_until")
    scope: Scope | None = None
    used_at: list[Moment] | None = None

    @property
    def is_judged(self) -> bool:
        """Whether the site, or the proxy, ever judged it."""
        return self.ok_count + self.blocked_count + self.throttled_count + self.proxy_error_count > 0

    @property
    def is_answered(self) -> bool:
        """Whether the site itself ever answered through it."""
        return self.ok_count + self.blocked_count + self.throttled_count > 0

    @property
    def is_tried(self) -> bool:
        """Whether any answer through it counted."""
        return self.is_judged or self.unclear_count > 0

    @property
    def failed_at(self) -> float:
        """When it failed last, in Unix seconds; 0 if it never did."""
        return max(self.last_bad_at, self.last_unclear_at)

    def count(self, outcome: Outcome) -> None:
        """Count one more answer."""
        match outcome:
            case Outcome.OK:
                self.ok_count += 1
            case Outcome.BLOCKED:
                self.blocked_count += 1
            case Outcome.THROTTLED:
                self.throttled_count += 1
            case Outcome.PROXY_ERROR:
                self.proxy_error_count += 1
            case Outcome.UNCLEAR:
                self.unclear_count += 1
            case Outcome.SITE_ERROR:
                pass

    def rest_with_proxy(self, at: float, verdict: Verdict, *, is_working: bool) -> None:
        """Its proxy refused whoever comes: for good, or for a while, which tells nothing of the exit."""
        outcome = Outcome.UNCLEAR if verdict.until else Outcome.PROXY_ERROR
        self.count(outcome)
        self.why = verdict.why
        if outcome is Outcome.UNCLEAR:
            self.last_unclear_at = at
        else:
            self.last_bad_at = at
        if not is_working:
            self.last = outcome

    def absorb(self, other: ExitRecord) -> None:
        """Add what happened to *other*, a name of the same gateway that is not used any more."""
        self.ok_count += other.ok_count
        self.blocked_count += other.blocked_count
        self.throttled_count += other.throttled_count
        self.proxy_error_count += other.proxy_error_count
        self.unclear_count += other.unclear_count
        if other.last_bad_at >= self.last_bad_at:
            self.last_bad_at, self.why = other.last_bad_at, other.why
        self.last_ok_at = max(self.last_ok_at, other.last_ok_at)
        self.last_unclear_at = max(self.last_unclear_at, other.last_unclear_at)
        self.last = other.last


class FailingRecord(msgspec.Struct, gc=False):
    """What is kept of the failures of one tier.

    Attributes:
        since: Failures count from this moment on, in Unix seconds.
        exit_count: How many exits failed.
        refused_count: How many of them the site itself refused.
    """

    since: Moment = 0.0
    exit_count: Count = 0
    refused_count: Count = 0


class SiteRecord(msgspec.Struct, kw_only=True, gc=False):
    """What is kept of the site as a whole.

    Attributes:
        next_at: When the next request is due under the site's rate cap.
        last_proxy: The key of the proxy that was used last.
        failing: What failed lately of each tier, by its cost.
    """

    lease_count: Count = 0
    next_at: float = 0.0
    last_proxy: str = ""
    last_ok_at: Moment = 0.0
    last_bad_at: Moment = 0.0
    failing: dict[str, FailingRecord] = {}


class Record(msgspec.Struct, frozen=True, gc=False):
    """What a store keeps: a value under a site, a kind and a key; None deletes it."""

    site: str
    kind: str
    key: str
    value: bytes | None
