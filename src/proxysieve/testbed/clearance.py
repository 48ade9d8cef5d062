"""A challenge by script. A client that computes its answer passes, but only with the same address and browser."""

from __future__ import annotations

import hashlib
from typing import Final

from proxysieve.testbed.answers import HTML, Visit
from proxysieve.testbed.scripts import script
from proxysieve.testbed.wire import Headers, Response

COOKIE: Final = "clearance"

# A tenth of a second in a browser.
_ROUNDS = 5_000_000
# Lehmer's generator: a script needs all of its steps to reach the end, and the site needs one power.
_FACTOR = 48_271
_MODULUS = 2**31 - 1
_HEADERS: Headers = (("cf-mitigated", "challenge"), ("Cache-Control", "no-store"), *HTML)
_PAGE = """<!DOCTYPE html>
<html lang="en-US">
<head><title>Just a moment...</title><meta name="robots" content="noindex,nofollow"></head>
<body><p>Verifying you are human. This may take a few seconds.</p>
<noscript>Enable JavaScript and cookies to continue</noscript>
<script>window._cf_chl_opt = {{cvId: "3", cType: "managed", nonce: {nonce}, rounds: {rounds}}};
{script}</script></body>
</html>
"""


def solution_of(nonce: int) -> str:
    """Return the cookie value that the script of a challenge with this *nonce* computes."""
    return f"{nonce}.{nonce * pow(_FACTOR, _ROUNDS, _MODULUS) % _MODULUS}"


class Clearances:
    """The site's memory of which clients it has challenged, and which have passed.

    A client is an address with a user agent, and has its own nonce.

    Attributes:
        foreign_count: How many requests came with another client's clearance.
    """

    def __init__(self, seed: int) -> None:
        self.foreign_count = 0
        self._seed = seed
        self._solutions: set[str] = set()
        self._passed: set[int] = set()

    @property
    def passed_count(self) -> int:
        """How many clients have passed."""
        return len(self._passed)

    def challenge(self, visit: Visit) -> Response:
        """Return the page with the client's task."""
        nonce = self._nonce_of(visit)
        self._solutions.add(solution_of(nonce))
        page = _PAGE.format(nonce=nonce, rounds=_ROUNDS, script=script("challenge.js"))
        return Response(status=403, headers=_HEADERS, body=page.encode())

    def admits(self, visit: Visit) -> bool:
        """Whether *visit* has its own clearance. Another client's is counted."""
        nonce, value = self._nonce_of(visit), visit.request.cookie(COOKIE)
        if value == solution_of(nonce):
            self._passed.add(nonce)
            return True
        self.foreign_count += value in self._solutions
        return False

    def _nonce_of(self, visit: Visit) -> int:
        caller = (self._seed, visit.exit, visit.request.header("user-agent"))
        digest = hashlib.blake2b(repr(caller).encode(), digest_size=8).digest()
        return 1 + int.from_bytes(digest) % (_MODULUS - 1)
