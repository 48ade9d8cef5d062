"""What a proxy answers itself: to a CONNECT that it refuses, or, without TLS, in the site's place.

Only the proxy can refuse a CONNECT, so the status is the proxy's own (RFC 9110, 9.3.6), and its words are told too.
It may say three things:

1. About the client: the login is wrong, the plan is used up, or there are too many requests. Every request through this
   proxy meets the same, under any session name.
2. About the way to the site (502, 503, 504): the site or the exit may be at fault, and other exits must tell.
3. Anything else: the proxy did not work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from proxysieve.core.model import Answer, Exchange, Outcome, Scope, Verdict
from proxysieve.core.verdicts.redirect_evidence import is_in_clear
from proxysieve.core.verdicts.retry_after import retry_after

# The first where it is sure who speaks, the second for a status about the way to the site.
SURE, GUESSED = 0.99, 0.5
# Only a proxy says 407 (RFC 9110, 15.5.8). Some say 401, which to a CONNECT only a proxy can say too.
CREDENTIALS_STATUSES = frozenset({401, 407})
PAYMENT_STATUS = 402
BUSY_STATUS, UNAVAILABLE_STATUS = 429, 503
# The site may be down, or the exit cannot reach it.
ON_THE_WAY_STATUSES = frozenset({502, 503, 504})
# A plan allows so many requests at once, and has room again as soon as one is answered.
BUSY_SECONDS = 1.0

# Usual phrases, which give no reason: RFC 9110, 15.3 to 15.6, and what servers said before; RFC 6585 and 7725.
USUAL_PHRASES = frozenset({
    "accepted", "bad gateway", "bad request", "conflict", "connection established", "content too large", "created",
    "expectation failed", "forbidden", "found", "gateway time-out", "gateway timeout", "gone",
    "http version not supported", "internal server error", "length required", "method not allowed",
    "misdirected request", "moved permanently", "moved temporarily", "multiple choices",
    "network authentication required", "no content", "non-authoritative information", "not acceptable", "not found",
    "not implemented", "not modified", "ok", "partial content", "payload too large", "payment required",
    "permanent redirect", "precondition failed", "precondition required", "proxy authentication required",
    "range not satisfiable", "request entity too large", "request header fields too large", "request time-out",
    "request timeout", "request-uri too long",
    "requested range not satisfiable", "reset content", "see other", "service unavailable", "temporary redirect",
    "too many requests", "unauthorized", "unavailable for legal reasons", "unprocessable content",
    "unprocessable entity", "unsupported media type", "upgrade required", "uri too long", "use proxy",
})  # fmt: skip
# Headers in which proxies and providers give their reasons: X-Squid-Error, X-Brd-Err-Msg (before: X-Luminati-Error),
# X-Crawlera-Error, X-Error, Proxy-Status (RFC 9209), ...
REASONS = re.compile(r"(?:.*-)?(?:err|error|reason)(?:-(?:code|msg|message|reason))?|proxy-status")
HEADERS_READ = 100
# How many characters of a reason are told, and how many are read.
REASON_LENGTH, REASON_READ = 80, 1_000
# Numbers of single requests, which would make each reason different.
NUMBERS = re.compile(r"(?=[A-Za-z_-]*\d)[\w-]{16,}", re.ASCII)


def answer_to_connect(answer: Answer, at: float = 0.0) -> Exchange:
    """What a proxy answered to a CONNECT at *at* (Unix seconds), as an exchange of its own."""
    # Some have no other place for their reason, such as "Bad Port".
    phrase = answer.reason.strip()
    told = (("reason", phrase),) if phrase and phrase.lower() not in USUAL_PHRASES else ()
    return Exchange(
        url=answer.url,
        method="CONNECT",
        status=answer.status,
        headers=(*told, *answer.headers),
        body=answer.body,
        at=at,
    )


def wants_credentials(exchange: Exchange) -> Verdict | None:
    """A proxy's refusal of its login; no site says 407, nor asks for a proxy's credentials.

    Within TLS a site says so all the same; then it counts for this exit alone.
    """
    status, is_connect = exchange.status, exchange.method == "CONNECT"
    is_said = status == 407 or (is_connect and status in CREDENTIALS_STATUSES)
    if not is_said and not exchange.header("proxy-authenticate"):
        return None
    why = f"status {status}: the proxy wants other credentials" if is_said else "the proxy wants credentials"
    if is_connect:
        why = _with_reason(why, exchange)
    is_proxys = is_connect or is_in_clear(exchange)
    return Verdict(
        outcome=Outcome.PROXY_ERROR,
        why=why,
        sign="proxy-credentials",
        scope=Scope.PROXY if is_proxys else None,
        confidence=SURE,
    )


def wants_payment(answer: Exchange) -> Verdict | None:
    """The plan at the provider is used up: its time, its traffic, or the money for it."""
    if answer.status != PAYMENT_STATUS:
        return None
    why = _with_reason(f"status {PAYMENT_STATUS}: the proxy's plan is used up", answer)
    return Verdict(outcome=Outcome.PROXY_ERROR, why=why, sign="proxy-payment", scope=Scope.PROXY, confidence=SURE)


def is_busy(answer: Exchange) -> Verdict | None:
    """The proxy gets too many requests, or says when to come back: ``Retry-After`` is the least to wait."""
    wait = retry_after(answer)
    if answer.status != BUSY_STATUS and not (answer.status == UNAVAILABLE_STATUS and wait):
        return None
    return Verdict(
        outcome=Outcome.PROXY_ERROR,
        why=_with_reason(f"status {answer.status} from the proxy", answer),
        sign="proxy-busy",
        scope=Scope.PROXY,
        confidence=SURE,
        until=wait or answer.at + BUSY_SECONDS,
    )


def by_status(answer: Exchange) -> Verdict:
    """Any other status by which a proxy refuses a CONNECT."""
    is_on_the_way = answer.status in ON_THE_WAY_STATUSES
    return Verdict(
        outcome=Outcome.UNCLEAR if is_on_the_way else Outcome.PROXY_ERROR,
        why=_with_reason(f"status {answer.status} from the proxy", answer),
        sign=f"proxy-status-{answer.status}",
        confidence=GUESSED if is_on_the_way else SURE,
        until=retry_after(answer),
    )


def with_reason(verdict: Verdict, answer: Exchange) -> Verdict:
    """*verdict* by a sign, with the status and the proxy's own words."""
    why = _with_reason(f"{verdict.why}, status {answer.status} from the proxy", answer)
    return msgspec.structs.replace(verdict, why=why)


def _with_reason(why: str, answer: Exchange) -> str:
    said = reason(answer)
    return f'{why}: "{said}"' if said else why


def reason(answer: Exchange) -> str:
    """Why the proxy refuses, in its own words, short and tame: of its headers, else of its page; empty if it is silent.

    What it says besides its status is told, so not *forbidden* with a 403; numbers of single requests are left out.
    """
    named = [tamed(value) for name, value in answer.headers[:HEADERS_READ] if REASONS.fullmatch(name)]
    told = [text for text in dict.fromkeys(named) if text]
    return tamed("; ".join(told)) if told else tamed(_on_page(answer)).removeprefix(f"{answer.status}").strip(" -:")


def _on_page(answer: Exchange) -> str:
    if not answer.body or answer.header("content-encoding"):
        return ""
    text = answer.content.title or answer.content.visible
    # What is no text is no reason.
    return "" if "\N{REPLACEMENT CHARACTER}" in text or "\0" in text else text


def tamed(text: str) -> str:
    """*text* in a line of visible letters, without quotation marks, up to 80 characters."""
    seen = "".join(_visible(text[:REASON_READ]))
    line = NUMBERS.sub("\N{HORIZONTAL ELLIPSIS}", " ".join(seen.split()).replace('"', "'"))
    return line if len(line) <= REASON_LENGTH else f"{line[: REASON_LENGTH - 1]}\N{HORIZONTAL ELLIPSIS}"


def _visible(text: str) -> Iterator[str]:
    for letter in text:
        yield letter if letter.isprintable() else " "
