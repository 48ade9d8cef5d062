"""Visitors contradict themselves nowhere."""

from __future__ import annotations

import itertools
import re
import typing

import pytest
from curl_cffi.requests import BrowserTypeLiteral

from proxysieve.core.identity import IDENTITIES
from proxysieve.core.model import Identity

EACH = pytest.mark.parametrize("identity", [pytest.param(one, id=one.impersonate) for one in IDENTITIES])


def family(identity: Identity) -> str:
    return identity.impersonate.rstrip("0123456789")


@EACH
def test_all_of_a_visitor_tells_one_version(identity: Identity) -> None:
    """The version in the user agent is that of the TLS target."""
    pattern = {"chrome": r"Chrome/(\d+)\.", "firefox": r"Firefox/(\d+)\.", "safari": r"Version/([\d.]+) "}
    told = re.search(pattern[family(identity)], identity.user_agent)

    assert told is not None
    assert identity.impersonate == family(identity) + told[1].replace(".", "")


@EACH
def test_the_hints_agree_with_the_user_agent(identity: Identity) -> None:
    """Chrome's hints give its version, its platform and no phone; the others send none."""
    hints = dict(identity.client_hints)
    if family(identity) != "chrome":
        assert hints == {}
        return
    version = identity.impersonate.removeprefix("chrome")
    brands = dict(re.findall(r'"([^"]+)";v="(\d+)"', hints["sec-ch-ua"]))

    assert brands["Chromium"] == brands["Google Chrome"] == version
    assert len(brands) == 3
    assert hints["sec-ch-ua-platform"] == '"macOS"'
    assert hints["sec-ch-ua-mobile"] == "?0"
    assert "Macintosh" in identity.user_agent


def brands_of(version: int) -> str:
    """How Chrome of a version names its brands: with one that does not exist, of changing form and in changing order.

    As of Chromium's components/embedder_support/user_agent_utils.cc.
    """
    characters = " (:-./);=?_"
    invented = f"Not{characters[version % 11]}A{characters[(version + 1) % 11]}Brand"
    named = [
        (invented, ("8", "99", "24")[version % 3]),
        ("Chromium", str(version)),
        ("Google Chrome", str(version)),
    ]
    places = list(itertools.permutations(range(3)))[version % 6]
    listed = [named[places.index(place)] for place in range(3)]
    return ", ".join(f'"{brand}";v="{number}"' for brand, number in listed)


@EACH
def test_the_brands_are_in_the_order_of_their_version(identity: Identity) -> None:
    """Which brand is invented and which comes first follows from Chrome's version alone."""
    if family(identity) == "chrome":
        version = int(identity.impersonate.removeprefix("chrome"))

        assert dict(identity.client_hints)["sec-ch-ua"] == brands_of(version)


@EACH
def test_the_languages_are_weighed_as_that_version_does(identity: Identity) -> None:
    """Firefox has weighed them as the others do since 147 (bugzilla.mozilla.org/show_bug.cgi?id=2000765)."""
    weight = "0.5" if identity.impersonate == "firefox144" else "0.9"

    assert identity.accept_language == f"en-US,en;q={weight}"


@EACH
def test_firefox_says_its_version_twice(identity: Identity) -> None:
    """The rv of a Firefox is its version."""
    rv = re.search(r"rv:(\d+)\.0\)", identity.user_agent)

    assert (rv is not None) is (family(identity) == "firefox")
    if rv:
        assert identity.impersonate == f"firefox{rv[1]}"


@EACH
def test_the_client_knows_the_target(identity: Identity) -> None:
    """Every target exists in the client that impersonates."""
    assert identity.impersonate in typing.get_args(BrowserTypeLiteral)


def test_no_two_visitors_are_the_same() -> None:
    """Targets and user agents are each told once, and there is more than one browser family."""
    assert len({one.impersonate for one in IDENTITIES}) == len(IDENTITIES)
    assert len({one.user_agent for one in IDENTITIES}) == len(IDENTITIES)
    assert {family(one) for one in IDENTITIES} == {"chrome", "safari", "firefox"}
