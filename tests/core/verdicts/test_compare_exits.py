"""What answers to one request say beside each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysieve.core.model import Exchange, Failure, Outcome, Verdict
from proxysieve.core.verdicts.compare_exits import Comparison
from proxysieve.judging.expect import expects
from proxysieve.judging.sign_tables import make_judge
from proxysieve.testbed import World
from proxysieve.testbed.pages import Pages, block_page

URL = "http://shop.example/item/1"
HTML = (("content-type", "text/html"),)


def answer(status: int, body: bytes = b"<html><p>something</p></html>", **more: object) -> Exchange:
    return Exchange(url=URL, status=status, headers=HTML, body=body, **more)  # type: ignore[arg-type] # named there


PAGE = answer(200, Pages(World(page_bytes=6_000)).body(1))
# Its maker is in no list.
STRANGE = answer(200, block_page("unknown"))
# As slight as a block page, and nobody's block.
SLIGHT = answer(
    200, b"<html><head><title>Hours</title></head><body><table><tr><td>9 to 5</td></tr></table></body></html>"
)
FORBIDDEN = answer(403)
MISSING = answer(404)
EMPTY = answer(200, b"")
CHALLENGE = answer(503, block_page("challenge"))
GATEWAY = answer(502)
ERROR = answer(500)
CREDENTIALS = answer(407)
TIMEOUT = Exchange(url=URL, failure=Failure.TIMEOUT)
UNREACHABLE = Exchange(url=URL, failure=Failure.PROXY_UNREACHABLE)
ALL = (PAGE, STRANGE, SLIGHT, FORBIDDEN, MISSING, EMPTY, CHALLENGE, GATEWAY, ERROR, CREDENTIALS, TIMEOUT, UNREACHABLE)

OK, BLOCKED, UNCLEAR = Outcome.OK, Outcome.BLOCKED, Outcome.UNCLEAR
PROXY, SITE = Outcome.PROXY_ERROR, Outcome.SITE_ERROR


def judged(exchange: Exchange) -> Verdict:
    return make_judge().judge(exchange)


def compared(*exchanges: Exchange) -> Comparison:
    comparison = Comparison()
    for exchange in exchanges:
        comparison.add(exchange, judged(exchange))
    return comparison


def outcomes(*exchanges: Exchange) -> list[Outcome]:
    return [verdict.outcome for verdict in compared(*exchanges).verdicts()]


@pytest.mark.parametrize(
    ("exchanges", "expected"),
    [
        pytest.param([PAGE, FORBIDDEN], [OK, BLOCKED], id="a bare 403 is a block where another got the page"),
        pytest.param([PAGE, EMPTY], [OK, BLOCKED], id="and so is an empty page"),
        pytest.param([FORBIDDEN, FORBIDDEN], [UNCLEAR, UNCLEAR], id="where nobody got it, nothing is known"),
        pytest.param([MISSING, FORBIDDEN], [OK, BLOCKED], id="the word that there is none is an answer"),
        pytest.param([PAGE, MISSING], [OK, UNCLEAR], id="unless another got the page"),
        pytest.param([PAGE, MISSING, MISSING], [OK, OK, OK], id="which one alone may have made up"),
        pytest.param([PAGE, STRANGE], [OK, UNCLEAR], id="a slight page is none where another got more"),
        pytest.param([PAGE, STRANGE, STRANGE], [OK, OK, OK], id="which one alone may have made up, too"),
        pytest.param([STRANGE, STRANGE], [OK, OK], id="a site's own page may be slight"),
        pytest.param([SLIGHT, STRANGE], [OK, OK], id="of two slight ones nobody knows which is the page"),
        pytest.param([SLIGHT, SLIGHT, MISSING], [OK, OK, UNCLEAR], id="a slight page is more than none"),
        pytest.param([PAGE, GATEWAY], [OK, PROXY], id="a 502 is the proxy's where the site answers others"),
        pytest.param([FORBIDDEN, GATEWAY], [UNCLEAR, UNCLEAR], id="and may be the site's where it does not"),
        pytest.param([PAGE, TIMEOUT], [OK, UNCLEAR], id="a time-out may be anybody's"),
        pytest.param([PAGE, ERROR], [OK, SITE], id="an error may meet one and not another"),
        pytest.param([PAGE, CHALLENGE], [OK, BLOCKED], id="a known block stays one"),
        pytest.param([CHALLENGE, CHALLENGE], [BLOCKED, BLOCKED], id="also where it meets all"),
        pytest.param([PAGE, UNREACHABLE, CREDENTIALS], [OK, PROXY, PROXY], id="a dead proxy stays dead"),
        pytest.param([], [], id="nothing says nothing"),
    ],
)
def test_an_answer_is_read_beside_the_others(exchanges: list[Exchange], expected: list[Outcome]) -> None:
    """Whatever the order in which they came."""
    assert outcomes(*exchanges) == expected
    assert outcomes(*reversed(exchanges)) == expected[::-1]


@pytest.mark.parametrize(
    ("exchanges", "says"),
    [
        pytest.param([FORBIDDEN], "one answer alone (status 403)", id="one"),
        pytest.param(
            [FORBIDDEN, FORBIDDEN, TIMEOUT], "all 2 that got through were answered alike (status 403)", id="403"
        ),
        pytest.param([CHALLENGE, CHALLENGE], "answered alike (Cloudflare", id="challenge"),
        pytest.param([ERROR, ERROR, UNREACHABLE], "answered alike (status 500)", id="500"),
        pytest.param([MISSING, MISSING], "status 404 is what all 2 that were answered well got", id="404"),
        pytest.param([MISSING, TIMEOUT], "status 404 is what the only one answered well got", id="one 404"),
        pytest.param([PAGE, STRANGE, STRANGE], "1 got a page and 2 a slight page", id="many slight"),
        pytest.param([PAGE, MISSING, MISSING], "1 got a page and 2 no page", id="many missing"),
    ],
)
def test_what_numbers_do_not_tell_is_said(exchanges: list[Exchange], says: str) -> None:
    """In one remark."""
    (remark,) = compared(*exchanges).remarks()

    assert says in remark


@pytest.mark.parametrize(
    "exchanges", [[], [PAGE], [PAGE, FORBIDDEN], [FORBIDDEN, CHALLENGE], [TIMEOUT, UNREACHABLE], [CHALLENGE], [GATEWAY]]
)
def test_what_is_plain_needs_no_remark(exchanges: list[Exchange]) -> None:
    """Nor does what says nothing."""
    assert compared(*exchanges).remarks() == []


def test_a_page_with_what_is_expected_is_not_doubted() -> None:
    """Whoever says what a page has knows better than a comparison."""
    comparison, sign = Comparison(), expects("lighthouse")
    for exchange in (STRANGE, PAGE):
        comparison.add(exchange, make_judge().judge(exchange, sign), is_expected=True)

    assert [verdict.outcome for verdict in comparison.verdicts()] == [OK, BLOCKED]


@given(st.lists(st.sampled_from(ALL), max_size=12), st.randoms())
def test_the_order_of_answers_means_nothing(exchanges: list[Exchange], rng: object) -> None:
    """Each comes to the same, whoever was faster."""
    shuffled = list(exchanges)
    rng.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis hides its type

    told = dict(zip(map(id, exchanges), outcomes(*exchanges), strict=True))

    assert dict(zip(map(id, shuffled), outcomes(*shuffled), strict=True)) == told


@given(st.lists(st.sampled_from(ALL), max_size=12))
def test_comparing_makes_nothing_good(exchanges: list[Exchange]) -> None:
    """What was refused stays refused; and where anything was good, something still is."""
    before = [judged(exchange).outcome is OK for exchange in exchanges]

    after = [outcome is OK for outcome in outcomes(*exchanges)]

    assert all(was for was, is_ in zip(before, after, strict=True) if is_)
    assert any(before) == any(after)
