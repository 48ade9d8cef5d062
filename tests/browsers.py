"""What real browsers were seen to send when somebody opens a page, with where that is published.

None of it was read off the client that is tested. A browser sends the same from one version to the next for months;
the versions named are those that were seen, and enclose those of the identities.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxysieve.core.model import Identity


@dataclass(frozen=True, kw_only=True)
class Browser:
    """A browser as a site sees it.

    Attributes:
        ja4: Of its first connection.
        resumed_ja4: Of a connection that goes on with an earlier TLS session, if it makes any.
        http2: Akamai's fingerprint.
        priority: Of its first HTTP/2 request, without the stream; None where it is not known.
    """

    ja4: str
    resumed_ja4: str | None = None
    http2: str
    priority: str | None
    header_names: tuple[str, ...]
    accept: str
    accept_encoding: str


# github.com/lexiforest/curl-impersonate, tests/signatures/chrome_150.0.7871.127_macOS.yaml: a recording of the browser.
_CHROME_HEADERS = (
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
    "priority",
)
_CHROME_ACCEPT = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
_CHROME_HTTP2 = "1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p"

# Chrome 135 on macOS: lexiforest/curl_cffi, "Chrome: Passing TLS fingerprints using the ja3, akamai and extra_fp
# options". Chrome 149: 0x676e67/wreq-util, "feat(emulate): Add Chrome 149". Resumed, Chrome 145 to 149 and 150 to 151:
# the notes of leyline, a client, on what official builds sent to tls.peet.ws in September 2026.
CHROME_133_TO_149 = Browser(
    ja4="t13d1516h2_8daaf6152771_d8a2da3f94cd",
    resumed_ja4="t13d1517h2_8daaf6152771_b6f405a00624",
    http2=_CHROME_HTTP2,
    priority="1:0:256",
    header_names=_CHROME_HEADERS,
    accept=_CHROME_ACCEPT,
    accept_encoding="gzip, deflate, br, zstd",
)

# The recording above; Chrome 151: apify/impit, "feat: add chrome151 browser fingerprint". It has signatures of ML-DSA.
CHROME_150 = Browser(
    ja4="t13d1516h2_8daaf6152771_806a8c22fdea",
    resumed_ja4="t13d1517h2_8daaf6152771_a87ad97598a9",
    http2=_CHROME_HTTP2,
    priority="1:0:256",
    header_names=_CHROME_HEADERS,
    accept=_CHROME_ACCEPT,
    accept_encoding="gzip, deflate, br, zstd",
)

# Safari 18.4: lexiforest/curl_cffi, "New Fingerprint: Safari v18.4 for iOS and Mac". Safari 26:
# github.com/lexiforest/curl-impersonate, tests/signatures/safari_26.0_macOS.yaml.
_SAFARI_HTTP2 = "2:0;3:100;4:2097152;9:1|10420225|0|m,s,a,p"
_SAFARI_HEADERS = (
    "sec-fetch-dest",
    "user-agent",
    "accept",
    "sec-fetch-site",
    "sec-fetch-mode",
    "accept-language",
    "priority",
    "accept-encoding",
)
_SAFARI_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

# On macOS 15, with Safari 26.0.1 too: lexiforest/curl-impersonate, "Safari 26.0 MacOS fingerprint appears to be
# different to what was observed with curl-cffi fingerprint". No Safari sends pre_shared_key (leyline's notes, as
# above). zstd came with 26.3: mdn/browser-compat-data, "Safari 26.3 adds Zstandard (zstd)".
SAFARI_18 = Browser(
    ja4="t13d2014h2_a09f3c656075_e42f34c56612",
    http2=_SAFARI_HTTP2,
    priority="0:0:256",
    header_names=_SAFARI_HEADERS,
    accept=_SAFARI_ACCEPT,
    accept_encoding="gzip, deflate, br",
)

# On macOS 26 and iOS 26, with X25519MLKEM768 and without padding: captures of Safari 27.0 on macOS 26.6, and of 26.5.2
# on an iPhone; for 26.0.1 on an iPhone the JA3 that goes with it is in lexiforest/curl-impersonate, "Safari 26.0 iOS
# fingerprint appears to be different to what was observed with curl-cffi fingerprint".
SAFARI_26 = Browser(
    ja4="t13d2013h2_a09f3c656075_7f0f34a4126d",
    http2=_SAFARI_HTTP2,
    priority=None,
    header_names=_SAFARI_HEADERS,
    accept=_SAFARI_ACCEPT,
    accept_encoding="gzip, deflate, br",
)

# Firefox 146: daijro/camoufox, "Akamai-protected sites block Camoufox but not stock Firefox via Playwright". Firefox
# leaves out session_ticket when it resumes, which the client cannot do: its JA4 is t13d1717h2_5b57614c22b0_e6dcd7ae0a9e
# then.
FIREFOX_135_TO_150 = Browser(
    ja4="t13d1717h2_5b57614c22b0_3cbfd9057e0d",
    http2="1:65536;2:0;4:131072;5:16384|12517377|0|m,p,a,s",
    priority="0:0:42",
    # As of Firefox 143 in Noooste/azuretls-client, "HTTP2 stream id difference in HEADERS frame_type of Firefox mimic".
    header_names=(
        "user-agent",
        "accept",
        "accept-language",
        "accept-encoding",
        "upgrade-insecure-requests",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "priority",
        "te",
    ),
    accept="text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    accept_encoding="gzip, deflate, br, zstd",
)

BROWSERS = {
    "chrome142": CHROME_133_TO_149,
    "chrome145": CHROME_133_TO_149,
    "chrome146": CHROME_133_TO_149,
    "chrome150": CHROME_150,
    "safari184": SAFARI_18,
    "safari2601": SAFARI_26,
    "firefox144": FIREFOX_135_TO_150,
    "firefox147": FIREFOX_135_TO_150,
}


def browser_of(identity: Identity) -> Browser:
    """The browser that *identity* names."""
    return BROWSERS[identity.impersonate]
