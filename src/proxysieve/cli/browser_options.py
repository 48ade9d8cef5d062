"""``proxysieve fetch --browser``: its options, and the browser that they describe."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from proxysieve.cli.options import option, section
from proxysieve.clients.protocol import Request
from proxysieve.core.model import Outcome
from proxysieve.errors import ConfigError, MissingExtraError
from proxysieve.fetch.file_names import file_name
from proxysieve.judging.sign_tables import make_judge

if TYPE_CHECKING:
    from proxysieve.browser.client import BrowserClient, OnLoaded
    from proxysieve.browser.renderer import Visit

# A page takes some 50 to 100 MB.
PAGES_AT_ONCE = 8


class Browsing(msgspec.Struct, frozen=True, kw_only=True):
    """The browser options of the command line.

    Attributes:
        screenshot: The directory for pictures of the pages; none if empty.
        load_all: Whether to load images, media and fonts; None means only for screenshots.
        executable: The Chromium to run; searched if empty.
    """

    browser: bool = False
    screenshot: str | None = None
    load_all: bool | None = None
    locale: str | None = None
    timezone: str | None = None
    executable: str | None = None


browser_options = section(
    "Browser",
    option("--browser", is_flag=True, help="Render pages in a Chromium, each session in a context of its own."),
    option(
        "--screenshot",
        type=click.Path(file_okay=False),
        metavar="DIRECTORY",
        help="Take a picture of each page.",
    ),
    option(
        "--load-all/--no-load-all",
        default=None,
        help="Whether to load images, media and fonts too; by default only for screenshots.",
    ),
    option("--locale", metavar="NAME", help="The language of the browsers: en-US by default."),
    option("--timezone", metavar="NAME", help="Their time zone, such as Europe/Berlin: this machine's by default."),
    option(
        "--browser-path",
        "executable",
        type=click.Path(),
        metavar="FILE",
        help="The Chromium to run instead of Playwright's or the system's.",
    ),
)


def take_browsing(options: dict[str, Any]) -> Browsing:
    """Take the browser options out of *options*.

    Raises:
        ConfigError: There are some, but no --browser.
    """
    said = Browsing(**{name: options.pop(name) for name in Browsing.__struct_fields__})
    if not said.browser and said != Browsing():
        raise ConfigError("--screenshot, --load-all, --locale, --timezone and --browser-path need --browser")
    return said


def make_browser(said: Browsing, page_count: int) -> BrowserClient:
    """The browser for these options, not started yet.

    Raises:
        ConfigError: The options cannot be used.
        MissingExtraError: Playwright is not installed.
    """
    try:
        from proxysieve.browser.client import BrowserClient  # noqa: PLC0415 - optional
        from proxysieve.browser.options import HEAVY, BrowserOptions  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise MissingExtraError("--browser needs Playwright: pip install 'proxysieve[playwright]'") from error
    loads_all = bool(said.screenshot) if said.load_all is None else said.load_all
    options = BrowserOptions(
        executable=said.executable or "",
        locale=said.locale or "en-US",
        timezone=said.timezone or "",
        leave_out=() if loads_all else HEAVY,
        max_pages=page_count,
    )
    return BrowserClient(options, on_loaded=picture_taker(Path(said.screenshot)) if said.screenshot else None)


def picture_taker(folder: Path) -> OnLoaded:
    """A function that writes a picture of each page into *folder*, with a name like that of a page.

    Raises:
        ConfigError: The folder cannot be made; later: a picture cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the directory {folder} for screenshots cannot be made: {error.strerror}") from error

    async def take(request: Request, visit: Visit) -> None:
        picture = await visit.picture() if is_page(request, visit) else None
        if picture is None:
            return
        path = folder / file_name(request.url, "image/png")
        try:
            await asyncio.to_thread(path.write_bytes, picture)
        except OSError as error:
            raise ConfigError(f"the screenshot {path} cannot be written: {error.strerror}") from error

    return take


def is_page(request: Request, visit: Visit) -> bool:
    """Whether to take a picture: that of a block would have the name of the page."""
    exchange = visit.response.exchange(request.url)
    return not request.url.endswith("/robots.txt") and make_judge().judge(exchange).outcome is Outcome.OK
