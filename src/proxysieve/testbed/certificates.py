"""The testbed's own certificate authority, which exists as long as the testbed does."""

from __future__ import annotations

import ssl
from pathlib import Path

from proxysieve.errors import MissingExtraError

SITE_HOST = "localhost"


def issue_certificate(ca_path: Path) -> ssl.SSLContext:
    """Make an authority, write its certificate to *ca_path* and return a server's context for the site.

    Raises:
        MissingExtraError: trustme is not installed.
    """
    try:
        import trustme  # noqa: PLC0415 - optional
    except ImportError as error:
        raise MissingExtraError("a testbed that speaks TLS needs trustme: pip install 'proxysieve[testbed]'") from error
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    authority.issue_cert(SITE_HOST, f"*.{SITE_HOST}", "127.0.0.1").configure_cert(context)
    return context
