"""Dates of cookies, in all forms that browsers read (RFC 6265bis, 5.1.1; the dates of RFC 6265's ``http-state``)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysieve.core.cookies.dates import cookie_date

AT = int(datetime(2026, 12, 1, 8, 49, 37, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Tue, 01 Dec 2026 08:49:37 GMT", id="rfc-9110"),
        pytest.param("Tuesday, 01-Dec-26 08:49:37 GMT", id="rfc-850"),
        pytest.param("Tue Dec  1 08:49:37 2026", id="asctime"),
        pytest.param("Tue, 01-Dec-2026 08:49:37 UTC", id="netscape"),
        pytest.param("1 dec 2026 8:49:37", id="without-a-weekday"),
        pytest.param("2026 December 1st 08:49:37", id="words"),
        pytest.param("08:49:37 1 Dec 26", id="the-time-first"),
        pytest.param("Sat, 01/dec/2026;08:49:37", id="slashes-and-the-wrong-day"),
        pytest.param("Tue, 01 Dec 2026 08:49:37 +0200", id="a-zone-is-not-looked-at"),
        pytest.param("01 Dec 2026 08:49:37.123 PST", id="a-fraction"),
        pytest.param("Tue, 01 Dec 2026 08:49:37 GMT, a=b", id="more-behind-it"),
        pytest.param('"Tue, 01 Dec 2026 08:49:37 GMT"', id="quotes"),
        pytest.param("01 Dec 2026 08:49:37 02 Jan 2027 10:00:00", id="the-first-of-each"),
    ],
)
def test_a_date_is_read_in_any_form(text: str) -> None:
    """By its parts: a time, a day, a month and a year, whatever is between."""
    assert cookie_date(text) == AT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "session",
        "1796035777",
        "Tue, 01 Dec 2026",
        "08:49:37",
        "01 Dec 2026 08:49",
        "2026-12-01T08:49:37Z",
        "Tue, 00 Dec 2026 08:49:37",
        "Tue, 32 Dec 2026 08:49:37",
        "31 Feb 2026 08:49:37",
        "29 Feb 2026 08:49:37",
        "01 Dec 2026 24:00:00",
        "01 Dec 2026 08:60:00",
        "01 Dec 2026 08:49:60",
        "01 Dec 1600 08:49:37",
        "01 Dec 20261 08:49:37",
        "001 Dec 2026 08:49:37",
        "01 Foo 2026 08:49:37",
        "01 Dec 2026 08:049:37",
        "01 Dec ٢٠٢٦ 08:49:37",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    """A part is missing, or no day has it."""
    assert cookie_date(text) is None


@pytest.mark.parametrize(("year", "full"), [("69", 2069), ("70", 1970), ("99", 1999), ("00", 2000), ("1999", 1999)])
def test_years_of_two_digits_are_about_now(year: str, full: int) -> None:
    """From 1970 to 2069."""
    assert cookie_date(f"01 Jan {year} 00:00:00") == datetime(full, 1, 1, tzinfo=UTC).timestamp()


@given(st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 - of no zone, as it wants them
def test_dates_as_servers_write_them_are_read(moment: datetime) -> None:
    """All that there are."""
    moment = moment.replace(tzinfo=UTC, microsecond=0)

    assert cookie_date(format_datetime(moment, usegmt=True)) == moment.timestamp()


@given(st.text(max_size=100))
def test_no_text_raises(text: str) -> None:
    """Whatever it is."""
    assert cookie_date(text) is None or isinstance(cookie_date(text), int)
