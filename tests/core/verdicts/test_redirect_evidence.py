"""What redirects say, each by itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.core.model import OK, Answer, Exchange, Failure, Outcome
from proxysieve.core.verdicts.judge import Judge
from proxysieve.judging.sign_tables import make_judge, make_scan, usual_signs, usual_words

JUDGE = make_judge()
PAGE = "https://shop.example/item/1"
BODY = b"<html><title>Shop</title><body>42 articles</body></html>"
LOGIN = b"<html><title>Log in</title><form><input name=user><input type=password name=pw></form></html>"


def hop(url: str, *, status: int = 302, body: bytes = b"", **headers: str) -> Answer:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(url=url, status=status, headers=named, body=body)


def ended(to: str, *hops: Answer, url: str = PAGE, status: int = 200, body: bytes = BODY) -> Exchange:
    """What came of *url* where *hops* led *to* another."""
    return Exchange(url=url, final_url=to, status=status, body=body, redirect_count=len(hops), hops=hops)


def lost(failure: Failure, *hops: Answer, url: str = PAGE) -> Exchange:
    """The same where nothing came in the end."""
    return Exchange(url=url, failure=failure, redirect_count=len(hops), hops=hops)


@pytest.mark.parametrize(
    ("exchange", "outcome", "sign"),
    [
        pytest.param(
            ended("https://shop.example/", hop(PAGE), hop("https://shop.example/sorry/?continue=x")),
            Outcome.BLOCKED,
            "google-sorry",
            id="by-a-sorry-page-to-the-home-page",
        ),
        pytest.param(
            ended("https://shop.example/", hop(PAGE), hop("https://www.linkedin.com/authwall?trk=x")),
            Outcome.BLOCKED,
            "linkedin-authwall",
            id="by-a-wall-of-another-site",
        ),
        pytest.param(
            ended("https://shop.example/", hop(PAGE, cf_mitigated="challenge")),
            Outcome.BLOCKED,
            "cf-mitigated",
            id="a-vendors-header-with-the-redirect",
        ),
        pytest.param(
            ended("http://portal.example/", hop("http://shop.example/", x_squid_error="ERR_ACCESS_DENIED 0")),
            Outcome.PROXY_ERROR,
            "squid",
            id="the-proxys-header-with-the-redirect",
        ),
        pytest.param(
            lost(Failure.REDIRECTS, *[hop(PAGE, cf_mitigated="challenge")] * 21),
            Outcome.BLOCKED,
            "cf-mitigated",
            id="a-loop-of-a-vendor",
        ),
        pytest.param(
            lost(Failure.TIMEOUT, hop(PAGE), hop("https://shop.example/sorry/1")),
            Outcome.BLOCKED,
            "google-sorry",
            id="a-sorry-page-that-does-not-come",
        ),
    ],
)  # fmt: skip
def test_a_mark_on_the_way_decides_where_the_page_did_not_come(exchange: Exchange, outcome: Outcome, sign: str) -> None:
    """Whatever stands at the end."""
    verdict = JUDGE.judge(exchange)

    assert (verdict.outcome, verdict.sign) == (outcome, sign)


@pytest.mark.parametrize(
    ("url", "to", "hops"),
    [
        pytest.param("http://shop.example/", "https://shop.example/", (), id="into-tls"),
        pytest.param("http://shop.example/a", "https://www.shop.example/a/", (), id="www-and-a-slash"),
        pytest.param("https://shop.example/", "https://shop.example/de-de/", (), id="a-language"),
        pytest.param("https://shop.example/", "https://shop.de/", (), id="a-countrys-site"),
        pytest.param("https://short.example/x1", "https://shop.example/a", (), id="a-short-address"),
        pytest.param(PAGE, PAGE, ("https://consent.example/collect?continue=x",), id="a-consent-and-back"),
        pytest.param(PAGE, f"{PAGE}?ticket=1", ("https://sso.example/login?service=x",), id="a-login-and-back"),
        pytest.param(PAGE, f"{PAGE}?ss=1", ("https://validate.perfdrive.com/?ssa=x",), id="a-check-and-back"),
        pytest.param(PAGE, PAGE, (PAGE, PAGE), id="a-cookie-and-back"),
        pytest.param("https://shop.example/sorry/1", "https://shop.example/sorry/2", (), id="what-was-asked-for"),
        pytest.param(PAGE, "http://shop.example/item/1", (), id="out-of-tls"),
    ],
)
def test_ways_that_all_visitors_go_say_nothing(url: str, to: str, hops: tuple[str, ...]) -> None:
    """A check that leads back to the page was passed."""
    exchange = ended(to, hop(url), *(hop(one) for one in hops), url=url)

    assert JUDGE.judge(exchange) is OK


@pytest.mark.parametrize(
    "to",
    [
        "https://shop.example/login?next=/item/1",
        "https://shop.example/account/signin.aspx?ReturnUrl=%2Fitem%2F1",
        "https://login.shop.example/log-in?return_to=https%3A%2F%2Fshop.example%2Fitem%2F1",
        "https://sso.example/auth/login?continue=https%3A%2F%2Fshop.example%2Fcallback%3Fto%3D%252Fitem%252F1",
        "https://shop.example/LOGIN/?next=/item/1&lang=de",
    ],
)
def test_a_login_in_place_of_the_page_is_unclear(to: str) -> None:
    """Until others tell whether they get the page."""
    verdict = JUDGE.judge(ended(to, hop(PAGE), body=LOGIN))

    assert (verdict.outcome, verdict.sign, verdict.is_final) == (Outcome.UNCLEAR, "login-wall", False)
    without = Judge(usual_signs().sign, usual_words(), make_scan, off=["login-wall"])
    assert without.judge(ended(to, hop(PAGE), body=LOGIN)) is OK


def test_a_login_may_be_told_of_the_page_on_the_way() -> None:
    """And keep it in a cookie of its own."""
    way = (hop(PAGE), hop("https://shop.example/require-user?next=/item/1"))

    assert JUDGE.judge(ended("https://sso.example/login", *way, body=LOGIN)).sign == "login-wall"
    assert JUDGE.judge(ended("https://sso.example/login", hop(PAGE), body=LOGIN)) is OK


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(ended("https://shop.example/login?next=/item/1", hop(PAGE)), id="no-password"),
        pytest.param(ended("https://shop.example/login?next=/item/12", hop(PAGE), body=LOGIN), id="another-page"),
        pytest.param(ended("https://shop.example/login?next=/x/item/1x", hop(PAGE), body=LOGIN), id="within-a-word"),
        pytest.param(ended("https://shop.example/blog/login-tips?next=/item/1", hop(PAGE), body=LOGIN), id="a-page"),
        pytest.param(
            ended("https://shop.example/login?next=/", url="https://shop.example/", body=LOGIN), id="a-site-of-members"
        ),
        pytest.param(
            ended("https://shop.example/login?next=/login", url="https://shop.example/login", body=LOGIN), id="itself"
        ),
        pytest.param(
            ended("https://id.example/login?to=/signin", url="https://shop.example/signin", body=LOGIN), id="a-login"
        ),
        pytest.param(ended("", url="https://shop.example/login?next=/item/1", body=LOGIN), id="no-redirect"),
    ],
)
def test_a_page_with_a_login_is_a_page(exchange: Exchange) -> None:
    """Where it is not certain that it stands in another's place."""
    assert JUDGE.judge(exchange) is OK


@pytest.mark.parametrize("failure", [Failure.REDIRECTS, Failure.MISLED])
def test_once_out_of_tls_the_proxy_may_have_led_astray(failure: Failure) -> None:
    """What it says in the site's place is not the site's."""
    kept = lost(failure, hop(PAGE), hop("https://www.shop.example/"))
    left = lost(failure, hop(PAGE), hop("http://www.shop.example/"))

    assert JUDGE.judge(kept).outcome is Outcome.SITE_ERROR
    assert JUDGE.judge(left).outcome is Outcome.UNCLEAR


def test_a_gateways_error_is_whose_last_word_it_was() -> None:
    """Behind TLS the site's; without it the proxy can say it as well."""
    into = ended("https://shop.example/", hop("http://shop.example/"), url="http://shop.example/", status=502)
    out = ended("http://shop.example/", hop(PAGE), status=502)

    assert JUDGE.judge(into).outcome is Outcome.SITE_ERROR
    assert JUDGE.judge(out).outcome is Outcome.UNCLEAR


def test_a_private_place_is_unclear_until_others_tell() -> None:
    """Proxies lead there to their logins, and sites whom they do not want."""
    for url in (PAGE, "http://shop.example/"):
        verdict = JUDGE.judge(lost(Failure.PRIVATE, hop(url), url=url))

        assert (verdict.outcome, verdict.sign) == (Outcome.UNCLEAR, "private")


URLS = st.one_of(
    st.text(max_size=30),
    st.sampled_from([PAGE, "http://shop.example/", "https://shop.example/login?next=/item/1", "//", "x:", "http://["]),
)


@settings(deadline=None)
@given(URLS, URLS, st.lists(st.builds(hop, URLS, body=st.binary(max_size=50), location=URLS), max_size=4))
def test_any_way_has_a_verdict(url: str, to: str, hops: list[Answer]) -> None:
    """Whatever it is told by."""
    faults: list[str] = []
    judge = Judge(usual_signs().sign, usual_words(), make_scan, on_fault=lambda *fault: faults.append(str(fault)))

    judge.judge(ended(to, *hops, url=url, body=LOGIN))
    judge.judge(lost(Failure.REDIRECTS, *hops, url=url))

    assert not faults
