"""The fingerprints on offer: browsers whose headers, client hints and TLS all tell the same story.

TLS and HTTP/2 are curl_cffi's for its impersonation target; headers are those of the family (:mod:`families`). Tests
compare all of it, read off the wire, with what real browsers were seen to send, so that an upgrade of curl_cffi cannot
make a fingerprint contradict itself. Offered are the newest targets that hold, and none older than half a year:
browsers update themselves.

The headers say the platform. Chrome and Firefox bring their own TLS along, which is the same on Windows and macOS
(github.com/manaforged/leyline-http, docs on profiles: Chrome 145 to 154 and Firefox 148 to 156, captured on both).

Not every target of curl_cffi 0.17 is a browser that people use. `chrome152` sends no GREASE among its signature
algorithms, as each Chrome since 152 does, and its trust anchors in another order each time; `firefox153` and
`firefox155` were recorded from a script's request, with another weight in HTTP/2.

A session of an old fingerprint goes on as the next version of the same browser on the same platform, which sites see
all the time. Never as an older one, on another platform, or as another kind of browser: that would be somebody else
with the same cookies, and a plain proxy carries one session a site. Such sessions end when their site is opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.user_agents import browser_of

SYSTEMS = {"Windows": "Windows NT 10.0; Win64; x64", "macOS": "Macintosh; Intel Mac OS X 10_15_7"}
# What a store says may be anything; this much of it is told.
LONGEST_BROWSER = 64
ENGLISH = "en-US,en;q=0.9"


def _chrome(version: int, brands: str, platform: str) -> Fingerprint:
    return Fingerprint(
        impersonate=f"chrome{version}",
        user_agent=f"Mozilla/5.0 ({SYSTEMS[platform]}) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{version}.0.0.0 Safari/537.36",
        accept_language=ENGLISH,
        client_hints=(
            ("sec-ch-ua", brands),
            ("sec-ch-ua-mobile", "?0"),
            ("sec-ch-ua-platform", f'"{platform}"'),
        ),
    )


def _safari(version: str) -> Fingerprint:
    return Fingerprint(
        impersonate=f"safari{version.replace('.', '')}",
        user_agent=f"Mozilla/5.0 ({SYSTEMS['macOS']}) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        f"Version/{version} Safari/605.1.15",
        accept_language=ENGLISH,
    )


def _firefox(version: int, system: str) -> Fingerprint:
    return Fingerprint(
        impersonate=f"firefox{version}",
        user_agent=f"Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0",
        accept_language=ENGLISH,
    )


BRANDS_150 = '"Not;A=Brand";v="8", "Chromium";v="150", "Google Chrome";v="150"'
BRANDS_151 = '"Not=A?Brand";v="99", "Google Chrome";v="151", "Chromium";v="151"'

FINGERPRINTS = (
    _chrome(151, BRANDS_151, "Windows"),
    _chrome(151, BRANDS_151, "macOS"),
    _chrome(150, BRANDS_150, "Windows"),
    _chrome(150, BRANDS_150, "macOS"),
    _firefox(154, "Windows NT 10.0; Win64; x64"),
    _firefox(154, "Macintosh; Intel Mac OS X 10.15"),
    _safari("27.0"),
)
# The target that is nearest to a Chromium of today: the same JA4 and HTTP/2.
NEAREST_TO_CHROMIUM = "chrome152"


def real_chromium(
    user_agent: str, accept_language: str, client_hints: Sequence[tuple[str, str]], engine: str = "chromium"
) -> Fingerprint:
    """The fingerprint of a Chromium that runs here, by what it says of itself.

    Where a client sends a session's requests in its place, it imitates the nearest Chrome.
    """
    return Fingerprint(
        impersonate=NEAREST_TO_CHROMIUM,
        user_agent=user_agent,
        accept_language=accept_language,
        client_hints=tuple(client_hints),
        engine=engine,
    )


def follow(fingerprint: Fingerprint, fingerprints: Sequence[Fingerprint]) -> Fingerprint | None:
    """Which of *fingerprints* a session gets that had *fingerprint* before.

    A browser that is no longer among them was updated meanwhile, as its users' are: a real one to the version that
    runs, an imitation to the next version of the same browser on the same platform. None where it would be another kind
    of browser, which cookies bound to a browser would not know again.
    """
    of_kind = [one for one in fingerprints if one.engine == fingerprint.engine]
    if fingerprint in of_kind:
        return fingerprint
    if fingerprint.engine:
        return of_kind[0] if of_kind else None
    return _updated(fingerprint, of_kind)


def _updated(fingerprint: Fingerprint, fingerprints: Sequence[Fingerprint]) -> Fingerprint | None:
    was = browser_of(fingerprint.user_agent)
    if was is None or not was.platform:
        return None
    kind = fingerprint.family, was.family, was.platform
    kin = [
        (now.version or 0.0, one)
        for one in fingerprints
        if (now := browser_of(one.user_agent)) and (one.family, now.family, now.platform) == kind
    ]
    newer = [pair for pair in kin if pair[0] >= (was.version or 0.0)]
    return min(newer, key=lambda pair: pair[0])[1] if newer else None


class ChangedFingerprints(NamedTuple):
    """How many saved sessions looked like browsers that are not shown any more, by those browsers.

    Attributes:
        updated: They go on, with their cookies, as the next version of the same browser.
        ended: There is none; what is known of their exits stays. Those with names of their own are lost until they are
            renewed.
    """

    updated: Counter[str]
    ended: Counter[str]

    def __str__(self) -> str:
        """Both in words; empty if there are none."""
        told = [
            f"{counted.total():,} {what} ({_named(counted)})"
            for counted, what in ((self.updated, "updated"), (self.ended, "ended"))
            if counted
        ]
        total = self.updated.total() + self.ended.total()
        noun = "session" if total == 1 else "sessions"
        return f"{total:,} {noun} of browsers that are not shown any more: {', '.join(told)}" if told else ""


def _named(counted: Counter[str]) -> str:
    return ", ".join(f"{browser[:LONGEST_BROWSER]} {number:,}" for browser, number in sorted(counted.items()))
