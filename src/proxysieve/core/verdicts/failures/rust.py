"""What clients written in Rust raise: their classes say little, and their messages what Rust prints of the cause."""

from __future__ import annotations

from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures.exception_chain import names_of

IMPITS = {
    "impit.ProxyError": Failure.PROXY_REFUSED,
    "impit.ConnectTimeout": Failure.PROXY_UNREACHABLE,
    "impit.ConnectError": Failure.RESET,
    "impit.TimeoutException": Failure.TIMEOUT,
    "impit.TooManyRedirects": Failure.REDIRECTS,
    "impit.DecodingError": Failure.GARBLED,
    "impit.UnsupportedProtocol": Failure.UNSENDABLE,
    "impit.InvalidURL": Failure.UNSENDABLE,
    "impit.LocalProtocolError": Failure.UNSENDABLE,
    "impit.TransportError": Failure.RESET,
}
# Anything else in the midst of an answer; but also the base of an error that is the caller's own.
IMPITS_REST = "impit.HTTPError"
# wreq's classes are in no package of its own by their names; its messages all have this.
WREQ = "wreq::Error"
WREQS = {
    "exceptions.ProxyConnectionError": Failure.PROXY_REFUSED,
    "exceptions.ConnectionError": Failure.RESET,
    "exceptions.ConnectionResetError": Failure.RESET,
    "exceptions.TlsError": Failure.TLS,
    "exceptions.TimeoutError": Failure.TIMEOUT,
    "exceptions.RedirectError": Failure.REDIRECTS,
    "exceptions.RequestError": Failure.RESET,
    "exceptions.BodyError": Failure.RESET,
    "exceptions.DecodingError": Failure.GARBLED,
    "exceptions.BuilderError": Failure.UNSENDABLE,
}
# What says more than the class that it comes with, the most telling first.
WORDS = {
    "tcp connect error": Failure.PROXY_UNREACHABLE,
    "dns error": Failure.PROXY_UNREACHABLE,
    "ConnectionRefused": Failure.PROXY_UNREACHABLE,
    "SocksConnect": Failure.PROXY_REFUSED,
    "TunnelUnexpectedEof": Failure.PROXY_REFUSED,
    "ProxyHeadersTooLong": Failure.PROXY_REFUSED,
    "InvalidCertificate": Failure.CERTIFICATE,
    "CERTIFICATE_VERIFY_FAILED": Failure.CERTIFICATE,
    "InvalidData": Failure.TLS,
    "code: SSL (": Failure.TLS,
    "BadScheme": Failure.UNSENDABLE,
    "IncompleteBody": Failure.RESET,
    "Parse(": Failure.GARBLED,
}
# To whom the words add nothing.
CLEAR = frozenset({Failure.TIMEOUT, Failure.REDIRECTS, Failure.UNSENDABLE})


def rust_failure(error: BaseException) -> Failure | None:
    """What impit or wreq raised; None where it is another's."""
    names, message = names_of(error), str(error)
    known = IMPITS | WREQS if WREQ in message else IMPITS
    failure = next((known[name] for name in names if name in known), None)
    if failure is None and names[0] == IMPITS_REST:
        failure = Failure.RESET
    if failure is None or failure in CLEAR:
        return failure
    told = next((WORDS[words] for words in WORDS if words in message), failure)
    # To a CONNECT.
    return Failure.PROXY_REFUSED if failure is Failure.PROXY_REFUSED and told is Failure.GARBLED else told
