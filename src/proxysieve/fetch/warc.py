"""WARC 1.1, the format of web archives: for each page a response, its request, and a record on how it was had."""

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
from proxysieve.fetch.records import SECRET_HEADERS, is_begun
from proxysieve.judging.saved.pages import MOST_LINE_BYTES
from proxysieve.pool.attempts import Page

Headers = list[tuple[str, str]]

CONFORMS_TO = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
# Bodies are kept decoded; readers would decode them again. Renamed as browsertrix and its kin do, so that what the
# site said is not lost.
RENAMED = {name: f"x-orig-{name}" for name in ("content-encoding", "transfer-encoding", "content-length")}
# All that ends a line for somebody.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What stands in addresses as it is: the reserved characters, and percent signs, as they encode something already.
PLAIN = "%:/?#[]@!$&'()*+,;="
BRACKETS = {ord("["): "%5B", ord("]"): "%5D"}
LOGIN = re.compile(r"(?<=//)[^/?#]*@")
# The records of a page, in their order.
KINDS = ("response", "request", "metadata")
MARK = b"WARC/1.1\r\n"
RECORD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"^Content-Length: (\d{1,12})\r$", re.MULTILINE)
ASKED = re.compile(r"^url: (.*)\r$", re.MULTILINE)
# No address is longer that a site, or a client, takes.
MOST_HEAD_BYTES = 1_000_000


class Warc(Format):
    """Records for archivists' tools.

    Args:
        name: Of the file, for its first record.
        packing: What is done to each record.
    """

    def __init__(self, name: str, packing: Packing) -> None:
        self._name = name
        self._packing = packing

    def record(self, page: Page, at: int) -> bytes:
        writer = WARCWriter(BytesIO(), gzip=False, warc_version="1.1")
        # The moment at which the capture began, as the standard has it.
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
    """The records of *page*, which say of each other that they belong together."""
    # What came back came from where redirects ended; where they began is in the metadata.
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
    """As :meth:`Format.look`, of one record of that *kind*, whose name it gives where there is no URL."""
    head = _read_head(file)
    if not head.endswith(RECORD_END):
        return "" if is_begun(head, MARK) and len(head) < MOST_HEAD_BYTES else None
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
    """The lines of *file* up to an empty one, or to the end, or to the limit."""
    lines, left = [], MOST_HEAD_BYTES
    while left > 0 and (line := file.readline(left)):
        lines.append(line)
        left -= len(line)
        if line == b"\r\n" or not lines[0].startswith(MARK):
            break
    return b"".join(lines)


def _metadata(page: Page) -> dict[str, str]:
    """How *page* was had; the first two names are the standard's own, the others those of the other formats."""
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
    """The headers of the answer, as they are true of the body that is kept."""
    length = str(len(page.body))
    headers = [
        # Names that are not ASCII are nobody's business but the site's; values, the writer encodes by itself.
        (RENAMED.get(name) or quote(name, safe=PLAIN), CONTROLS.sub(" ", value))
        for name, value in page.headers
        if name not in SECRET_HEADERS and (name, value) != ("content-length", length)
    ]
    return [*headers, ("content-length", length)]


def _asked(url: SplitResult, page: Page) -> Headers:
    """The headers of the request that are known. Its cookies are nobody's business but the session's."""
    return [("Host", url.netloc), *page.request_headers]


def _public(url: str) -> str:
    """*url* without a login, as archives are passed on."""
    return LOGIN.sub("", url)


def _as_sent(url: str) -> SplitResult:
    """*url* as clients write it into a request: without a fragment, and in ASCII."""
    public = _public(url)
    try:
        return urlsplit(as_sent(public))
    except ConfigError:
        # Another's client may tell of any place, which need be no name that there can be.
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
