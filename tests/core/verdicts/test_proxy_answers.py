"""What a proxy answers to a CONNECT, and what is made of it."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysieve.core.evidence import is_answer
from proxysieve.core.model import Answer, Exchange, Failure, Outcome, Scope, Verdict
from proxysieve.core.verdicts.proxy_answers import REASON_LENGTH, answer_to_connect, reason, tamed
from proxysieve.judging.sign_tables import make_judge

URL = "https://shop.example/item/1"
AT = 1_000_000.0
Headers = tuple[tuple[str, str], ...]


def refused(status: int, *headers: tuple[str, str], body: bytes = b"", url: str = URL) -> Exchange:
    """A CONNECT that the proxy refused."""
    answer = Answer(url=url, status=status, headers=headers, body=body)
    return Exchange(url=url, failure=Failure.PROXY_REFUSED, at=AT, proxy_answer=answer)


def judged(exchange: Exchange) -> Verdict:
    return make_judge().judge(exchange)


@pytest.mark.parametrize(
    ("exchange", "outcome", "sign", "scope", "why"),
    [
        pytest.param(
            refused(407, ("proxy-authenticate", "Basic realm=x")),
            Outcome.PROXY_ERROR,
            "proxy-credentials",
            Scope.PROXY,
            "status 407: the proxy wants other credentials",
            id="login",
        ),
        pytest.param(
            refused(401),
            Outcome.PROXY_ERROR,
            "proxy-credentials",
            Scope.PROXY,
            "status 401: the proxy wants other credentials",
            id="login-401",
        ),
        pytest.param(
            refused(407, body=b"<title>Address 192.0.2.1 is not on the allow-list</title>"),
            Outcome.PROXY_ERROR,
            "proxy-credentials",
            Scope.PROXY,
            'status 407: the proxy wants other credentials: "address 192.0.2.1 is not on the allow-list"',
            id="login-with-a-reason",
        ),
        pytest.param(
            refused(402, ("x-error", "balance used up")),
            Outcome.PROXY_ERROR,
            "proxy-payment",
            Scope.PROXY,
            'status 402: the proxy\'s plan is used up: "balance used up"',
            id="plan",
        ),
        pytest.param(
            refused(403, body=b"Bad Port"),
            Outcome.PROXY_ERROR,
            "proxy-status-403",
            None,
            'status 403 from the proxy: "bad port"',
            id="port",
        ),
        pytest.param(
            refused(403, ("x-brd-err-code", "policy_20130"), ("x-brd-err-msg", "Forbidden: target site needs a KYC")),
            Outcome.PROXY_ERROR,
            "bright-data-code",
            None,
            'the provider\'s own error, status 403 from the proxy: "policy_20130; Forbidden: target site needs a KYC"',
            id="provider",
        ),
        pytest.param(
            refused(502, ("x-brd-err-code", "target_40001")),
            Outcome.UNCLEAR,
            "bright-data-target",
            None,
            'the provider could not reach the site, status 502 from the proxy: "target_40001"',
            id="providers-word-of-the-site",
        ),
        pytest.param(
            refused(503, ("x-squid-error", "ERR_CONNECT_FAIL 111")),
            Outcome.PROXY_ERROR,
            "squid",
            None,
            'the proxy\'s own error page, status 503 from the proxy: "ERR_CONNECT_FAIL 111"',
            id="squid",
        ),
        pytest.param(
            refused(429, ("retry-after", "30")),
            Outcome.PROXY_ERROR,
            "proxy-busy",
            Scope.PROXY,
            "status 429 from the proxy",
            id="busy",
        ),
        pytest.param(
            refused(503, ("retry-after", "30")),
            Outcome.PROXY_ERROR,
            "proxy-busy",
            Scope.PROXY,
            "status 503 from the proxy",
            id="overloaded",
        ),
        pytest.param(refused(502), Outcome.UNCLEAR, "proxy-status-502", None, "status 502 from the proxy", id="502"),
        pytest.param(refused(503), Outcome.UNCLEAR, "proxy-status-503", None, "status 503 from the proxy", id="503"),
        pytest.param(refused(504), Outcome.UNCLEAR, "proxy-status-504", None, "status 504 from the proxy", id="504"),
        pytest.param(
            refused(302, ("location", "http://portal.example/")),
            Outcome.PROXY_ERROR,
            "proxy-status-302",
            None,
            "status 302 from the proxy",
            id="portal",
        ),
        pytest.param(
            Exchange(url=URL, failure=Failure.PROXY_REFUSED),
            Outcome.PROXY_ERROR,
            "proxy-refused",
            None,
            "the proxy refused",
            id="nothing-known",
        ),
    ],
)
def test_each_answer_is_told_by_itself(
    exchange: Exchange, outcome: Outcome, sign: str, scope: Scope | None, why: str
) -> None:
    """By its status, in the words of the proxy where it has any, and with who else would meet it."""
    verdict = judged(exchange)

    assert (verdict.outcome, verdict.sign, verdict.scope, verdict.why) == (outcome, sign, scope, why)
    assert not is_answer(verdict) or verdict.vendor, "the site was never asked, but for what a provider says of it"


@pytest.mark.parametrize(
    ("exchange", "until"),
    [
        pytest.param(refused(429, ("retry-after", "30")), AT + 30, id="429"),
        pytest.param(refused(503, ("retry-after", "2 minutes")), AT + 120, id="503"),
        pytest.param(refused(403, ("retry-after", "30")), AT + 30, id="403"),
        pytest.param(refused(502, ("retry-after", "30")), AT + 30, id="502"),
        pytest.param(refused(429), AT + 1, id="429-without"),
        pytest.param(refused(407, ("retry-after", "30")), 0.0, id="the-login-will-not-be-right-by-then"),
    ],
)
def test_when_it_asks_to_come_back_is_kept(exchange: Exchange, until: float) -> None:
    """``Retry-After`` is the least to wait, whoever says it."""
    assert judged(exchange).until == until


@pytest.mark.parametrize("status", [407, 200])
def test_only_a_proxy_speaks_for_all_of_itself(status: int) -> None:
    """Without TLS a proxy may say it in the site's place; within TLS it is the site, whose word ends nobody else."""
    headers = (("proxy-authenticate", "Basic"),)
    plain, tls = (judged(Exchange(url=url, status=status, headers=headers)) for url in ("http://a.example/", URL))

    assert plain.sign == tls.sign == "proxy-credentials"
    assert (plain.scope, tls.scope) == (Scope.PROXY, None)


@pytest.mark.parametrize("url", ["http://a.example/", "https://a.example/"])
@pytest.mark.parametrize(("final_url", "scope"), [("http://b.example/", Scope.PROXY), ("https://b.example/", None)])
def test_who_speaks_is_told_by_where_redirects_ended(url: str, final_url: str, scope: Scope | None) -> None:
    """Most sites send who comes without TLS to where there is some; from then on it is the site that answers."""
    verdict = judged(Exchange(url=url, final_url=final_url, status=407, redirect_count=1))

    assert (verdict.sign, verdict.scope) == ("proxy-credentials", scope)


def test_the_words_are_those_without_tls() -> None:
    """Whether a tunnel was wanted makes no difference for who has to correct the login."""
    plain = Exchange(url="http://shop.example/", status=407, at=AT)

    assert judged(plain) == judged(refused(407))


def test_a_plan_that_is_used_up_brings_no_page() -> None:
    """Without TLS a 402 may be the proxy's, so it is no page before others tell; within TLS it is the site's word."""
    plain, tls = (judged(Exchange(url=url, status=402, body=b"page")) for url in ("http://a.example/", URL))

    assert (plain.outcome, plain.why) == (Outcome.UNCLEAR, "status 402, from the proxy or the site")
    assert tls.outcome is Outcome.OK


def test_a_block_page_of_a_proxys_own_wall_is_not_the_sites() -> None:
    """Some proxies stand behind walls themselves, which answer a CONNECT with a page of theirs."""
    page = b"<title>Just a moment...</title><script>_cf_chl_opt={}</script>"

    verdict = judged(refused(403, ("cf-mitigated", "challenge"), body=page))

    assert (verdict.outcome, verdict.sign) == (Outcome.PROXY_ERROR, "proxy-status-403")


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        pytest.param((("x-crawlera-error", "bad_uri"),), b"", "bad_uri", id="zyte"),
        pytest.param((("x-luminati-error", "zone disabled"),), b"a page", "zone disabled", id="header-before-page"),
        pytest.param((("proxy-status", "gw; error=dns_error"),), b"", "gw; error=dns_error", id="rfc-9209"),
        pytest.param((("x-error", "full"), ("x-proxy-error", "full")), b"", "full", id="once"),
        pytest.param((("x-terror", "no"), ("x-errand", "no")), b"", "", id="other-headers"),
        pytest.param((), b"<html><title>403 Forbidden</title><p>much more", "forbidden", id="title"),
        pytest.param((), b"<html><body><p>No  such\nzone", "no such zone", id="page"),
        pytest.param((("content-encoding", "gzip"),), b"no", "", id="packed"),
        pytest.param((), b"\xff\xfe\xff\0\0", "", id="no-text"),
        pytest.param((("x-error", 'a "b"\x1b[2J\u202e'),), b"", "a 'b' [2J", id="tame"),
        pytest.param((("x-error", f"limit, request {'0123456789abcdef' * 2}"),), b"", "limit, request …", id="number"),
    ],
)
def test_the_proxys_reason_is_told_in_its_words(headers: Headers, body: bytes, said: str) -> None:
    """Those of its headers, else of its page; in a line that does nothing to a terminal."""
    answer = answer_to_connect(refused(403, *headers, body=body).proxy_answer)  # type: ignore[arg-type] # it has one

    assert reason(answer) == said


@pytest.mark.parametrize("status", [one for one in HTTPStatus if one >= HTTPStatus.MULTIPLE_CHOICES])
def test_what_stands_behind_each_such_status_is_no_reason(status: HTTPStatus) -> None:
    """It says what the number does."""
    rare = {208, 226, 418, 423, 424, 425, 506, 507, 508, 510}
    answer = Answer(url=URL, status=status, reason=status.phrase, headers=())

    assert status in rare or not reason(answer_to_connect(answer))


@given(st.text())
def test_a_reason_is_a_short_line(text: str) -> None:
    """Whatever it says."""
    line = tamed(text)

    assert len(line) <= REASON_LENGTH
    assert line.isprintable()
    assert '"' not in line


@given(
    st.integers(),
    st.lists(
        st.tuples(
            st.sampled_from(["x-error", "retry-after", "content-type", "content-encoding", "proxy-authenticate", "x"]),
            st.text(),
        ),
        max_size=5,
    ),
    st.binary(max_size=5_000),
)
def test_no_answer_of_a_proxy_is_the_sites(status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Whatever it says, nothing is held against the site, and the judge does not stumble."""
    verdict = judged(refused(status, *headers, body=body))

    assert verdict.outcome in {Outcome.PROXY_ERROR, Outcome.UNCLEAR}
    assert verdict.sign not in {"judge-failed", "proxy-refused"}
    assert verdict.why.isprintable()
