"""What comes from outside may be anything: lists, headers, tables, a site's rules, a journal after a crash."""

from __future__ import annotations

import re
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS, Exchange, Outcome
from proxysieve.core.robots.rules import read_rules
from proxysieve.core.verdicts.retry_after import retry_after
from proxysieve.errors import ConfigError
from proxysieve.fetch.journal import FAILED, PAGES, Entry, Journal
from proxysieve.fetch.urls import read_urls
from proxysieve.judging.expect import expects
from proxysieve.judging.sign_tables import list_signs, make_judge
from proxysieve.lists.proxy_list import read_proxies
from proxysieve.sim.scenario import load_scenario, parse_scenario
from proxysieve.site_of import site_of

# Function-scoped places are written anew by each example.
anew = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
AT = 1_800_000_000.0

# No message has these letters in a row by itself.
SECRETS = st.text("QXZJKV", min_size=6, max_size=12)
PIECES = st.sampled_from(
    ["http", "socks5", "socks4", "://", ":", "@", "/", "//", "?", "#", " ", "\t", "[", "]", "::1", "10.0.0.1",
     "proxy.example", "8000", "0", "99999", "{session}", "%", "%40", "cost=2", "cost=", "=", ",", ";", "|", "\u00a0",
     "ü", "\x00", "ann"]
)  # fmt: skip


@st.composite
def lines_with_secrets(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A line that may be that of a proxy, and the credentials in it."""
    user, password = draw(SECRETS), draw(SECRETS)
    address = draw(
        st.sampled_from(["10.0.0.1:8000", "proxy.example:8000", "[::1]:8000", "proxy.example", "h:0", ":", ""])
    )
    line = draw(
        st.sampled_from(
            [
                f"http://{user}:{password}@{address}", f"{user}:{password}@{address}", f"{address}:{user}:{password}",
                f"{address}@{user}:{password}", f"{user}:{password}:{address}", f"ftp://{user}:{password}@{address}",
                f"http://{address}:{user}:{password}", f"{address}|{user}|{password}", f"{address} {user} {password}",
                f"{address},{user},{password}", f"http://{user}-{{session}}:{password}@{address} cost=2",
            ]
        )
    )  # fmt: skip
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(PIECES) + line[at + draw(st.integers(0, 1)) :]
    return line, [user, password]


def runs(secret: str) -> list[str]:
    """Every piece of four letters of it, of which none may be shown."""
    return [secret[at : at + 4].casefold() for at in range(len(secret) - 3)]


class TestProxyLines:
    """Whatever forms there are."""

    @anew
    @given(st.text() | st.lists(PIECES, max_size=12).map("".join))
    def test_any_line_is_a_proxy_or_refused(self, line: str) -> None:
        """With nothing but a ConfigError."""
        try:
            proxy = parse_proxy(line)
        except ConfigError:
            return

        again = parse_proxy(proxy.url("{session}"))
        assert again.key == proxy.key
        assert again.is_gateway == proxy.is_gateway

    @anew
    @given(lines_with_secrets())
    def test_no_message_and_no_repr_tells_a_password(self, case: tuple[str, list[str]]) -> None:
        """Nor a piece of it; of one that is refused, not of its user either, as nobody knows which is which."""
        line, secrets = case
        try:
            proxy = parse_proxy(line)
        except ConfigError as error:
            told = str(error).casefold()
            assert not [piece for secret in secrets for piece in runs(secret) if piece in told]
        else:
            assert not proxy.password or f":{proxy.password}@" not in f"{proxy!s}{proxy!r}"

    @anew
    @given(st.binary() | st.lists(PIECES, max_size=12).map(lambda pieces: "\n".join(pieces).encode()))
    def test_any_file_is_a_list_or_refused(self, tmp_path: Path, content: bytes) -> None:
        """Whatever bytes there are in it."""
        path = tmp_path / "proxies.txt"
        path.write_bytes(content)
        try:
            proxies, _ = read_proxies(path)
        except ConfigError:
            return

        assert proxies


class TestUrls:
    """Lists of them."""

    @anew
    @given(st.lists(st.text() | st.text("htps:/.[]@?#%a1 ").map("http://".__add__)))
    def test_any_lines_are_a_list_or_refused(self, lines: list[str]) -> None:
        """And what is accepted has a site, and stands there once."""
        try:
            found = read_urls(lines, "urls.txt")
        except ConfigError:
            return

        assert len(set(found.urls)) == len(found.urls) > 0
        assert all(site_of(url) for url in found.urls)


class TestHeaders:
    """What a server may say."""

    @anew
    @given(
        st.text()
        | st.text("0123456789+-. eE", max_size=400)
        | st.lists(
            st.sampled_from(["Wed,", "31", "Feb", "2026", "99999", "-1", "25:61:61", "GMT", "+9999", "-0000", "Jan"]),
            max_size=8,
        ).map(" ".join)
    )
    @example("9" * 5_000)
    def test_any_retry_after_is_a_moment(self, value: str) -> None:
        """Not later than the longest rest there is."""
        until = retry_after(Exchange(url="http://a.example/", status=429, headers=(("retry-after", value),), at=AT))

        assert until <= AT + LONGEST_COOLDOWN_SECONDS

    @anew
    @given(st.integers(0, 999), st.lists(st.tuples(st.text(), st.text())), st.binary(max_size=300))
    def test_any_answer_has_a_verdict(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Whatever its headers."""
        exchange = Exchange(url="http://a.example/", status=status, headers=tuple(headers), body=body, at=AT)

        assert make_judge([]).judge(exchange).outcome in Outcome


class TestRules:
    """What a site may say in robots.txt."""

    @anew
    @given(
        st.binary()
        | st.lists(
            st.sampled_from(
                [b"User-agent:", b"user agent", b"*", b"proxysieve", b"Disallow:", b"Allow:", b"allow", b"/", b"/*$",
                 b"%", b"%zz", b"%2a", b"$", b"/index.html", b"Crawl-delay:", b"1e999", b"Sitemap:", b"\n", b"\n",
                 b"\r", b":", b"#", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"<html>", "\u2028".encode()]
            ),
            max_size=30,
        ).map(b" ".join),
        st.text("abc/?%*$[]:@ü2aA#", max_size=12).map("http://a.example/".__add__),
    )  # fmt: skip
    def test_any_rules_can_be_asked(self, body: bytes, url: str) -> None:
        """Whether a page may be fetched is a yes or a no."""
        try:
            site_of(url)
        except ConfigError:
            return

        assert read_rules(body).allow(url) in {True, False}


TOML_PIECES = st.sampled_from(
    ["pages", "concurrency", "exits", "[[exits]]", "[bans]", "[noise]", "[[limit]]", "[[sign]]", "count", "share",
     "name", "flaky_share", "latency_seconds", "text", "outcome", "off", "css", "status", "=", "=", "=",
     "1", "0", "-1", "1e999", "nan", "inf", "0.5", '"a"', '"blocked"', "[", "]", "{", "}", ",", ".", "\n", "\n",
     "\n", "2026-01-01", "true", "9" * 30]
)  # fmt: skip
TOMLS = st.text() | st.lists(TOML_PIECES, max_size=25).map(" ".join)


class TestTables:
    """Scenarios and signs, which people write."""

    @anew
    @given(TOMLS)
    def test_any_scenario_is_one_or_refused(self, text: str) -> None:
        """With nothing but a ConfigError."""
        with suppress(ConfigError):
            assert parse_scenario(text, source="a.toml", default_name="a").pages

    @pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "pages = " + "9" * 5_000], ids=["deep", "long"])
    def test_what_no_parser_takes_in_is_refused_too(self, tmp_path: Path, text: str) -> None:
        """Brackets within brackets, and numbers of pages of digits."""
        path = tmp_path / "a.toml"
        path.write_text(text)

        with pytest.raises(ConfigError, match=re.escape(str(path))):
            load_scenario(path)
        with pytest.raises(ConfigError, match=re.escape(str(path))):
            list_signs([path])

    @anew
    @given(st.binary())
    def test_any_file_is_a_scenario_or_refused(self, tmp_path: Path, content: bytes) -> None:
        """Whatever bytes there are in it."""
        path = tmp_path / "a.toml"
        path.write_bytes(content)
        with suppress(ConfigError):
            assert load_scenario(path).pages

    @anew
    @given((TOMLS).map(str.encode) | st.binary())
    def test_any_signs_are_a_table_or_refused(self, tmp_path: Path, content: bytes) -> None:
        """Likewise."""
        path = tmp_path / "signs.toml"
        path.write_bytes(content)
        try:
            list_signs([path])
        except ConfigError:
            return

        make_judge([path]).judge(Exchange(url="http://a.example/", status=403, body=b"x", at=AT))

    @anew
    @given(st.text() | st.tuples(st.sampled_from(["css:", "json:", "bytes:"]), st.text()).map("".join))
    def test_any_expectation_is_one_or_refused(self, text: str) -> None:
        """And what is one can be asked of any page."""
        try:
            expected = expects(text)
        except ConfigError:
            return

        for body in (b"", b"<p class=price>1</p>", b'{"a": [1]}', b"\xff\x00"):
            expected(Exchange(url="http://a.example/", status=200, body=body, at=AT))


URLS = [f"https://shop.example/{number}" for number in range(6)]
ENTRIES = [Entry(FAILED if number == 2 else PAGES, url, 100 * number + 100) for number, url in enumerate(URLS)]


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A journal of six pages, and what is in it."""
    path = tmp_path_factory.mktemp("journal") / "pages.jsonl.journal"
    whole = Journal(path)
    whole.begin()
    whole.write(ENTRIES)
    whole.close()
    return path, path.read_bytes()


@anew
@given(data=st.data())
def test_a_damaged_journal_is_refused_or_lacks_its_end(journal: tuple[Path, bytes], data: st.DataObject) -> None:
    """Whatever flipped, and wherever it was cut: what it takes for done are its first lines, and it goes on."""
    path, content = journal
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = bytes(changed[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    path.write_bytes(damaged)
    try:
        found = Journal(path)
    except ConfigError:
        assert path.read_bytes() == damaged
        return

    with closing(found):
        done = found.done | found.failed
        assert done == set(URLS[: len(done)])
        found.begin()
        found.write([Entry(PAGES, "https://one.more/", 10_000)])
    with closing(Journal(path)) as last:
        assert last.done | last.failed == {*done, "https://one.more/"}


def test_messages_are_told_apart_from_secrets() -> None:
    """The letters of the secrets above do not stand in what a refusal says anyway."""
    with pytest.raises(ConfigError) as caught:
        parse_proxy("")

    assert not re.search("[QXZJKV]{2}", str(caught.value))
