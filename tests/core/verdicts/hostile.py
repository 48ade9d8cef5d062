"""Answers that are made to trouble who reads them: pages, headers, JSON, in the small for the drawing of many."""

from __future__ import annotations

from hypothesis import strategies as st

from proxysieve.core.model import Exchange

TAGS = (
    *("a", "b", "i", "nobr", "font", "p", "div", "span", "ul", "li", "dl", "dd", "table", "tr", "td", "caption"),
    *("select", "option", "optgroup", "form", "button", "input", "textarea", "title", "script", "style", "noscript"),
    *("template", "svg", "math", "mi", "foreignobject", "iframe", "frameset", "frame", "object", "plaintext", "body"),
    *("html", "head", "meta", "h1", "ruby", "rt", "x-y", "br", "img", "marquee", "hr", "xmp", "annotation-xml"),
)
# Character references of all kinds: to nothing, to halves, to numbers without end.
REFERENCES = (
    *("&#" + "9" * 5_000, "&#" + "9" * 5_000 + ";", "&#" + "0" * 5_000 + "65;", "&#x" + "f" * 5_000 + ";", "&#"),
    *("&#xD800;", "&#xDFFF;", "&#55296;", "&#0;", "&#x0;", "&#1;", "&#x110000;", "&#128;", "&", "&;", "&x;"),
    *("&lt", "&notin;", "&NotEqualTilde;", "&" + "a" * 500 + ";"),
)
CHARSETS = (
    *("idna", "unicode_escape", "raw_unicode_escape", "zip", "base64", "hex", "rot13", "punycode", "utf-7", "utf-8"),
    *("utf-16", "utf-16-le", "utf-32", "gbk", "gb18030", "gb" + "x" * 10_000, "iso-8859-99", "iso-8859-1\0", "mbcs"),
    *("big5hkscs", "shift_jis", "euc-jp", "koi8-r", "cp1252", "undefined", "../../etc/passwd", "\ud800", "\x85", ""),
)
ODD = ("<!--", "-->", "--!>", "<![CDATA[", "]]>", "<?", "<!", "</", "<", ">", '"', "'", "=", "\0", "\ufeff", "\u202e")
LETTERS = (
    "x",
    " ",
    "\n",
    "\u0130",
    "\ud800",
    "\udfff",
    "\u0315\u0300",
    "\U0001f600",
    "Access denied",
    "your ip",
    "captcha",
)


def attributes() -> st.SearchStrategy[str]:
    """What may stand in a tag: also very much of it."""
    one = st.sampled_from(
        [
            *(
                ' class="a b"',
                " id=c",
                " class='",
                ' href="',
                " src=//hcaptcha.com/x",
                ' src="https://a/?x',
                " =",
                " /",
            ),
            *(
                " charset=utf-16",
                ' http-equiv=content-type content="text/html; charset=gbk"',
                " x" * 300,
                " style=" + "y" * 999,
            ),
        ]
    )
    return st.lists(one, max_size=3).map("".join)


def tags() -> st.SearchStrategy[str]:
    """Beginnings and ends, in no order."""
    return st.builds(
        lambda slash, name, inside, end, times: f"<{slash}{name}{inside}{end}" * times,
        st.sampled_from(["", "", "/"]),
        st.sampled_from(TAGS),
        attributes(),
        st.sampled_from([">", ">", ">", "/>", ""]),
        st.sampled_from([1, 1, 2, 40]),
    )


def markup() -> st.SearchStrategy[bytes]:
    """A page that no grammar allows, in some encoding."""
    scraps = st.one_of(tags(), st.sampled_from([*REFERENCES, *ODD, *LETTERS]), st.sampled_from(CHARSETS))
    return st.builds(
        lambda start, parts, encoding: (start + "".join(parts)).encode(encoding, "surrogatepass"),
        st.sampled_from(["", "<!doctype html><html><head>", "<title>", "<meta charset=gbk>", "<html><body>"]),
        st.lists(scraps, max_size=25),
        st.sampled_from(["utf-8", "utf-8", "utf-16-le", "utf-32"]),
    )


def json_texts() -> st.SearchStrategy[bytes]:
    """JSON and what looks like it: deep, long numbers, halves of characters, keys twice."""
    scraps = st.sampled_from(
        [
            *("{", "}", "[", "]", ",", ":", '"a"', '"b"', '"\\ud800"', '"\\u0000"', "1", "-", "9" * 5_000, "1e999"),
            *("1." + "0" * 5_000, "true", "nul", " ", "\0", "NaN", '"a":', '{"a":{"b":', "[" * 3_000, '{"a":' * 3_000),
        ]
    )
    return st.lists(scraps, max_size=20).map("".join).map(str.encode)


def bodies() -> st.SearchStrategy[bytes]:
    """Any of these, or anything."""
    return st.one_of(markup(), markup(), json_texts(), st.binary(max_size=200))


NAMES = (
    *("content-type", "retry-after", "server", "set-cookie", "x-amzn-waf-action", "x-squid-error", "cf-mitigated"),
    *("www-authenticate", "proxy-authenticate", "", "\0", "x" * 5_000, "\ud800"),
)
VALUES = (
    *("", "captcha", "9" * 5_000, "-1", "1 Jan " + "9" * 5_000, "Wed, 21 Oct 2015 07:28:00 +" + "9" * 5_000, "\ud800"),
    *("\0", "x" * 70_000, "text/html; charset=" + "z" * 10_000, "image/png", "a=b; " * 2_000),
)


def headers() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Odd names, odd values, and one of them very often."""
    charset = st.tuples(st.just("content-type"), st.sampled_from(CHARSETS).map("text/html; charset=".__add__))
    one = st.one_of(
        charset, st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), st.tuples(st.text(), st.text())
    )
    often = st.tuples(one, st.sampled_from([1, 1, 1, 200])).map(lambda pair: [pair[0]] * pair[1])
    return st.lists(often, max_size=5).map(lambda lists: tuple(header for ones in lists for header in ones))


URLS = (
    *(
        "https://shop.example/1",
        "http://shop.example/1",
        "",
        "x",
        "https://",
        "http://[",
        "http://[::1",
        "//",
        "https://\ud800/",
    ),
    *(
        "https://" + "a." * 30_000 + "example/",
        "http://a" + "\u0315\u0300" * 2_000 + "/sorry/",
        "https://a@b@c:d:e/sorry/",
    ),
)


def exchanges() -> st.SearchStrategy[Exchange]:
    """Whole answers."""
    return st.builds(
        Exchange,
        url=st.sampled_from(URLS),
        final_url=st.sampled_from(URLS),
        method=st.sampled_from(["GET", "get", "HEAD", "\0"]),
        status=st.one_of(st.sampled_from([200, 200, 200, 403, 405, 429, 503]), st.integers(-(10**30), 10**30)),
        headers=headers(),
        body=st.one_of(st.none(), bodies(), bodies(), bodies()),
        at=st.just(1e9),
    )
