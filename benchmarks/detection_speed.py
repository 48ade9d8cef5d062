"""What a verdict costs: of good pages, and of answers that are made to take long.

  a verdict    median and best, in microseconds, of a page of 15 KB that is good: every sign is asked, and none speaks
  hostile      the longest of some verdicts on a body of 10 MB, in milliseconds
  readers      the longest that each of those takes that read what strangers send, in milliseconds, and over what
  robots.txt   to read one that is made to take long, and then to ask it for a URL, in milliseconds, by our parser and
               by protego, which is Scrapy's

It is processor time, both with hyperscan, which finds all texts at once, and with the search for one after the other
that takes its place where there is none.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import msgspec
from protego import Protego

from detection import CORPUS, Page, read_corpus
from measure import Bench, Cell
from proxysieve.core.model import OK, Exchange
from proxysieve.core.robots.rules import READ_BYTES, USER_AGENT, read_rules
from proxysieve.core.verdicts.judge import Judge
from proxysieve.core.verdicts.looks import Looks, traits_of
from proxysieve.errors import ConfigError
from proxysieve.judging.expect import expects
from proxysieve.judging.samples import redacted
from proxysieve.judging.sign_tables import IS_FAST, make_judge, scan_at_once, scan_one_by_one, usual_signs, usual_words
from proxysieve.site_of import site_of

VERDICTS = 500
HOSTILE_BYTES = 10_000_000
HOSTILE_VERDICTS = 3
PAGE_BYTES = range(13_000, 17_000)
MOST_MILLISECONDS = 50.0
# What no answer may hold the event loop for.
MOST_OF_A_READER = 100.0
# What expects something of the elements of a page: one, and several that stand to each other in some way.
SELECTORS = (".none", "section div div div .none, p ~ p ~ p + .none", "div:has(p > .none), p:not(:nth-child(2n))")
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


def hostile_markup() -> Iterator[tuple[str, bytes]]:
    """Pages that are made to take a parser long, of some sizes: what is worst may be small enough to be looked at."""
    parts = (
        *("<div>", "<a><b><i>", "<b><p>x", "<table>", "<table><tr><td>x", "<ul><li>", "<select><option>", "<svg>"),
        *("<math><mi>", "<svg><foreignObject>", "<nobr>", "<button>", "<template>", "<a><div>", "</p>", "</b>", "<!--"),
        *(
            "<!-- -->",
            "<",
            "< ",
            "<a b=",
            "<a b='",
            "<a =",
            "<html a=1>",
            "<script></script>",
            "<script>",
            "<p class=x>y</p>",
        ),
        *("<p " + " ".join(f"a{number}" for number in range(40)) + ">", "<b><i></b></i>", "<form>", "<frameset>", "\0"),
        *("<div><object></div>", "<h1><h2>", "<scrip", "<![CDATA[", "<li>x", "&#60;", "<div><span></div>", "<dl><dd>"),
    )
    for part in parts:
        for size in (60_000, 500_000, HOSTILE_BYTES):
            yield f"{part[:24]!r}, {size / 1e3:,.0f} KB", part.encode() * (size // len(part))
    for size in (8_000, 60_000, 500_000):
        opened = "".join(f"<b id={number}><div>" for number in range(size // 30)) + "</b>" * (size // 10)
        yield f"<b><div> and </b>, {size / 1e3:,.0f} KB", opened.encode()
        anew = "".join(f"<b id={number}>" for number in range(size // 20)) + "<p>x" * (size // 10)
        yield f"<b>, opened anew, {size / 1e3:,.0f} KB", anew.encode()


def hostile_json() -> Iterator[tuple[str, bytes]]:
    """JSON that is made to take long."""
    parts = ("[],", "{},", '"k":1,', '"\\\\n",', "1.5,", '"\\u00e9",', " ", "[", '{"a":', "9")
    for part in parts:
        yield part, b'{"a":[' + part.encode() * (8_000_000 // len(part)) + b"1]}"
    yield "keys", b"{" + b'"k":1,' * 1_300_000 + b'"z":1}'


def hostile_texts() -> Iterator[tuple[str, bytes]]:
    """What is made to take those long who look for names, addresses, tokens."""
    for part in ("a", "a@", "a.", "a-", "1.", "abcd:", "ab ", "x1", '{"k":', "<p class=a>", " class='a b c'", "&#9;"):
        yield part, b"<html>" + part.encode() * (HOSTILE_BYTES // len(part))
    unlike = b" ".join(b"a" * (1 + number % 40) + b"b" * (number % 37) for number in range(200_000))
    yield "classes", b'<html><p class="' + unlike + b'">'
    yield "keys", b"{" + b",".join(b'"k%d":{"a":1}' % number for number in range(7_000)) + b"}"
    yield "frames", b"<html>" + b"<iframe src=https://hcaptcha.com/>" * (HOSTILE_BYTES // 34)


def hostile_heads() -> Iterator[tuple[str, Exchange]]:
    """Addresses and headers that are made to take long; what libcurl lets through is a tenth of that."""
    blank = Exchange(url="https://site.example/", status=403, body=b"x", at=1e9)
    names = {"server": "x", "x-amzn-waf-action": "x", "set-cookie": "a=b", "content-type": "text/html; charset=gbk"}
    for name, value in names.items():
        yield f"{name}, 30,000 times", msgspec.structs.replace(blank, headers=((name, value),) * 30_000)
        yield f"{name} of 3 MB", msgspec.structs.replace(blank, headers=((name, value * (3_000_000 // len(value))),))
    for value in ("9", "1 ", ",", "a", ":", "-"):
        yield (
            f"retry-after: {value}",
            msgspec.structs.replace(blank, status=429, headers=(("retry-after", value * 300_000),)),
        )
    for name, host in {
        "marks": "a\u0315\u0300\u0323\u0345" * 16_000,
        "dots": "a." * 32_000,
        "at": "@" * 64_000,
    }.items():
        yield f"host of {name}", msgspec.structs.replace(blank, final_url=f"https://{host}.example/sorry/")


def looked_at(exchange: Exchange) -> None:
    """Have it learned how a page looks, and the same page recognised."""
    looks = Looks()
    looks.judge(exchange, OK)
    looks.accept(traits_of(exchange))
    looks.judge(exchange, OK)


def site_or_refused(exchange: Exchange) -> None:
    """Have it said which site it came from."""
    site_of.cache_clear()
    try:
        site_of(exchange.final_url or exchange.url)
    except ConfigError:
        return


def hostile_pages() -> Iterator[tuple[str, Exchange]]:
    """All of these pages, one at a time, as they take much room."""
    for bodies in (hostile_markup, hostile_texts):
        yield from ((name, exchange_with(body)) for name, body in bodies())


def hostile_answers() -> Iterator[tuple[str, Exchange]]:
    """And with hostile headers."""
    yield from hostile_pages()
    yield from hostile_heads()


def hostile_data() -> Iterator[tuple[str, Exchange]]:
    """What may be JSON."""
    yield from ((name, exchange_with(body)) for name, body in hostile_json())


Read = Callable[[Exchange], object]
# Who reads what strangers send, and what is made to take them long.
READERS: dict[str, tuple[Read, Callable[[], Iterator[tuple[str, Exchange]]]]] = {
    **{f"--expect css:{selector}": (expects(f"css:{selector}"), hostile_pages) for selector in SELECTORS},
    "--expect json:b.c": (expects("json:b.c"), hostile_data),
    "--expect TEXT": (expects("aaaab"), hostile_pages),
    "signs": (make_judge().judge, hostile_answers),
    "looks": (looked_at, hostile_pages),
    "samples": (redacted, hostile_answers),
    "site of a URL": (site_or_refused, hostile_heads),
}


def exchange_with(body: bytes, content_type: str = "text/html; charset=utf-8") -> Exchange:
    """A good answer with *body*."""
    headers = (("content-type", content_type),)
    return Exchange(url="https://site.example/", status=200, headers=headers, body=body, at=1e9)


def seconds_of(judge: Judge, exchange: Exchange, count: int) -> list[float]:
    """The processor time that each of *count* verdicts took."""
    taken = []
    for _ in range(count):
        anew = msgspec.structs.replace(exchange)  # an exchange keeps what was read of it
        started_at = time.thread_time()
        judge.judge(anew)
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


def measure_readers(bench: Bench) -> None:
    """How long each of those takes at most that read what strangers send."""
    rows: list[dict[str, Cell]] = []
    late: list[str] = []
    for reader, (read, answers) in READERS.items():
        longest, over = max((shortest_milliseconds(read, exchange), name) for name, exchange in answers())
        bench.emit(reader=reader, milliseconds=longest, over=over)
        rows.append({"reader": reader, "milliseconds": longest, "over": over})
        late += [reader] * (longest > MOST_OF_A_READER)
    bench.table("who reads what strangers send; milliseconds at most", rows)
    bench.note(f"longer than {MOST_OF_A_READER:.0f} ms: {', '.join(late) or 'none'}")


def shortest_milliseconds(read: Read, exchange: Exchange) -> float:
    """The shorter of two times, as the machine has other things to do."""
    taken = []
    for _ in range(2):
        anew = msgspec.structs.replace(exchange)
        started_at = time.thread_time()
        read(anew)
        taken.append(1e3 * (time.thread_time() - started_at))
    return min(taken)


def main() -> None:
    """Measure."""
    bench = Bench("detection_speed", __doc__, rounds=5)
    bench.parser.add_argument("--corpus", type=Path, default=CORPUS, help="real pages, if any (default: %(default)s)")
    options = bench.start()
    judges = make_judges()
    measure_pages(bench, judges, options.corpus, options.rounds)
    measure_hostile(bench, judges)
    measure_readers(bench)
    measure_rules(bench)


if __name__ == "__main__":
    main()
