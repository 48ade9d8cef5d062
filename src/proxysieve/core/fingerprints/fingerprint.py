"""What one session looks like to a site."""

from __future__ import annotations

import re

import msgspec

from proxysieve.core.fingerprints.families import FAMILIES, UNKNOWN, WREQ_NAMES

# Ends the name of a browser's family in that of a target, such as chrome131_android.
NO_LETTER = re.compile(r"[^a-z]")


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a session looks like to a site. All of it agrees, and it never changes within a session.

    Attributes:
        impersonate: The curl_cffi target whose TLS and HTTP/2 look like this browser.
        client_hints: The ``sec-ch-ua`` headers; browsers other than Chromium send none.
        engine: The real browser that it is, such as ``chromium``; empty where a client only imitates one.
    """

    impersonate: str
    user_agent: str
    accept_language: str
    client_hints: tuple[tuple[str, str], ...] = ()
    engine: str = ""

    @property
    def browser(self) -> str:
        """What it is called where it is shown."""
        return self.engine or self.impersonate

    @property
    def family(self) -> str:
        """Whose browser it looks like: ``chrome``, ``firefox`` or ``safari``."""
        return NO_LETTER.split(self.impersonate, maxsplit=1)[0]

    @property
    def wreq(self) -> str:
        """What wreq calls a browser with the same TLS and HTTP/2, a member of its ``Emulation``; empty if it has none.

        Its headers may be another version's: give it :attr:`headers` too.
        """
        return WREQ_NAMES.get(self.impersonate, "")

    @property
    def headers(self) -> dict[str, str]:
        """What the browser says of itself, in its order, when somebody opens a page by HTTPS from the address bar.

        For clients that look like no browser by themselves. Left out is what is not the browser's alone to say:
        ``Accept-Encoding``, which tells what a client can unpack, and what depends on the version of HTTP
        (``Connection``, ``TE``, Chrome's ``Priority``).
        """
        family = FAMILIES.get(self.family, UNKNOWN)
        said = {
            **dict(self.client_hints),
            "User-Agent": self.user_agent,
            "Accept-Language": self.accept_language,
            **family.headers,
        }
        return {name: said.pop(name) for name in family.first if name in said} | said

    def header_order(self, *, is_redirected: bool = False, has_body: bool = False) -> tuple[str, ...]:
        """In which order and case the browser sends the headers of a request for a page, all that there may be.

        Args:
            is_redirected: Whether an answer led to the page.
            has_body: Whether it is asked for by a form that is posted.
        """
        return FAMILIES.get(self.family, UNKNOWN).order(is_redirected=is_redirected, has_body=has_body)
