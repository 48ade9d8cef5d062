"""What a redirect leads to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.core.model import Failure
from proxysieve.core.urls.parsing import place_of
from proxysieve.core.urls.redirects import MOST_HOPS, Hop, follow

PAGE = "https://shop.example/item"


def hop(asked: Hop, status: int, location: str, *, first_url: str = "", count: int = 0) -> Hop:
    """The next request, which there must be."""
    found = follow(asked, first_url or asked.url, status, location, count)
    assert isinstance(found, Hop)
    return found


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 309, 404, 0])
def test_another_status_is_no_redirect(status: int) -> None:
    """Though it says where something is (RFC 9110, 10.2.2)."""
    assert follow(Hop(url=PAGE), PAGE, status, "/new", 0) is None


@pytest.mark.parametrize("location", ["", " ", "\t"])
def test_a_redirect_to_nowhere_is_an_answer(location: str) -> None:
    """Browsers show its page."""
    assert follow(Hop(url=PAGE), PAGE, 302, location, 0) is None


@pytest.mark.parametrize(
    ("status", "method", "next_method"),
    [
        *((status, method, method) for status in (301, 302, 303, 307, 308) for method in ("GET", "HEAD")),
        *((status, "POST", "GET") for status in (301, 302, 303)),
        *((status, "POST", "POST") for status in (307, 308)),
        *((status, "PUT", "PUT") for status in (301, 302, 307, 308)),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
    ],
)
def test_the_method_changes_as_the_fetch_standard_says(status: int, method: str, next_method: str) -> None:
    """And the body goes with it, or not at all."""
    found = hop(Hop(url=PAGE, method=method, has_body=True), status, "/new")

    assert (found.method, found.has_body) == (next_method, method == next_method)


def test_a_body_that_was_not_sent_is_not_sent_later() -> None:
    """A 303 has dropped it, and a 307 behind it brings none back."""
    see_other = hop(Hop(url=PAGE, method="POST", has_body=True), 303, "/done")

    assert hop(see_other, 307, "/there").has_body is False


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://a/", "data:,x", "javascript:x", "intent://a", "http://[::", "//a b/", "http://"],
)
def test_what_is_no_web_page_is_not_followed(location: str) -> None:
    """Nobody asks a proxy for it."""
    assert follow(Hop(url=PAGE), PAGE, 302, location, 0) is Failure.MISLED


@pytest.mark.parametrize(
    "location",
    [
        *("http://127.0.0.1:9000/", "//localhost/", "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/"),
        *("http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://2130706433/", "http://0x7f.1/", "http://192.168.1.1."),
    ],
)
def test_a_public_page_leads_to_no_private_place(location: str) -> None:
    """Behind the proxy it is somebody else's network."""
    assert follow(Hop(url=PAGE), PAGE, 302, location, 0) is Failure.PRIVATE


def test_a_private_page_may_lead_to_private_places_and_public_ones() -> None:
    """Whoever asks for it means that network. From a public page on the way it leads back to it."""
    first = "http://127.0.0.1:8080/"

    assert hop(Hop(url=first), 302, "http://10.0.0.1/").url == "http://10.0.0.1/"
    away = hop(Hop(url=first), 302, "http://sso.example/")
    assert hop(away, 302, first, first_url=first).url == first


def test_so_many_redirects_are_followed_and_no_more() -> None:
    """Also to the URL itself, which may have set a cookie."""
    asked = Hop(url=PAGE)

    assert hop(asked, 302, PAGE, count=MOST_HOPS - 1).url == PAGE
    assert follow(asked, PAGE, 302, PAGE, MOST_HOPS) is Failure.REDIRECTS


def test_a_hop_has_the_fragment_of_the_page_and_no_login_of_the_redirect() -> None:
    """The first is as browsers do; the second would be sent as somebody's."""
    found = hop(Hop(url=f"{PAGE}#reviews"), 301, "//eve:pw@www.shop.example/new")

    assert found.url == "https://www.shop.example/new#reviews"


@pytest.mark.parametrize(
    ("location", "is_same"),
    [
        ("/new", True),
        ("https://SHOP.example.:443/new", True),
        ("http://shop.example/new", False),
        ("https://shop.example:8443/", False),
        ("https://www.shop.example/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(location: str, is_same: bool) -> None:  # noqa: FBT001 - a row
    """A referer goes there whole, and headers that let somebody in are for one of them."""
    assert (place_of(hop(Hop(url=PAGE), 302, location).url).origin == place_of(PAGE).origin) is is_same


@pytest.mark.parametrize(
    ("referer", "location", "told"),
    [
        pytest.param("", "/new", "", id="none"),
        pytest.param("https://shop.example/list?p=2", "/new", "https://shop.example/list?p=2", id="same-origin"),
        pytest.param("https://shop.example/list", "//cdn.example/", "https://shop.example/", id="another-site"),
        pytest.param("https://shop.example/list", "//www.shop.example/", "https://shop.example/", id="a-subdomain"),
        pytest.param("https://shop.example/list", "http://shop.example/", "", id="without-tls"),
        pytest.param("http://shop.example/list", "https://shop.example/", "http://shop.example/", id="into-tls"),
        pytest.param("https://search.example/", "/new", "https://search.example/", id="from-elsewhere"),
        pytest.param("https://a:b@shop.example:8443/x", "//cdn.example/", "https://shop.example:8443/", id="login"),
        pytest.param("android-app://com.google.android.gm/", "/new", "", id="no-web-page"),
        pytest.param("nonsense", "//cdn.example/", "", id="nonsense"),
    ],
)
def test_a_referer_is_told_as_browsers_do(referer: str, location: str, told: str) -> None:
    """By strict-origin-when-cross-origin, their default."""
    assert hop(Hop(url=PAGE, referer=referer), 302, location).referer == told


@settings(deadline=None)
@given(st.text(max_size=30), st.sampled_from(["GET", "POST"]), st.integers(0, 25))
def test_any_location_is_followed_or_has_a_failure(location: str, method: str, count: int) -> None:
    """Whatever a site sends."""
    found = follow(Hop(url=PAGE, method=method), PAGE, 302, location, count)

    assert found is None or isinstance(found, Hop | Failure)
