"""Coherent visitors: browsers whose headers, client hints and TLS all tell the same story.

Each is what curl_cffi sends for its impersonation target. A test compares it, read off the wire, with what real
browsers were seen to send, so that an upgrade of curl_cffi cannot make an identity contradict itself. A target has one
platform, because its TLS fingerprint and headers were recorded on one.

Not every target is a browser that people use: `safari260` was recorded from a beta, and offers zstd, which no Safari
did before 26.3, and on its first connection a ticket that it cannot have yet.
"""

from __future__ import annotations

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


IDENTITIES = (
    _chrome(142, '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'),
    _chrome(145, '"Not:A-Brand";v="99", "Google Chrome";v="145", "Chromium";v="145"'),
    _chrome(146, '"Chromium";v="146", "Not-A.Brand";v="24", "Google Chrome";v="146"'),
    _chrome(150, '"Not;A=Brand";v="8", "Chromium";v="150", "Google Chrome";v="150"'),
    _safari("safari184", "18.4"),
    _safari("safari2601", "26.0.1"),
    _firefox(144, "en-US,en;q=0.5"),
    _firefox(147, "en-US,en;q=0.9"),
)
