"""A scenario: one imagined world, described in TOML. Times are seconds, shares are 0 to 1."""

from __future__ import annotations

import math
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from proxysieve.errors import ConfigError

# Thirty years: a larger number is a mistake.
LONGEST_SECONDS = 1e9

Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=LONGEST_SECONDS)]
Span = Annotated[float, Meta(gt=0, le=LONGEST_SECONDS)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]
Cost = Annotated[float, Meta(gt=0, le=1e9)]
Scope = Literal["exit", "network"]
SeenAs = Literal["site_error", "blocked", "unclear"]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a scenario. An unknown key is an error."""


class Exits(Table, frozen=True, kw_only=True):
    """One group of exits.

    Attributes:
        count: How many there are.
        networks: Over how many /24s they are spread at random.
        dead_share: The share that never answers.
        provider: Whether they are behind one provider, which gives each session name one of them and hides which.
        cost: The cost of a request through one of them.
        banned_share: The share that is banned from the start, instead of ``bans.exit_share``.
    """

    count: Count = 500
    networks: Count = 60
    dead_share: Share = 0.0
    provider: bool = False
    cost: Cost = 1.0
    banned_share: Share | None = None


class Bans(Table, frozen=True, kw_only=True):
    """The bans that are in force when the crawl starts.

    Attributes:
        exit_share: The chance that an exit is banned.
        network_share: The chance that a whole network is banned.
        lift_within_seconds: Each ban ends at a time that is drawn evenly from this range; infinite for never.
    """

    exit_share: Share = 0.0
    network_share: Share = 0.0
    lift_within_seconds: Annotated[float, Meta(gt=0)] = math.inf


class Limit(Table, frozen=True, kw_only=True):
    """How many requests the site allows an exit or a network.

    Attributes:
        requests: More than this within the window are too many.
        ban_seconds: How long the ban for it lasts; a throttle needs none.
        after_seconds: How long after the excess request the ban begins.
        blocked_count: Whether refused requests count too, and renew the ban.
        from_seconds: When it begins; earlier requests do not count.
    """

    requests: Count
    window_seconds: Span
    ban_seconds: Seconds = 0.0
    scope: Scope = "exit"
    after_seconds: Seconds = 0.0
    style: Literal["ban", "throttle"] = "ban"
    blocked_count: bool = False
    from_seconds: Seconds = 0.0
    until_seconds: Annotated[float, Meta(gt=0)] = math.inf

    def __post_init__(self) -> None:
        if self.style == "ban" and not self.ban_seconds:
            raise ValueError("a limit that bans needs `ban_seconds` above 0")
        if self.until_seconds <= self.from_seconds:
            raise ValueError("`until_seconds` must be above `from_seconds`")


class Quota(Table, frozen=True, kw_only=True):
    """After how many requests an exit is banned for good.

    Attributes:
        spread: Each exit's own number differs from *requests* by up to this share of it, evenly.
    """

    requests: Count
    spread: Share = 0.0


class Others(Table, frozen=True, kw_only=True):
    """Other users of the same exits, who get them banned.

    Attributes:
        bans_per_hour: For each exit, on average (Poisson).
        ban_seconds: On average (exponential).
    """

    bans_per_hour: Amount
    ban_seconds: Span


class Vendor(Table, frozen=True, kw_only=True):
    """One anti-bot vendor of several sites.

    Attributes:
        sites: How many; the pages are split evenly.
        shared_share: The chance that an exit which is banned at the first site is banned at another one.
    """

    sites: Annotated[int, Meta(ge=1, le=100)] = 1
    shared_share: Share = 1.0


class Outage(Table, frozen=True, kw_only=True):
    """A time in which every request fails.

    Attributes:
        start_seconds: When it begins.
        seconds: How long it lasts.
        seen_as: What the client takes it for.
    """

    start_seconds: Seconds
    seconds: Seconds
    seen_as: SeenAs = "site_error"


class Runs(Table, frozen=True, kw_only=True):
    """How often the crawl runs. Bans and what was learned are kept in between."""

    count: Annotated[int, Meta(ge=1, le=100)] = 1
    pause_seconds: Seconds = 0.0


class Noise(Table, frozen=True, kw_only=True):
    """Failures and delays that have nothing to do with bans.

    Attributes:
        flaky_share: The share of all requests that fail, half with a 500 and half with a time-out.
        latency_seconds: The median of a good answer.
    """

    flaky_share: Share = 0.01
    latency_seconds: Span = 1.0


class Scenario(Table, frozen=True, kw_only=True):
    """One imagined world.

    Attributes:
        says: What it stands for, in one line.
        pages: How many pages each run should fetch.
        concurrency: How many requests may run at once.
    """

    name: str
    says: str = ""
    pages: Count = 3000
    concurrency: Count = 50
    exits: Annotated[tuple[Exits, ...], Meta(min_length=1)] = (Exits(),)
    bans: Bans = Bans()
    limit: tuple[Limit, ...] = ()
    quota: Quota | None = None
    others: Others | None = None
    vendor: Vendor = Vendor()
    outage: Outage | None = None
    runs: Runs = Runs()
    noise: Noise = Noise()


# These may be one table or several.
REPEATABLE = ("exits", "limit")


def load_scenario(name: str | PathLike[str]) -> Scenario:
    """The scenario in the file *name*, or the one of that name that comes with the package.

    Raises:
        ConfigError: There is none, it is no TOML, or one of its keys or values is wrong; the message says which.
    """
    shipped, path = _shipped_files(), Path(name)
    if str(name) in shipped:
        return _parse_shipped(shipped[str(name)])
    if path.suffix != ".toml" and not path.is_file():
        raise ConfigError(f"no scenario {str(name)!r}: expected a .toml file or one of {', '.join(shipped)}")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no TOML: it is not UTF-8") from error
    return parse_scenario(text, source=str(path), default_name=path.stem)


def shipped_scenarios() -> dict[str, Scenario]:
    """The scenarios that come with the package, by the names of their files."""
    return {name: _parse_shipped(file) for name, file in _shipped_files().items()}


def _shipped_files() -> dict[str, Traversable]:
    files = (resources.files("proxysieve.sim") / "scenarios").iterdir()
    named = {file.name.removesuffix(".toml"): file for file in files if file.name.endswith(".toml")}
    return dict(sorted(named.items()))


def _parse_shipped(file: Traversable) -> Scenario:
    stem = file.name.removesuffix(".toml")
    return parse_scenario(file.read_text(encoding="utf-8"), source=file.name, default_name=stem)


def parse_scenario(text: str, *, source: str, default_name: str) -> Scenario:
    """The scenario that *text* describes.

    Args:
        text: As TOML.
        source: Where it comes from, for messages.
        default_name: Its name if the text has none.

    Raises:
        ConfigError: It is no TOML, or a key or value is wrong.
    """
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source} is no TOML: {error}") from error
    nan = _find_nan(raw)
    if nan:
        raise ConfigError(f"{source}: {nan}: expected a number, got nan")
    single = [key for key in REPEATABLE if isinstance(raw.get(key), dict)]
    whole = {"name": default_name, **raw, **{key: [raw[key]] for key in single}}
    try:
        return msgspec.convert(whole, Scenario)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {_where_and_what(str(error), single)}") from error


def _where_and_what(message: str, single: list[str]) -> str:
    """Turns msgspec's message, ``what - at `$.where```, around, with the key as in the file."""
    what, _, where = message.partition(" - at `$")
    key = where.rstrip("`").removeprefix(".")
    for name in single:
        key = key.replace(f"{name}[0]", name)
    what = what[:1].lower() + what[1:]
    return f"{key}: {what}" if key else what


def _find_nan(value: Any, key: str = "") -> str:  # noqa: ANN401 - whatever TOML can hold
    """The key of the first NaN. A comparison would accept it."""
    if isinstance(value, dict):
        found = (_find_nan(inner, f"{key}.{name}" if key else str(name)) for name, inner in value.items())
        return next(filter(None, found), "")
    if isinstance(value, list):
        return next(filter(None, (_find_nan(inner, f"{key}[{place}]") for place, inner in enumerate(value))), "")
    return key if isinstance(value, float) and math.isnan(value) else ""
