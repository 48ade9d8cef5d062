"""Numbers and times in words, and tables of them, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from proxysieve.cli.printing import WIDTH, printable

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60.0, 3600.0, 86400.0
# A unit is used from two of it on.
ENOUGH = 2
# Where rounding would turn chances into certainties, one more digit is shown.
ALMOST_NEVER, ALMOST_SURE = 0.01, 0.99
BETWEEN_COLUMNS = "  "
# The least width of a column that is cut.
NARROWEST = 8


def span(seconds: float) -> str:
    """A time in the largest unit of which there are two: ``61.9 s``, ``3 min``, ``5 h``, ``2 days``."""
    if seconds < ENOUGH * MINUTE_SECONDS:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < ENOUGH * HOUR_SECONDS:
        return f"{seconds / MINUTE_SECONDS:.0f} min"
    if seconds < ENOUGH * DAY_SECONDS:
        return f"{seconds / HOUR_SECONDS:.0f} h"
    return f"{seconds / DAY_SECONDS:,.0f} days"


def share(chance: float) -> str:
    """A chance in percent: ``19 %``; a very small one as ``0.4 %``."""
    is_extreme = 0 < chance < ALMOST_NEVER or ALMOST_SURE < chance < 1
    return f"{100 * chance:.{1 if is_extreme else 0}f} %"


def ago(at: float, now: float) -> str:
    """How long ago *at* was: ``3 s ago``."""
    return f"{span(max(0.0, now - at))} ago"


def moment(at: float) -> str:
    """The date and time of *at*, Unix seconds, in this machine's time zone."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def count(number: int, one: str, more: str = "") -> str:
    """A number of things: ``1 exit``, ``2,000 exits``."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> list[str]:
    """Lines of at most 80 columns: the first *words* columns are aligned left, the others, numbers, right.

    A column that is empty in all rows is left out. If the lines are too long, the widest column of words is cut.
    """
    shown = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    lines = [[printable(row[place]) for place in shown] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_word = [place < words for place in shown]
    while sum(widths) + len(BETWEEN_COLUMNS) * (len(widths) - 1) > WIDTH:
        widest = max((place for place, is_one in enumerate(is_word) if is_one), key=lambda place: widths[place])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    return [
        BETWEEN_COLUMNS.join(
            _cut(cell, width).ljust(width) if is_one else cell.rjust(width)
            for cell, width, is_one in zip(line, widths, is_word, strict=True)
        ).rstrip()
        for line in lines
    ]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}\N{HORIZONTAL ELLIPSIS}"
