"""Why a proxy refuses a CONNECT, in its own words.

libcurl tells the status and headers of the refusal but drops its text, where some providers give their reason. So we
ask for the text once more by hand: once for a proxy and a status, and never where the status says enough or asks us to
wait.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections import OrderedDict

import msgspec
from curl_cffi.curl import DEFAULT_CACERT

from proxysieve.clients.curl_handles import STATUS_LINE
from proxysieve.core.model import Answer
from proxysieve.core.urls.parsing import place_of
from proxysieve.core.verdicts.proxy_answers import (
    BUSY_STATUS,
    CREDENTIALS_STATUSES,
    ON_THE_WAY_STATUSES,
    PAYMENT_STATUS,
    answer_to_connect,
    reason,
)
from proxysieve.core.verdicts.redact_logins import without_login
from proxysieve.sessions.session import Session

# The first are about the account; the others ask us to wait, or are about the site.
SAY_ALL = CREDENTIALS_STATUSES | ON_THE_WAY_STATUSES | {PAYMENT_STATUS, BUSY_STATUS}
# Only the first chunk is read.
CHUNKED = re.compile(rb"\r\nTransfer-Encoding:[^\r\n]*\bchunked\b", re.IGNORECASE)
MOST_BYTES = 4_096
MOST_HEAD_BYTES = 65_536
MOST_SECONDS = 3.0
MOST_KEPT = 256


class Reasons:
    """The texts of refusals, by proxy and status.

    Args:
        ca_path: A file with certificates to trust in place of the usual ones.
    """

    def __init__(self, ca_path: str | None) -> None:
        self._ca_path = ca_path
        self._known: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    async def complete(self, answer: Answer, session: Session) -> Answer:
        """*answer* of the session's proxy, with its text."""
        key = session.proxy.key, answer.status
        if answer.status in SAY_ALL or answer.header("retry-after") or answer.header("content-length") == "0":
            return answer
        if reason(answer_to_connect(answer)):
            return answer
        if key not in self._known:
            # Other requests that are refused meanwhile do not ask too.
            self._known[key] = b""
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
            try:
                # Sessions with other names at the same proxy could not recognise this login, and would show it.
                self._known[key] = without_login(await self._text(answer, session), session.proxy_login)
            except asyncio.CancelledError:
                # The next request that is refused asks.
                self._known.pop(key, None)
                raise
        return msgspec.structs.replace(answer, body=self._known.get(key, b""))

    async def _text(self, answer: Answer, session: Session) -> bytes:
        try:
            async with asyncio.timeout(MOST_SECONDS):
                return await self._ask(answer, session)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, TimeoutError):
            return b""

    async def _ask(self, answer: Answer, session: Session) -> bytes:
        proxy, place = session.proxy, place_of(answer.url).with_port
        user, password = session.proxy_login
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        if user or password:
            lines.append(f"Proxy-Authorization: Basic {login}")
        # The certificates that libcurl trusts.
        tls = ssl.create_default_context(cafile=self._ca_path or DEFAULT_CACERT) if proxy.scheme == "https" else None
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=tls, limit=MOST_HEAD_BYTES)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            status = STATUS_LINE.match(head)
            if not status or int(status[1]) != answer.status:
                return b""
            size = MOST_BYTES
            if CHUNKED.search(head):
                size = min(size, max(0, int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)))
            return await reader.read(size)
        finally:
            writer.close()
