"""The texts of the site: its pages, which follow from their ids, and its blocks."""

from __future__ import annotations

import functools
import html
import random

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
# A prime, so that every stride goes through all of them.
_PARAGRAPH_COUNT = 251


class Pages:
    """The pages of one world."""

    def __init__(self, world: World) -> None:
        self._seed = world.seed
        self._bytes = world.page_bytes
        rng = random.Random(world.seed)
        self._paragraphs = [_paragraph(rng) for _ in range(_PARAGRAPH_COUNT)]
        self._paragraph_bytes = sum(map(len, self._paragraphs)) // _PARAGRAPH_COUNT

    def body(self, page_id: int) -> bytes:
        """Return the page; equal worlds have equal pages."""
        rng = random.Random(self._seed * 1_000_003 + page_id)
        name = " ".join(rng.choices(_WORDS, k=3)).title()
        links = "".join(
            f'<li><a href="/page/{other}">Item {other}</a></li>\n' for other in rng.choices(_LINKED_IDS, k=8)
        )
        head = (
            f"<!DOCTYPE html>\n<html lang=en>\n<head><meta charset=utf-8><title>{name} - item {page_id}</title>"
            f"</head>\n<body>\n<h1>{name}</h1>\n<p>Item {page_id}, {rng.randrange(500, 90_000) / 100:.2f} in stock "
            f"at warehouse {rng.randrange(40)}.</p>\n<ul>\n{links}</ul>\n"
        )
        count = round(max(0, self._bytes - len(head)) / self._paragraph_bytes)
        start, stride = rng.randrange(_PARAGRAPH_COUNT), rng.randrange(1, _PARAGRAPH_COUNT)
        text = "".join([self._paragraphs[(start + step * stride) % _PARAGRAPH_COUNT] for step in range(count)])
        return f"{head}{text}</body>\n</html>\n".encode()


def missing_page(path: str) -> bytes:
    """Return the honest 404."""
    return _document("Page not found", f"<p>There is nothing at {html.escape(path)}.</p>")


def error_page() -> bytes:
    """Return the honest 500."""
    return _document("Internal server error", "<p>Something went wrong on our side.</p>")


def throttled_page() -> bytes:
    """Return the text of a 429 that a limit gives."""
    return _document("Too many requests", "<p>Please slow down.</p>")


@functools.cache
def block_page(style: BlockStyle) -> bytes:
    """Return the text of a block; what marks it is known of the systems that it is in the style of."""
    match style:
        case "forbidden":
            return _document("403 Forbidden", "<p>You do not have permission to see this page.</p>")
        case "throttled":
            return throttled_page()
        case "challenge":
            return _CHALLENGE
        case "captcha":
            return _CAPTCHA
        case "sorry":
            return _document("302 Moved", "<p>The document has moved.</p>")
        case "empty":
            return b""


def sorry_page(continue_to: str) -> bytes:
    """Return the captcha that `/sorry/index` shows, in the style of a search engine's."""
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


def _paragraph(rng: random.Random) -> str:
    sentences = [" ".join(rng.choices(_WORDS, k=rng.randrange(6, 16))).capitalize() for _ in range(6)]
    return f"<p>{'. '.join(sentences)}.</p>\n"


def _document(title: str, content: str) -> bytes:
    return (
        f"<!DOCTYPE html>\n<html lang=en>\n<head><title>{title}</title></head>\n"
        f"<body>\n<h1>{title}</h1>\n{content}\n</body>\n</html>\n"
    ).encode()
