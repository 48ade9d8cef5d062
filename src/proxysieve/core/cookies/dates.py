"""The moments that ``Expires`` names, in any of the forms that browsers read (RFC 6265bis, 5.1.1)."""

from __future__ import annotations

import re
from calendar import monthrange, timegm

DELIMITERS = re.compile(r"[\t -/;-@\[-`{-~]+")
TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
DAY = re.compile(r"[0-9]{1,2}(?![0-9])")
YEAR = re.compile(r"[0-9]{2,4}(?![0-9])")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Where years of two digits change their century.
FIRST_OF_1900 = 70
FIRST_YEAR = 1601


def cookie_date(text: str) -> int | None:
    """Unix seconds; None where *text* is no date. Its zone is not looked at: all are in GMT."""
    time: tuple[int, int, int] | None = None
    day = month = year = None
    # Each part is looked for until it is found, in this order, whatever is between.
    for token in DELIMITERS.split(text):
        if time is None and (found := TIME.match(token)):
            time = (int(found[1]), int(found[2]), int(found[3]))
        elif day is None and (found := DAY.match(token)):
            day = int(found[0])
        elif month is None and token[:3].lower() in MONTHS:
            month = MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := YEAR.match(token)):
            year = _full_year(int(found[0]))
    if time is None or day is None or month is None or year is None:
        return None
    return _moment(year, month, day, time)


def _full_year(year: int) -> int:
    if year >= 100:
        return year
    return year + (1900 if year >= FIRST_OF_1900 else 2000)


def _moment(year: int, month: int, day: int, time: tuple[int, int, int]) -> int | None:
    hour, minute, second = time
    is_one = year >= FIRST_YEAR and hour < 24 and minute < 60 and second < 60
    if not is_one or not 1 <= day <= monthrange(year, month)[1]:
        return None
    return timegm((year, month, day, hour, minute, second))
