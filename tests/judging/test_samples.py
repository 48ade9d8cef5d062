"""Samples: pages by which a sign came under suspicion, without what is somebody's."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve import Exchange, Outcome, Verdict
from proxysieve.judging.samples import KEPT_BYTES, KEPT_HEADERS, LEFT_OUT, LONGEST_LINE, MOST_SAMPLES, Samples, redacted

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
BODY = (
    f'<html><p>Dear jane.doe+x@mail.example from 203.0.113.9 or 2001:db8:1:2:3:4:5:6, <b data-token="{TOKEN}">'
    "<script src=/cdn-cgi/challenge-platform/orchestrate></script>press and hold</b>"
)
EXCHANGE = Exchange(
    url="https://user:topsecret@shop.example/item/1?key=topsecret",
    status=403,
    headers=(("set-cookie", "session=topsecret"), ("server", "cloudflare"), ("x-account", "topsecret")),
    body=BODY.encode(),
)
VERDICT = Verdict(outcome=Outcome.BLOCKED, why="captcha page", sign="human-captcha")


def test_a_sample_shows_what_it_was_and_nothing_that_is_somebodys() -> None:
    """Neither people's nor machines' addresses, tokens, cookies, nor what stands in the query."""
    text = redacted(EXCHANGE).decode()

    for secret in ("topsecret", "jane.doe", "203.0.113.9", "2001:db8", TOKEN):
        assert secret not in text
    assert text.startswith(f"https://shop.example/item/1?{LEFT_OUT}\nstatus 403\n")
    assert "server: cloudflare" in text
    assert f"set-cookie: {LEFT_OUT}" in text
    assert "/cdn-cgi/challenge-platform/orchestrate" in text
    assert "press and hold" in text


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(Exchange(url=f"https://shop.example/reset/{TOKEN}/a"), id="token-in-path"),
        pytest.param(Exchange(url="", headers=(("via", "1.1 203.0.113.9 (squid)"),)), id="address-in-header"),
        pytest.param(Exchange(url="", body=b"<p>Your address is 2001:db8::1.</p>"), id="short-ipv6"),
        pytest.param(Exchange(url="", body="from 203.0.113.9".encode("utf-16")), id="utf-16"),
    ],
)
def test_no_place_hides_what_is_somebodys(exchange: Exchange) -> None:
    """Not the path, nor a plain header, nor an unusual way to write it."""
    text = redacted(exchange).replace(b"\0", b"").decode()

    assert LEFT_OUT in text
    for secret in ("203.0.113.9", "2001:db8", TOKEN):
        assert secret not in text


def test_a_sample_is_for_its_users_eyes(tmp_path: Path) -> None:
    """One a site and sign, under names that are none of a directory's."""
    samples = Samples(tmp_path / "samples")

    path = samples.keep("../shop.example:80", EXCHANGE, VERDICT)

    assert path == tmp_path / "samples" / "_shop.example_80-human-captcha.txt"
    assert path.read_bytes() == redacted(EXCHANGE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert samples.keep("../shop.example:80", EXCHANGE, VERDICT) == path


def test_what_an_earlier_run_kept_is_replaced(tmp_path: Path) -> None:
    """It is of another day."""
    Samples(tmp_path).keep("shop.example", EXCHANGE, VERDICT)

    path = Samples(tmp_path).keep("shop.example", Exchange(url="https://shop.example/2", status=200), VERDICT)

    assert path is not None
    assert path.read_text().startswith("https://shop.example/2\nstatus 200\n")


def test_without_a_directory_nothing_is_kept() -> None:
    """As with a store in memory."""
    assert Samples(None).keep("shop.example", EXCHANGE, VERDICT) is None


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    """A crawl of many sites must not fill the disk, and a page not either."""
    samples = Samples(tmp_path)
    large = Exchange(url="https://shop.example/", status=200, body=b"x " * KEPT_BYTES)

    kept = [samples.keep(f"site-{number}.example", large, VERDICT) for number in range(MOST_SAMPLES + 5)]

    assert kept.count(None) == 5
    assert kept[0] is not None
    assert kept[0].stat().st_size < KEPT_BYTES + 100


def test_long_lines_are_left_out_whole_and_headers_end() -> None:
    """Half of a token is no token to who looks for them, and a site may send headers without end."""
    headers = (("via", f"{'x ' * LONGEST_LINE}{TOKEN}"), *((f"a{number}", "b") for number in range(2 * KEPT_HEADERS)))
    url = f"https://user:topsecret{'x' * LONGEST_LINE}@shop.example/"

    text = redacted(Exchange(url=url, status=200, headers=headers)).decode()

    assert text.startswith(f"{LEFT_OUT}\nstatus 200\n{LEFT_OUT}\na0: ")
    assert len(text.splitlines()) < KEPT_HEADERS + 5


def test_a_full_or_foreign_disk_costs_the_sample_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The crawl goes on, and it is said why there is none."""
    (tmp_path / "samples").write_text("a file")

    with caplog.at_level(logging.WARNING, "proxysieve"):
        assert Samples(tmp_path / "samples").keep("shop.example", EXCHANGE, VERDICT) is None

    assert "cannot be kept" in caplog.text


@settings(max_examples=100)
@given(body=st.binary(max_size=500), url=st.text(max_size=30), value=st.text(max_size=30))
def test_anything_can_be_redacted(body: bytes, url: str, value: str) -> None:
    """Whatever a site sends."""
    assert redacted(Exchange(url=url, status=200, headers=(("x-cookie", value),), body=body))
