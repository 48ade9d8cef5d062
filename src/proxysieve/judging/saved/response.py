"""What all formats are read into: an exchange with the name of its file."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import urlsplit

import msgspec

from proxysieve.core.model import Answer as Hop
from proxysieve.core.model import Exchange, Failure, Headers, first_value, in_lower_case
from proxysieve.core.urls.parsing import joined

# The limit of fetch, too. Signs stand in the first half megabyte.
MOST_BODY_BYTES = 50_000_000
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Answers with these have no body, by HTTP itself.
BODILESS = frozenset({204, 205})
LOWEST_STATUS, HIGHEST_STATUS = 100, 999

# The year 5138. A later date is wrong, and cannot be printed.
LATEST_AT = 1e11


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a response without its file, for formats that do not say it.

    Attributes:
        status: For a body without one.
        headers: For a body without them; names in lower case.
        url: The URL of the request.
        folder: The file's folder, for formats that keep bodies in files beside it.
    """

    status: int = 200
    headers: Headers = ()
    url: str = ""
    folder: str = ""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A saved response.

    Attributes:
        file: As the caller named it.
        note: What could not be read, and what to do.
        is_one_of_many: Whether its format can hold several, so that the file's name alone tells little.
        is_whole: Whether everything was seen that a verdict needs. If not, the missing part may be a block, so only a
            sign of a block in the rest counts.
    """

    file: str
    exchange: Exchange
    note: str = ""
    is_one_of_many: bool = False
    is_whole: bool = True


class SavedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a format says about a response.

    Attributes:
        body: Decoded; None if it was not saved or cannot be decoded.
        hops: The redirects that led to it, if the URL of the request is known.
        at: Unix seconds; 0 if the format does not say it.
        note: What could not be read, in words.
        is_whole: Whether the body is complete; False without a body.
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
    """*answer* as the judge gets it, with no more of its body than the judge takes.

    Args:
        answer: What was read.
        file: The file that it was read from.
        saved_at: When that file was written, for answers without a time.
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
    """Whether an answer can have this status. Others stand for requests that got no answer."""
    return LOWEST_STATUS <= status <= HIGHEST_STATUS


def lowered(headers: Iterable[tuple[str, str]]) -> Headers:
    """*headers* with their names in lower case, as in exchanges."""
    return in_lower_case((name.strip(), value.strip()) for name, value in headers)


def is_short(seen: int, announced: float) -> bool:
    """Whether *seen* bytes are fewer than *announced*. Other line ends or encodings change the size by half at most."""
    return 2 * seen < announced


def readable(url: str) -> str:
    """*url*, or empty if it cannot be parsed."""
    try:
        urlsplit(url)
    except ValueError:
        return ""
    return url


def _target(url: str, answer: SavedAnswer) -> str:
    """Where a redirect leads that nobody followed. It tells as much as the end of one that was followed."""
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
