"""Headers of the user's own."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import Scripted, answers, lines

from proxysieve import ConfigError, GaveUp, Request, Response, Session, SessionPool
from proxysieve.core.urls.parsing import as_sent
from proxysieve.sessions.own_headers import (
    Given,
    OwnHeader,
    OwnHeaders,
    check_headers,
    headers_for_hop,
    is_secret,
    parse_header,
)
from proxysieve.testbed import Testbed, World

SECRET = "s3cret"
PLAIN = {"X-Plain": "plain"}
BOTH = PLAIN | {"Authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("X-Token:  a:b ", ("", "X-Token", "a:b")),
        ("Accept-Language: de", ("", "Accept-Language", "de")),
        ("X-Query: a=b: c", ("", "X-Query", "a=b: c")),
        ("X-Basic: dXNlcg==", ("", "X-Basic", "dXNlcg==")),
        ("shop.example=X-Token: a=b:c", ("shop.example", "X-Token", "a=b:c")),
        ("shop.example:8443=X-Token: a", ("shop.example:8443", "X-Token", "a")),
        (" shop.example= X-Token : a", ("shop.example", "X-Token", "a")),
        ("[::1]:8080=X-Token: a", ("[::1]:8080", "X-Token", "a")),
        ("bücher.example=X-Token: a", ("bücher.example", "X-Token", "a")),
    ],
)
def test_a_header_is_a_name_and_a_value_and_may_have_a_site(text: str, header: tuple[str, str, str]) -> None:
    """Space around them is none of theirs, and a value may have colons and equals signs in it."""
    assert parse_header(text) == OwnHeader(*header)


@pytest.mark.parametrize(
    "text",
    [
        *("topsecret", ": topsecret", "two words: topsecret", "", "Émile: topsecret"),
        *("https://shop.example=Authorization: topsecret", "shop.example=topsecret", "shop.example =A: topsecret"),
    ],
)
def test_what_is_no_header_is_not_repeated(text: str) -> None:
    """It may be a secret."""
    with pytest.raises(ConfigError, match="expected 'Name: value'") as caught:
        parse_header(text)

    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("User-Agent", "curl/8", "part of the fingerprint"),
        ("sec-ch-ua-platform", '"Linux"', "part of the fingerprint"),
        ("Cookie", "a=b", "--cookie-file"),
        ("Host", "other.example", "for the client to say"),
        ("Content-Length", "3", "for the client to say"),
        ("Proxy-Authorization", "Basic eDp5", "between the client and the proxy"),
        ("X-Two-Lines", "a\r\nX-Other: b", "printable ASCII"),
        ("X Y", "a", "made of other characters"),
    ],
)
async def test_what_is_not_the_users_to_say_is_refused(name: str, value: str, says: str) -> None:
    """Of a pool, of one site, of one request. The error says whose it is, or where it is said, and repeats no value."""
    errors = []
    for headers in ({name: value}, {"shop.example": {name: value}}):
        with pytest.raises(ConfigError, match=says) as caught:
            SessionPool(["a.example:1"], store="memory:", headers=headers)
        errors.append(str(caught.value))
    async with SessionPool(lines(1), store="memory:", client=Scripted(answers(200))) as pool:
        with pytest.raises(ConfigError, match=says) as caught:
            await pool.get("http://shop.example/", headers={name: value})

    assert {*errors, str(caught.value)} == {errors[0]}
    assert value not in errors[0] or len(value) < 4


def test_the_users_own_headers_pass() -> None:
    """Whatever a session's browser would not contradict."""
    headers = {"Accept-Language": "de", "Authorization": "Bearer x", "X-Empty": ""}

    assert check_headers(headers) == headers


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *((name, True) for name in ("Authorization", "x-api-key", "X-APIKey", "X-Auth", "Private-Token", "X-Keys")),
        *(
            (name, True)
            for name in ("X-CSRFToken", "X-XSRF-Id", "Ocp-Apim-Subscription-Key", "CF-Access-Client-Secret")
        ),
        *(
            (name, True)
            for name in ("X-Session-Id", "X-Password", "X-Jwt", "Cookie2", "X-Amz-Security-Token", "api_key")
        ),
        *((name, False) for name in ("Accept", "Accept-Language", "Referer", "X-Requested-With", "Origin", "DNT")),
        *((name, False) for name in ("Cache-Control", "X-Keyword", "If-None-Match", "Priority", "Range")),
    ],
)
def test_a_secret_is_told_by_its_name(name: str, *, is_one: bool) -> None:
    """In whatever case."""
    assert (is_secret(name), is_secret(name.upper()), is_secret(name.lower())) == (is_one, is_one, is_one)


@pytest.mark.parametrize(
    ("asked", "hop", "goes"),
    [
        ("http://shop.example/a", "http://shop.example/b", BOTH),
        ("http://shop.example/a", "http://SHOP.example:80/b", BOTH),
        ("http://shop.example/a", "http://shop.example./b", BOTH),
        ("https://shop.example/a", "https://shop.example:443", BOTH),
        ("http://bücher.example/", "http://xn--bcher-kva.example/?q", BOTH),
        ("http://user:pass@shop.example/", "http://shop.example/#top", BOTH),
        # To TLS, as Requests and HTTPX take it.
        ("http://shop.example/", "https://shop.example/", BOTH),
        ("http://shop.example:8080/", "https://shop.example:8080/", BOTH),
        ("http://127.0.0.1/", "https://127.0.0.1/", BOTH),
        # Within the site.
        ("http://shop.example/", "http://www.shop.example/", PLAIN),
        ("http://www.shop.example/", "http://shop.example/", PLAIN),
        ("http://shop.example/", "http://shop.example:8080/", PLAIN),
        ("http://shop.example:8080/", "https://shop.example/", PLAIN),
        ("https://a.shop.example/", "https://b.shop.example/", PLAIN),
        # Away from it.
        ("http://shop.example/", "http://other.example/", {}),
        ("http://shop.example/", "http://shop.example.other.example/", {}),
        ("http://shop.example/", "http://notshop.example/", {}),
        ("http://a.github.io/", "http://b.github.io/", {}),
        ("http://a.co.uk/", "http://b.co.uk/", {}),
        ("http://127.0.0.1/", "http://127.0.0.2/", {}),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:9000/", {}),
        ("http://localhost:8000/", "http://localhost:9000/", {}),
        ("http://[::1]:8000/", "http://[::1]:9000/", {}),
        # From TLS.
        ("https://shop.example/", "http://shop.example/", {}),
        ("https://shop.example/", "HTTP://shop.example:443/", {}),
        # What some read otherwise, as it is connected to.
        ("http://shop.example/", "http://other.example\\@shop.example/", {}),
        ("http://shop.example/", "http://shop.example\\.other.example/", BOTH),
        ("http://shop.example/", "http://shop.example@other.example/", {}),
        ("http://shop.example/", "http://other.example@shop.example/", BOTH),
        ("http://shop.example/", "http://shop%2eexample/", BOTH),
        ("http://127.0.0.1/", "http://0x7f.1/", BOTH),
        ("http://[::1]/", "http://[0:0::1]/", BOTH),
        # What is no URL.
        ("http://shop.example/", "http://shop.example:80:90/", {}),
        ("http://shop.example/", "http://shop.example:99999/", {}),
        ("http://shop.example/", "http://shop.exa mple/", {}),
        ("http://shop.example/", "//shop.example/", {}),
        ("http://shop.example/", "/b", {}),
        ("http://shop.example/", "", {}),
        ("http://shop.example/", "ftp://shop.example/", {}),
        ("http://shop.example/", "data:text/html,shop.example", {}),
    ],
)
def test_a_header_goes_on_within_its_site_and_a_secret_to_its_host(
    asked: str, hop: str, goes: Mapping[str, str]
) -> None:
    """And neither from https to http, nor to what is no URL."""
    assert headers_for_hop(BOTH, asked, hop) == goes


@pytest.mark.parametrize("url", ["http://shop.example/", "http://straße.example/", "http://a\\@b.example/", "nothing"])
def test_what_was_asked_for_gets_all(url: str) -> None:
    """It is what they were given for, whatever else can be made of it."""
    assert headers_for_hop(BOTH, url, url) == BOTH


PARTS = st.sampled_from(
    [
        *(
            "http://",
            "https://",
            "HTTP://",
            "http:",
            "//",
            "/",
            "\\",
            "@",
            ":",
            ":80",
            ":8080",
            "?",
            "#",
            ".",
            "%2e",
            " ",
        ),
        *("\t", "\n", "\0", "[", "]", "::1", "shop.example", "SHOP.EXAMPLE", "shop。example", "www.", "other.example"),
        *("user", "example", "\uff53hop.example", "shop", "-", "_", "℀"),
    ]
)


@given(
    text=st.lists(PARTS | st.text(max_size=3), max_size=8).map("".join),
    scheme=st.sampled_from(["http", "https"]),
    is_whole=st.booleans(),
)
def test_nothing_goes_to_another_site_however_it_is_spelled(text: str, scheme: str, *, is_whole: bool) -> None:
    """Whatever stands in a redirect: whoever gets something is of the site, as the URL is written into a request."""
    hop = text if is_whole else f"http://{text}shop.example/"

    goes = headers_for_hop(BOTH, f"{scheme}://shop.example/", hop)

    if goes:
        sent = urlsplit(as_sent(hop))
        host = (sent.hostname or "").removesuffix(".")
        assert f".{host}".endswith(".shop.example")
        assert (scheme, sent.scheme) != ("https", "http")
        assert goes == PLAIN or host == "shop.example"


OWN: Given = {
    "X-Own": "all",
    "Accept": "text/html",
    "shop.example": {"x-own": "site", "Authorization": "site"},
    "api.shop.example": {"Authorization": "host"},
    "api.shop.example:8443": {"authorization": "port"},
    "127.0.0.1:8080": {"X-Key": "address"},
    "[::1]": {"X-Key": "six"},
    "BÜCHER.example": {"X-Key": "books"},
}


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://other.example/", {"X-Own": "all", "Accept": "text/html"}),
        ("http://shop.example/1", {"x-own": "site", "Accept": "text/html", "Authorization": "site"}),
        ("https://www.shop.example/", {"x-own": "site", "Accept": "text/html", "Authorization": "site"}),
        ("https://api.shop.example/", {"x-own": "site", "Accept": "text/html", "Authorization": "host"}),
        ("https://api.shop.example:8443/", {"x-own": "site", "Accept": "text/html", "authorization": "port"}),
        ("http://127.0.0.1:8080/", {"X-Own": "all", "Accept": "text/html", "X-Key": "address"}),
        ("http://127.0.0.1/", {"X-Own": "all", "Accept": "text/html"}),
        ("http://[::1]/", {"X-Own": "all", "Accept": "text/html", "X-Key": "six"}),
        ("http://[::1]:81/", {"X-Own": "all", "Accept": "text/html"}),
        ("http://xn--bcher-kva.example/", {"X-Own": "all", "Accept": "text/html", "X-Key": "books"}),
    ],
)
def test_a_request_carries_what_is_given_for_its_place(url: str, headers: dict[str, str]) -> None:
    """A registrable domain stands for all its hosts. The narrower place counts for more, and no name is sent twice."""
    assert OwnHeaders.of(OWN).at(url) == headers


@pytest.mark.parametrize(
    "site",
    [
        *("shop.example/path", "user@shop.example", "https://shop.example", "shop.example:99999", "shop..example"),
        "a b",
        "",
    ],
)
def test_what_is_no_site_is_refused(site: str) -> None:
    """Before anything is sent, and without a word of the value."""
    with pytest.raises(ConfigError, match=r"for is no site|of sites to such") as caught:
        OwnHeaders.of({site: {"Authorization": SECRET}})

    assert SECRET not in str(caught.value)


def test_a_secret_is_given_for_a_site_unless_there_is_one_alone() -> None:
    """The error says its name and how to write it; other headers are for all of them."""
    given_for_all = OwnHeaders([parse_header(f"X-Api-Key: {SECRET}"), parse_header("X-Plain: a")])

    with pytest.raises(ConfigError) as caught:
        given_for_all.bound_to(["http://shop.example/", "http://a.other.example/"])
    bound = given_for_all.bound_to(["http://shop.example/1", "http://www.shop.example/2"])

    assert "the header X-Api-Key is a secret, and the URLs are of 2 sites" in str(caught.value)
    assert "--header 'other.example=X-Api-Key: ...'" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert bound.at("http://www.shop.example/3") == {"X-Api-Key": SECRET, "X-Plain": "a"}
    assert bound.at("http://other.example/") == {"X-Plain": "a"}


def test_a_pool_takes_no_secret_for_every_site() -> None:
    """It may be asked for any; the error says how to give it for one."""
    with pytest.raises(ConfigError, match=r"headers=\{'shop.example': \{'Authorization': \.\.\.\}\}") as caught:
        SessionPool(["a.example:1"], store="memory:", headers={"Authorization": SECRET})

    assert SECRET not in str(caught.value)


def test_what_no_url_is_of_the_site_of_is_told() -> None:
    """It may be a slip of the pen; by its name and its site."""
    headers = OwnHeaders(map(parse_header, ["X-Plain: a", f"shpo.example=X-Key: {SECRET}", "shop.example=X-Key: a"]))

    assert headers.unused_at(["http://a.shop.example/", "http://other.example/"]) == [
        "the header X-Key for shpo.example, as no URL is of that site"
    ]


class Heard:
    """A client that keeps what it was to send."""

    def __init__(self) -> None:
        self.headers: dict[str, dict[str, str]] = {}

    async def send(self, request: Request, session: Session) -> Response:
        self.headers[request.url] = request.headers
        return answers(200)(request, session)


async def test_each_request_is_given_those_of_its_site() -> None:
    """Those of a request are for its URL alone; what is not a page, as robots.txt, is asked for as pages are."""
    client, secret = Heard(), {"X-Key": SECRET}
    async with SessionPool(
        lines(1), store="memory:", client=client, max_rate=0, looks=False, headers={**PLAIN, "shop.example": secret}
    ) as pool:
        await pool.get("http://shop.example/")
        await pool.get("http://other.example/")
        await pool.get("http://third.example/", headers={"x-plain": "own", "Authorization": "third"})
        await pool.get("http://third.example/2")
        await pool.session("one", site="shop.example").get("http://www.shop.example/")
        await pool.get_aside("http://shop.example/robots.txt", 1.0)

    assert client.headers == {
        "http://shop.example/": PLAIN | secret,
        "http://other.example/": PLAIN,
        "http://third.example/": {"x-plain": "own", "Authorization": "third"},
        "http://third.example/2": PLAIN,
        "http://www.shop.example/": PLAIN | secret,
        "http://shop.example/robots.txt": PLAIN | secret,
    }


async def test_they_are_sent_with_every_request_and_an_own_one_counts_for_more() -> None:
    """Those of the pool come on top of the identity's, those of a request on top of the pool's; none is sent twice."""
    async with (
        Testbed(World(proxies=1, networks=1)) as bed,
        SessionPool(
            bed.proxy_lines, store="memory:", headers={"Accept-Language": "de", "X-Own": "pool"}, max_rate=0
        ) as pool,
    ):
        page = await pool.get(f"{bed.site_url}/echo", headers={"x-own": "request"})

    sent = [(name.lower(), value) for name, value in page.json()["headers"]]
    assert [value for name, value in sent if name == "accept-language"] == ["de"]
    assert [value for name, value in sent if name == "x-own"] == ["request"]


async def test_the_value_of_a_secret_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """In no log at its most talkative, in no representation, in no error with its causes, in no page."""
    caplog.set_level(logging.DEBUG)
    asked: list[str] = []

    def fail(request: Request, session: Session) -> Response:
        asked.extend([repr(request), str(request)])
        if request.url.endswith("/broken"):
            raise RuntimeError("a fault of the client's own")
        return answers(500)(request, session)

    headers: Given = {"shop.example": {"X-Api-Key": SECRET}}
    async with SessionPool(
        lines(2), store="memory:", client=Scripted(fail), headers=headers, max_rate=0, max_wait_seconds=0
    ) as pool:
        errors = []
        for path in ("page", "broken"):
            with pytest.raises((GaveUp, RuntimeError)) as caught:
                await pool.get(f"http://shop.example/{path}", headers={"Authorization": SECRET})
            errors.extend([*traceback.format_exception(caught.value), repr(vars(caught.value))])
        shown = [repr(pool), repr(pool.settings), repr(pool.settings.headers), *asked, *errors, caplog.text]
    async with Testbed(World(proxies=1, networks=1)) as bed, SessionPool(bed.proxy_lines, store="memory:") as pool:
        page = await pool.get(bed.page_url(1), headers={"Authorization": SECRET})

    assert "X-Api-Key" in "".join(shown)
    assert SECRET not in "".join([*shown, repr(page)])
