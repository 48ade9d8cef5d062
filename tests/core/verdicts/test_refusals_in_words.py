"""What a page says in words, or by a captcha alone, beside its status: what is a refusal, and what looks like one."""

from __future__ import annotations

import json

import pytest

from proxysieve.core.model import Exchange, Outcome, Verdict
from proxysieve.core.verdicts.judge import REFUSALS
from proxysieve.judging.sign_tables import make_judge

JUDGE = make_judge()
# Statuses that say by themselves that one is refused, or too fast, and so are the surer hint.
TELLING = {429: Outcome.THROTTLED, 451: Outcome.BLOCKED, 999: Outcome.BLOCKED}
ODD = (400, 401, 402, 403, 405, 406, 409, 412, 418, 421, 423, 444, 456, 463, 493, 500, 503, 520, 522, 529, 530, 599)


def judged(body: str, status: int = 200, content_type: str = "text/html; charset=utf-8", **headers: str) -> Verdict:
    pairs = (("content-type", content_type), *((name.replace("_", "-"), value) for name, value in headers.items()))
    url = "https://shop.example/item/1"
    return JUDGE.judge(Exchange(url=url, status=status, headers=pairs, body=body.encode(), at=1e9))


def page(shown: str, title: str = "shop.example") -> str:
    return f"<!doctype html><html><head><title>{title}</title></head><body>{shown}</body></html>"


PADDING = (
    "<p>If you are the owner of the site, look at the log of the last minutes and find the rule that was met. If you "
    "are a visitor, wait some minutes, reload the page, or write to the people who run the site and tell them what you "
    "were doing when this page came up, with the number at the end of this page and the time of day.</p>"
)
FOOTER = (
    "<footer>Security policy - Our security policies - Change your country - Select your region - Privacy. "
    "Scraping of this site is prohibited.</footer>"
)
MENU = "".join(f"<a href=/{number}>Topic {number}</a>" for number in range(12))
REFUSALS_IN_WORDS = {
    "blocked": "<h1>Sorry</h1><p>You have been blocked from shop.example.</p>",
    "address": "<h1>Access denied</h1><p>Your IP address has been banned because of too much of it.</p>",
    "request": "<h1>Request blocked</h1><p>The request was blocked by our security rules.</p>",
    "country": "<p>This shop is not available in your country.</p>",
    "automation": "<p>Access has been denied because we believe you are using automation tools to browse.</p>",
    "human": "<h1>One more step</h1><p>Please verify you are human before you go on.</p>",
    "traffic": "<p>Our systems have detected unusual traffic coming from where you are.</p>",
    "firewall": "<h1>Forbidden</h1><p>A firewall does not let this through.</p>",
    "why": "<h1>Access denied</h1><p>Reason: malicious activity. Your IP: 203.0.113.9</p>",
    "german": "<p>Zugriff verweigert: Ihre IP-Adresse wurde gesperrt.</p>",
    "russian": "<p>Доступ запрещен. Ваш IP попал в список.</p>",
    "french": "<h1>Accès restreint</h1><p>Vous avez été bloqué.</p>",
    "japanese": "<p>お客様のIPアドレスからのアクセスは制限されています。</p>",
    "a maker's words": "<p>Something about your browser made us think you might be a bot.</p>",
    "behaviour": "<p>We cannot go on: suspicious activity was detected.</p>",
}


@pytest.mark.parametrize("text", REFUSALS_IN_WORDS.values(), ids=REFUSALS_IN_WORDS)
@pytest.mark.parametrize("length", ["short", "some 700 letters", "in the middle"])
@pytest.mark.parametrize("status", [401, 403, 405, 406, 418, 456])
def test_no_status_makes_less_of_a_refusal_in_words(text: str, length: str, status: int) -> None:
    """A 403 alone is unclear; a page that says whom it refuses is a block under any such status, and may be longer."""
    shown = {"short": text, "some 700 letters": text + 2 * PADDING, "in the middle": PADDING + text + PADDING}[length]

    verdict = judged(page(shown), status)

    assert verdict.outcome is Outcome.BLOCKED
    assert verdict.sign in {"refusal-text", "human-check"}


@pytest.mark.parametrize("status", [*ODD, *TELLING])
def test_a_long_refusal_is_one_under_every_odd_status(status: int) -> None:
    """Firewalls answer with whatever status they were told to; where that says it by itself, it decides."""
    verdict = judged(page(REFUSALS_IN_WORDS["blocked"] + 2 * PADDING), status)

    assert verdict.outcome is TELLING.get(status, Outcome.BLOCKED)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("Request blocked: your IP 203.0.113.9 is on our list", "text/plain"),
        (json.dumps({"error": "forbidden", "message": "Your IP address is not allowed here"}), "application/json"),
        (json.dumps({"code": 15, "message": "Access denied: automated requests were found"}), "application/json"),
    ],
)
@pytest.mark.parametrize("status", [400, 403, 405, 493])
def test_a_refusal_may_be_text_or_json(body: str, content_type: str, status: int) -> None:
    """Whatever the page was to be."""
    assert judged(body, status, content_type).outcome is Outcome.BLOCKED


HONEST = [
    # Nobody's to see, whoever asks: what it is others tell, or nobody has to.
    pytest.param(page("<h1>403 Forbidden</h1><p>You do not have permission to view this page.</p>"), 403, id="forum"),
    pytest.param(
        page(
            "<p>You do not have permission to access this page. This may be because your account awaits activation, "
            "has been disabled by an administrator, or you are trying to edit somebody else's post.</p>" + PADDING
        ),
        403,
        id="forum with reasons",
    ),
    pytest.param(page("<h1>Forbidden</h1><p>Access to this resource on the server is denied!</p>"), 403, id="nginx"),
    pytest.param(page("<h2>403 - Forbidden: Access is denied.</h2><p>credentials that you supplied"), 403, id="iis"),
    pytest.param(
        page("<h1>Forbidden <span>(403)</span></h1><p>CSRF verification failed. Request aborted.</p>"), 403, id="django"
    ),
    pytest.param(page("<h1>Private profile</h1><p>Only friends of ann can see this.</p>"), 403, id="profile"),
    pytest.param(page("<p>Please log in to see this</p><input type=password>"), 401, id="login"),
    pytest.param('{"error": "invalid_token"}', 401, id="json 401"),
    pytest.param('{"message": "Payment Required", "docs": "https://api.example/plans"}', 402, id="json 402"),
    pytest.param('{"errors": [{"title": "Bad Request", "detail": "page must be a number"}]}', 400, id="json 400"),
    pytest.param('{"description": "Forbidden: bot was blocked by the user"}', 403, id="json of a messenger"),
    pytest.param("Method Not Allowed", 405, id="text 405"),
    pytest.param("<h1>Not Acceptable</h1><p>No representation of this page is in your language.</p>", 406, id="406"),
    pytest.param("The record was changed by somebody else: conflict", 409, id="409"),
    pytest.param("I'm a teapot", 418, id="418"),
    pytest.param(page("<h1>Locked</h1><p>Somebody else is editing this page.</p>"), 423, id="423"),
    # What is rejected is what was sent.
    pytest.param('{"detail": "The order was rejected: the file is malicious"}', 422, id="json 422"),
    pytest.param('{"detail": "country: this value is not allowed in your region"}', 400, id="json 400 of a region"),
    # A refusal, and further down what stands in every footer.
    pytest.param(page("<h1>Forbidden</h1>" + FOOTER), 403, id="403 with a footer"),
    pytest.param(page("<h1>Access restricted</h1><p>Log in to go on.</p>" + FOOTER), 401, id="401 with a footer"),
    pytest.param(page("<h1>Not allowed</h1><p>Choose another date.</p>" + FOOTER), 400, id="400 with a footer"),
    pytest.param(page("<h1>Forbidden</h1><p>This belongs to ann.</p>" + PADDING + "Your IP: 1.2.3.4"), 403, id="far"),
    # Missing pages, which say much.
    pytest.param(page("<h1>Are you a robot?</h1><p>Even they get lost. Go home.</p>"), 404, id="404 with a joke"),
    pytest.param(page("<h1>Not found</h1><p>Nothing here. Were you blocked? Read our help.</p>"), 404, id="404"),
    pytest.param(
        page("<p>The item is gone.</p>" + PADDING + "<p>You have been blocked? Write to us.</p>" + PADDING),
        410,
        id="410",
    ),
    # The site's own trouble.
    pytest.param(page("<h1>500</h1><p>Something went wrong, and was blocked from happening again.</p>"), 500, id="500"),
    pytest.param(page("<h1>Service Unavailable</h1><p>No server may be reached. Firewall maintenance."), 503, id="503"),
    pytest.param(page("<h1>Error 521</h1><p>The server refused connections from the firewall.</p>"), 521, id="521"),
    # Good pages.
    pytest.param(page("<h1>Access denied</h1><p>A novel by Donna Andrews. 12.99</p>"), 200, id="novel"),
    pytest.param(page("<h1>Blocked drains</h1><p>We unblock what is blocked. Call 24 hours.</p>"), 200, id="plumber"),
    pytest.param(page("<h1>ann</h1><p>This user has been blocked by you.</p>"), 200, id="blocked user"),
    pytest.param(page("<h1>Firewalls</h1><ul><li>Firewall 200, refused by none<li>Firewall 300</ul>"), 200, id="shop"),
    pytest.param(
        page("<h1>What to do when your IP has been blocked</h1>" + 6 * PADDING, "Access denied: what now?"),
        200,
        id="article",
    ),
    pytest.param(page("<p>Thank you. Your IP address has been recorded.</p>"), 200, id="thanks"),
    pytest.param(page("<p>Danke. Ihre IP-Adresse wurde gespeichert.</p>"), 200, id="thanks in German"),
    pytest.param(page("<p>Your access has been extended until May.</p>"), 200, id="access granted"),
    pytest.param(page("<p>Your payment was rejected by our provider. Choose another card.</p>"), 200, id="payment"),
    pytest.param(page("<p>This post has been flagged as spam.</p>"), 200, id="post"),
    pytest.param(page("<p>This seller has been blacklisted.</p>"), 200, id="seller"),
    pytest.param(page("<p>This account was blocked by administrator.</p>"), 200, id="account"),
    pytest.param(page("<h1>Иван</h1><p>Пользователь заблокирован.</p>"), 200, id="Russian profile"),
    pytest.param(page("<p>访问被拒绝 您没有权限查看此主题</p>"), 200, id="Chinese forum"),
    pytest.param(page("<p>This clip is not available in your country.</p><video src=a.mp4>"), 200, id="video"),
    pytest.param(page(MENU + "<h1>Your IP has been blocked?</h1><p>Wait an hour.</p>"), 200, id="help with a menu"),
    pytest.param(page(MENU + "<h1>429 Too Many Requests</h1><p>See RFC 6585.</p>"), 200, id="docs with a menu"),
    pytest.param(
        page(
            '<h1>Track a parcel</h1><input name="number"><div class="h-captcha"></div><p>Verify that you are human.</p>'
        ),
        200,
        id="form with a captcha",
    ),
    pytest.param(
        page('<p>Ann: hello</p><textarea rows=3 name=t></textarea><div class="g-recaptcha"></div>I am not a robot'),
        200,
        id="guestbook",
    ),
    pytest.param(
        page("<article><h1>CAPTCHA</h1><p>It asks you to prove you are human.</p></article>"), 200, id="encyclopedia"
    ),
]


@pytest.mark.parametrize(("body", "status"), HONEST)
def test_an_honest_answer_is_no_block(body: str, status: int) -> None:
    """It may be unclear, or the site's error, but nobody is said to be refused."""
    verdict = judged(body, status)

    assert verdict.outcome not in REFUSALS, verdict


def test_a_password_that_is_asked_for_is_no_block() -> None:
    """Whatever stands on the page of such a 401."""
    assert (
        judged(page("<p>This part of the shop needs a password.</p>"), 401, www_authenticate="Basic").outcome
        is Outcome.OK
    )


PROVIDERS = {
    "DataDome": "https://geo.captcha-delivery.com/?initialCid=1&cid=2",
    "Cloudflare": "https://challenges.cloudflare.com/cdn-cgi/challenge-platform/h/g/turnstile/if/ov2/",
    "hCaptcha": "https://newassets.hcaptcha.com/captcha/v1/1/static/hcaptcha.html#frame=checkbox",
    "Google": "https://www.google.com/recaptcha/enterprise/anchor?ar=1&k=x",
    "Arkose Labs": "https://client-api.arkoselabs.com/v2/1/enforcement.html",
    "AWS WAF": "https://1.eu-west-1.captcha.awswaf.com/1/2/captcha.html",
    "GeeTest": "https://static.geetest.com/frame.html",
    "MTCaptcha": "https://service.mtcaptcha.com/mtcv1/client/iframe.html",
    "Friendly Captcha": "https://eu.frcapi.com/api/v2/captcha/agent",
    "Yandex": "https://smartcaptcha.yandexcloud.net/checkbox.html",
    "Tencent Cloud": "https://turing.captcha.qcloud.com/cap_union_new_show",
    "HUMAN": "https://iframe.px-cloud.net/index.html",
}
SHAPES = {
    "alone": '<iframe src="{}"></iframe>',
    "without quotes": "<iframe width=100% src={} height=100%></iframe>",
    "no scheme, capitals": "<IFRAME title='x' SRC='{0}'></IFRAME>",
    "with a word": '<div class="box"><img src="/logo.png"><p>One moment</p><iframe id="f" src="{}"></iframe></div>',
    "in a form": '<form method="post"><input type="hidden"><iframe src="{}"></iframe><button>OK</button></form>',
    "in a set of frames": '<frameset><frame src="{}"></frameset>',
}


@pytest.mark.parametrize(("vendor", "address"), PROVIDERS.items(), ids=PROVIDERS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("status", [200, 403, 405])
def test_a_page_of_nothing_but_a_captchas_frame_is_told_by_it(
    vendor: str, address: str, shape: str, status: int
) -> None:
    """Whoever's captcha it is, and whatever the status."""
    verdict = judged(page(shape.format(address)), status)

    assert (verdict.outcome, verdict.vendor) == (Outcome.BLOCKED, vendor)


FRAMED = {
    "login": "<form><input name=user><input type=password name=p>{}<button>Log in</button></form>",
    "contact": "<form><label>Name</label><input name=n><textarea name=m></textarea>{}<button>Send</button></form>",
    "newsletter": '<input type="email" name="e">{}',
    "article": "<p>" + "What captchas are good for, and what not. " * 12 + "</p>{}",
    "menu": "<nav>Home</nav>{}",
    "video": '<iframe src="https://player.example/1"></iframe>{}',
    "gallery": "<img src=a.jpg>" * 12 + "{}",
    "shown to who runs no scripts": "<div id=root></div><noscript>{}</noscript>",
    "within a comment": "<div id=root></div><!-- {} -->",
    "hidden": '<div id=root></div><div hidden style="display:none"></div>',
}


@pytest.mark.parametrize("around", FRAMED.values(), ids=FRAMED)
@pytest.mark.parametrize("address", [PROVIDERS["hCaptcha"], PROVIDERS["Google"], PROVIDERS["Yandex"]])
def test_a_page_with_more_than_a_captcha_is_a_page(around: str, address: str) -> None:
    """Forms have captchas, too."""
    assert judged(page(around.format(f'<iframe src="{address}"></iframe>'))).outcome is Outcome.OK


@pytest.mark.parametrize(
    "attributes",
    [
        'src="https://www.google.com/recaptcha/api2/anchor?size=invisible&k=x"',
        'src="https://www.google.com/recaptcha/api2/anchor" style="display: none"',
        'src="https://challenges.cloudflare.com/x" width="0" height="0"',
        'src="https://newassets.hcaptcha.com/x#frame=checkbox-invisible"',
        'src="https://shop.example/?to=https://hcaptcha.com/"',
        'src="https://hcaptcha.com.shop.example/"',
        'data-src="https://hcaptcha.com/"',
    ],
)
def test_a_captcha_that_is_not_shown_is_none(attributes: str) -> None:
    """It works behind programs that draw their pages by themselves."""
    assert judged(page(f"<div id=app></div><iframe {attributes}></iframe>")).outcome is Outcome.OK


@pytest.mark.parametrize(
    "field",
    ['<input name="captcha">', '<input type="hidden" name="to">', '<textarea id="g-recaptcha-response"></textarea>'],
)
def test_what_is_filled_in_for_the_captcha_is_no_form(field: str) -> None:
    """A page that asks for nothing else is a check."""
    body = page(f'<p>Verify that you are human.</p><img src="/captcha.php?1"><form>{field}<button>OK</button></form>')

    assert judged(body).outcome is Outcome.BLOCKED
