"""What came back: an exchange into a verdict.

Signs are asked in the order of how sure they are: the proxy's own evidence, a decisive header, where redirects
ended, a decisive mark in the body, the status, and last what the caller expects of a good page.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Callable, Sequence
from email.utils import parsedate_tz
from html import unescape
from typing import NamedTuple
from urllib.parse import urlsplit

from proxysieve.core.model import OK, Exchange, Failure, Outcome, Verdict

Sign = Callable[[Exchange], Verdict | None]

# Block pages may be large (one of 447 KB is known), but their marks stand in the first part.
SEARCHED_BYTES = 262_144


class Mark(NamedTuple):
    """Text that stands on a vendor's block pages and nowhere else."""

    vendor: str
    text: bytes
    why: str


# Each was found on real block pages and on no good one among 36,870 bodies: ids, addresses and script names, which
# stay the same in all languages, rather than sentences.
MARKS = (
    Mark("Cloudflare", b"_cf_chl_opt", "challenge page"),
    Mark("Cloudflare", b"<title>Just a moment...</title>", "challenge page"),
    Mark("Cloudflare", b"used Cloudflare to restrict access", "block page"),
    Mark("HUMAN", b'id="px-captcha"', "captcha page"),
    Mark("DataDome", b"captcha-delivery.com/c", "captcha page"),
    Mark("Imperva", b"Incapsula incident ID", "block page"),
    Mark("AWS WAF", b"window.gokuProps", "challenge page"),
    Mark("F5", b"The requested URL was rejected. Please consult with your administrator.", "block page"),
    Mark("Amazon", b"/errors/validateCaptcha", "captcha page"),
    Mark("Anubis", b'id="anubis_challenge"', "challenge page"),
    Mark("Sucuri", b"Sucuri WebSite Firewall - Access Denied", "block page"),
)
# Akamai writes its reference with HTML entities; #18 is a refusal, other numbers are the site's own errors.
AKAMAI_REFERENCE = "Reference #18."

DECISIVE_HEADERS = (
    ("cf-mitigated", ("challenge",), "Cloudflare"),
    ("x-amzn-waf-action", ("captcha", "challenge"), "AWS WAF"),
    ("x-vercel-mitigated", ("challenge", "deny"), "Vercel"),
)
PROXY_HEADERS = ("x-squid-error", "x-brd-error", "x-luminati-error", "proxy-authenticate")

# Thirty years: what is longer is meant as "never", and infinity cannot be saved.
LONGEST_REST_SECONDS = 1e9

PROXY_FAILURES = frozenset({Failure.PROXY_UNREACHABLE, Failure.PROXY_REFUSED})
SITE_FAILURES = frozenset(
    {Failure.UNRESOLVED, Failure.TOO_LARGE, Failure.REDIRECTS, Failure.UNSENDABLE, Failure.UNREADABLE}
)
FINAL_FAILURES = frozenset({Failure.TOO_LARGE, Failure.UNSENDABLE, Failure.UNREADABLE})
# 420 and 430 are what Twitter and Shopify say for 429.
THROTTLE_STATUSES = frozenset({420, 429, 430})
# What no server of its own says: LinkedIn's 999 is a refusal.
LAST_STATUS = 599


def judge(exchange: Exchange, signs: Sequence[Sign]) -> Verdict:
    """The first opinion among *signs*; silence means that all is well."""
    for sign in signs:
        opinion = sign(exchange)
        if opinion is not None:
            return opinion
    return OK


def failed(exchange: Exchange) -> Verdict | None:
    """No answer: the proxy's fault, the site's, or not to be told apart."""
    failure = exchange.failure
    if failure is None:
        return None
    if failure in PROXY_FAILURES:
        return Verdict(outcome=Outcome.PROXY_ERROR, why=str(failure))
    if failure in SITE_FAILURES:
        return Verdict(outcome=Outcome.SITE_ERROR, why=str(failure), is_final=failure in FINAL_FAILURES)
    return Verdict(outcome=Outcome.UNCLEAR, why=str(failure))


def from_proxy(exchange: Exchange) -> Verdict | None:
    """An answer that the proxy gave itself."""
    if exchange.status == 407:
        return Verdict(outcome=Outcome.PROXY_ERROR, why="status 407: the proxy wants other credentials")
    told = next((name for name in PROXY_HEADERS if exchange.header(name)), "")
    return Verdict(outcome=Outcome.PROXY_ERROR, why=f"the proxy's own {told}") if told else None


def decisive_header(exchange: Exchange) -> Verdict | None:
    """A header by which a vendor says that it stepped in."""
    for name, values, vendor in DECISIVE_HEADERS:
        if exchange.header(name).lower() in values:
            return _block(exchange, f"{name} header", vendor)
    return None


def sorry_redirect(exchange: Exchange) -> Verdict | None:
    """A redirect that ended at a page made for robots."""
    if not exchange.final_url or exchange.final_url == exchange.url:
        return None
    try:
        is_check = urlsplit(exchange.final_url).hostname == "validate.perfdrive.com"
        is_sorry = _is_sorry(exchange.final_url) and not _is_sorry(exchange.url)
    except ValueError:
        return None
    if is_check:
        return _block(exchange, "sent to its check", "Radware")
    return _block(exchange, "sent to a sorry page") if is_sorry else None


def decisive_mark(exchange: Exchange) -> Verdict | None:
    """Text that stands on block pages only."""
    body = (exchange.body or b"")[:SEARCHED_BYTES]
    for mark in MARKS:
        if mark.text in body:
            return _block(exchange, mark.why, mark.vendor)
    if b"Reference" in body and AKAMAI_REFERENCE in unescape(body.decode("latin-1")):
        return _block(exchange, "block page", "Akamai")
    return None


def status(exchange: Exchange) -> Verdict | None:
    """The status alone. A 404, and whatever else the site says of the page itself, is a result."""
    code = exchange.status
    wait = retry_after(exchange)
    if code in THROTTLE_STATUSES or (code == 503 and wait):
        return Verdict(outcome=Outcome.THROTTLED, why=f"status {code}", until=wait)
    if code == 403 or code > LAST_STATUS or (code == 401 and not exchange.header("www-authenticate")):
        return Verdict(outcome=Outcome.BLOCKED, why=f"status {code}", until=wait)
    if code in {502, 504} and exchange.url.startswith("http://"):
        # Without a tunnel the proxy may have said it as well as the site.
        return Verdict(outcome=Outcome.UNCLEAR, why=f"status {code}, from the proxy or the site", until=wait)
    if code >= 500:
        return Verdict(outcome=Outcome.SITE_ERROR, why=f"status {code}", until=wait)
    return None


def empty(exchange: Exchange) -> Verdict | None:
    """A page of nothing, where there should be one. An empty robots.txt says that nothing is asked."""
    if exchange.status == 200 and exchange.body == b"" and urlsplit(exchange.url).path != "/robots.txt":
        return Verdict(outcome=Outcome.UNCLEAR, why="status 200 with an empty body")
    return None


def expects(text: str) -> Sign:
    """A sign that doubts every page that came with status 200 and does not contain *text*."""
    wanted = text.encode()

    def lacks(exchange: Exchange) -> Verdict | None:
        if exchange.status != 200 or exchange.body is None or wanted in exchange.body:
            return None
        return Verdict(outcome=Outcome.UNCLEAR, why="the expected text is missing")

    return lacks


DEFAULT_SIGNS: tuple[Sign, ...] = (failed, from_proxy, decisive_header, sorry_redirect, decisive_mark, status, empty)


def retry_after(exchange: Exchange) -> float:
    """The moment before which the site asked not to be asked again; 0 where it did not (RFC 9110, 10.2.3)."""
    value = exchange.header("retry-after").strip()
    if value.isascii() and value.isdigit():
        return exchange.at + min(float(value), LONGEST_REST_SECONDS)
    moment = parsedate_tz(value)
    if moment is None:
        return 0.0
    try:
        # All of HTTP's dates are in GMT, those that do not say so too.
        until = timegm(moment[:9]) - (moment[9] or 0)
    except (ValueError, OverflowError):
        return 0.0
    return min(float(until), exchange.at + LONGEST_REST_SECONDS)


def _is_sorry(url: str) -> bool:
    # Google's, and HUMAN's, which carries the page that was asked for.
    parts = urlsplit(url)
    return parts.path.startswith("/sorry/") or (parts.path == "/blocked" and "url=" in parts.query)


def _block(exchange: Exchange, why: str, vendor: str = "") -> Verdict:
    return Verdict(outcome=Outcome.BLOCKED, why=why, vendor=vendor, until=retry_after(exchange))
