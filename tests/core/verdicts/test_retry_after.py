"""How long a site asks to be left alone."""

from __future__ import annotations

import math
import time
from email.utils import formatdate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS, Exchange
from proxysieve.core.verdicts.retry_after import UNREAD_SECONDS, retry_after

# Tuesday, 14 November 2023, 22:13:20 GMT.
AT = 1_700_000_000.0


def until(*values: str) -> float:
    headers = tuple(("retry-after", value) for value in values)
    return retry_after(Exchange(url="https://shop.example/", status=429, headers=headers, at=AT))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("120", 120, id="seconds"),
        pytest.param(" 120 ", 120, id="blanks-around"),
        pytest.param("0", 0, id="at-once"),
        pytest.param("90.5", 91, id="a-fraction-is-rounded-up"),
        pytest.param("120.0", 120, id="a-whole-fraction"),
        pytest.param("120.", 120, id="a-point"),
        pytest.param(".5", 1, id="less-than-a-second"),
        pytest.param("+30", 30, id="a-sign"),
        pytest.param("-5", 0, id="negative"),
        pytest.param('"120"', 120, id="quoted"),
        pytest.param("120, 120", 120, id="doubled"),
        pytest.param("30,120,60", 120, id="the-longest-of-a-list"),
        pytest.param("soon, 120", 120, id="what-can-be-read-of-a-list"),
        pytest.param("120s", 120, id="unit"),
        pytest.param("120 seconds", 120, id="word"),
        pytest.param("2 Minutes", 120, id="minutes"),
        pytest.param("1m30s", 90, id="of-go"),
        pytest.param("1.5h", 5400, id="hours"),
        pytest.param("1500ms", 2, id="thousandths"),
        pytest.param("PT2M", 120, id="iso-duration"),
        pytest.param("PT1H30.5S", 3631, id="iso-duration-of-several"),
        pytest.param("1700000090", 90, id="a-moment-in-unix-seconds"),
        pytest.param("1700000090.5", 91, id="a-moment-with-a-fraction"),
        pytest.param("1700000090500", 91, id="a-moment-in-thousandths"),
        pytest.param(formatdate(AT + 300, usegmt=True), 300, id="date"),
        pytest.param("Wed, 15 Nov 2023 01:00:00 +0200", 2800, id="date-with-an-offset"),
        pytest.param("Tue, 14 Nov 2023 22:30:00 -0000", 1000, id="date-of-no-known-zone"),
        pytest.param("Tuesday, 14-Nov-23 22:30:00 GMT", 1000, id="date-of-rfc-850"),
        pytest.param("Tue Nov 14 22:30:00 2023", 1000, id="date-of-asctime"),
        pytest.param("2023-11-14T22:30:00Z", 1000, id="iso-date"),
        pytest.param("2023-11-14 22:30:00", 1000, id="iso-date-without-a-zone"),
        pytest.param("2023-11-15T00:30:00.123+02:00", 1000, id="iso-date-with-an-offset"),
        pytest.param("Tue, 14 Nov 2023 22:00:00 GMT", 0, id="a-date-that-is-over"),
        pytest.param("\N{ARABIC-INDIC DIGIT ONE}\N{ARABIC-INDIC DIGIT TWO}", 12, id="digits-of-another-script"),
    ],
)
def test_a_wait_is_kept_whatever_form_it_has(value: str, seconds: float) -> None:
    """Seconds with or without a unit, a list of them, durations, and moments in all usual forms."""
    assert until(value) == AT + seconds


@pytest.mark.parametrize(
    "value",
    [
        *("999999999", "9" * 400, "9" * 5_000, "31 days", "9999h", "Tue, 14 Nov 9999 22:30:00 GMT"),
        *("9999-11-14T22:30:00Z", "PT9999H", str(int(AT) + 10**8)),
    ],
)
def test_no_wait_is_longer_than_a_day(value: str) -> None:
    """Thirty years are a mistake, or a wish; after a day one request asks."""
    assert until(value) == AT + LONGEST_COOLDOWN_SECONDS


@pytest.mark.parametrize(
    "value",
    [
        *("soon", "never", "a few minutes", "Tue, 14 Foo 2023 22:30:00 GMT", "2023-13-14T22:30:00Z", "1e3", "inf"),
        *("12 parsecs", "1 2 3", "120 then 60", "0x10", "{'seconds': 5}", "PT", "--5", "1" * 900 + "!"),
    ],
)
def test_a_wait_that_cannot_be_read_is_not_taken_for_none(value: str) -> None:
    """It stands for a minute."""
    assert until(value) == AT + UNREAD_SECONDS


def test_a_site_that_says_nothing_asks_for_nothing() -> None:
    """No header, or an empty one."""
    assert (until(), until(""), until("  ")) == (0.0, 0.0, 0.0)


def test_the_longest_of_several_headers_is_kept() -> None:
    """A proxy may have added its own."""
    assert until("30", "", "PT2M", "soon") == AT + 120


def test_the_asctime_date_does_not_depend_on_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A date without a zone is read the same everywhere."""
    monkeypatch.setenv("TZ", "XXX-9")
    time.tzset()

    moment = until("Tue Nov 14 22:30:00 2023")
    monkeypatch.undo()
    time.tzset()

    assert moment == AT + 1000


WORDS = st.sampled_from(
    [
        "1",
        "90.5",
        "-",
        "+",
        ".",
        ",",
        " ",
        "s",
        "m",
        "h",
        "ms",
        "PT",
        "T",
        "Z",
        "2023-11-14",
        "22:30:00",
        "Nov",
        "GMT",
        "e9",
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.text(max_size=60) | st.lists(WORDS, max_size=12).map("".join))
@example("1 Jan 0 0:0:0")
@example("1 Jan 99999999999 0:0:0")
@example("1 Jan 2000 99999999999999999999:0:0")
@example("1 Jan 2000 00:00:00 +999999999999999")
@example("1" * 100_000 + "!")
def test_any_value_is_a_moment_that_comes(value: str) -> None:
    """A site may write there what it likes."""
    moment = until(value)

    assert math.isfinite(moment)
    assert AT <= moment <= AT + LONGEST_COOLDOWN_SECONDS or not value.strip()


@given(st.floats(0, 80_000), st.sampled_from(["", "s", " sec", "seconds"]))
def test_a_readable_wait_is_never_cut_short(seconds: float, unit: str) -> None:
    """Rounded up, and by less than a second."""
    wait = until(f"{seconds:.3f}{unit}") - AT

    assert seconds - 0.001 <= wait < seconds + 1.001
