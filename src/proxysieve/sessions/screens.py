"""Screens and windows of browsers, drawn as often as they are among people.

They come from the fingerprints that Apify publishes (``apify_fingerprint_datapoints``): a Bayesian network, made from
what browsers showed to sites. There a screen depends on the user agent alone and is recorded as a whole, with the
window on it. So a draw needs only the frequencies of these records, and no sampler.
Some of what is recorded are robots, telephones in disguise and attempts to break in; ``ScreenRecord.is_plausible`` and
the types of its fields keep those out.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from itertools import accumulate
from pathlib import Path
from zipfile import ZipFile

import msgspec

from proxysieve.errors import ConfigError, MissingExtraError

# Chrome on a desktop: its relatives add a word of their own at the end.
CHROME = re.compile(
    r"Mozilla/5\.0 \((?P<system>[^)]+)\) AppleWebKit/537\.36 \(KHTML, like Gecko\) Chrome/\S+ Safari/537\.36"
)
# By what Python calls the platform.
SYSTEMS = {"linux": "X11; Linux", "darwin": "Macintosh;", "win32": "Windows NT"}
WHOLE = "*STRINGIFIED*"
SMALLEST_SCREEN, LARGEST_SCREEN = (1024, 600), (5120, 2880)
# Sites show something else to narrower ones.
SMALLEST_WINDOW = (800, 500)
# What a system sets. Others are a page's zoom, which a new session does not have, or a telephone's.
PIXEL_RATIOS = frozenset({1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 3})


class BrowserWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A screen and the browser's window on it, in the pixels that pages count in.

    What is inside of the window, and how much of it the browser's own bars take, is the browser's to say.

    Attributes:
        width: Of the window with its frame, as ``outerWidth`` has it; ``height`` likewise.
        left: How far the window is from the screen's left edge, as ``screenX`` has it; ``top`` likewise.
        pixel_ratio: Of the screen, as ``devicePixelRatio`` has it.
    """

    screen_width: int
    screen_height: int
    width: int
    height: int
    left: int = 0
    top: int = 0
    pixel_ratio: float = 1.0


class ScreenRecord(msgspec.Struct, frozen=True, rename="camel"):
    """What a browser showed; ``avail`` is what task bars and menus leave of the screen."""

    width: int
    height: int
    avail_width: int
    avail_height: int
    avail_left: int
    avail_top: int
    outer_width: int
    outer_height: int
    screen_x: int
    device_pixel_ratio: float

    def is_plausible(self) -> bool:
        """Whether a person may sit before it, at a screen of usual size with an ordinary window on it."""
        return (
            _is_between(SMALLEST_SCREEN, (self.width, self.height), LARGEST_SCREEN)
            # Others are telephones that ask for the pages of desktops.
            and self.width > self.height
            and self.device_pixel_ratio in PIXEL_RATIOS
            and self._is_inside()
            # Robots without a screen, or a page that fills it, with which nobody arrives.
            and (self.outer_width, self.outer_height) != (self.width, self.height)
        )

    def _is_inside(self) -> bool:
        """Whether the window lies within what is free of the screen, and that within the screen."""
        available = (self.avail_width, self.avail_height)
        return (
            _is_between(SMALLEST_WINDOW, (self.outer_width, self.outer_height), available)
            and self.avail_left >= 0 <= self.avail_top
            and self.avail_left + self.avail_width <= self.width
            and self.avail_top + self.avail_height <= self.height
            and self.avail_left <= self.screen_x <= self.avail_left + self.avail_width - self.outer_width
        )

    def window(self) -> BrowserWindow:
        """The window, below the menu: how far is recorded only sideways."""
        return BrowserWindow(
            screen_width=self.width,
            screen_height=self.height,
            width=self.outer_width,
            height=self.outer_height,
            left=self.screen_x,
            top=self.avail_top,
            pixel_ratio=self.device_pixel_ratio,
        )


class Node(msgspec.Struct, rename="camel"):
    """A node of the network, with its table as it stands."""

    name: str
    conditional_probabilities: msgspec.Raw


class Network(msgspec.Struct):
    """The part of it that is wanted."""

    nodes: list[Node]


class ByParent(msgspec.Struct):
    """The table of a node that depends on one other."""

    deeper: dict[str, dict[str, float]]


def draw_window(rng: random.Random, platform: str) -> BrowserWindow:
    """A window as Chrome's are on *platform*, by nothing else than *rng*.

    The first draw reads the data, which takes some 50 milliseconds.

    Args:
        rng: Where chance comes from.
        platform: As ``sys.platform`` has it: ``linux``, ``darwin`` or ``win32``.

    Raises:
        ConfigError: Nothing is known of the platform, or the installed data has lost it.
        MissingExtraError: The data is not installed.
    """
    if platform not in SYSTEMS:
        raise ConfigError(f"no windows are known of the platform {platform!r}: expected one of {', '.join(SYSTEMS)}")
    records, sums = _records()[platform]
    if not records:
        raise ConfigError(
            f"the installed apify_fingerprint_datapoints have no windows of {platform}: try another version"
        )
    [record] = rng.choices(records, cum_weights=sums)
    return record.window()


@cache
def _records() -> Mapping[str, tuple[list[ScreenRecord], list[float]]]:
    """What is plausible of each platform, with the sums of how often each is among people."""
    nodes = {node.name: node.conditional_probabilities for node in _network().nodes}
    agents = msgspec.json.decode(nodes["userAgent"], type=dict[str, float])
    screens = msgspec.json.decode(nodes["screen"], type=ByParent).deeper
    return {platform: _of_system(system, agents, screens) for platform, system in SYSTEMS.items()}


def _of_system(
    system: str, agents: Mapping[str, float], screens: Mapping[str, Mapping[str, float]]
) -> tuple[list[ScreenRecord], list[float]]:
    weights: defaultdict[ScreenRecord, float] = defaultdict(float)
    for agent, share in agents.items():
        found = CHROME.fullmatch(agent)
        if found and found["system"].startswith(system):
            for text, share_of_agent in screens.get(agent, {}).items():
                record = _record(text)
                if record and record.is_plausible():
                    weights[record] += share * share_of_agent
    return list(weights), list(accumulate(weights.values()))


def _record(text: str) -> ScreenRecord | None:
    """What is written in *text*; None if it is no record."""
    try:
        return msgspec.json.decode(text.removeprefix(WHOLE), type=ScreenRecord)
    except msgspec.DecodeError:
        return None


def _network() -> Network:
    try:
        from apify_fingerprint_datapoints import get_fingerprint_network  # noqa: PLC0415 - optional
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "windows are drawn from the data of apify_fingerprint_datapoints: pip install 'proxysieve[playwright]'"
        ) from error
    with ZipFile(Path(get_fingerprint_network())) as archive:
        [name] = archive.namelist()
        return msgspec.json.decode(archive.read(name), type=Network)


def _is_between(least: tuple[int, int], size: tuple[int, int], most: tuple[int, int]) -> bool:
    return least[0] <= size[0] <= most[0] and least[1] <= size[1] <= most[1]
