"""What real browsers were seen to send when somebody opens a page, with where that is published.

None of it was read off the client that is tested. A browser sends the same from one version to the next for months;
the versions named are those that were seen, and enclose those of the identities.

The sources, all on github.com:

- leyline: manaforged/leyline-http, its notes on profiles and crates/leyline/profiles/captures. Official builds of
  Chrome 145 to 154, Firefox 148 to 157 and Safari 18, 26 and 27, on several platforms, of September and October 2026.
- netweir: jamesconwaydev/netweir, profiles/*.capture.json. Chrome 154.0.8037.98, Firefox 156.0.1 and Safari 27.0 on
  macOS, each with cookies and after redirects.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxysieve.core.fingerprints.fingerprint import Fingerprint


@dataclass(frozen=True, kw_only=True)
class Browser:
    """A browser as a site sees it.

    Attributes:
        ja4: Of its first connection.
        resumed_ja4: Of a connection that goes on with an earlier TLS session, if its identity makes any.
        extensions: In their order, where it is always the same.
        groups: Of the key exchange, in their order.
        key_shares: Those of them with a key.
        http2: Akamai's fingerprint.
        priority: Of its first HTTP/2 request, without the stream; empty where it says none.
        header_names: Of a page that is opened, with cookies.
        redirected: The same where a redirect leads to the page.
    """

    ja4: str
    resumed_ja4: str | None = None
    extensions: tuple[int, ...] | None = None
    groups: tuple[int, ...]
    key_shares: tuple[int, ...]
    http2: str
    priority: str
    header_names: tuple[str, ...]
    redirected: tuple[str, ...]
    accept: str
    accept_encoding: str = "gzip, deflate, br, zstd"

    @property
    def plain_names(self) -> tuple[str, ...]:
        """The headers of a page that is opened without cookies."""
        return tuple(name for name in self.header_names if name != "cookie")


MLKEM, X25519, P256, P384, P521 = 0x11EC, 0x001D, 0x0017, 0x0018, 0x0019
FFDHE2048, FFDHE3072 = 0x0100, 0x0101

# Header by header: netweir. All but the brands and versions are as here of Chrome 151 and 152: lexiforest/
# curl-impersonate, tests/signatures. TLS, HTTP/2, resumption of Chrome 150 and 151: leyline; 151: apify/impit, "feat:
# add chrome151 browser fingerprint".
CHROME_150_TO_151 = Browser(
    ja4="t13d1516h2_8daaf6152771_806a8c22fdea",
    resumed_ja4="t13d1517h2_8daaf6152771_a87ad97598a9",
    groups=(MLKEM, X25519, P256, P384),
    key_shares=(MLKEM, X25519),
    http2="1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p",
    priority="1:0:256",
    header_names=(
        "sec-ch-ua",
        "sec-ch-ua-mobile",
        "sec-ch-ua-platform",
        "upgrade-insecure-requests",
        "user-agent",
        "accept",
        "sec-fetch-site",
        "sec-fetch-mode",
        "sec-fetch-user",
        "sec-fetch-dest",
        "accept-encoding",
        "accept-language",
        "cookie",
        "priority",
    ),
    redirected=(
        "upgrade-insecure-requests",
        "user-agent",
        "accept",
        "sec-fetch-site",
        "sec-fetch-mode",
        "sec-fetch-user",
        "sec-fetch-dest",
        "sec-ch-ua",
        "sec-ch-ua-mobile",
        "sec-ch-ua-platform",
        "accept-encoding",
        "accept-language",
        "cookie",
        "priority",
    ),
    accept=(
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
        "application/signed-exchange;v=b3;q=0.7"
    ),
)

# On macOS, with the order of extensions and the groups: lexiforest/curl-impersonate, "New Fingerprint: Firefox v154 and
# above does not match curl-cffi v147 impersonate fingerprint". On Windows, with key shares and priority: leyline. It
# leaves out session_ticket when it resumes, which the client cannot do: its JA4 is t13d1517h2_8daaf6152771_e6dcd7ae0a9e
# then. Header by header, which redirects do not change: netweir.
_FIREFOX_HEADERS = (
    "user-agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "cookie",
    "upgrade-insecure-requests",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "priority",
    "te",
)
FIREFOX_154_TO_155 = Browser(
    ja4="t13d1517h2_8daaf6152771_3cbfd9057e0d",
    extensions=(0, 23, 65281, 10, 11, 35, 16, 5, 34, 18, 51, 43, 13, 45, 28, 27, 65037),
    groups=(MLKEM, X25519, P256, P384, P521, FFDHE2048, FFDHE3072),
    key_shares=(MLKEM, X25519, P256),
    http2="1:65536;2:0;4:131072;5:16384|12517377|0|m,p,a,s",
    priority="0:0:42",
    header_names=_FIREFOX_HEADERS,
    redirected=_FIREFOX_HEADERS,
    accept="text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
)

# All of it: netweir. That it never resumes: leyline.
SAFARI_27 = Browser(
    ja4="t13d2013h2_a09f3c656075_7f0f34a4126d",
    extensions=(0, 23, 65281, 10, 11, 16, 5, 13, 18, 51, 45, 43, 27),
    groups=(MLKEM, X25519, P256, P384, P521),
    key_shares=(MLKEM, X25519),
    http2="2:0;3:100;4:2097152;9:1|10420225|0|m,s,a,p",
    priority="",
    header_names=(
        "sec-fetch-dest",
        "user-agent",
        "accept",
        "sec-fetch-site",
        "sec-fetch-mode",
        "accept-language",
        "priority",
        "accept-encoding",
        "cookie",
    ),
    redirected=(
        "accept",
        "sec-fetch-site",
        "sec-fetch-mode",
        "user-agent",
        "accept-language",
        "sec-fetch-dest",
        "priority",
        "accept-encoding",
        "cookie",
    ),
    accept="text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
)

BROWSERS = {
    "chrome150": CHROME_150_TO_151,
    "chrome151": CHROME_150_TO_151,
    "firefox154": FIREFOX_154_TO_155,
    "safari270": SAFARI_27,
}


def browser_of(fingerprint: Fingerprint) -> Browser:
    """The browser that *fingerprint* names."""
    return BROWSERS[fingerprint.impersonate]
