"""The output of ``curl -v``, which people attach to reports.

Headers have a prefix there and stand among curl's remarks. The body follows, if it went to the same place, with more
remarks in it. So we remove curl's own lines, and what is left is the body. If nothing is left, the body was not seen,
however good its status is.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

import msgspec

from proxysieve.core.model import Failure
from proxysieve.errors import ConfigError
from proxysieve.judging.saved.kinds import refuse_other_kinds
from proxysieve.judging.saved.raw_http import (
    BLANKS,
    FIELD,
    METHOD,
    MOST_HEAD_BYTES,
    MOST_HEADS,
    NO_ANSWER,
    NOT_SAVED,
    STATUS,
    STATUS_LINE,
    parse,
    read_printed,
)
from proxysieve.judging.saved.response import Defaults, SavedAnswer, is_short

# What curl prints before it sends a request.
INFO = (
    rb"\* +(?:Trying |Host \S+ was resolved|Could not resolve|Connected to |Uses proxy|Rebuilt URL|About to connect"
    rb"|Establish|Re-?using |Hostname |IPv[46]: |processing: |Added |Expire in |STATE: |Initializing "
    rb"|Closing connection|connect to |Failed to connect|Connection |ALPN|SSL connection|Server certificate)"
)
METER_HEAD = rb"  % Total    % Received[^\n]*(?:\n|\Z)(?: {20,}[^\n]*(?:\n|\Z))?"
DATA = rb"[{}] \[\d+ bytes data\]"
CURL_FIRST = re.compile(
    BLANKS + rb"(?:[^\n]{0,200}\bcurl(?:\.exe)? [^\n]*\n\s*)?(?:(?:Warning|Note): [^\n]*\n)*"
    rb"(?:(?P<sure>"
    + b"|".join([METER_HEAD, b"< HTTP/", b"> " + METHOD + rb" \S+ HTTP/", DATA, rb"curl: \(\d+\) ", INFO])
    + rb")|\* )"
)
CURL_ANSWER = re.compile(rb"^< (?=" + STATUS + rb")", re.MULTILINE)
CURL_REQUEST = re.compile(rb"^> (" + METHOD + rb") (\S+) HTTP/\d", re.MULTILINE)
CURL_ASKED = re.compile(rb"^> [A-Z]{1,10}(?:\s|\Z)", re.MULTILINE)
CURL_HOST = re.compile(rb"^> host: *([^\s/]+)", re.MULTILINE | re.IGNORECASE)
CURL_ENCRYPTED = re.compile(rb"^\* +(?:SSL connection using|ALPN|TLS|\[HTTP/2\])", re.MULTILINE)
CURL_INFO = re.compile(rb"^" + INFO, re.MULTILINE)
# It follows the body directly if the body does not end with a line break.
CURL_FAILURE = rb"(?:^curl: \(\d+\) [^\n]*(?:\n|\Z)|curl: \(\d+\) [^\n]*\n?\Z)"
CURL_FAILED = re.compile(CURL_FAILURE + rb"|^\* +(?:transfer closed with|Recv failure|Operation timed)", re.MULTILINE)
# A line of the headers, and what may stand between two of them.
CURL_FIELD = re.compile(rb"<(?: ([^\r\n]*))?\r*\n")
CURL_CUT = re.compile(rb"<(?: [^\n]*)?\Z")
CURL_REMARK = re.compile(rb"(?:\* |\r|" + DATA + rb")[^\n]*(?:\n|\Z)")
# What curl writes into the body if both go to one place: the progress, each over the last one, and remarks.
# The columns of curl 7 and 8 have a fixed width. Others end where something else of curl's begins.
AMOUNT = rb"[ \d.kMGTP]{5}"
METER = (
    rb"(?:\r{1,2}|^)(?:[ \d]{3} " + AMOUNT + rb"  ){3}" + AMOUNT + b"  " + AMOUNT + rb" (?:[ \d:dh-]{8} ){3}" + AMOUNT
    + rb"(?:\r{0,2}\n)?"
    rb"|\r{1,2} {0,8}\d[^\r\n]{0,60}?(?:[-\d]{1,3}:[-\d]{2}:[-\d]{2} {1,8}){3}[\d.]{1,6}[kMGTP]?"
    rb"(?:\r{0,2}\n|(?=\r|\* ))|\r[ \d.kMGTP:dh-]{0,90}\Z"
)  # fmt: skip
CURL_OWN = (
    re.compile(METER, re.MULTILINE),
    re.compile(DATA + rb"\r*\n?"),
    re.compile(
        rb"\* (?:Connection #\d+ to host \S+ left intact|Closing connection|[Ss]hutting down connection)[^\n]*(?:\n|\Z)"
    ),
    re.compile(METER_HEAD),
    re.compile(CURL_FAILURE, re.MULTILINE),
    re.compile(rb"^(?:(?:\* |< |Warning: |Note: )[^\n]*|[<>*]\r*|> (?:" + FIELD + rb")?\r*)(?:\n|\Z)", re.MULTILINE),
)
CURL_RECEIVED = re.compile(rb"\{ \[(\d{1,15}) bytes data\]")
TUNNEL = re.compile(rb"HTTP/\d(?:\.\d)? 2\d\d connection established", re.IGNORECASE)
TUNNELLED = range(200, 300)

NOT_PRINTED = "its body is not in the transcript: save it with curl -i"
BROKEN_OFF = "the transfer broke off: judged by its beginning"
REFUSED = "the proxy's answer to CONNECT: the site was not reached"


class AnswerHead(NamedTuple):
    """The headers of one answer in a transcript of curl.

    Attributes:
        raw: As they came over the wire.
        end: Where they end in the transcript.
        method: Of its request; empty if the transcript does not show it.
    """

    raw: bytes
    end: int
    method: bytes

    @property
    def is_of_proxy(self) -> bool:
        """Whether it is a proxy's answer to CONNECT."""
        return self.method == b"CONNECT" or (not self.method and TUNNEL.match(self.raw) is not None)


def is_curl(head: bytes) -> bool:
    """Whether *head* begins as a transcript of curl. A list in a text can begin alike, so more is checked then."""
    first = CURL_FIRST.match(head)
    if first is None or first["sure"]:
        return first is not None
    return CURL_ANSWER.search(head) is not None and CURL_REQUEST.search(head) is not None


def read_curl(file: BinaryIO, defaults: Defaults) -> Iterator[SavedAnswer]:
    """The last answer in a transcript.

    Raises:
        ConfigError: It has no answer of the site.
    """
    data = read_printed(file)
    heads = list(_heads(data))
    if not heads:
        refuse_other_kinds(data)
    behind = data[heads[-1].end :] if heads else data
    asked_again = CURL_ASKED.search(behind)
    body = _without_own(behind[: asked_again.start()] if asked_again and heads else behind)
    url = defaults.url or _url(data)
    if heads and heads[-1].is_of_proxy:
        answer = _of_proxy(heads[-1], url)
    elif STATUS_LINE.match(body):
        # With -i the output has the headers once more, unchanged.
        answer = parse(body, url)
    elif heads:
        answer = parse(b"".join([*(head.raw for head in heads if not head.is_of_proxy), body]), url)
    elif body.strip() and not CURL_INFO.search(data) and not asked_again:
        answer = SavedAnswer(status=defaults.status, headers=defaults.headers, body=body, url=url)
    else:
        raise ConfigError(NO_ANSWER)
    if heads and heads[-1].method == b"HEAD" and answer.failure is None:
        answer = msgspec.structs.replace(answer, body=None)
    if answer.body is None:
        note = NOT_PRINTED if answer.note in {"", NOT_SAVED} else answer.note
        answer = msgspec.structs.replace(answer, is_whole=False, note=note)
    elif is_short(len(body), sum(int(one[1]) for one in CURL_RECEIVED.finditer(behind))):
        answer = msgspec.structs.replace(answer, is_whole=False, note=NOT_PRINTED)
    elif CURL_FAILED.search(behind):
        answer = msgspec.structs.replace(answer, is_whole=False, note=BROKEN_OFF)
    yield answer


def _heads(data: bytes) -> Iterator[AnswerHead]:
    """The headers of all answers in *data*, a transcript of curl."""
    requests = [(one.start(), one[1]) for one in CURL_REQUEST.finditer(data)]
    starts = [start for start, _ in requests]
    for answer in islice(CURL_ANSWER.finditer(data), MOST_HEADS + 1):
        asked = bisect(starts, answer.start())
        lines, end, is_ended = _fields(data, answer.start())
        raw = b"\r\n".join([*lines, b"", b""] if is_ended else lines)
        if STATUS_LINE.match(raw):
            yield AnswerHead(raw=raw, end=end, method=requests[asked - 1][1] if asked else b"")


def _fields(data: bytes, start: int) -> tuple[list[bytes], int, bool]:
    """The header lines at *start* of *data*, where they end, and whether the end was found."""
    lines: list[bytes] = []
    at = start
    while at < len(data) and at - start < MOST_HEAD_BYTES:
        field = CURL_FIELD.match(data, at)
        if field and field[1] and not (lines and STATUS_LINE.match(field[1])):
            lines.append(field[1])
            at = field.end()
        elif field and not field[1]:
            return lines, field.end(), True
        elif CURL_CUT.match(data, at):
            break
        elif remark := CURL_REMARK.match(data, at):
            at = remark.end()
        else:
            # The user who pasted it left out the empty line.
            return lines, at, True
    return lines, at, False


def _without_own(data: bytes) -> bytes:
    for own in CURL_OWN:
        data = own.sub(b"", data)
    return data


def _of_proxy(head: AnswerHead, url: str) -> SavedAnswer:
    answer = parse(head.raw, url)
    if answer.status in TUNNELLED:
        raise ConfigError(NO_ANSWER)
    return SavedAnswer(
        status=answer.status, headers=answer.headers, url=url, note=REFUSED, failure=Failure.PROXY_REFUSED
    )


def _url(data: bytes) -> str:
    """The URL of the request, as far as a transcript shows it."""
    request = next((one for one in CURL_REQUEST.finditer(data) if one[1] != b"CONNECT"), None)
    if request is None:
        return ""
    target, host = _text(request[2]), CURL_HOST.search(data, request.end())
    if "://" in target:
        return target
    scheme = "https" if CURL_ENCRYPTED.search(data) else "http"
    return f"{scheme}://{_text(host[1])}{target}" if host else ""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
