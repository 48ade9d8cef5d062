"""What all formats come to: an exchange with the name of its file."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import urlsplit

import msgspec

from proxysieve.core.model import Answer as Hop
from proxysieve.core.model import Exchange, Failure, Headers, first_value, in_lower_case
from proxysieve.core.urls.parsing import joined

# What fetch takes at most, too. Signs stand in the first half megabyte.
MOST_BODY_BYTES = 50_000_000
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What these answer has no body, by HTTP itself.
BODILESS = frozenset({204, 205})
LOWEST_STATUS, HIGHEST_STATUS = 100, 999

# The year 5138: what claims to be later is none, and cannot be printed either.
LATEST_AT = 1e11


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a response beside its file, for formats that do not say it.

    Attributes:
        status: Of a body without one.
        headers: Likewise; names in lower case.
        url: What was asked for.
        folder: Where the file lies, for formats whose bodies lie beside it.
    """

    status: int = 200
    headers: Headers = ()
    url: str = ""
    folder: str = ""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A response that was saved.

    Attributes:
        file: As it was named by whoever asked.
        note: What could not be read of it, in words, and what to do.
        is_one_of_many: Whether its format may hold several, so that the file's name alone tells little.
        is_whole: Whether all was seen that a verdict rests on. What is not whole may be a block in the part that was
            not seen, so it is good for nothing but a sign of a block in the rest.
    """

    file: str
    exchange: Exchange
    note: str = ""
    is_one_of_many: bool = False
    is_whole: bool = True


class SavedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a format says of a response.

    Attributes:
        body: Decoded; None when it was not saved, or cannot be decoded.
        hops: The redirects that led to it, where it is known what was asked for.
        at: Unix seconds; 0 when the format does not say it.
        note: What could not be read, in words.
        is_whole: Whether the body is all that came; without one it is not.
        failure: Why there is no answer of the site.
    """

    status: int
    headers: Headers = ()
    body: bytes | None = None
    url: str = ""
    final_url: str = ""
    redirect_count: int = 0
    hops: tuple[Hop, ...] = ()
    at: float = 0.0
    note: str = ""
    is_whole: bool = True
    failure: Failure | None = None


def saved(answer: SavedAnswer, file: str, saved_at: float, *, is_one_of_many: bool) -> Saved:
    """*answer* as it is judged, with no more of its body than a judge would take in.

    Args:
        answer: What was read.
        file: What it was read from.
        saved_at: When that was written, for answers that say nothing of when they came.
        is_one_of_many: As in :class:`Saved`.
    """
    is_long = answer.body is not None and len(answer.body) > MOST_BODY_BYTES
    url = readable(answer.url)
    exchange = Exchange(
        url=url,
        final_url=readable(answer.final_url) or _target(url, answer),
        status=answer.status,
        headers=answer.headers,
        body=None if answer.body is None else answer.body[:MOST_BODY_BYTES],
        at=_moment(answer.at) or _moment(_dated(answer.headers)) or saved_at,
        redirect_count=answer.redirect_count,
        hops=answer.hops,
        failure=answer.failure,
    )
    note = answer.note or (f"only the first {MOST_BODY_BYTES // 1_000_000} MB were read" if is_long else "")
    is_whole = answer.is_whole and answer.body is not None
    return Saved(file=file, exchange=exchange, note=note, is_one_of_many=is_one_of_many, is_whole=is_whole)


def is_status(status: int) -> bool:
    """Whether it can be the status of an answer; others stand for requests that were never answered."""
    return LOWEST_STATUS <= status <= HIGHEST_STATUS


def lowered(headers: Iterable[tuple[str, str]]) -> Headers:
    """*headers* with their names as exchanges have them."""
    return in_lower_case((name.strip(), value.strip()) for name, value in headers)


def is_short(seen: int, announced: float) -> bool:
    """Whether *seen* bytes cannot be the *announced* ones; other ends of lines, or letters, make no more than half."""
    return 2 * seen < announced


def readable(url: str) -> str:
    """*url*, or nothing where it cannot be taken apart."""
    try:
        urlsplit(url)
    except ValueError:
        return ""
    return url


def _target(url: str, answer: SavedAnswer) -> str:
    """Where a redirect leads that nobody followed: that is as telling as where others ended."""
    location = first_value(answer.headers, "location")
    return joined(url, location) if answer.status in REDIRECTS and location else ""


def _moment(at: float) -> float:
    return at if 0 < at < LATEST_AT else 0.0


def _dated(headers: Headers) -> float:
    moment = parsedate_tz(first_value(headers, "date"))
    try:
        return float(mktime_tz(moment)) if moment else 0.0
    except (ValueError, OverflowError):
        return 0.0
