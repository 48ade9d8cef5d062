"""What a browser visitor's screen and window are."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import proxysieve.sessions.screens
from proxysieve import ConfigError, MissingExtraError
from proxysieve.sessions.screens import PIXEL_RATIOS, SYSTEMS, BrowserWindow, ScreenRecord, draw_window

PLAIN = ScreenRecord(
    width=1920,
    height=1080,
    avail_width=1920,
    avail_height=1040,
    avail_left=0,
    avail_top=0,
    outer_width=1500,
    outer_height=900,
    screen_x=20,
    device_pixel_ratio=1,
)
LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36"
ODD = {
    "headless": {"width": 800, "height": 600, "avail_width": 800, "avail_height": 600, "outer_width": 780},
    "tiny": {"width": 640, "height": 480},
    "giant": {"width": 7680, "height": 4320},
    "a telephone": {"width": 1080, "height": 2340, "avail_width": 1080, "outer_width": 1000},
    "the page is zoomed": {"device_pixel_ratio": 1.100000023841858},
    "no window": {"outer_width": 0, "outer_height": 0},
    "a narrow window": {"outer_width": 500},
    "wider than the screen": {"outer_width": 1936},
    "under the task bar": {"outer_height": 1060},
    "over the edge": {"screen_x": 500},
    "on another screen": {"screen_x": -1500},
    "all of the screen": {"outer_width": 1920, "outer_height": 1080, "avail_height": 1080, "screen_x": 0},
    "more free than there is": {"avail_top": 60},
}


@pytest.fixture
def anew() -> Iterator[None]:
    """The data is read anew in the test, and after it."""
    proxysieve.sessions.screens._records.cache_clear()
    yield
    proxysieve.sessions.screens._records.cache_clear()


@pytest.fixture
def installed() -> None:
    pytest.importorskip("apify_fingerprint_datapoints", reason="needs the extra playwright")


seeds = st.integers(0, 2**32)
platforms = st.sampled_from(sorted(SYSTEMS))


@pytest.mark.usefixtures("installed")
class TestOfTheData:
    """What is drawn from what the package has."""

    @given(seed=seeds, platform=platforms)
    def test_a_window_lies_on_its_screen(self, seed: int, platform: str) -> None:
        """No part of it is beyond the screen, it is not all of it, and its screen is a desktop's."""
        one = draw_window(random.Random(seed), platform)

        assert 0 <= one.left <= one.left + one.width <= one.screen_width
        assert 0 <= one.top <= one.top + one.height <= one.screen_height
        assert (one.width, one.height) != (one.screen_width, one.screen_height)
        assert one.screen_width > one.screen_height
        assert one.pixel_ratio in PIXEL_RATIOS

    @given(seed=seeds, platform=platforms)
    def test_the_same_seed_gives_the_same_window(self, seed: int, platform: str) -> None:
        """Whatever was drawn before, and by whom; and a window that was saved is the same."""
        first = draw_window(random.Random(seed), platform)
        random.seed(seed + 1)
        draw_window(random.Random(seed + 1), platform)

        assert draw_window(random.Random(seed), platform) == first
        assert msgspec.json.decode(msgspec.json.encode(first), type=BrowserWindow) == first

    @pytest.mark.parametrize("platform", SYSTEMS)
    def test_visitors_differ_as_people_do(self, platform: str) -> None:
        """A thousand have a hundred kinds of windows, the usual screens are usual, and none is most people's."""
        rng = random.Random(1)
        drawn = [draw_window(rng, platform) for _ in range(1_000)]

        screens = Counter((one.screen_width, one.screen_height) for one in drawn)
        assert len(set(drawn)) > 100
        assert screens[1920, 1080] > 100
        assert max(screens.values()) < 500
        assert Counter(drawn).most_common(1)[0][1] < 300


@pytest.mark.usefixtures("anew")
def test_platforms_that_the_data_has_lost_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of the data without any windows of a platform is an error that says so."""
    monkeypatch.setattr(proxysieve.sessions.screens, "_network", lambda: network({LINUX: []}))

    with pytest.raises(ConfigError, match="no windows of linux"):
        draw_window(random.Random(1), "linux")


@pytest.mark.usefixtures("anew")
def test_only_plausible_records_of_chrome_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither other browsers nor what is no record at all gets in."""
    bad = [json.dumps({**recorded(), "availWidth": "1366 AND 1=2 -- "}), "*MISSING_VALUE*", "{", "[]"]
    others = {f"{LINUX} Edg/147.0.0.0": [json.dumps(recorded(width=2560))]}
    made = network({LINUX: [*bad, f"*STRINGIFIED*{json.dumps(recorded())}", json.dumps(recorded(width=640))], **others})
    monkeypatch.setattr(proxysieve.sessions.screens, "_network", lambda: made)

    drawn = {draw_window(random.Random(seed), "linux") for seed in range(100)}

    assert drawn == {BrowserWindow(screen_width=1920, screen_height=1080, width=1500, height=900, left=20, top=0)}


def recorded(**changes: float) -> dict[str, object]:
    """As the data has it, with fields that are not wanted."""
    return {**msgspec.to_builtins(msgspec.structs.replace(PLAIN, **changes)), "colorDepth": 24}


def network(screens: dict[str, list[str]]) -> proxysieve.sessions.screens.Network:
    """One whose visitors have these user agents and, alike, these screens."""
    agents = dict.fromkeys(screens, 1 / len(screens))
    deeper = {agent: dict.fromkeys(texts, 1 / len(texts or "1")) for agent, texts in screens.items()}
    tables = {"userAgent": agents, "screen": {"deeper": deeper}, "fonts": {}}
    nodes = [{"name": name, "conditionalProbabilities": table, "parentNames": []} for name, table in tables.items()]
    return msgspec.json.decode(json.dumps({"nodes": nodes}), type=proxysieve.sessions.screens.Network)


def test_an_ordinary_record_is_plausible() -> None:
    """The one that the others are compared with."""
    assert PLAIN.is_plausible()


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
def test_what_nobody_sits_before_is_not(changes: dict[str, float]) -> None:
    """Robots, telephones and windows that a browser does not open."""
    assert not msgspec.structs.replace(PLAIN, **changes).is_plausible()


@pytest.mark.usefixtures("anew")
def test_without_the_data_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module can be imported without the extra, and says what it lacks."""
    monkeypatch.setitem(sys.modules, "apify_fingerprint_datapoints", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'proxysieve\[playwright\]'"):
        draw_window(random.Random(1), "linux")


def test_other_platforms_are_refused() -> None:
    """A guess would contradict the browser."""
    with pytest.raises(ConfigError, match="'aix'"):
        draw_window(random.Random(1), "aix")
