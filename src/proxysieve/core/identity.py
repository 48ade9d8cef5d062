"""Coherent visitors: browsers whose headers, client hints and TLS all tell the same story.

Each is what curl_cffi sends for its impersonation target. A test compares it, read off the wire, with what real
browsers were seen to send, so that an upgrade of curl_cffi cannot make an identity contradict itself. A target has one
platform, because its TLS fingerprint and headers were recorded on one.

Not every target is a browser that people use: `safari260` was recorded from a beta, and offers zstd, which no Safari
did before 26.3, and on its first connection a ticket that it cannot have yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxysieve.core.model import Identity

_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"


def _chrome(version: int, brands: str) -> Identity:
    return Identity(
        impersonate=f"chrome{version}",
        user_agent=f"{_MAC} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36",
        accept_language="en-US,en;q=0.9",
        client_hints=(
            ("sec-ch-ua", brands),
            ("sec-ch-ua-mobile", "?0"),
            ("sec-ch-ua-platform", '"macOS"'),
        ),
    )


def _safari(target: str, version: str) -> Identity:
    return Identity(
        impersonate=target,
        user_agent=f"{_MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version} Safari/605.1.15",
        accept_language="en-US,en;q=0.9",
    )


def _firefox(version: int, languages: str) -> Identity:
    platform = f"(Macintosh; Intel Mac OS X 10.15; rv:{version}.0)"
    return Identity(
        impersonate=f"firefox{version}",
        user_agent=f"Mozilla/5.0 {platform} Gecko/20100101 Firefox/{version}.0",
        accept_language=languages,
    )


NEWEST_CHROME = _chrome(150, '"Not;A=Brand";v="8", "Chromium";v="150", "Google Chrome";v="150"')

IDENTITIES = (
    _chrome(142, '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'),
    _chrome(145, '"Not:A-Brand";v="99", "Google Chrome";v="145", "Chromium";v="145"'),
    _chrome(146, '"Chromium";v="146", "Not-A.Brand";v="24", "Google Chrome";v="146"'),
    NEWEST_CHROME,
    _safari("safari184", "18.4"),
    _safari("safari2601", "26.0.1"),
    _firefox(144, "en-US,en;q=0.5"),
    _firefox(147, "en-US,en;q=0.9"),
)


def real_chromium(
    user_agent: str, accept_language: str, client_hints: Sequence[tuple[str, str]], engine: str = "chromium"
) -> Identity:
    """The identity of a Chromium that runs here, by what it says of itself.

    Where a client sends a session's requests in its place, the newest Chrome's TLS is the nearest to it.
    """
    return Identity(
        impersonate=NEWEST_CHROME.impersonate,
        user_agent=user_agent,
        accept_language=accept_language,
        client_hints=tuple(client_hints),
        engine=engine,
    )


def follow(identity: Identity, identities: Sequence[Identity]) -> Identity | None:
    """What a visitor that was *identity* looks like where visitors are *identities* now.

    A real browser is the version that runs, as its users' are after an update; an imitation stays what it was. None
    where it is another kind of visitor, whom cookies bound to a browser would not know again.
    """
    of_kind = [one for one in identities if one.engine == identity.engine]
    if not of_kind:
        return None
    return identity if identity in of_kind or not identity.engine else of_kind[0]
