"""The texts of the site: its pages, which depend on their ids, and its blocks."""

from __future__ import annotations

import functools
import html
import json
import random

from proxysieve.testbed.font import GLYPH
from proxysieve.testbed.scripts import script
from proxysieve.testbed.world import BlockStyle, World

_VOCABULARY = (
    "amber anchor apron basket beacon birch blanket bottle bramble brass brook button cabin candle "
    "canvas carpet cedar chalk cherry clover cobalt copper cotton cradle cushion dapple drawer ember "
    "fabric feather fern flannel folding garden ginger glazed granite hammock handle harbour hazel "
    "heather hollow honey indigo ivory jasmine juniper kettle ladder lantern leather lemon linen "
    "lumber magnet maple marble meadow mellow mirror mosaic mustard needle nutmeg oaken olive "
    "orchard paper parlour pebble pepper pewter pillow pine plaster pocket quartz quilt raven ribbon "
    "rosemary rustic saddle saffron sandal satin shelf silver slate spruce stone sturdy tallow "
    "teapot thimble timber tulip umber velvet walnut willow winter woollen yarrow "
)
_WORDS = _VOCABULARY.split()

_LINKED_IDS = range(10_000)
# A prime, so that every stride goes through all paragraphs.
_PARAGRAPH_COUNT = 251
_MARKED_BYTES = 2_000
_FALSE_MARK = "<script>window.ready = window.ready || !window._cf_chl_opt;</script>\n"
_STYLES = "<style>@font-face{font-family:icons;src:url(/assets/icons.ttf)}.stars{font-family:icons}</style>"

# Shorter than any sign, and than the tag that would end a script.
_PIECE_LENGTH = 4


class Pages:
    """The pages of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        rng = random.Random(world.seed)
        self._paragraphs = [_paragraph(rng) for _ in range(_PARAGRAPH_COUNT)]
        self._paragraph_bytes = sum(map(len, self._paragraphs)) // _PARAGRAPH_COUNT

    def body(self, page_id: int, *, is_marked: bool = False) -> bytes:
        """Return the page. Equal worlds have equal pages. If it *is_marked*, a detector takes it for a challenge."""
        if self._world.fate_of(page_id) == "empty":
            return b""
        # Detectors take no long page for a challenge.
        size = min(self._world.page_bytes, _MARKED_BYTES) if is_marked else self._world.page_bytes
        return self._page(page_id, size, _FALSE_MARK if is_marked else "")

    def block(self, style: BlockStyle, page_id: int) -> bytes:
        """Return what blocked clients get instead of the page. A hidden captcha is a page with a script."""
        if style == "hidden_captcha":
            return self._page(page_id, self._world.page_bytes, _hiding(block_page(style)))
        return block_page(style)

    def _page(self, page_id: int, size: int, ending: str) -> bytes:
        rng = random.Random(self._world.seed * 1_000_003 + page_id)
        name = " ".join(rng.choices(_WORDS, k=3)).title()
        links = "".join(
            f'<li><a href="/page/{other}">Item {other}</a></li>\n' for other in rng.choices(_LINKED_IDS, k=8)
        )
        price = f"{rng.randrange(500, 90_000) / 100:.2f}"
        styles, figures = (_STYLES, _figures(page_id)) if self._world.assets else ("", "")
        head = (
            f"<!DOCTYPE html>\n<html lang=en>\n<head><meta charset=utf-8><title>{name} - item {page_id}</title>"
            f"{styles}</head>\n<body>\n<h1>{name}</h1>\n{figures}"
            f"<p>Item {page_id}, {price} in stock at warehouse {rng.randrange(40)}.</p>\n"
            f"<ul>\n{links}</ul>\n"
        )
        count = round(max(0, size - len(head)) / self._paragraph_bytes)
        start, stride = rng.randrange(_PARAGRAPH_COUNT), rng.randrange(1, _PARAGRAPH_COUNT)
        text = "".join([self._paragraphs[(start + step * stride) % _PARAGRAPH_COUNT] for step in range(count)])
        return f"{head}{text}{ending}</body>\n</html>\n".encode()


def missing_page(path: str) -> bytes:
    """Return the real 404."""
    return _document("Page not found", f"<p>There is nothing at {html.escape(path)}.</p>")


def error_page() -> bytes:
    """Return the real 500."""
    return _document("Internal server error", "<p>Something went wrong on our side.</p>")


def maintenance_page() -> bytes:
    """Return the 503 of an outage."""
    return _document("We will be right back", "<p>The shop is down for maintenance. Thank you for your patience.</p>")


def throttled_page() -> bytes:
    """Return the text of a 429 from a limit."""
    return _document("Too many requests", "<p>Please slow down.</p>")


@functools.cache
def block_page(style: BlockStyle) -> bytes:
    """Return the page of a block. Its signs are those of the systems whose style it has."""
    match style:
        case "forbidden":
            return _document("403 Forbidden", "<p>You do not have permission to see this page.</p>")
        case "throttled":
            return throttled_page()
        case "challenge":
            return _CHALLENGE
        case "captcha" | "hidden_captcha":
            return _CAPTCHA
        case "sorry":
            return _document("302 Moved", "<p>The document has moved.</p>")
        case "empty" | "reset":
            return b""
        case "unknown":
            return _UNKNOWN
        case "json":
            return _JSON_BLOCK
        case "country":
            return _document(
                "The request could not be satisfied",
                "<p>This distribution is configured to block access from your country. Who runs it may know more.</p>\n"
                "<hr><pre>Generated by cloudfront (CloudFront)</pre>",
            )
        case "network":
            return _NETWORK


def sorry_page(continue_to: str) -> bytes:
    """Return the captcha of `/sorry/index`, in the style of a search engine's."""
    return _document(
        "Sorry...",
        "<p>Our systems have detected unusual traffic from your computer network. Solve the captcha to go on.</p>\n"
        '<form id="captcha-form" action="index" method="post">'
        f'<input type="hidden" name="continue" value="{html.escape(continue_to)}"></form>',
    )


_CHALLENGE = b"""<!DOCTYPE html>
<html lang="en-US">
<head><title>Just a moment...</title><meta name="robots" content="noindex,nofollow"></head>
<body><noscript>Enable JavaScript and cookies to continue</noscript>
<script>window._cf_chl_opt = {cvId: '3', cType: 'managed', cRay: '0000000000000000'};
var s = document.createElement('script'); s.src = '/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1';
document.head.appendChild(s);</script></body>
</html>
"""

_CAPTCHA = b"""<!DOCTYPE html>
<html lang="en">
<head><title>Access to this page has been denied</title></head>
<body><h1>Press &amp; Hold to confirm you are a human (and not a bot).</h1>
<div id="px-captcha"></div><script src="/captcha/captcha.js?a=c"></script></body>
</html>
"""


# No list has its vendor. Only a comparison with the site's pages can tell what it is.
_UNKNOWN = b"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Gatehouse</title></head>
<body><form method="post" action="/gh/answer">
<img src="/gh/tiles/5121.png" alt=""><label for="tile">Which of the tiles shows a lighthouse?</label>
<input id="tile" name="tile"><input type="hidden" name="ticket" value="5121-7c0e"><button>Go on</button></form></body>
</html>
"""

_JSON_BLOCK = (
    b'{"url":"https://geo.captcha-delivery.com/captcha/?initialCid=AAAAAAAAAAAA&hash=0000000000000000000000000000'
    b'&t=bv&s=1"}\n'
)

_NETWORK = b"""<!DOCTYPE html>
<html lang="en-US">
<head><title>Access denied | this site used Cloudflare</title></head>
<body><div id="cf-error-details"><h1>Error <span class="cf-error-code">1005</span></h1>
<p>The owner of this site has banned the network (ASN) that your address is in.</p>
<p>Cloudflare Ray ID: 0000000000000000</p></div></body>
</html>
"""


@functools.cache
def _hiding(page: bytes) -> str:
    """Return a script that replaces its page by *page*."""
    text = page.decode()
    pieces = [text[at : at + _PIECE_LENGTH] for at in range(0, len(text), _PIECE_LENGTH)]
    return f"<script>\n{script('hidden_captcha.js').replace('PIECES', json.dumps(pieces))}</script>\n"


def _figures(page_id: int) -> str:
    return (
        f'<img src="/assets/picture/{page_id}.png" width="240" height="240" alt="">\n'
        f'<p class="stars">{GLYPH * 5}</p>\n<audio src="/assets/sound.wav" preload="auto" controls></audio>\n'
    )


def _paragraph(rng: random.Random) -> str:
    sentences = [" ".join(rng.choices(_WORDS, k=rng.randrange(6, 16))).capitalize() for _ in range(6)]
    return f"<p>{'. '.join(sentences)}.</p>\n"


def _document(title: str, content: str) -> bytes:
    return (
        f"<!DOCTYPE html>\n<html lang=en>\n<head><title>{title}</title></head>\n"
        f"<body>\n<h1>{title}</h1>\n{content}\n</body>\n</html>\n"
    ).encode()
