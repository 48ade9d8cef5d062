"""What browsers read in a ``Set-Cookie`` header.

The cases are those that browsers share (web-platform-tests, ``cookies/``: name, value, size, encoding, attributes; and
in it what is left of RFC 6265's own ``http-state``), in values of our own.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.cookies.kept import NOW, after, header, sent

from proxysieve.core.cookies.header import MOST_BYTES, parse_set_cookie

YEAR = 365 * 86_400
CONTROLS = [chr(code) for code in (*range(32), 127)]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(["a=1"], "a=1", id="a-pair"),
        pytest.param(["  a  =  1  "], "a=1", id="blanks-around"),
        pytest.param(["a\t=\t1\t \t;\tb"], "a=1", id="tabs-around"),
        pytest.param(["a b=1"], "a b=1", id="a-blank-in-the-name"),
        pytest.param(["a=1, b=2"], "a=1, b=2", id="a-comma-parts-nothing"),
        pytest.param(["a==1"], "a==1", id="the-first-equals-sign-parts"),
        pytest.param(["a=== 1  ;b;;;  c"], "a=== 1", id="several-equals-signs"),
        pytest.param(['a="1, b=2"'], 'a="1, b=2"', id="quotes-are-kept"),
        pytest.param(['a="  1 "'], 'a="  1 "', id="blanks-in-quotes-are-kept"),
        pytest.param(['a="1;2"'], 'a="1', id="quotes-hold-no-semicolon"),
        pytest.param(['a="1'], 'a="1', id="a-quote-alone"),
        pytest.param(['a="1 "   "2"  ;'], 'a="1 "   "2"', id="several-quotes"),
        pytest.param(['"a"=1'], '"a"=1', id="a-name-in-quotes"),
        pytest.param(['"a;b"=1'], '"a', id="a-name-in-quotes-holds-no-semicolon-either"),
        pytest.param(["a=%31%32"], "a=%31%32", id="a-value-is-not-decoded"),
        pytest.param(["%61=1"], "%61=1", id="nor-a-name"),
        pytest.param(["a="], "a=", id="no-value"),
        pytest.param(["a"], "a", id="no-name"),
        pytest.param(["=a"], "a", id="an-empty-name"),
        pytest.param(["=a=1"], "a=1", id="an-empty-name-and-an-equals-sign-in-the-value"),
        pytest.param(["===a=1"], "==a=1", id="an-empty-name-and-several"),
        pytest.param(["a; b=1"], "a", id="no-name-and-an-attribute"),
        pytest.param(["=a", "b"], "b", id="one-without-a-name-is-another's-successor"),
        pytest.param(["a", "=b", "c=1"], "b; c=1", id="which-keeps-its-place"),
        pytest.param(["="], "", id="nothing-on-both-sides"),
        pytest.param([""], "", id="nothing-at-all"),
        pytest.param([" \t "], "", id="nothing-but-blanks"),
        pytest.param(["a=1", "; b=1"], "a=1", id="attributes-alone"),
        pytest.param(["$Version=1; a=1"], "$Version=1", id="a-name-of-rfc-2965"),
        pytest.param(["a=1; version=1; port=80; comment=x"], "a=1", id="attributes-of-rfc-2965"),
        pytest.param(["a=1;;;  ; =; ,,, ===,b,=;"], "a=1", id="noise"),
        pytest.param(["a=1", "a=2"], "a=2", id="the-last-value"),
        pytest.param(["z=1", "a=1"], "z=1; a=1", id="in-the-order-of-coming"),
        pytest.param(["a=caf\xe9"], "a=caf\xe9", id="a-byte-that-is-no-utf-8"),
        pytest.param(["\xff=\xfe"], "\xff=\xfe", id="bytes-in-the-name"),
        pytest.param(["a=\xe6\x97\xa5"], "a=\xe6\x97\xa5", id="utf-8-byte-for-byte"),
        pytest.param(["a=\xa0 1 \x85"], "a=\xa0 1 \x85", id="blanks-of-unicode-are-bytes"),
    ],
)
def test_names_and_values_are_sent_back_as_they_came(headers: list[str], expected: str) -> None:
    """Blanks around them aside; and the last header of a name counts."""
    assert sent(*headers) == expected


@pytest.mark.parametrize(
    "name", ["a", "1", "$", "!a", "@a", "#a", "%a", "^a", "&a", "*a", "(a", ")a", "-a", "_", "+", "{"]
)
def test_any_letter_may_be_in_a_name(name: str) -> None:
    """Whatever RFC 6265 asks of servers."""
    assert sent(f"{name}=1") == f"{name}=1"


@pytest.mark.parametrize(
    ("name_length", "value_length", "is_kept"),
    [
        (1, 4095, True),
        (1, 4096, False),
        (2048, 2048, True),
        (4096, 0, True),
        (4097, 0, False),
        (4096, 1, False),
        (0, 4096, True),
        (0, 4097, False),
    ],
)
def test_name_and_value_are_4096_bytes_at_most(name_length: int, value_length: int, *, is_kept: bool) -> None:
    """The equals sign not counted; what is longer is left out, and not cut."""
    said = "n" * name_length + "=" + "v" * value_length

    assert sent(said) == (said.removeprefix("=") if is_kept else "")


@pytest.mark.parametrize("control", CONTROLS, ids=repr)
@pytest.mark.parametrize(
    "form",
    [
        "a=1{}2",
        "a{}b=1",
        "{}a=1",
        "a=1{}",
        "a=1; Domain=x{}y; Domain=shop.example",
        "a=1; Path=/x{}; Path=/",
        "a=1; Max-Age=1{}0; Max-Age=100",
        "a=1; Expires=Mon{}; Max-Age=9",
        "a=1; Sec{}ure",
        "a=1; {}=; SameSite=Lax",
    ],
)
def test_a_control_letter_costs_the_cookie(form: str, control: str) -> None:
    """Wherever it stands in the header. A tab is none."""
    assert bool(sent(form.format(control))) == (control == "\t")


@pytest.mark.parametrize(
    ("attributes", "life_seconds"),
    [
        pytest.param("Max-Age=60", 60, id="seconds"),
        pytest.param("max-age = 60 ", 60, id="blanks-and-small-letters"),
        pytest.param("Max-Age=0", 0, id="at-once"),
        pytest.param("Max-Age=-1", 0, id="before"),
        pytest.param("Max-Age=" + "9" * 900, 400 * 86_400, id="four-hundred-days-at-most"),
        pytest.param("Max-Age=-" + "9" * 900, 0, id="longer-ago-than-all-time"),
        pytest.param("Max-Age=60; Max-Age=120", 120, id="the-last-counts"),
        pytest.param("Max-Age=60; Max-Age=soon", 60, id="the-last-that-can-be-read"),
        pytest.param("Max-Age=60; Expires=Tue, 01 Dec 2026 00:00:00 GMT", 60, id="it-wins-over-a-date"),
        pytest.param("Expires=Tue, 01 Dec 2026 00:00:00 GMT; Max-Age=60", 60, id="in-either-order"),
        pytest.param("Max-Age=; Expires=Tue, 01 Dec 2026 00:00:00 GMT", 86_400, id="unless-it-says-nothing"),
        pytest.param("Expires=Tue 01 Dec 2026 00:00:00 GMT, b=1", 86_400, id="a-date-and-a-comma"),
        pytest.param("Expires=Fri, 31 Dec 9999 23:59:59 GMT", 400 * 86_400, id="for-ever"),
        pytest.param("Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0, id="long-ago"),
        pytest.param("Expires=0", None, id="no-date"),
        pytest.param("Expires=-1", None, id="no-date-either"),
        *[
            pytest.param(f"Max-Age={value}", None, id=f"no-number-{value}")
            for value in ("50,399", "2.6", "+9", '"9"', "\N{ARABIC-INDIC DIGIT ONE}")
        ],
        pytest.param("Max-Age=" + " " * 2_000 + "60", 60, id="blanks-do-not-count"),
        pytest.param("Expires=Tue, 01 Dec 2026 00:00:00 GMT" + "!" * 1_024, None, id="too-long-to-be-read"),
    ],
)
def test_when_a_cookie_expires(attributes: str, life_seconds: int | None) -> None:
    """By ``Max-Age``, else by ``Expires``, else never."""
    cookies = after(f"a=1; {attributes}")

    if life_seconds is None:
        assert header(cookies, now=NOW + 10 * YEAR) == "a=1"
    elif life_seconds == 0:
        assert header(cookies) == ""
        assert len(cookies) == 0
    else:
        assert header(cookies, now=NOW + life_seconds - 1) == "a=1"
        assert header(cookies, now=NOW + life_seconds) == ""
        assert len(cookies) == 0


def test_one_that_has_expired_removes_the_other() -> None:
    """Of the same name, whatever its value; others stay."""
    assert sent("a=1; max-age=60", "b=1; max-age=60", "a=2; max-age=0", "c=1; max-age=0") == "b=1"


@pytest.mark.parametrize(
    ("said", "same_site"),
    [
        ("", ""),
        ("SameSite=Strict", "Strict"),
        ("samesite = LAX", "Lax"),
        ("SameSite=None; Secure", "None"),
        ("SameSite=Never", ""),
        ("SameSite", ""),
        ("SameSite=Strict; SameSite=Never", ""),
        ('SameSite="Strict"', ""),
    ],
)
def test_same_site_is_read_like_browsers_do(said: str, same_site: str) -> None:
    """The last counts, and what nobody knows is as if nothing was said."""
    [cookie] = after(f"a=1; {said}")

    assert cookie.same_site == same_site


@pytest.mark.parametrize(
    ("said", "is_secure", "is_http_only"),
    [("Secure", True, False), ("sEcUrE=no; HTTPONLY=false", True, True), ('"Secure"; HttpOnly x', False, False)],
)
def test_flags_need_no_value(said: str, *, is_secure: bool, is_http_only: bool) -> None:
    """And whatever they have makes no difference."""
    [cookie] = after(f"a=1; {said}")

    assert (cookie.secure, cookie.http_only) == (is_secure, is_http_only)


LETTERS = st.text(st.characters(max_codepoint=255), max_size=100)
ATTRIBUTES = st.sampled_from(["Domain", "Path", "Max-Age", "Expires", "Secure", "HttpOnly", "SameSite", "x"])
HEADERS = st.one_of(
    st.text(max_size=200),
    st.builds(
        lambda pair, attributes: ";".join([pair, *(f"{key}={value}" for key, value in attributes)]),
        st.builds("{}={}".format, LETTERS, LETTERS),
        st.lists(st.tuples(ATTRIBUTES, LETTERS), max_size=8),
    ),
)


@given(HEADERS)
def test_whatever_is_read_can_be_sent(said: str) -> None:
    """No header raises, and none brings what would end another header."""
    cookie = parse_set_cookie(said)

    if cookie is not None:
        both = cookie.name + cookie.value
        assert 0 < len(both) <= MOST_BYTES
        assert not set(both) & {"\r", "\n", "\0", ";"}
        assert "=" not in cookie.name
