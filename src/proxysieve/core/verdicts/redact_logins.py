"""Removes a login from what strangers say: a proxy that refuses a login may repeat it, in any encoding.

The usual encodings are replaced where they stand: plain, percent-encoded, with HTML references or JSON escapes, and in
base64, as in ``Proxy-Authorization``, also within a longer text. If the login can still be read once all escapes are
resolved, as its letters are escaped in several ways or one encoding is within another (base64 in JSON with escaped
slashes), nothing of the text is kept.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote_to_bytes

import msgspec

from proxysieve.core.model import Exchange
from proxysieve.core.model.content import unescape

LEFT_OUT = b"***"
# Shorter texts stand anywhere by accident, so they are removed only as whole words.
SHORT_BYTES = 4
# So many letters of base64 within a longer text are no accident.
LEAST_BASE64 = 8
# Those of JSON and of JavaScript; letters beyond 16 bits are two of them.
ESCAPES = re.compile(rb"((?:\\u[0-9a-fA-F]{4})+)|\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
# A text may be escaped several times, so escapes are resolved so often.
ROUNDS = 3
# What resolves escapes, by the letter with which each begins.
RESOLVERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"%": unquote_to_bytes,
    b"\\": lambda text: ESCAPES.sub(_unescaped, text),
    b"&": lambda text: unescape(text.decode("utf-8", "replace")).encode("utf-8", "replace"),
}
# Enough for the proxies of a crawl that refuse at about the same time.
LOGINS_KEPT = 256


def without_login(text: bytes, login: tuple[str, str]) -> bytes:
    """*text* without user and password of *login*, in any encoding; in time in proportion to its length.

    Those of fewer than four bytes are removed only as words, or where both stand together.
    """
    writings = _writings(*login)
    lowered = text.lower()
    spans = sorted(span for writing in writings for span in _places(lowered, writing))
    if spans:
        text = b"".join(_pieces(text, spans))
    long = [writing for writing in writings if len(writing) >= SHORT_BYTES]
    return LEFT_OUT if any(writing in read for read in _readings(text) for writing in long) else text


def without_login_in(text: str, login: tuple[str, str]) -> str:
    """The same for letters."""
    return without_login(text.encode("utf-8", "surrogatepass"), login).decode("utf-8", "replace")


def redacted_answer(exchange: Exchange, login: tuple[str, str]) -> Exchange:
    """*exchange*, without *login* in the proxy's answer to a CONNECT."""
    answer = exchange.proxy_answer
    if answer is None or not any(login):
        return exchange
    clean = msgspec.structs.replace(
        answer,
        reason=without_login_in(answer.reason, login),
        headers=tuple((name, without_login_in(value, login)) for name, value in answer.headers),
        body=without_login(answer.body, login),
    )
    return msgspec.structs.replace(exchange, proxy_answer=clean)


@lru_cache(LOGINS_KEPT)
def _writings(user: str, password: str) -> frozenset[bytes]:
    """All usual writings, in lower case."""
    if not user and not password:
        return frozenset()
    pair = f"{user}:{password}"
    secrets = [part for part in (pair, user, password) if part]
    texts = {text for secret in secrets for text in (*_escaped(secret), *_in_base64(secret))}
    texts.add(_base64(pair.encode("utf-8", "replace")).rstrip("="))
    texts |= {text.replace("+", "-").replace("/", "_") for text in texts}
    return frozenset(text.encode("utf-8", "replace").lower() for text in texts)


def _escaped(secret: str) -> Iterator[str]:
    yield from (secret, html.escape(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"))


def _in_base64(secret: str) -> Iterator[str]:
    """What all texts have in common, in base64, in which *secret* begins at a first, a second, or a third byte."""
    data = secret.encode("utf-8", "replace")
    for before in range(3):
        # The letters that have bits as well of what stands before or behind are other ones each time.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        if last - first >= LEAST_BASE64:
            yield _base64(b"\0" * before + data)[first:last]


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _places(lowered: bytes, writing: bytes) -> Iterator[tuple[int, int]]:
    """Where *writing* stands; a short one as a word."""
    at = lowered.find(writing)
    while at >= 0:
        end = at + len(writing)
        is_word = not (lowered[at - 1 : at].isalnum() or lowered[end : end + 1].isalnum())
        is_it = is_word or len(writing) >= SHORT_BYTES
        if is_it:
            # With what fills base64 up to fours of letters.
            yield at, end + len(lowered[end : end + 2]) - len(lowered[end : end + 2].lstrip(b"="))
        at = lowered.find(writing, end if is_it else at + 1)


def _pieces(text: bytes, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    """*text* with asterisks in place of all *spans*, which may overlap."""
    end = 0
    for start, stop in spans:
        if start > end or not end:
            yield text[end:start] + LEFT_OUT
        end = max(end, stop)
    yield text[end:]


def _readings(text: bytes) -> Iterator[bytes]:
    """*text* with its escapes resolved, step by step, in lower case."""
    if b"\0" in text:
        # UTF-16 has them around each letter.
        text = text.replace(b"\0", b"")
        yield text.lower()
    # The login itself may have one of these letters, which then is no escape.
    for kept in (b"", *RESOLVERS):
        read = text if kept in text else b""
        for _ in range(ROUNDS):
            before = read
            for letter, resolve in RESOLVERS.items():
                if letter != kept and letter in read:
                    read = resolve(read)
                    yield read.lower()
            if read == before:
                break


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1]:
        units = bytes.fromhex(found[1].replace(b"\\u", b"").decode())
        return units.decode("utf-16-be", "replace").encode()
    return bytes.fromhex(found[2].decode()) if found[2] else found[3]
