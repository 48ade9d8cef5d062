"""How long a site asks to be left alone, in all forms that servers send."""

from __future__ import annotations

import math
import re
from calendar import timegm
from collections.abc import Iterator
from email.utils import parsedate_tz

from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS, Exchange

# The wait where the value cannot be read: the usual window of a limit.
UNREAD_SECONDS = 60.0
# Nothing longer is a wait.
READ_CHARACTERS = 1_000
UNITS = {
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
# 90, 90.5, 120s, 2 minutes, and several of them with units: 1m30s.
SPAN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*")
# PT2M30S (ISO 8601), whose M is months before the T: nobody waits for those.
ISO_SPAN = re.compile(r"p(?:\d+d)?(?:t(?:[\d.]+[hms])*)?")
# 2026-11-30T12:02:00Z (RFC 3339), in GMT where it does not say.
ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)[t ](\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?\s*(?:z|([+-])(\d\d):?(\d\d))?")


def retry_after(exchange: Exchange) -> float:
    """The moment before which the site asked not to be asked again; 0 where it did not (RFC 9110, 10.2.3).

    Of several waits the longest is kept, up to ``LONGEST_COOLDOWN_SECONDS``; what cannot be read stands for a minute.
    """
    values = [value.strip() for key, value in exchange.headers if key == "retry-after"]
    waits = [wait for value in values if value for wait in _waits(value[:READ_CHARACTERS].lower(), exchange.at)]
    return exchange.at + min(max(0.0, *waits), LONGEST_COOLDOWN_SECONDS) if waits else 0.0


def _waits(value: str, at: float) -> Iterator[float]:
    """The seconds that *value* says; it may be a list."""
    whole = _wait(value, at)
    if whole is not None:
        yield whole
        return
    read = [wait for part in value.split(",") if (wait := _wait(part, at)) is not None]
    yield from read or [UNREAD_SECONDS]


def _wait(value: str, at: float) -> float | None:
    text = value.strip(" \t\"'")
    wait = _span(text, at)
    if wait is None:
        moment = _moment(text)
        wait = None if moment is None else moment - at
    return wait


def _span(text: str, at: float) -> float | None:
    """Seconds; a number that is a moment of about now, in seconds or thousandths, is taken for that."""
    if ISO_SPAN.fullmatch(text):
        text = text[1:].replace("t", "") or "?"
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    spans = [(float(number), unit) for number, unit in SPAN.findall(text)]
    is_read = spans and not SPAN.sub("", text) and all(unit in UNITS for _, unit in spans)
    if not is_read or (len(spans) > 1 and not all(unit for _, unit in spans)):
        return None
    if len(spans) == 1 and not spans[0][1]:
        for moment in (spans[0][0], spans[0][0] / 1000):
            if abs(moment - at) <= LONGEST_COOLDOWN_SECONDS:
                return math.ceil(moment - at)
    seconds = sign * sum(number * UNITS[unit] for number, unit in spans)
    return math.ceil(max(-LONGEST_COOLDOWN_SECONDS, min(seconds, LONGEST_COOLDOWN_SECONDS)))


def _moment(text: str) -> float | None:
    """Unix seconds, where *text* is a date; all of HTTP's dates are in GMT, those that do not say so too."""
    iso = ISO_DATE.fullmatch(text)
    try:
        if iso:
            year, month, day, hour, minute = map(int, iso.groups()[:5])
            moment = timegm((year, month, day, hour, minute, int(iso[6] or 0)))
            zone = 3600 * int(iso[8] or 0) + 60 * int(iso[9] or 0)
            return float(moment + zone if iso[7] == "-" else moment - zone)
        read = parsedate_tz(text)
        return None if read is None else float(timegm(read[:9]) - (read[9] or 0))
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
