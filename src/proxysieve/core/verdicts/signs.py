"""Signs that are data: what stands on block pages, in headers and in addresses, and what it means.

The table itself is a file (``signs.toml``), and finding its texts in a body is the business of whoever has a fast way
to do so: both are handed in. Here it is decided which marks an exchange bears.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property

import msgspec

from proxysieve.core.model import Exchange, Outcome, Scope
from proxysieve.core.verdicts.content import Content
from proxysieve.errors import ConfigError

# The numbers of the texts that stand in a body.
Scan = Callable[[bytes], Collection[int]]

# A page of so much visible text, served as a good one, is an article about block pages rather than one.
TALK_LENGTH = 3_000
# What of a block page a person sees.
SHORT_LENGTH = 1_500
# Of a page whose body is nothing but a script.
BARE_LENGTH = 40
FIRST_ERROR = 400
# The host of an address, with what may stand around it, and the path with its query. A parser of URLs normalises the
# host, which takes seconds for some of 64 KB.
ADDRESS = re.compile(r"[a-z]{1,8}+://([^/?#]*+)([^#]*+)", re.IGNORECASE)
LONGEST_ADDRESS = 2_048
# Ten years: nobody means longer ones.
LONGEST_WAIT_SECONDS = 3.2e8
# Nothing that a browser shows; what a mark stands in there is a program or a picture.
UNREAD_TYPES = (
    "image/",
    "audio/",
    "video/",
    "font/",
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/pdf",
    "application/zip",
    "application/octet-stream",
    "application/x-javascript",
)


class Sign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sign. All of its conditions must be met; of a list, one will do unless it says otherwise.

    Attributes:
        name: Unique, such as ``cloudflare-challenge``.
        why: What it shows, in two or three words: ``challenge page``.
        verdict: What it means.
        scope: What a refusal is aimed at.
        final: Whether another try cannot bring anything else.
        by_proxy: Whether a proxy or its provider says it, of the site or the exit; what is a ``proxy_error`` is anyway.
        wait_seconds: How long the refusal lasts, where its vendor says so.
        header: Values by the name of a header in lower case; none: any value. All of the headers must be there.
        status: HTTP statuses.
        url: Where a redirect ended, or led to on the way to another page, as ``host/path``: how it begins; ``*`` stands
            for any host.
        title: The page's title in lower case; with a ``*`` at its end, how it begins.
        frame: What the page shows, and nothing else: frames from an address that begins so, as ``host/path``; a host
            that begins with ``*.`` stands for all below it.
        body: Texts of which one stands in the body, whatever their case; by their ASCII bytes.
        also: Texts that all stand there.
        exact: Whether the case of those texts matters.
        short: Whether a person must see little of the page, where the status does not say that it is none.
        bare: Whether a person must see as good as nothing.
        most_bytes: How large the body may be; 0 for any size.
        source: Who says so.
        measured: On how many bodies it was found, and on how many of these by mistake.
    """

    name: str
    why: str
    source: str
    vendor: str = ""
    verdict: Outcome = Outcome.BLOCKED
    scope: Scope | None = None
    final: bool = False
    by_proxy: bool = False
    wait_seconds: float = 0.0
    header: dict[str, tuple[str, ...]] = {}
    status: tuple[int, ...] = ()
    url: tuple[str, ...] = ()
    title: tuple[str, ...] = ()
    frame: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    exact: bool = False
    short: bool = False
    bare: bool = False
    most_bytes: int = 0
    measured: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ConfigError(f"the sign {self.name!r} {problem}")

    def _problem(self) -> str:
        """What keeps it from ever being met, in words; empty if nothing does."""
        texts = (*self.body, *self.also, *(title.rstrip("*") for title in self.title), *map(_host_of, self.frame))
        values = (*self.header, *(value for values in self.header.values() for value in values))
        found, mistaken = self.measured or (0, 0)
        problems = {
            "has no name": not self.name,
            "has no condition: give it a header, status, url, title, frame or body": not (
                self.header or self.status or self.url or texts
            ),
            "looks for an empty text": not all(texts),
            "has a header with capitals, where lower case is meant": any(text != text.lower() for text in values),
            "has a title with capitals, where lower case is meant": any(text != text.casefold() for text in self.title),
            "has a url that is no host/path, such as shop.example/captcha or */captcha": any(
                "/" not in url or "://" in url for url in self.url
            ),
            "has a frame that is no host/path in lower case, such as captcha.example/": any(
                "/" not in frame or "://" in frame or frame != frame.lower() for frame in self.frame
            ),
            "has a status that is none: expected 100 to 999": any(not 100 <= status <= 999 for status in self.status),
            "has a size or time that is none": self.most_bytes < 0
            or not 0 <= self.wait_seconds <= LONGEST_WAIT_SECONDS,
            "was measured wrongly: expected [found, of these by mistake]": not 0 <= mistaken <= found,
        }
        return next((text for text, is_so in problems.items() if is_so), "")

    @property
    def is_of_body(self) -> bool:
        """Whether the body must be looked at."""
        return bool(self.title or self.frame or self.body or self.also)

    @property
    def is_proxys(self) -> bool:
        """Whether it is a word of the proxy's, which may stand in its answer to a CONNECT."""
        return self.by_proxy or self.verdict is Outcome.PROXY_ERROR

    @property
    def confidence(self) -> float:
        """How likely it is to be right: by the rule of succession, of what was measured; else nine times in ten."""
        if self.measured is None:
            return 0.9
        found, mistaken = self.measured
        return round((found - mistaken + 1) / (found + 2), 3)


class Text(msgspec.Struct, frozen=True):
    """A text to be found in bodies; in lower case, unless its case matters."""

    text: bytes
    is_exact: bool


class Table:
    """The marks, ready to be looked up.

    Args:
        signs: In the order in which they are asked.
        words: Further texts to be found with the same look.

    Attributes:
        texts: What a scan has to find; the numbers that it gives are places in it.
        words: The numbers of the further texts.
    """

    def __init__(self, signs: Sequence[Sign], words: Iterable[str] = ()) -> None:
        self.signs = tuple(signs)
        self._numbers: dict[Text, int] = {}
        self._by_header: defaultdict[str, list[Sign]] = defaultdict(list)
        self._of_url = [sign for sign in signs if sign.url]
        self._by_status: defaultdict[int, list[Sign]] = defaultdict(list)
        self._by_text: defaultdict[int, list[int]] = defaultdict(list)
        self._needs: dict[int, tuple[frozenset[int], frozenset[int]]] = {}
        for place, sign in enumerate(self.signs):
            self._add(place, sign)
        self.words = {self._number(word, is_exact=False): word for word in words}
        self.texts = tuple(self._numbers)

    def _add(self, place: int, sign: Sign) -> None:
        for name in sign.header:
            self._by_header[name].append(sign)
        if sign.is_of_body:
            one_of = frozenset(self._number(text, is_exact=sign.exact) for text in sign.body)
            titles = frozenset(self._number(title.rstrip("*"), is_exact=False) for title in sign.title)
            frames = frozenset(self._number(_host_of(frame), is_exact=False) for frame in sign.frame)
            all_of = frozenset(self._number(text, is_exact=sign.exact) for text in sign.also)
            self._needs[place] = (one_of, all_of)
            # What must be there at least; titles and frames are looked up only where their text is found.
            for number in one_of or titles or frames or list(all_of)[:1]:
                self._by_text[number].append(place)
        elif sign.status and not (sign.header or sign.url):
            for status in sign.status:
                self._by_status[status].append(sign)

    def _number(self, text: str, *, is_exact: bool) -> int:
        # Of ASCII alone: a scan knows no other capitals.
        wanted = Text(text.encode() if is_exact else text.encode().lower(), is_exact)
        return self._numbers.setdefault(wanted, len(self._numbers))

    def of_headers(self, exchange: Exchange) -> Iterator[Sign]:
        """Those that its headers bear, and need no body."""
        # Each once: a server may send one header thousands of times.
        for name in dict.fromkeys(name for name, _ in exchange.headers):
            for sign in self._by_header.get(name, ()):
                if not sign.is_of_body and bears(sign, exchange):
                    yield sign

    def of_address(self, exchange: Exchange) -> Iterator[Sign]:
        """Those that the address bears at which redirects ended."""
        if exchange.final_url and exchange.final_url != exchange.url:
            for sign in self._of_url:
                if not sign.is_of_body and bears(sign, exchange):
                    yield sign

    def of_status(self, exchange: Exchange) -> Sequence[Sign]:
        """Those of its status alone."""
        return self._by_status.get(exchange.status, ())

    def of_body(self, reading: SearchedExchange) -> Iterator[Sign]:
        """Those that the body bears, in their order."""
        found = reading.found
        for place in sorted({place for number in found for place in self._by_text.get(number, ())}):
            sign, (one_of, all_of) = self.signs[place], self._needs[place]
            is_there = (not one_of or not one_of.isdisjoint(found)) and all_of <= found
            if is_there and bears(sign, reading.exchange) and reading.bears(sign):
                yield sign


class SearchedExchange:
    """An exchange while it is being judged: what was looked up once is not looked up again.

    Args:
        exchange: With its answer.
        scan: What finds the texts of a table.
    """

    def __init__(self, exchange: Exchange, scan: Scan) -> None:
        self.exchange = exchange
        self._scan = scan
        self._type = exchange.header("content-type").lower()

    @cached_property
    def content(self) -> Content:
        """The body."""
        return Content(self.exchange.body or b"", self._type)

    @cached_property
    def found(self) -> frozenset[int]:
        """The numbers of the texts that stand in it."""
        if not self.exchange.body or (self._type.startswith(UNREAD_TYPES) and not self._is_error):
            return frozenset()
        found = frozenset(self._scan(self.content.searched))
        unescaped = self.content.unescaped
        return found.union(self._scan(unescaped)) if unescaped else found

    @property
    def _is_error(self) -> bool:
        return self.exchange.status >= FIRST_ERROR

    def bears(self, sign: Sign) -> bool:
        """Whether what a person sees of the page is what *sign* asks for."""
        content = self.content
        if sign.most_bytes and content.size > sign.most_bytes:
            return False
        if sign.title and not _is_titled(sign.title, content.title):
            return False
        if sign.frame and not content.shows_only(sign.frame):
            return False
        if sign.bare and len(content.visible) > BARE_LENGTH:
            return False
        most = SHORT_LENGTH if sign.short else TALK_LENGTH
        return self._is_error or len(content.visible) <= most


def bears(sign: Sign, exchange: Exchange) -> bool:
    """Whether status, headers and address are what *sign* asks for."""
    if sign.status and exchange.status not in sign.status:
        return False
    if sign.header and not all(_has_header(exchange, name, values) for name, values in sign.header.items()):
        return False
    return not sign.url or (_is_at(sign.url, exchange.final_url) and not _is_at(sign.url, exchange.url))


def _has_header(exchange: Exchange, name: str, values: tuple[str, ...]) -> bool:
    return any(key == name and (not values or _is_value(value, values)) for key, value in exchange.headers)


def _is_value(value: str, wanted: tuple[str, ...]) -> bool:
    value = value.strip().lower()
    return any(value.startswith(one[:-1]) if one.endswith("*") else value == one for one in wanted)


def _host_of(frame: str) -> str:
    return frame.partition("/")[0].lstrip("*").lstrip(".")


def _is_titled(titles: tuple[str, ...], title: str) -> bool:
    return any(title.startswith(one[:-1]) if one.endswith("*") else title == one for one in titles)


def _is_at(wanted: tuple[str, ...], url: str) -> bool:
    address = ADDRESS.match(url[:LONGEST_ADDRESS])
    if address is None:
        return False
    host, path = address[1].rpartition("@")[2].partition(":")[0].lower(), address[2]
    return any(
        (one.startswith("*") or f"{host}/".startswith(one[: one.find("/") + 1]))
        and path.startswith(one[one.find("/") :])
        for one in wanted
    )
