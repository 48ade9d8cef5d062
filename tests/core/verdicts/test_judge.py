"""What came back, and what is made of it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxysieve.core.model import LONGEST_COOLDOWN_SECONDS, OK, Exchange, Failure, Outcome, Verdict
from proxysieve.core.model.content import SEARCHED_BYTES
from proxysieve.core.verdicts.judge import Judge, Words
from proxysieve.judging.expect import expects
from proxysieve.judging.sign_tables import make_judge, make_scan

AT = 1_700_000_000.0
JUDGE = make_judge()
PAGE = b"<html><head><title>Shop</title></head><body>42 articles</body></html>"
MARKETING = (
    b"<html><title>Bot protection compared</title>Cloudflare, DataDome, HUMAN (PerimeterX), Imperva Incapsula, Akamai, "
    b"Kasada, F5 and AWS WAF: just a moment while we explain captcha, challenge, Access Denied, Reference numbers and "
    b"why &quot;you have been blocked&quot;. <a href=https://captcha-delivery.example>captcha-delivery</a></html>"
)


def answer(
    status: int = 200, body: bytes = PAGE, *, url: str = "https://shop.example/1", to: str = "", **headers: str
) -> Exchange:
    """An exchange with an answer; ``x_y="z"`` stands for the header ``x-y: z``."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Exchange(url=url, final_url=to, status=status, headers=named, body=body, at=AT)


def failure(kind: Failure, *, scheme: str = "https") -> Exchange:
    return Exchange(url=f"{scheme}://shop.example/1", failure=kind, at=AT)


def page_with(text: bytes) -> bytes:
    return b"<html><body>" + text + b"</body></html>"


@pytest.mark.parametrize(
    ("exchange", "outcome", "vendor"),
    [
        # What happened on the way.
        pytest.param(failure(Failure.PROXY_UNREACHABLE), Outcome.PROXY_ERROR, "", id="proxy-unreachable"),
        pytest.param(failure(Failure.PROXY_REFUSED), Outcome.PROXY_ERROR, "", id="proxy-refused"),
        pytest.param(failure(Failure.UNRESOLVED), Outcome.SITE_ERROR, "", id="name-not-resolved"),
        pytest.param(failure(Failure.TOO_LARGE), Outcome.SITE_ERROR, "", id="body-too-large"),
        pytest.param(failure(Failure.REDIRECTS), Outcome.SITE_ERROR, "", id="redirects-in-circles"),
        pytest.param(failure(Failure.UNREADABLE), Outcome.SITE_ERROR, "", id="client-stumbled"),
        pytest.param(failure(Failure.MISLED), Outcome.SITE_ERROR, "", id="redirected-to-an-app"),
        pytest.param(failure(Failure.SITE_GARBLED), Outcome.SITE_ERROR, "", id="no-http-within-tls"),
        pytest.param(failure(Failure.TIMEOUT), Outcome.UNCLEAR, "", id="time-out"),
        pytest.param(failure(Failure.RESET), Outcome.UNCLEAR, "", id="connection-lost"),
        pytest.param(failure(Failure.TLS), Outcome.UNCLEAR, "", id="tls-failed"),
        pytest.param(failure(Failure.CERTIFICATE), Outcome.UNCLEAR, "", id="certificate-not-trusted"),
        pytest.param(failure(Failure.GARBLED), Outcome.UNCLEAR, "", id="no-http"),
        # What the proxy said itself.
        pytest.param(answer(407), Outcome.PROXY_ERROR, "", id="407"),
        pytest.param(answer(503, x_squid_error="ERR_DNS_FAIL 0"), Outcome.PROXY_ERROR, "Squid", id="squid"),
        pytest.param(answer(502, x_brd_error="no peer"), Outcome.PROXY_ERROR, "Bright Data", id="bright-data"),
        pytest.param(answer(403, x_luminati_error="robots"), Outcome.PROXY_ERROR, "Bright Data", id="luminati"),
        pytest.param(answer(401, proxy_authenticate="Basic"), Outcome.PROXY_ERROR, "", id="proxy-authenticate"),
        # Headers that decide.
        pytest.param(answer(403, cf_mitigated="challenge"), Outcome.BLOCKED, "Cloudflare", id="cf-mitigated"),
        pytest.param(answer(200, cf_mitigated="Challenge"), Outcome.BLOCKED, "Cloudflare", id="cf-mitigated-on-200"),
        pytest.param(answer(202, b"", x_amzn_waf_action="challenge"), Outcome.BLOCKED, "AWS WAF", id="aws-challenge"),
        pytest.param(answer(405, x_amzn_waf_action="captcha"), Outcome.BLOCKED, "AWS WAF", id="aws-captcha"),
        pytest.param(answer(429, x_vercel_mitigated="challenge"), Outcome.BLOCKED, "Vercel", id="vercel-challenge"),
        pytest.param(answer(403, x_vercel_mitigated="deny"), Outcome.BLOCKED, "Vercel", id="vercel-deny"),
        # Where redirects ended.
        pytest.param(
            answer(to="https://validate.perfdrive.com/?ssa=1"), Outcome.BLOCKED, "Radware", id="sent-to-perfdrive"
        ),
        pytest.param(
            answer(429, to="https://www.google.com/sorry/index?continue=x"),
            Outcome.BLOCKED,
            "Google",
            id="sent-to-sorry",
        ),
        pytest.param(
            answer(to="https://shop.example/blocked?url=Lw=="), Outcome.BLOCKED, "HUMAN", id="sent-to-blocked"
        ),
        # Marks in the body.
        pytest.param(answer(403, page_with(b"_cf_chl_opt={}")), Outcome.BLOCKED, "Cloudflare", id="cf-challenge"),
        pytest.param(
            answer(503, b"<html><head><title>Just a moment...</title>"), Outcome.BLOCKED, "Cloudflare", id="cf-moment"
        ),
        pytest.param(
            answer(403, page_with(b"The owner has used Cloudflare to restrict access")),
            Outcome.BLOCKED,
            "Cloudflare",
            id="cf-1020",
        ),
        pytest.param(answer(403, page_with(b'<div id="px-captcha">')), Outcome.BLOCKED, "HUMAN", id="px-captcha"),
        pytest.param(answer(200, page_with(b'<div id="px-captcha">')), Outcome.BLOCKED, "HUMAN", id="px-on-200"),
        pytest.param(
            answer(403, page_with(b"https://geo.captcha-delivery.com/captcha/?x")),
            Outcome.BLOCKED,
            "DataDome",
            id="datadome-captcha",
        ),
        pytest.param(
            answer(403, page_with(b"//ct.captcha-delivery.com/c.js")),
            Outcome.BLOCKED,
            "DataDome",
            id="datadome-c",
        ),
        pytest.param(
            answer(200, page_with(b"Request unsuccessful. Incapsula incident ID: 1-2")),
            Outcome.BLOCKED,
            "Imperva",
            id="incapsula-on-200",
        ),
        pytest.param(answer(405, page_with(b"window.gokuProps = {}")), Outcome.BLOCKED, "AWS WAF", id="goku-props"),
        pytest.param(
            answer(200, b"The requested URL was rejected. Please consult with your administrator. Your ID: 1"),
            Outcome.BLOCKED,
            "F5",
            id="f5-on-200",
        ),
        pytest.param(
            answer(200, page_with(b'<form action="/errors/validateCaptcha">')), Outcome.BLOCKED, "Amazon", id="amazon"
        ),
        pytest.param(
            answer(200, page_with(b'<script id="anubis_challenge">')), Outcome.BLOCKED, "Anubis", id="anubis-on-200"
        ),
        pytest.param(
            answer(403, b"Sucuri WebSite Firewall - Access Denied"),
            Outcome.BLOCKED,
            "Sucuri",
            id="sucuri",
        ),
        pytest.param(
            answer(403, page_with(b"Reference&#32;&#35;18&#46;2d351ab8.15")), Outcome.BLOCKED, "Akamai", id="akamai"
        ),
        pytest.param(answer(200, page_with(b"Reference #18.2d351a")), Outcome.BLOCKED, "Akamai", id="akamai-in-clear"),
        # The status alone.
        pytest.param(answer(403), Outcome.UNCLEAR, "", id="403"),
        pytest.param(answer(401), Outcome.UNCLEAR, "", id="401-that-asks-for-nothing"),
        pytest.param(answer(401, www_authenticate="Basic"), Outcome.OK, "", id="401-that-asks-for-a-password"),
        pytest.param(answer(429), Outcome.THROTTLED, "", id="429"),
        pytest.param(answer(503, retry_after="120"), Outcome.THROTTLED, "", id="503-with-retry-after"),
        pytest.param(answer(503), Outcome.SITE_ERROR, "", id="503"),
        pytest.param(answer(500), Outcome.SITE_ERROR, "", id="500"),
        pytest.param(answer(500, retry_after="120"), Outcome.SITE_ERROR, "", id="500-with-retry-after"),
        pytest.param(answer(502), Outcome.SITE_ERROR, "", id="502-through-a-tunnel"),
        pytest.param(answer(504), Outcome.SITE_ERROR, "", id="504-through-a-tunnel"),
        pytest.param(answer(502, url="http://shop.example/"), Outcome.UNCLEAR, "", id="502-without-a-tunnel"),
        pytest.param(answer(504, url="http://shop.example/"), Outcome.UNCLEAR, "", id="504-without-a-tunnel"),
        pytest.param(answer(500, url="http://shop.example/"), Outcome.SITE_ERROR, "", id="500-without-a-tunnel"),
        pytest.param(answer(530), Outcome.SITE_ERROR, "", id="530"),
        pytest.param(answer(404), Outcome.OK, "", id="404"),
        pytest.param(answer(404, b""), Outcome.OK, "", id="404-empty"),
        pytest.param(answer(410), Outcome.OK, "", id="410"),
        pytest.param(answer(400), Outcome.OK, "", id="400"),
        pytest.param(answer(451), Outcome.BLOCKED, "", id="451"),
        pytest.param(answer(204, b""), Outcome.OK, "", id="204-empty"),
        pytest.param(answer(304, b""), Outcome.OK, "", id="304-empty"),
        pytest.param(answer(200, b""), Outcome.UNCLEAR, "", id="200-empty"),
        # Good pages that look like blocks to those who search for names.
        pytest.param(answer(), Outcome.OK, "", id="page"),
        pytest.param(answer(set_cookie="_abck=0~-1~; __cf_bm=x"), Outcome.OK, "", id="trap-vendor-cookies"),
        pytest.param(answer(x_datadome="protected"), Outcome.OK, "", id="trap-datadome-protected"),
        pytest.param(answer(server="cloudflare", cf_ray="8a-PRG"), Outcome.OK, "", id="trap-served-by-cloudflare"),
        pytest.param(answer(cf_mitigated="none"), Outcome.OK, "", id="trap-not-mitigated"),
        pytest.param(answer(x_amzn_waf_action="allow"), Outcome.OK, "", id="trap-waf-allowed"),
        pytest.param(answer(x_iinfo="1-2-3", x_cdn="Imperva"), Outcome.OK, "", id="trap-served-by-imperva"),
        pytest.param(
            answer(body=page_with(b'<form action="/login"><div class="g-recaptcha">')), Outcome.OK, "", id="trap-login"
        ),
        pytest.param(answer(body=MARKETING), Outcome.OK, "", id="trap-marketing"),
        pytest.param(
            answer(body=page_with(b"https://js.datadome.co/tags.js https://client.perimeterx.net/PX/main.min.js")),
            Outcome.OK,
            "",
            id="trap-vendor-scripts",
        ),
        pytest.param(
            answer(body=page_with(b"/cdn-cgi/challenge-platform/scripts/jsd/main.js")), Outcome.OK, "", id="trap-cf-jsd"
        ),
        pytest.param(answer(body=page_with(b"Reference #19.abc")), Outcome.OK, "", id="trap-other-reference"),
        pytest.param(answer(body=page_with(b"Access Denied, a novel")), Outcome.OK, "", id="trap-a-novel"),
        pytest.param(answer(to="https://shop.example/login?url=/1"), Outcome.OK, "", id="trap-sent-to-login"),
        pytest.param(answer(to="https://shop.example/blocked-drains"), Outcome.OK, "", id="trap-blocked-drains"),
        pytest.param(
            answer(url="https://shop.example/sorry/1", to="https://shop.example/sorry/2"),
            Outcome.OK,
            "",
            id="trap-a-page-named-sorry",
        ),
        pytest.param(answer(url="https://shop.example/sorry/1"), Outcome.OK, "", id="trap-asked-for-sorry"),
        pytest.param(answer(body=b"x" * SEARCHED_BYTES + b"_cf_chl_opt"), Outcome.OK, "", id="trap-far-down"),
    ],
)
def test_an_exchange_means(exchange: Exchange, outcome: Outcome, vendor: str) -> None:
    """Each answer or failure has one meaning, and a block its vendor where that is known."""
    verdict = JUDGE.judge(exchange)

    assert (verdict.outcome, verdict.vendor) == (outcome, vendor)
    assert (verdict.why == "") is (outcome is Outcome.OK)


@pytest.mark.parametrize(
    ("exchange", "until"),
    [
        pytest.param(answer(429, retry_after="60"), AT + 60, id="429"),
        pytest.param(answer(503, retry_after="60"), AT + 60, id="503"),
        pytest.param(answer(403, retry_after="60"), AT + 60, id="403"),
        pytest.param(answer(403, cf_mitigated="challenge", retry_after="60"), AT + 60, id="header"),
        pytest.param(answer(403, page_with(b'id="px-captcha"'), retry_after="60"), AT + 60, id="mark"),
        pytest.param(answer(to="https://a.example/sorry/", retry_after="60"), AT + 60, id="redirect"),
        pytest.param(answer(429), 0.0, id="429-without"),
        pytest.param(answer(403), 0.0, id="403-without"),
        pytest.param(answer(200, retry_after="60"), 0.0, id="good-page"),
        pytest.param(answer(407, retry_after="60"), 0.0, id="proxy"),
    ],
)
def test_a_refusal_lasts_as_long_as_it_says(exchange: Exchange, until: float) -> None:
    """Blocks and throttles carry the site's Retry-After, whatever gave them away."""
    assert JUDGE.judge(exchange).until == until


@pytest.mark.parametrize(
    ("exchange", "outcome"),
    [
        pytest.param(answer(body=page_with(b"42 articles")), Outcome.OK, id="there"),
        pytest.param(answer(body=page_with(b"nothing")), Outcome.UNCLEAR, id="missing"),
        pytest.param(answer(404, page_with(b"nothing")), Outcome.OK, id="missing-on-404"),
        pytest.param(answer(403, page_with(b"42 articles")), Outcome.UNCLEAR, id="there-on-403"),
        pytest.param(answer(500, page_with(b"nothing")), Outcome.SITE_ERROR, id="missing-on-500"),
        pytest.param(answer(body=b"x" * SEARCHED_BYTES + b"42 articles"), Outcome.OK, id="there-far-down"),
    ],
)
def test_a_good_page_is_what_the_caller_expects(exchange: Exchange, outcome: Outcome) -> None:
    """A page with status 200 that lacks the expected text is doubted; other answers are not measured by it."""
    verdict = JUDGE.judge(exchange, expects("42 articles"))

    assert verdict.outcome is outcome


def test_an_expectation_may_be_in_any_script() -> None:
    """The text is looked for as UTF-8."""
    sign = expects("в корзину")

    assert sign(answer(body="<b>в корзину</b>".encode())) is None
    doubted = sign(answer())
    assert doubted is not None
    assert (doubted.outcome, doubted.why) == (Outcome.UNCLEAR, "the expected text is missing")


def test_an_expected_key_may_be_missing_in_any_encoding() -> None:
    """JSON that is not written in UTF-8 is doubted, and no error."""
    doubted = expects("json:name")(answer(body=b'{"caf\xe9": 1}'))

    assert doubted is not None
    assert doubted.outcome is Outcome.UNCLEAR


def test_the_first_opinion_counts() -> None:
    """Signs are asked in their order, and none after the first that knows."""

    def never(_: Exchange) -> Verdict | None:
        raise AssertionError("asked after the answer was known")

    known = Verdict(outcome=Outcome.THROTTLED, why="so it was decided")

    judge = Judge((), Words(), make_scan, (lambda _: None, lambda _: known, never))

    assert judge.judge(answer()) is known
    assert Judge((), Words(), make_scan).judge(answer()) is OK


SCRAPS = st.sampled_from(
    ["Reference", "&#35;18.", "120", "Tue, 14 Nov 2023 22:30:00 GMT", "99999999999999999999", "challenge", "&#x110000;"]
)
VALUES = st.one_of(st.text(max_size=40), st.lists(SCRAPS, max_size=4).map(" ".join))
NAMES = st.sampled_from(["retry-after", "cf-mitigated", "www-authenticate", "x-squid-error", "set-cookie", "x"])
URLS = st.one_of(
    st.just(""), st.text(max_size=20), st.text(alphabet="htps:/[]%@?#.", max_size=20).map("http://".__add__)
)


@settings(deadline=None, max_examples=300)
@given(
    url=URLS,
    final_url=URLS,
    status=st.integers(0, 999),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=4).map(tuple),
    body=st.one_of(st.binary(max_size=200), VALUES.map(str.encode)),
    kind=st.one_of(st.none(), st.sampled_from(list(Failure))),
)
@example(url="", final_url="http://[", status=200, headers=(), body=b"x", kind=None)
@example(url="http://[", final_url="x", status=200, headers=(), body=b"x", kind=None)
def test_anything_gets_a_verdict(
    *,
    url: str,
    final_url: str,
    status: int,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    kind: Failure | None,
) -> None:
    """No bytes and no headers that a site may send end in an exception, and rests are finite."""
    exchange = Exchange(url=url, final_url=final_url, status=status, headers=headers, body=body, failure=kind, at=AT)

    verdict = JUDGE.judge(exchange, expects("x"))

    assert isinstance(verdict, Verdict)
    assert -1e12 < verdict.until <= AT + LONGEST_COOLDOWN_SECONDS


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(420, Outcome.THROTTLED), (430, Outcome.THROTTLED), (999, Outcome.BLOCKED), (600, Outcome.BLOCKED)],
)
def test_statuses_that_sites_made_up_are_understood(code: int, outcome: Outcome) -> None:
    """LinkedIn's 999, Shopify's 430, Twitter's 420."""
    assert JUDGE.judge(answer(code)).outcome is outcome


@pytest.mark.parametrize("code", [403, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_retry_after_is_kept_whatever_the_status(code: int, scheme: str) -> None:
    """Also where the site's own trouble is the reason."""
    verdict = JUDGE.judge(answer(code, url=f"{scheme}://shop.example/1", retry_after="60"))

    assert verdict.until == AT + 60


def test_what_another_try_cannot_change_is_final() -> None:
    """A body that is too large will be too large again."""
    finals = [kind for kind in Failure if JUDGE.judge(failure(kind)).is_final]

    assert finals == [Failure.TOO_LARGE, Failure.UNREADABLE, Failure.UNSENDABLE]


@pytest.mark.parametrize("kind", [Failure.REDIRECTS, Failure.MISLED])
def test_without_tls_others_tell_who_leads_astray(kind: Failure) -> None:
    """A proxy can send whom it likes in circles, and so can a site whom it does not like."""
    assert JUDGE.judge(failure(kind, scheme="http")).outcome is Outcome.UNCLEAR
    assert JUDGE.judge(failure(kind)).outcome is Outcome.SITE_ERROR


def test_an_announcement_alone_is_no_answer() -> None:
    """A page follows an informational status, or there is none."""
    assert JUDGE.judge(answer(101)).outcome is Outcome.UNCLEAR


def test_an_empty_robots_txt_is_a_good_answer() -> None:
    """It asks nothing, where an empty page is doubtful."""
    assert JUDGE.judge(answer(200, b"", url="https://shop.example/robots.txt")) == OK
    assert JUDGE.judge(answer(200, b"")).outcome is Outcome.UNCLEAR


@pytest.mark.parametrize(
    ("method", "outcome"),
    [
        ("GET", Outcome.UNCLEAR),
        ("POST", Outcome.UNCLEAR),
        ("HEAD", Outcome.OK),
        ("head", Outcome.OK),
        ("OPTIONS", Outcome.OK),
        ("PUT", Outcome.OK),
        ("DELETE", Outcome.OK),
    ],
)
def test_an_empty_page_is_doubtful_where_one_was_asked_for(method: str, outcome: Outcome) -> None:
    """To HEAD nothing else can come, and what changes something may be answered with nothing."""
    assert JUDGE.judge(msgspec.structs.replace(answer(200, b""), method=method)).outcome is outcome
