"""The testbed's own certificate authority, which exists as long as the testbed."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from proxysieve.errors import MissingExtraError

SITE_HOST = "localhost"


class Authority:
    """Signs for the site and, if they speak TLS, for the proxies.

    Raises:
        MissingExtraError: A package that TLS needs is not installed.
    """

    def __init__(self) -> None:
        try:
            import h2.connection  # noqa: F401, PLC0415 - optional; a site that speaks TLS speaks HTTP/2
            import trustme  # noqa: PLC0415 - optional
        except ImportError as error:
            raise MissingExtraError(
                f"a testbed that speaks TLS needs {error.name}: pip install 'proxysieve[testbed]'"
            ) from error
        self._authority = trustme.CA()

    def write_to(self, path: Path) -> None:
        """Write the certificate that clients have to trust."""
        self._authority.cert_pem.write_to_path(path)

    def site_context(self, host: str = "") -> ssl.SSLContext:
        """The TLS context of the site, also for the name *host*."""
        hosts = [SITE_HOST, host] if host else [SITE_HOST]
        names = [name for one in hosts for name in (one, f"*.{one}")]
        return self._context((*names, "127.0.0.1"), ("h2", "http/1.1"))

    def proxy_context(self, addresses: Iterable[str]) -> ssl.SSLContext:
        """The TLS context of proxies at *addresses*."""
        return self._context(addresses, ("http/1.1",))

    def _context(self, names: Iterable[str], protocols: Iterable[str]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(list(protocols))
        self._authority.issue_cert(*names).configure_cert(context)
        return context
