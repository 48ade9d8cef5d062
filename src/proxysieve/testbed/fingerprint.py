"""What tells a site which browser it sees, apart from the address."""

from __future__ import annotations

import msgspec


class SeenFingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a request showed of its client.

    Attributes:
        protocol: `HTTP/2`, or the version of HTTP/1 that the request names.
        ja4: Of the TLS ClientHello; empty without TLS.
        ja4_raw: The same before it is hashed.
        is_resumed: Whether the connection resumed the TLS session of an earlier one.
        http2: SETTINGS, WINDOW_UPDATE, PRIORITY frames and the order of pseudo-headers, as in Akamai's
            "Passive Fingerprinting of HTTP/2 Clients" (2017); empty without HTTP/2.
        http2_priority: Of the first request: the stream, whether it is exclusive, what it depends on and its weight.
            Empty if it has none.
        header_names: In their order and case.
        client_hints: The headers whose names begin with `sec-ch-ua`.
        user_agent: As sent, or empty.
    """

    protocol: str
    ja4: str = ""
    ja4_raw: str = ""
    is_resumed: bool = False
    http2: str = ""
    http2_priority: str = ""
    header_names: tuple[str, ...] = ()
    client_hints: tuple[tuple[str, str], ...] = ()
    user_agent: str = ""
