"""WARC 1.1, the format of web archives: for each page a response, its request, and metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from io import BytesIO
from typing import Any, BinaryIO
from urllib.parse import SplitResult, quote, urlsplit

from warcio.statusandheaders import StatusAndHeaders  # type: ignore[import-untyped]
from warcio.warcwriter import WARCWriter  # type: ignore[import-untyped]

from proxysieve.core.urls.parsing import as_sent
from proxysieve.errors import ConfigError
from proxysieve.fetch.formats import Format, Packing
from proxysieve.fetch.records import SECRET_HEADERS, may_begin_with
from proxysieve.judging.saved.pages import MOST_LINE_BYTES
from proxysieve.pool.attempts import Page

Headers = list[tuple[str, str]]

CONFORMS_TO = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
# Bodies are stored decoded, and readers would decode them again. The headers are renamed as browsertrix does it, so
# that the site's values are kept.
RENAMED = {name: f"x-orig-{name}" for name in ("content-encoding", "transfer-encoding", "content-length")}
# Everything that some reader takes for a line end.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# These stay in addresses as they are: reserved characters, and percent signs, which already encode something.
PLAIN = "%:/?#[]@!$&'()*+,;="
BRACKETS = {ord("["): "%5B", ord("]"): "%5D"}
LOGIN = re.compile(r"(?<=//)[^/?#]*@")
# The records of a page, in their order.
KINDS = ("response", "request", "metadata")
MARK = b"WARC/1.1\r\n"
RECORD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"^Content-Length: (\d{1,12})\r$", re.MULTILINE)
ASKED = re.compile(r"^url: (.*)\r$", re.MULTILINE)
# No site or client takes a longer address.
MOST_HEAD_BYTES = 1_000_000


class Warc(Format):
    """Records for the tools of archivists.

    Args:
        name: The name of the file, for its first record.
        packing: How each record is packed.
    """

    def __init__(self, name: str, packing: Packing) -> None:
        self._name = name
        self._packing = packing

    def record(self, page: Page, at: int) -> bytes:
        writer = WARCWriter(BytesIO(), gzip=False, warc_version="1.1")
        # The standard wants the time at which the capture began.
        date = datetime.fromtimestamp(page.fetched_at - page.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        records = [] if at else [self._warcinfo(writer, date)]
        records.extend(_capture(writer, page, date))
        return b"".join(self._packing.pack(_whole(writer, record)) for record in records)

    def look(self, file: BinaryIO) -> str | None:
        found: str | None = None
        for kind in [*([] if file.tell() else ["warcinfo"]), *KINDS]:
            found = self._packing.look(partial(_look_for, kind), file)
            if not found:
                break
        return found

    def named(self, url: str) -> str:
        return CONTROLS.sub(" ", _public(url))

    def _warcinfo(self, writer: Any, date: str) -> Any:  # noqa: ANN401 - warcio has no types
        about = {
            "software": f"proxysieve/{version('proxysieve')}",
            "format": "WARC File Format 1.1",
            "conformsTo": CONFORMS_TO,
        }
        headers = {"WARC-Date": date, "WARC-Filename": self._name}
        return _fields(writer, "", "warcinfo", headers, about)


def _capture(writer: Any, page: Page, date: str) -> Iterator[Any]:  # noqa: ANN401 - warcio has no types
    """The records of *page*, which refer to each other."""
    # The answer is from the last URL of the redirects. The first one is in the metadata.
    url = _as_sent(page.final_url)
    place = {"WARC-Date": date}
    response = writer.create_warc_record(
        url.geturl(),
        "response",
        payload=BytesIO(page.body),
        length=len(page.body),
        http_headers=StatusAndHeaders(_status(page.status), _stored(page), protocol="HTTP/1.1"),
        warc_headers_dict=place,
    )
    yield response
    together = place | {"WARC-Concurrent-To": response.rec_headers.get_header("WARC-Record-ID")}
    yield writer.create_warc_record(
        url.geturl(),
        "request",
        http_headers=StatusAndHeaders(f"GET {_target(url)} HTTP/1.1", _asked(url, page), is_http_request=True),
        warc_headers_dict=together,
    )
    yield _fields(writer, url.geturl(), "metadata", together, _metadata(page))


def _look_for(kind: str, file: BinaryIO) -> str | None:
    """Like :meth:`Format.look`, for one record of that *kind*. Without a URL, it gives the kind."""
    head = _read_head(file)
    if not head.endswith(RECORD_END):
        return "" if may_begin_with(head, MARK) and len(head) < MOST_HEAD_BYTES else None
    length = LENGTH.search(head)
    if not head.startswith(MARK) or f"\r\nWARC-Type: {kind}\r\n".encode() not in head or not length:
        return None
    wanted = int(length[1]) + len(RECORD_END)
    block = file.read(wanted) if wanted < MOST_LINE_BYTES else b""
    if len(block) < wanted:
        return "" if wanted < MOST_LINE_BYTES else None
    if not block.endswith(RECORD_END):
        return None
    if kind != "metadata":
        return kind
    asked = ASKED.search(block.decode("utf-8", "replace"))
    return asked[1] if asked else None


def _read_head(file: BinaryIO) -> bytes:
    """The lines of *file* up to an empty one, the end, or the limit."""
    lines, left = [], MOST_HEAD_BYTES
    while left > 0 and (line := file.readline(left)):
        lines.append(line)
        left -= len(line)
        if line == b"\r\n" or not lines[0].startswith(MARK):
            break
    return b"".join(lines)


def _metadata(page: Page) -> dict[str, str]:
    """How *page* was fetched. The first two names are the standard's; the others are those of the other formats."""
    asked, ended = _public(page.url), _public(page.final_url)
    redirected = {"via": asked} if ended != asked else {}
    return redirected | {
        "fetchTimeMs": str(round(page.seconds * 1000)),
        "url": asked,
        "final_url": ended,
        "fetched_at": repr(page.fetched_at),
        "attempts": str(page.attempts),
        "session": page.session,
        "proxy": page.proxy,
        "seconds": repr(round(page.seconds, 6)),
    }


def _fields(writer: Any, url: str, kind: str, headers: dict[str, str], fields: dict[str, str]) -> Any:  # noqa: ANN401
    lines = "".join(f"{name}: {CONTROLS.sub(' ', value)}\r\n" for name, value in fields.items()).encode()
    return writer.create_warc_record(url, kind, payload=BytesIO(lines), length=len(lines), warc_headers_dict=headers)


def _stored(page: Page) -> Headers:
    """The headers of the answer, as they are true for the stored body."""
    length = str(len(page.body))
    headers = [
        # Names that are not ASCII are quoted. The writer encodes values itself.
        (RENAMED.get(name) or quote(name, safe=PLAIN), CONTROLS.sub(" ", value))
        for name, value in page.headers
        if name not in SECRET_HEADERS and (name, value) != ("content-length", length)
    ]
    return [*headers, ("content-length", length)]


def _asked(url: SplitResult, page: Page) -> Headers:
    """The known headers of the request, without its cookies, which are the session's secret."""
    return [("Host", url.netloc), *page.request_headers]


def _public(url: str) -> str:
    """*url* without a login, because archives are passed on."""
    return LOGIN.sub("", url)


def _as_sent(url: str) -> SplitResult:
    """*url* as clients write it into a request: without a fragment, and in ASCII."""
    public = _public(url)
    try:
        return urlsplit(as_sent(public))
    except ConfigError:
        # Other clients may report any host, even an impossible one.
        parts = urlsplit(quote(public.translate(BRACKETS), safe=PLAIN))
        return parts._replace(path=parts.path or "/", fragment="")


def _target(url: SplitResult) -> str:
    return f"{url.path}?{url.query}" if url.query else url.path


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} "


def _whole(writer: Any, record: Any) -> bytes:  # noqa: ANN401 - warcio has no types
    writer.out = BytesIO()
    writer.write_record(record)
    return bytes(writer.out.getvalue())
