"""What libcurl's errors mean, by how far the request came."""

from __future__ import annotations

import pytest

from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures.curl import Progress, curl_failure


def progress(
    *,
    is_https: bool = True,
    connect_status: int = 0,
    connects: int = 1,
    has_tls: bool = False,
    verify: int = 0,
    proxy_verify: int = 0,
) -> Progress:
    return Progress(
        is_https=is_https,
        connect_status=connect_status,
        connects=connects,
        has_tls=has_tls,
        verify=verify,
        proxy_verify=proxy_verify,
    )


BEFORE_TUNNEL, PLAIN = progress(), progress(is_https=False)
IN_HANDSHAKE, IN_TLS = progress(connect_status=200, verify=1), progress(connect_status=200, has_tls=True)
REUSED, NO_CONNECTION = progress(connects=0, has_tls=False), progress(connects=0)
EARLY, LATE = "Connection timed out after 500 milliseconds", "Operation timed out after 500 milliseconds"


@pytest.mark.parametrize(
    ("code", "message", "came", "failure"),
    [
        (7, "CONNECT tunnel failed, response 403", progress(connect_status=403), Failure.PROXY_REFUSED),
        (28, EARLY, progress(connect_status=407), Failure.PROXY_REFUSED),
        (8, "Invalid response header", None, Failure.PROXY_REFUSED),
        (43, "Invalid response header", BEFORE_TUNNEL, Failure.PROXY_REFUSED),
        (56, "Recv failure: Connection reset by peer", BEFORE_TUNNEL, Failure.PROXY_REFUSED),
        (56, "Recv failure: Connection reset by peer", PLAIN, Failure.RESET),
        (56, "Recv failure: Connection reset by peer", IN_TLS, Failure.RESET),
        (56, "Recv failure: Connection reset by peer", None, Failure.RESET),
        (35, "TLS connect error", IN_HANDSHAKE, Failure.TLS),
        (35, "TLS connect error", progress(proxy_verify=1), Failure.PROXY_REFUSED),
        (35, "TLS connect error", progress(proxy_verify=1, is_https=False), Failure.PROXY_REFUSED),
        (28, EARLY, BEFORE_TUNNEL, Failure.PROXY_UNREACHABLE),
        (28, EARLY, NO_CONNECTION, Failure.PROXY_UNREACHABLE),
        (28, EARLY, IN_HANDSHAKE, Failure.TIMEOUT),
        (28, LATE, REUSED, Failure.TIMEOUT),
        (28, LATE, PLAIN, Failure.TIMEOUT),
        (8, "NUL byte in header", IN_TLS, Failure.SITE_GARBLED),
        (8, "NUL byte in header", REUSED, Failure.SITE_GARBLED),
        (8, "NUL byte in header", PLAIN, Failure.GARBLED),
        (23, "client returned ERROR on write of 9 bytes", IN_TLS, Failure.TOO_LARGE),
        (23, "Failed writing received data to disk/application", PLAIN, Failure.GARBLED),
        (23, "", PLAIN, Failure.GARBLED),
        (3, "URL rejected: No host part in the URL", BEFORE_TUNNEL, Failure.UNSENDABLE),
        (3, "URL using bad/illegal format or missing URL", BEFORE_TUNNEL, Failure.PROXY_REFUSED),
        (3, "URL using bad/illegal format or missing URL", None, Failure.UNSENDABLE),
        (999, "of a later libcurl", None, Failure.GARBLED),
    ],
)
def test_an_error_of_libcurl_means(code: int, message: str, came: Progress | None, failure: Failure) -> None:
    """The code and words say what, and the progress says who."""
    assert curl_failure(code, message, came) is failure
