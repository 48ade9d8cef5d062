"""What a browser says, by who can overhear it."""

from __future__ import annotations

import pytest

from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.urls.channels import Channel, channel_of, headers_over
from proxysieve.errors import ConfigError

EACH = pytest.mark.parametrize(
    "fingerprint", FINGERPRINTS, ids=lambda one: f"{one.impersonate}-{one.user_agent[13:16]}"
)


@pytest.mark.parametrize(
    ("url", "channel"),
    [
        ("https://shop.example/", Channel.TLS),
        ("HTTPS://shop.example", Channel.TLS),
        ("http://shop.example/", Channel.CLEAR),
        ("http://127.0.0.1:8080/", Channel.LOCAL),
        ("http://127.1/", Channel.LOCAL),
        ("http://127.9.8.7/", Channel.LOCAL),
        ("http://[::1]:80/", Channel.LOCAL),
        ("http://localhost/", Channel.LOCAL),
        ("http://A.Localhost./", Channel.LOCAL),
        ("http://localhost.example/", Channel.CLEAR),
        ("http://127.0.0.1.example/", Channel.CLEAR),
        ("http://10.0.0.1/", Channel.CLEAR),
        ("http://192.168.0.1/", Channel.CLEAR),
    ],
)
def test_loopback_is_as_good_as_tls(url: str, channel: Channel) -> None:
    """To browsers; an own network is not."""
    assert channel_of(url) is channel


@pytest.mark.parametrize("url", ["", "ftp://shop.example/", "shop.example", "http://"])
def test_what_cannot_be_asked_for_has_none(url: str) -> None:
    """As of any URL that is none."""
    with pytest.raises(ConfigError):
        channel_of(url)


@EACH
def test_headers_come_in_the_browsers_order(fingerprint: Fingerprint) -> None:
    """All of them have a place in it."""
    order = {name: place for place, name in enumerate(fingerprint.header_order())}
    for channel in Channel:
        names = list(headers_over(fingerprint, channel))
        assert names == sorted(names, key=order.__getitem__)


@EACH
def test_less_is_told_where_others_can_hear_it(fingerprint: Fingerprint) -> None:
    """Who somebody is stays the same."""
    tls, local, clear = (dict(headers_over(fingerprint, channel)) for channel in Channel)

    assert {name for name in clear if name.lower().startswith("sec-")} == set()
    assert {name: local[name] for name in clear if name != "Accept-Encoding"} == {
        name: value for name, value in clear.items() if name != "Accept-Encoding"
    }
    assert (tls["Accept-Encoding"], local["Accept-Encoding"]) == ("gzip, deflate, br, zstd",) * 2
    assert clear["Accept-Encoding"] == "gzip, deflate"
    assert set(tls) - set(local) <= {"Connection", "Priority", "TE"}
