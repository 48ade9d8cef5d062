"""libcurl's handles, dressed as browsers: what one request takes, and what is told of its answer.

A handle takes 130 KB and some 50 microseconds to dress, so the idle ones are kept, whichever session they served. What
belongs to a session (connections, tickets of TLS) is not theirs.

Only Chromes resume TLS. libcurl adds ``pre_shared_key`` to the ClientHello, as Chrome does. Firefox takes
``session_ticket`` out at the same time, and Safari never resumes: no browser sends what libcurl would send for them.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import OrderedDict, deque
from typing import NamedTuple

from curl_cffi import Curl, CurlHttpVersion, CurlInfo, CurlOpt, ffi
from curl_cffi.curl import CURL_WRITEFUNC_ERROR

from proxysieve.clients.protocol import MOST_AT_ONCE
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.urls.channels import Channel, headers_over
from proxysieve.core.urls.parsing import AROUND
from proxysieve.core.urls.redirects import STATUSES
from proxysieve.core.verdicts.failures.curl import Progress
from proxysieve.sessions.own_headers import merged

FOR_BODIES = frozenset({"POST", "PUT", "PATCH"})
# More milliseconds cannot be told to libcurl everywhere.
LONGEST_SECONDS = 2_000_000.0
# Of the site, in a URL; it is sent in a header.
LOGIN = re.compile(r"(?<=:)//[^/@]*@")
STATUS_LINE = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})(?![0-9])(.*)", re.DOTALL)
# Of the text of a redirect: what is kept of it, and what is read so that its connection can be used again.
KEPT_OF_REDIRECT, READ_OF_REDIRECT = 4_096, 65_536
# Of the handles of a browser that nobody uses just now.
MOST_IDLE = 64
# The browsers, each by TLS and without; and own headers, which may differ from request to request.
MOST_DRESSES = 64


class Dress(NamedTuple):
    """What a handle looks like.

    Attributes:
        fingerprint: The browser.
        channel: How it asks.
        own: Headers on top of the browser's own, or in place of them.
        ca_path: A file with certificates to trust in place of the usual ones.
    """

    fingerprint: Fingerprint
    channel: Channel
    own: tuple[tuple[str, str], ...] = ()
    ca_path: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """All that it sends, but for cookies and what tells of a body."""
        return merged(headers_over(self.fingerprint, self.channel), dict(self.own))

    def __repr__(self) -> str:
        # The values of headers may be secrets.
        own = ", ".join(name for name, _ in self.own) or "no headers"
        return f"<Dress {self.fingerprint.impersonate} over {self.channel.name} with {own}>"


class Ask(NamedTuple):
    """One request, as it is put on the wire.

    Attributes:
        url: Its host is in ASCII, and all letters are such as can stand in a URL.
        cookie: The value of that header, a letter a byte; empty for none.
        seconds: How long it may take.
        max_bytes: How large the decoded body may be.
        is_redirected: Whether an answer led here.
    """

    url: str
    method: str
    cookie: str
    content: bytes | None
    seconds: float
    max_bytes: int
    is_redirected: bool

    @property
    def is_plain(self) -> bool:
        """Whether a handle is as before, once its URL, proxy and cookies are another's."""
        return self.method == "GET" and self.content is None and not self.has_empty_query

    @property
    def has_empty_query(self) -> bool:
        """Whether a ``?`` ends the URL, which libcurl would leave out."""
        return self.url.endswith("?")

    @property
    def body(self) -> bytes | None:
        """What is sent: methods that are for a body have an empty one at least (RFC 9110, 8.6), as browsers see it."""
        return b"" if self.content is None and self.method in FOR_BODIES else self.content

    def __repr__(self) -> str:
        # Cookies and bodies may be secrets.
        return f"<Ask {self.method} {self.url}>"


class AnswerReader:
    """What comes back on a request, line by line and piece by piece.

    Attributes:
        status: Of the last answer that began; 0 before there is one.
        reason: What stands behind it.
        lines: Its headers, as they stand.
        is_whole: Whether the headers came to their end.
        has_stray: Whether a line among them goes on from none.
        is_cut_short: Whether no more was wanted of the text of a redirect.
        is_too_large: Whether no more was wanted of a page.
    """

    def __init__(self, max_bytes: int) -> None:
        self.status = 0
        self.reason = ""
        self.lines: list[bytes] = []
        self.is_whole = False
        self.has_stray = False
        self.is_cut_short = False
        self.is_too_large = False
        self._pieces: list[bytes] = []
        self._max_bytes = max_bytes
        self._size = 0
        self._at_once = 0

    def hear(self, line: bytes) -> int:
        """Libcurl's header callback: a line of any answer, a proxy's and interim ones before the one that counts."""
        # Within headers and in trailers it is a header of that name.
        can_begin = (self.is_whole or not self.status) and not self._size
        found = STATUS_LINE.match(line) if can_begin and line.startswith(b"HTTP/") else None
        if found:
            self.status, self.reason = int(found[1]), found[2].strip().decode("latin-1")
            self.lines, self.is_whole, self.has_stray = [], False, False
        elif self.is_whole:
            # Trailers, which say nothing of the page.
            pass
        elif not line.strip():
            self.is_whole = True
        elif line[:1] in b" \t":
            if self.lines:
                self.lines[-1] += b" " + line.strip()
            else:
                self.has_stray = True
        else:
            self.lines.append(line.strip())
        return len(line)

    def take(self, piece: bytes) -> int:
        """Libcurl's write callback: how many bytes of the body were taken, or that no more are wanted."""
        size = len(piece)
        if not self._at_once:
            # All that libcurl has read by now comes before anything else has its turn.
            asyncio.get_running_loop().call_soon(self._breathe)
        self._size += size
        self._at_once += size
        if self.is_redirect:
            self.is_cut_short = self._size > READ_OF_REDIRECT
            if self._size - size < KEPT_OF_REDIRECT:
                self._pieces.append(piece)
            return CURL_WRITEFUNC_ERROR if self.is_cut_short else size
        self.is_too_large = self._size > self._max_bytes or self._at_once > MOST_AT_ONCE
        if self.is_too_large:
            return CURL_WRITEFUNC_ERROR
        self._pieces.append(piece)
        return size

    def _breathe(self) -> None:
        self._at_once = 0

    @property
    def is_redirect(self) -> bool:
        """Whether the answer leads elsewhere."""
        return self.status in STATUSES and self.location != ""

    @property
    def location(self) -> str:
        """The first of its headers of that name that is not blank, as Latin-1; empty without one."""
        return next((value for value in self.values(b"location") if value.strip(AROUND)), "")

    @property
    def body(self) -> bytes:
        """What came of it."""
        return b"".join(self._pieces)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names in lower case, in their order."""
        return tuple(_header(line) for line in self.lines)

    def values(self, name: bytes) -> list[str]:
        """All values of the header *name* (lower case), byte for byte, as Latin-1."""
        pairs = (line.partition(b":") for line in self.lines)
        return [value.strip().decode("latin-1") for key, _, value in pairs if key.strip().lower() == name]


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.partition(b":")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return name.strip().lower().decode("latin-1"), text.strip()


class Handle:
    """A handle in its dress, with all that is the same for each request set once.

    Attributes:
        curl: The handle itself.
        reading: What comes back on the request that it is out for.
    """

    def __init__(self, dress: Dress) -> None:
        self.reading = AnswerReader(0)
        self._fingerprint = dress.fingerprint
        self._order: tuple[str, ...] = ()
        # Of the last request; what is the same again is set already.
        self._proxy: str | None = None
        self._cookie = ""
        self._is_https = dress.channel is Channel.TLS
        self._tells_type = any(name.lower() == "content-type" for name, _ in dress.own)
        curl = self.curl = Curl()
        # Its headers are the identity's, whose version or platform may be another.
        curl.impersonate(dress.fingerprint.impersonate, default_headers=False)
        # Without TLS, libcurl would offer an upgrade to HTTP/2 that no browser offers; with it, HTTP/2 as they do.
        curl.setopt(CurlOpt.HTTP_VERSION, CurlHttpVersion.V2TLS)
        # NO_PROXY in the environment would make libcurl pass the proxy by, and show who we are.
        curl.setopt(CurlOpt.NOPROXY, "")
        # The header is the browser's; this has the bodies unpacked.
        curl.setopt(CurlOpt.ACCEPT_ENCODING, "")
        # A path is the site's business, dots and all.
        curl.setopt(CurlOpt.PATH_AS_IS, 1)
        curl.setopt(CurlOpt.SSL_SESSIONID_CACHE, int(resumes_tls(dress.fingerprint)))
        if dress.ca_path:
            curl.setopt(CurlOpt.CAINFO, dress.ca_path)
            curl.setopt(CurlOpt.PROXY_CAINFO, dress.ca_path)
        curl.setopt(CurlOpt.HTTPHEADER, [_line(name, value) for name, value in dress.headers.items()])
        curl.setopt(CurlOpt.HEADERFUNCTION, self._hear)
        curl.setopt(CurlOpt.WRITEFUNCTION, self._take)

    def prepare(self, ask: Ask, proxy: str) -> None:
        """Make it ready for *ask*, by a *proxy* with its login, or by none if that is empty."""
        self.reading = AnswerReader(ask.max_bytes)
        curl = self.curl
        curl.setopt(CurlOpt.URL, ask.url)
        curl.setopt(CurlOpt.TIMEOUT_MS, max(1, int(min(LONGEST_SECONDS, ask.seconds) * 1000)))
        if proxy != self._proxy:
            curl.setopt(CurlOpt.PROXY, proxy)
            self._proxy = proxy
        if ask.cookie != self._cookie:
            curl.setopt(CurlOpt.COOKIE, ask.cookie.encode("latin-1", "replace") if ask.cookie else ffi.NULL)
            self._cookie = ask.cookie
        body = ask.body
        order = self._fingerprint.header_order(is_redirected=ask.is_redirected, has_body=body is not None)
        if order != self._order:
            curl.setopt(CurlOpt.HTTPHEADER_ORDER, ",".join(order))
            self._order = order
        if body is not None:
            curl.setopt(CurlOpt.POSTFIELDS, body)
            curl.setopt(CurlOpt.POSTFIELDSIZE, len(body))
            # What libcurl would send by itself, and no browser: a body is no form unless it is said to be one.
            curl.setopt(CurlOpt.HTTPHEADER, [b"Expect:", *([] if self._tells_type else [b"Content-Type:"])])
        if ask.has_empty_query:
            # A proxy without a tunnel is told the site as well.
            is_relayed = proxy.startswith("http") and not self._is_https
            curl.setopt(CurlOpt.REQUEST_TARGET, LOGIN.sub("//", ask.url) if is_relayed else path_of(ask.url))
        if ask.method == "HEAD":
            curl.setopt(CurlOpt.NOBODY, 1)
        elif ask.method != "GET" or body is not None:
            curl.setopt(CurlOpt.CUSTOMREQUEST, ask.method)

    def progress(self) -> Progress:
        """How far its request came."""

        def tell(info: CurlInfo) -> float:
            told = self.curl.getinfo(info)
            return told if isinstance(told, int | float) else 0

        return Progress(
            is_https=self._is_https,
            connect_status=int(tell(CurlInfo.HTTP_CONNECTCODE)),
            connects=int(tell(CurlInfo.NUM_CONNECTS)),
            has_tls=tell(CurlInfo.APPCONNECT_TIME) > 0,
            verify=int(tell(CurlInfo.SSL_VERIFYRESULT)),
            proxy_verify=int(tell(CurlInfo.PROXY_SSL_VERIFYRESULT)),
        )

    def _hear(self, line: bytes) -> int:
        return self.reading.hear(line)

    def _take(self, piece: bytes) -> int:
        return self.reading.take(piece)


class Handles:
    """The idle handles, by their dress; taken and given back by sessions, of several event loops maybe."""

    def __init__(self) -> None:
        self._idle: OrderedDict[Dress, deque[Handle]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, dress: Dress) -> Handle:
        """One that nobody else has."""
        with self._lock:
            idle = self._idle.get(dress)
            if idle:
                return idle.pop()
        return Handle(dress)

    def give_back(self, dress: Dress, handle: Handle) -> None:
        """Keep *handle* for another request."""
        handle.reading = AnswerReader(0)
        surplus: list[Handle] = []
        with self._lock:
            idle = self._idle.setdefault(dress, deque())
            self._idle.move_to_end(dress)
            if len(idle) < MOST_IDLE:
                idle.append(handle)
            else:
                surplus.append(handle)
            if len(self._idle) > MOST_DRESSES:
                surplus += self._idle.popitem(last=False)[1]
        for one in surplus:
            one.curl.close()


def _line(name: str, value: str) -> bytes:
    # As libcurl wants one without a value.
    return f"{name}: {value}".encode() if value else f"{name};".encode()


def path_of(url: str) -> str:
    """The path of *url* and its query."""
    return f"/{url.split('/', 3)[3]}"


def resumes_tls(fingerprint: Fingerprint) -> bool:
    """Whether a new connection may go on with the TLS session of an earlier one.

    libcurl does it as Chrome does. Safari does not do it, and Firefox leaves out another extension then, so that
    their ClientHello would be one that no browser sends.
    """
    return fingerprint.family == "chrome"
