"""What a verdict costs: of good pages, and of bodies that are made to take long; and what such a robots.txt does.

  a verdict    median and best, in microseconds, of a page of 15 KB that is good: every sign is asked, and none speaks
  hostile      the longest of some verdicts on a body of 10 MB, in milliseconds
  robots.txt   to read one that is made to take long, and then to ask it for a URL, in milliseconds, by our parser and
               by protego, which is Scrapy's

It is processor time, both with hyperscan, which finds all texts at once, and with the search for one after the other
that takes its place where there is none.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from protego import Protego

from detection import CORPUS, Page, read_corpus
from measure import Bench, Cell
from proxysieve.core.judge import Judge
from proxysieve.core.model import OK, Exchange
from proxysieve.core.rules import READ_BYTES, USER_AGENT, read_rules
from proxysieve.detector import IS_FAST, scan_at_once, scan_one_by_one, usual_signs, usual_words

VERDICTS = 500
HOSTILE_BYTES = 10_000_000
HOSTILE_VERDICTS = 3
PAGE_BYTES = range(13_000, 17_000)
MOST_MILLISECONDS = 50.0
# So that the visible text and the title are looked at: marks and words that ask for them.
MARKED = b"<html>px-captcha g-recaptcha verify you are human too many requests just a moment..."


def make_judges() -> dict[str, Judge]:
    """The judge with either search."""
    searches = {"hyperscan": scan_at_once, "one by one": scan_one_by_one}
    if not IS_FAST:
        del searches["hyperscan"]
    return {name: Judge(usual_signs().sign, usual_words(), search) for name, search in searches.items()}


def good_page() -> bytes:
    """A page of a shop, 15 KB of it."""
    item = '<li class="item"><a href="/p/{0}"><img src="/i/{0}.jpg" alt=""></a><h3>Article {0}</h3><p>{0}.99</p></li>\n'
    head = "<!doctype html><html><head><title>A shop</title><script>let cart = [];</script></head><body><ul>\n"
    items = "".join(item.format(number) for number in range(1000, 1140))
    return f"{head}{items}</ul></body></html>".encode()


def hostile_bodies() -> Iterator[tuple[str, bytes, str]]:
    """Bodies of 10 MB that are made to take long: a name, the bytes, the content type."""
    repeated = {
        "<": b"<",
        "<>": b"<>",
        "<script": b"<script",
        "<script>": b"<script>",
        "<a ": b"<a ",
        "&#": b"&#",
        "&#60;": b"&#60;",
        "&": b"&",
        "<!--": b"<!--",
        "<!---->": b"<!---->",
        "</script": b"</script",
        "<title": b"<title",
        "nested <div>": b"<div>",
        "nested <svg>": b"<svg>",
        "spaces": b" ",
        "NUL": b"\0",
        "0xff": b"\xff",
        "capital dotted I": "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}".encode(),
        "a mark": b"_cf_chl_opt ",
        "a short mark": b"ip (",
        "half a mark": b"_cf_chl_op",
        "charset=": b"charset=",
    }
    for name, part in repeated.items():
        yield name, _filled(part), "text/html"
        yield f"{name} marked", MARKED + _filled(part), "text/html"
    yield "<title> never closed", MARKED + b"<title>" + _filled(b"x "), "text/html"
    yield "random bytes", random.Random(7).randbytes(HOSTILE_BYTES), "text/html"
    yield "UTF-16", "\N{BYTE ORDER MARK}".encode("utf-16-le") + _filled("<ж>".encode("utf-16-le")), "text/html"
    for charset in ("utf-16", "utf-32", "gbk", "gb18030", "big5hkscs", "shift_jis", "euc-jp", "iso-8859-7", "utf-7"):
        noise = random.Random(7).randbytes(HOSTILE_BYTES)
        yield f"said to be {charset}", noise, f"text/html; charset={charset}"


def _filled(part: bytes) -> bytes:
    return part * (HOSTILE_BYTES // len(part))


def exchange_with(body: bytes, content_type: str = "text/html; charset=utf-8") -> Exchange:
    """A good answer with *body*."""
    headers = (("content-type", content_type),)
    return Exchange(url="https://site.example/", status=200, headers=headers, body=body, at=1e9)


def seconds_of(judge: Judge, exchange: Exchange, count: int) -> list[float]:
    """The processor time that each of *count* verdicts took."""
    taken = []
    for _ in range(count):
        started_at = time.thread_time()
        judge.judge(exchange)
        taken.append(time.thread_time() - started_at)
    return taken


def good_pages(corpus: Path) -> dict[str, bytes]:
    """Pages of about 15 KB: a made one, and a real one where there are any."""
    pages = {"made": good_page()}
    if (corpus / "manifest.jsonl").is_file():
        sizes = {page.file: answer.body for page, answer in read_corpus(corpus)["A"] if _is_fit(page, answer.body)}
        pages.update(list(sizes.items())[:1])
    return pages


def _is_fit(page: Page, body: bytes) -> bool:
    return page.label == "ok" and len(body) in PAGE_BYTES


def measure_pages(bench: Bench, judges: dict[str, Judge], corpus: Path, rounds: int) -> None:
    """How long a verdict on a good page takes."""
    rows: list[dict[str, Cell]] = []
    for name, body in good_pages(corpus).items():
        exchange = exchange_with(body)
        for search, judge in judges.items():
            assert judge.judge(exchange) == OK, name  # noqa: S101 - else it is no measurement
            taken = [1e6 * one for _ in range(rounds) for one in seconds_of(judge, exchange, VERDICTS)]
            figures = {"median": median(taken), "best": min(taken)}
            bench.emit(page=name, bytes=len(body), search=search, **figures)
            rows.append({"page": name[-30:], "bytes": len(body), "search": search, **figures})
    bench.table("a good page; microseconds a verdict", rows)


def measure_hostile(bench: Bench, judges: dict[str, Judge]) -> None:
    """How long a verdict on a hostile body may take."""
    rows: list[dict[str, Cell]] = []
    for name, body, content_type in hostile_bodies():
        exchange = exchange_with(body, content_type)
        longest = {search: 1e3 * max(seconds_of(one, exchange, HOSTILE_VERDICTS)) for search, one in judges.items()}
        bench.emit(body=name, **longest)
        rows.append({"body": name, **longest})
    rows.sort(key=lambda row: -max(cell for cell in row.values() if isinstance(cell, float)))
    bench.table(
        f"hostile bodies of {HOSTILE_BYTES / 1e6:.0f} MB; milliseconds a verdict at most, the worst first", rows
    )
    for search in judges:
        late = sum(cell > MOST_MILLISECONDS for row in rows if isinstance(cell := row[search], float))
        bench.note(f"{search}: {late} of {len(rows)} take longer than {MOST_MILLISECONDS:.0f} ms")


def hostile_rules() -> Iterator[tuple[str, str]]:
    """Files of robots.txt: a name, and the text, as long as is read where that does not take minutes."""
    agents = "".join(f"User-agent: {number}\n" for number in range(3_000))
    yield "3,000 agents, 3,000 rules", agents + "".join(f"Disallow: /{number}\n" for number in range(3_000))
    yield "rules", "User-agent: *\n" + "".join(f"Disallow: /{number}\n" for number in range(30_000))
    yield "rules with stars", "User-agent: *\n" + "".join(f"Allow:*{number}\n" for number in range(40_000))
    yield "stars", f"User-agent: *\nDisallow: /{'*a' * 250_000}b$"
    yield "escapes", f"User-agent: *\nDisallow: /{'%ff' * 160_000}"
    yield "lines of nothing", "\n" * READ_BYTES


def measure_rules(bench: Bench) -> None:
    """How long a robots.txt takes."""
    rows: list[dict[str, Cell]] = []
    url = f"https://site.example/{'a' * 100}?b=%41"
    for name, text in hostile_rules():
        started_at = time.thread_time()
        rules = read_rules(text.encode())
        read_at = time.thread_time()
        rules.allow(url)
        asked_at = time.thread_time()
        theirs = Protego.parse(text)
        # It sorts its rules when it is asked first.
        theirs.can_fetch(url, USER_AGENT)
        parsed_at = time.thread_time()
        theirs.can_fetch(url, USER_AGENT)
        figures = {
            "read": 1e3 * (read_at - started_at),
            "ask": 1e3 * (asked_at - read_at),
            "protego reads": 1e3 * (parsed_at - asked_at),
            "protego asks": 1e3 * (time.thread_time() - parsed_at),
        }
        bench.emit(robots=name, **figures)
        rows.append({"robots.txt": name, **{key: round(value, 2) for key, value in figures.items()}})
    bench.table("a hostile robots.txt; milliseconds", rows)


def main() -> None:
    """Measure."""
    bench = Bench("detection_speed", __doc__, rounds=5)
    bench.parser.add_argument("--corpus", type=Path, default=CORPUS, help="real pages, if any (default: %(default)s)")
    options = bench.start()
    judges = make_judges()
    measure_pages(bench, judges, options.corpus, options.rounds)
    measure_hostile(bench, judges)
    measure_rules(bench)


if __name__ == "__main__":
    main()
