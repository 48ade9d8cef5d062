"""Visitors contradict themselves nowhere, and are updated as browsers are."""

from __future__ import annotations

import itertools
import re
import typing

import pytest
import wreq
from curl_cffi.requests import BrowserTypeLiteral
from hypothesis import given
from hypothesis import strategies as st

from proxysieve.core.fingerprints.available import FINGERPRINTS, follow
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.user_agents import browser_of, platform_of

EACH = pytest.mark.parametrize(
    "fingerprint", [pytest.param(one, id=f"{one.impersonate}-{platform_of(one.user_agent)}") for one in FINGERPRINTS]
)


@EACH
def test_all_of_a_visitor_tells_one_version(fingerprint: Fingerprint) -> None:
    """The version in the user agent is that of the TLS target."""
    pattern = {"chrome": r"Chrome/(\d+)\.", "firefox": r"Firefox/(\d+)\.", "safari": r"Version/([\d.]+) "}
    told = re.search(pattern[fingerprint.family], fingerprint.user_agent)

    assert told is not None
    assert fingerprint.impersonate == fingerprint.family + told[1].replace(".", "")


@EACH
def test_the_hints_agree_with_the_user_agent(fingerprint: Fingerprint) -> None:
    """Chrome's hints give its version, its platform and no phone; the others send none."""
    hints = dict(fingerprint.client_hints)
    if fingerprint.family != "chrome":
        assert hints == {}
        return
    version = fingerprint.impersonate.removeprefix("chrome")
    brands = dict(re.findall(r'"([^"]+)";v="(\d+)"', hints["sec-ch-ua"]))

    assert brands["Chromium"] == brands["Google Chrome"] == version
    assert len(brands) == 3
    assert hints["sec-ch-ua-platform"] == f'"{platform_of(fingerprint.user_agent)}"'
    assert hints["sec-ch-ua-mobile"] == "?0"


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
def test_the_brands_are_in_the_order_of_their_version(fingerprint: Fingerprint) -> None:
    """Which brand is invented and which comes first follows from Chrome's version alone."""
    if fingerprint.family == "chrome":
        version = int(fingerprint.impersonate.removeprefix("chrome"))

        assert dict(fingerprint.client_hints)["sec-ch-ua"] == brands_of(version)


@EACH
def test_firefox_says_its_version_twice(fingerprint: Fingerprint) -> None:
    """The rv of a Firefox is its version."""
    rv = re.search(r"rv:(\d+)\.0\)", fingerprint.user_agent)

    assert (rv is not None) is (fingerprint.family == "firefox")
    if rv:
        assert fingerprint.impersonate == f"firefox{rv[1]}"


@EACH
def test_the_client_knows_the_target(fingerprint: Fingerprint) -> None:
    """Every target exists in the client that impersonates."""
    assert fingerprint.impersonate in typing.get_args(BrowserTypeLiteral)


def test_no_two_visitors_are_the_same() -> None:
    """User agents are each told once, and there is more than one browser family and platform."""
    assert len({one.user_agent for one in FINGERPRINTS}) == len(FINGERPRINTS)
    assert {one.family for one in FINGERPRINTS} == {"chrome", "safari", "firefox"}
    assert {platform_of(one.user_agent) for one in FINGERPRINTS} == {"Windows", "macOS"}


@EACH
def test_other_clients_are_told_all_that_a_browser_says(fingerprint: Fingerprint) -> None:
    """In its order, and nothing that is the client's to say, or that depends on the version of HTTP."""
    names = [*fingerprint.headers]

    assert names == [name for name in fingerprint.header_order() if name in names]
    assert {"User-Agent", "Accept", "Accept-Language", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} <= {*names}
    assert not {"Host", "Connection", "Accept-Encoding", "Cookie", "TE"} & {*names}
    assert ("Priority" in names) is (fingerprint.family != "chrome"), "a Chrome says it by HTTP/2 alone"
    assert {name: fingerprint.headers[name] for name, _ in fingerprint.client_hints} == dict(fingerprint.client_hints)


@EACH
def test_what_wreq_is_told_exists(fingerprint: Fingerprint) -> None:
    """It has the same Chromes, and no Firefox or Safari that is like ours."""
    assert bool(fingerprint.wreq) is (fingerprint.family == "chrome")
    assert hasattr(wreq.Emulation, fingerprint.wreq or "Chrome150")


@pytest.mark.parametrize("has_body", [False, True])
@pytest.mark.parametrize("is_redirected", [False, True])
@EACH
def test_each_order_has_a_place_for_each_header(
    *, fingerprint: Fingerprint, is_redirected: bool, has_body: bool
) -> None:
    """Whatever it is of, nothing that the browser says is missing, and nothing stands twice."""
    order = fingerprint.header_order(is_redirected=is_redirected, has_body=has_body)

    assert {*fingerprint.headers, "Host", "Referer", "Accept-Encoding", "Cookie", "Connection", "Priority"} <= {*order}
    assert len({*order}) == len(order)
    assert not has_body or {"Content-Type", "Content-Length", "Origin"} <= {*order}


def test_of_a_browser_of_no_known_family_only_itself_is_told() -> None:
    """An old store may have such sessions."""
    unknown = Fingerprint(
        impersonate="edge101", user_agent="Edge", accept_language="en", client_hints=(("sec-ch-ua", "e"),)
    )

    assert unknown.headers == {"sec-ch-ua": "e", "User-Agent": "Edge", "Accept-Language": "en"}
    assert unknown.header_order() == ()
    assert unknown.wreq == ""


MAC = "Macintosh; Intel Mac OS X 10_15_7"
WINDOWS = "Windows NT 10.0; Win64; x64"
PHONE = "iPhone; CPU iPhone OS 18_7 like Mac OS X"


def chrome(version: int, system: str = MAC, *, target: str = "", rest: str = "") -> Fingerprint:
    agent = f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36{rest}"
    return Fingerprint(impersonate=target or f"chrome{version}", user_agent=agent, accept_language="en")


def firefox(version: int, system: str) -> Fingerprint:
    agent = f"Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
    return Fingerprint(impersonate=f"firefox{version}", user_agent=agent, accept_language="en")


def safari(version: str, system: str = MAC) -> Fingerprint:
    agent = f"Mozilla/5.0 ({system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version} Safari/605.1.15"
    return Fingerprint(impersonate=f"safari{version.replace('.', '')}", user_agent=agent, accept_language="en")


FOLLOWED: dict[str, tuple[Fingerprint, str]] = {
    # The eight that were offered before these, and their like on other platforms.
    "Chrome 142 on a Mac": (chrome(142), "chrome150 macOS"),
    "Chrome 145 on a Mac": (chrome(145), "chrome150 macOS"),
    "Chrome 146 on a Mac": (chrome(146), "chrome150 macOS"),
    "Chrome 146 on Windows": (chrome(146, WINDOWS), "chrome150 Windows"),
    "the same Chrome, told otherwise": (chrome(150), "chrome150 macOS"),
    "Safari 18.4": (safari("18.4"), "safari270 macOS"),
    "Safari 26.0.1": (safari("26.0.1"), "safari270 macOS"),
    "Firefox 144 on a Mac": (firefox(144, "Macintosh; Intel Mac OS X 10.15"), "firefox154 macOS"),
    "Firefox 147 on Windows": (firefox(147, WINDOWS), "firefox154 Windows"),
    # No update leads there.
    "a newer Chrome": (chrome(160), ""),
    "a newer Safari": (safari("27.1"), ""),
    "another platform": (chrome(146, "X11; Linux x86_64"), ""),
    "a telephone": (safari("18.4", PHONE), ""),
    "a relative of Chrome": (chrome(101, target="edge101", rest=" Edg/101.0.0.0"), ""),
    "nothing that is known": (Fingerprint(impersonate="okhttp4", user_agent="okhttp", accept_language=""), ""),
    "a user agent of another family": (chrome(146, target="firefox146"), ""),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_an_old_browser_is_the_next_version_on_its_platform(case: str) -> None:
    """As its user has it after an update; where there is none, it is nobody's."""
    fingerprint, expected = FOLLOWED[case]
    now = follow(fingerprint, FINGERPRINTS)

    assert (f"{now.impersonate} {platform_of(now.user_agent)}" if now else "") == expected


@pytest.mark.parametrize("known", range(len(FINGERPRINTS)))
def test_a_browser_that_is_shown_stays_what_it_is(known: int) -> None:
    """Also when it is not the newest."""
    assert follow(FINGERPRINTS[known], FINGERPRINTS) is FINGERPRINTS[known]


@given(st.sampled_from(FINGERPRINTS), st.integers(0, 400), st.sampled_from([MAC, WINDOWS, PHONE]), st.data())
def test_no_update_goes_back_or_elsewhere(like: Fingerprint, version: int, system: str, data: st.DataObject) -> None:
    """Whatever was saved, and whatever is offered."""
    offered = data.draw(st.lists(st.sampled_from(FINGERPRINTS), unique=True))
    make = {"chrome": chrome, "firefox": firefox}.get(like.family)
    was = make(version, system) if make else safari(f"{version // 10}.{version % 10}", system)
    now = follow(was, offered)

    if now is None:
        return
    before, after = browser_of(was.user_agent), browser_of(now.user_agent)
    assert before is not None
    assert after is not None
    assert (after.family, after.platform) == (before.family, before.platform)
    assert (after.version or 0) >= (before.version or 0)
    assert now in offered
