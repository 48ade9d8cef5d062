"""Judging cannot raise, whatever comes: signs, expectations, looks and samples alike."""

from __future__ import annotations

import encodings
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.core.verdicts import hostile

from proxysieve.core.model import OK, Exchange, Outcome, Verdict
from proxysieve.core.model.content import FOREIGN, Content, unescape
from proxysieve.core.verdicts.judge import FAULT, Judge, Words
from proxysieve.core.verdicts.looks import Looks, traits_of
from proxysieve.core.verdicts.signs import Sign, Table
from proxysieve.judging.expect import expects
from proxysieve.judging.samples import redacted
from proxysieve.judging.sign_tables import make_scan, usual_signs, usual_words

URL = "https://shop.example/1"
FAULTS: list[tuple[str, str]] = []
# A judge whose own mistakes are seen, and not only caught.
JUDGE = Judge(usual_signs().sign, usual_words(), make_scan, on_fault=lambda name, how: FAULTS.append((name, how)))
EXPECTED = [
    expects(wanted)
    for wanted in ("in stock", "css:.price", "css:ul li ~ li > a:not(.x)", "json:a", "json:a.b", "bytes:100")
]


@settings(deadline=None, max_examples=150)
@given(hostile.exchanges())
@example(Exchange(url=URL, status=200, body=b"<html>&#" + b"9" * 5_000, at=1e9))
@example(Exchange(url=URL, status=200, body=b"<title>&#" + b"0" * 5_000 + b"</title>", at=1e9))
@example(Exchange(url=URL, status=200, body=b'{"a": ' + b"9" * 5_000 + b"}", at=1e9))
@example(Exchange(url=URL, status=200, body=b"[" * 100_000, at=1e9))
@example(Exchange(url=URL, status=200, body=b'{"a":' * 100_000, at=1e9))
def test_any_answer_gets_a_verdict_by_rules_that_do_not_fail(exchange: Exchange) -> None:
    """No rule of ours raises, not even so that it is caught."""
    FAULTS.clear()

    verdict = JUDGE.judge(exchange, *EXPECTED)

    assert verdict.outcome in Outcome
    assert FAULTS == []
    for expected in EXPECTED:
        doubt = expected(exchange)
        assert doubt is None or "the search for what is expected failed" not in doubt.why, doubt


@settings(deadline=None, max_examples=60)
@given(st.lists(hostile.exchanges(), max_size=4))
def test_any_answer_has_looks_and_a_sample(exchanges: list[Exchange]) -> None:
    """What follows a verdict reads the same pages."""
    looks = Looks()
    for exchange in exchanges:
        assert looks.judge(exchange, OK).outcome in Outcome
        looks.accept(traits_of(exchange))
        assert redacted(exchange)


@pytest.mark.parametrize(
    ("reference", "character"),
    [
        ("&#65;", "A"),
        ("&#065", "A"),
        (f"&#{'0' * 5_000}65;", "A"),
        (f"&#{'0' * 5_000};", "\N{REPLACEMENT CHARACTER}"),
        (f"&#{'9' * 5_000};", "\N{REPLACEMENT CHARACTER}"),
        ("&#99999999;", "\N{REPLACEMENT CHARACTER}"),
        (f"&#x{'f' * 5_000};", "\N{REPLACEMENT CHARACTER}"),
        ("&#xD800;", "\N{REPLACEMENT CHARACTER}"),
        ("&#55296;", "\N{REPLACEMENT CHARACTER}"),
        ("&amp;#65;", "&#65;"),
    ],
)
def test_a_reference_to_a_character_may_have_any_number_of_digits(reference: str, character: str) -> None:
    """As browsers read it (HTML, 13.2.5.80): what is no character is replaced."""
    assert unescape(f"x{reference}y") == f"x{character}y"


@pytest.mark.parametrize("charset", hostile.CHARSETS)
def test_no_encoding_is_looked_up_that_no_page_is_written_in(charset: str) -> None:
    """Python imports modules by such names, remembers those that it does not find, and some take ages."""
    known = set(encodings._cache), set(sys.modules)

    content = Content(b"\xe9\xff&#65;" * 50, f"text/html; charset={charset}")

    assert content.visible
    if not FOREIGN.fullmatch(charset):
        assert (set(encodings._cache), set(sys.modules)) == known


def test_a_header_that_comes_many_times_is_looked_up_once() -> None:
    """Its values are looked through once for each sign, not once for each of them."""
    looked: list[int] = []

    class Headers(tuple[tuple[str, str], ...]):
        __slots__ = ()

        def __iter__(self):  # type: ignore[no-untyped-def] # noqa: ANN204 - it counts and does nothing else
            looked.append(1)
            return super().__iter__()

    sign = Sign(name="a", why="w", source="s", header={"server": ("x",)}, status=(403,))
    headers = Headers([("server", "y")] * 10_000)

    assert list(Table([sign]).of_headers(Exchange(url=URL, status=403, headers=headers))) == []
    assert len(looked) <= 3


def test_a_rule_that_fails_makes_the_answer_unclear_and_is_said() -> None:
    """Nobody is told that all is well where nobody looked."""
    faults: list[str] = []

    def make_broken(_: Table) -> object:
        def scan(_: bytes) -> set[int]:
            raise MemoryError

        return scan

    judge = Judge((), Words(), make_broken, on_fault=lambda name, how: faults.append(name + how))  # type: ignore[arg-type]

    verdict = judge.judge(Exchange(url=URL, status=200, body=b"x"))

    assert (verdict.outcome, verdict.sign) == (Outcome.UNCLEAR, FAULT)
    assert faults == ["the judgeMemoryError()"]


def test_a_sign_that_fails_leaves_the_word_to_others() -> None:
    """Those before it and after it."""

    def stumble(_: Exchange) -> Verdict | None:
        raise RecursionError

    known = Verdict(outcome=Outcome.THROTTLED, why="so it was decided")
    judge = Judge((), Words(), make_scan, (stumble, lambda _: known))

    assert judge.judge(Exchange(url=URL, status=200, body=b"x")) is known
    assert Judge((), Words(), make_scan, (stumble,)).judge(Exchange(url=URL, status=200, body=b"x"), stumble) == OK
