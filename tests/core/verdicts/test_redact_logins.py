"""Logins in what strangers say."""

from __future__ import annotations

import html
import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxysieve.core.model import Answer, Exchange, Failure
from proxysieve.core.verdicts.redact_logins import LEFT_OUT, redacted_answer, without_login

# What stands in a login that clients send; what it is replaced by tells nothing.
LETTERS = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=("Cc", "Cf"), exclude_characters="*")
PARTS = st.text(LETTERS, min_size=4, max_size=40)
LOGINS = st.tuples(PARTS, PARTS)
# The case of other letters is not that of bytes, and only these have zeros around them.
ASCII_PARTS = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="*"), min_size=4)
ASCII_ONLY = {"capitals", "utf-16"}
WRITINGS: dict[str, Callable[[str], bytes]] = {
    "itself": lambda text: text.encode(),
    "percent": lambda text: quote(text, safe="").encode(),
    "percent-lower": lambda text: quote(text, safe="").lower().encode(),
    "all-percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()).encode(),
    "html": lambda text: html.escape(text).encode(),
    "html-numbers": lambda text: "".join(f"&#{ord(letter)};" for letter in text).encode(),
    "json": lambda text: json.dumps(text).encode(),
    "utf-16": lambda text: text.encode("utf-16-le"),
    "capitals": lambda text: text.upper().encode(),
}
BASE64: dict[str, Callable[[bytes], bytes]] = {"standard": b64encode, "url": urlsafe_b64encode}


@pytest.mark.parametrize("writing", WRITINGS)
@given(st.data(), st.text(LETTERS, max_size=20), st.text(LETTERS, max_size=20))
def test_a_login_that_is_repeated_is_unreadable(writing: str, data: st.DataObject, before: str, behind: str) -> None:
    """User and password, alone and together, in each writing that servers use."""
    login = user, password = data.draw(st.tuples(ASCII_PARTS, ASCII_PARTS) if writing in ASCII_ONLY else LOGINS)
    write = WRITINGS[writing]
    assume(not any(part.lower() in f"{before}{behind}".lower() for part in login))
    assume(not any(part.lower() in "no, not " for part in login))

    said = before.encode() + b" " + b" no, not ".join(map(write, (f"{user}:{password}", user, password)))
    left = without_login(said + b" " + behind.encode(), login)

    for part in login:
        for form in (write(part), part.encode()):
            assert form.lower() not in left.lower()


@pytest.mark.parametrize("alphabet", BASE64)
@given(LOGINS, st.binary(max_size=20), st.binary(max_size=20))
def test_base64_hides_no_login(alphabet: str, login: tuple[str, str], before: bytes, behind: bytes) -> None:
    """As ``Proxy-Authorization`` has it, and within whatever else stands in it."""
    encode, pair = BASE64[alphabet], ":".join(login).encode()
    header = b"Basic " + encode(pair)
    within = encode(before + pair + behind)

    assert encode(pair).rstrip(b"=") not in without_login(header, login)
    left = without_login(within, login)
    # What is left of it are letters at its ends, which have bits of other bytes as well.
    assert len(left) - len(LEFT_OUT) <= len(within) - (len(pair) * 8 // 6 - 2)


def escaped_as_json(text: str) -> str:
    """By PHP's encoder, which escapes slashes, and with the letters of HTML escaped as well."""
    return json.dumps(text).replace("/", "\\/").replace("&", "\\u0026").replace("<", "\\u003c")


def escaped_as_html(text: str) -> str:
    """By Mustache's encoder, which escapes slashes and signs of equality, too."""
    return html.escape(text).replace("/", "&#x2F;").replace("=", "&#x3D;")


ESCAPES: dict[str, Callable[[str], str]] = {
    "percent": lambda text: quote(text, safe=""),
    "json": escaped_as_json,
    "html": escaped_as_html,
    "javascript": lambda text: "".join(f"\\x{ord(letter):02x}" if letter.isascii() else letter for letter in text),
}


@pytest.mark.parametrize("outer", ESCAPES)
@pytest.mark.parametrize("inner", ESCAPES)
@given(LOGINS, st.sampled_from([bytes, b64encode]))
def test_a_login_that_was_escaped_twice_is_unreadable(
    inner: str, outer: str, login: tuple[str, str], encode: Callable[[bytes], bytes]
) -> None:
    """As what was escaped for one language often stands in another one, with base64 within it."""
    said = encode(":".join(login).encode()).decode()
    written = ESCAPES[outer](ESCAPES[inner](said))
    assume(written not in "no, not ***" and len(said) > 8)

    left = without_login(f"no, not {written} {said}".encode(), login).decode()

    assert written.casefold() not in left.casefold()
    assert said.casefold() not in left.casefold()


@given(st.tuples(st.text(LETTERS, max_size=3), st.text(LETTERS, max_size=3)))
def test_a_short_login_is_taken_out_as_a_word(login: tuple[str, str]) -> None:
    """Within words its letters stand by accident, and tell nothing."""
    user, password = login
    assume(user and password)
    assume("word" not in f"{user}:{password}".lower())
    header = b"Basic " + b64encode(f"{user}:{password}".encode())

    said = without_login(f"word; {user}:{password}; word; ".encode() + header, login)

    assert f" {user}:{password};".encode() not in said
    assert header.rstrip(b"=") not in said
    assert said.startswith(b"word")


def test_other_texts_stay_as_they_are() -> None:
    """Though a letter of a login stands in each of their words."""
    text = b"status 407: the proxy wants other credentials & 100 % of them"

    assert without_login(text, ("u", "p")) == without_login(text, ("", "")) == text
    assert without_login(b"user u is no user", ("u", "p")) == b"user *** is no user"


def test_a_key_without_a_password_is_a_secret_too() -> None:
    """Zyte's is a user name."""
    key = "0123456789abcdef"

    said = f"key {key} is unknown: Basic ".encode() + b64encode(f"{key}:".encode())

    assert without_login(said, (key, "")) == b"key *** is unknown: Basic ***"


@given(st.tuples(PARTS, PARTS), st.binary(max_size=4_096))
def test_whatever_comes_is_read_in_its_time(login: tuple[str, str], said: bytes) -> None:
    """No bytes are a reason to fail."""
    assert isinstance(without_login(said, login), bytes)


@pytest.mark.parametrize(
    "piece", [b"u", b"%75", b"%", b"\\", b"&", b"&#117;", b"p&amp;", b"dXV1", b"&#" + b"9" * 4_000]
)
def test_no_text_takes_long(piece: bytes) -> None:
    """Also where the login stands at every place, or seems to begin there."""
    text = (piece * 131_072)[:131_072]
    started = time.process_time()

    without_login(text, ("u" * 60, "p&" * 60))

    assert time.process_time() - started < 1.0


def test_a_proxys_answer_does_not_repeat_its_login() -> None:
    """Neither its headers nor its body; what else is known of it stays."""
    pair = "customer-session-abc:s3cret"
    encoded = b64encode(pair.encode()).decode()
    answer = Answer(
        url="https://shop.example/",
        status=407,
        headers=(("x-error", f"no such user: {pair}"), ("x-seen", f"Basic {encoded}"), ("server", "gw")),
        body=f"<p>{pair}</p>{encoded}".encode(),
    )
    exchange = Exchange(url="https://shop.example/", failure=Failure.PROXY_REFUSED, proxy_answer=answer)

    clean = redacted_answer(exchange, ("customer-session-abc", "s3cret")).proxy_answer

    sign = LEFT_OUT.decode()
    assert clean == Answer(
        url="https://shop.example/",
        status=407,
        headers=(("x-error", f"no such user: {sign}"), ("x-seen", f"Basic {sign}"), ("server", "gw")),
        body=f"<p>{sign}</p>{sign}".encode(),
    )
