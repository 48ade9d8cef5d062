"""What a page can read about its browser, as the site's mirror does."""

from __future__ import annotations

from typing import Literal

import msgspec

from proxysieve.testbed.wire import Headers

Part = Literal["document", "script", "worker", "frame", "image", "fetch", "xhr"]
"""The parts that the mirror requests. Browsers send other headers for each."""


class AgentData(msgspec.Struct, frozen=True, kw_only=True):
    """`navigator.userAgentData` with its high entropy values, which Chromium has in secure contexts.

    Attributes:
        brands: Names with their major versions.
        full_versions: The same with full versions.
    """

    brands: tuple[tuple[str, str], ...]
    full_versions: tuple[tuple[str, str], ...]
    is_mobile: bool
    platform: str
    platform_version: str
    architecture: str
    bitness: str
    model: str


class Realm(msgspec.Struct, frozen=True, kw_only=True):
    """What one global scope says: the page's, a frame's or a worker's.

    Attributes:
        vendor: Empty in workers.
        webdriver: None if there is no such property, as in workers.
        device_memory: In GiB; None if it is not available, as outside of secure contexts.
        timezone: From `Intl`, such as `Europe/Berlin`.
        offset_minutes: From `Date`, for now: how far UTC is ahead.
        locale: From `Intl`.
        agent_data: None if there is none.
    """

    user_agent: str
    platform: str
    vendor: str
    language: str
    languages: tuple[str, ...]
    webdriver: bool | None
    hardware_concurrency: int
    device_memory: float | None
    timezone: str
    offset_minutes: int
    locale: str
    agent_data: AgentData | None


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """`screen`, in CSS pixels."""

    width: int
    height: int
    avail_width: int
    avail_height: int
    color_depth: int


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The window and its position, in CSS pixels."""

    inner_width: int
    inner_height: int
    outer_width: int
    outer_height: int
    screen_x: int
    screen_y: int
    device_pixel_ratio: float


class Visits(msgspec.Struct, frozen=True, kw_only=True):
    """How many earlier visits each place remembered; None where nothing can be kept.

    Attributes:
        script_cookie: A cookie that the page's script sets.
        server_cookie: One that the site sets and that is hidden from scripts.
    """

    local_storage: int | None
    indexed_db: int | None
    script_cookie: int | None
    server_cookie: int | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the mirror's script read.

    Attributes:
        worker: What a dedicated worker said; None if it did not answer in time.
        frame: What a frame of the same origin said; likewise.
        has_chrome: Whether there is a `window.chrome`.
        ice_candidates: What WebRTC learned from the testbed's STUN server; None without WebRTC.
    """

    page: Realm
    worker: Realm | None
    frame: Realm | None
    screen: Screen
    window: Window
    max_touch_points: int
    plugin_count: int
    has_chrome: bool
    visits: Visits
    ice_candidates: tuple[str, ...] | None


class Mirror(Seen, frozen=True, kw_only=True):
    """One visit to the mirror: what its script read, and what the site saw.

    Attributes:
        exit: The address from which the report came.
        headers: Those of the request for each part, in their order and case.
    """

    exit: str
    headers: dict[Part, Headers]
