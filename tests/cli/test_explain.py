"""The command as a person and a machine meet it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.cli.shells import LINES, SITE, Shell
from tests.cli.stories import EXIT, NOW, PROXY, SESSION

from proxysieve.cli import main
from proxysieve.cli.explain import SubjectStory, describe_site, describe_subject
from proxysieve.cli.formatting import share, span
from proxysieve.core.story.values import (
    ExitStory,
    HeldStory,
    LimitsStory,
    LimitStory,
    LimitUse,
    NetworkStory,
    NextStory,
    Permission,
    ProvenStory,
    RecoveryStory,
    SessionStory,
    SignStory,
    SiteStory,
    TierStory,
)
from proxysieve.stores.sqlite import DATABASE
from proxysieve.testbed import TestbedProcess, World

STORY = SiteStory(
    site=SITE,
    at=NOW,
    last_used_at=NOW - 3,
    request_count=3123,
    answer_seconds=0.42,
    proxy_count=101,
    gateway_count=1,
    working_count=19,
    cooling_down_count=13,
    blocked_count=60,
    dead_count=1,
    unclear_count=2,
    untried_count=5,
    unlisted_count=1,
    tiers=[
        TierStory(cost=1.0, chance=0.21, worked_count=20, failed_count=78),
        TierStory(cost=20.0, chance=0.5, worked_count=0, failed_count=0),
    ],
    network_count=20,
    best_networks=[NetworkStory(network="10.1.2.0/24", worked_count=5, tried_count=6)],
    worst_networks=[NetworkStory(network="10.1.9.0/24", worked_count=0, tried_count=4)],
    in_flight_count=8,
    exits=LimitsStory(
        scope="exit",
        limits=[
            LimitStory(
                scope="exit",
                request_count=30,
                above_seconds=60.0,
                below_seconds=61.94,
                chance=0.9,
                learned_at=NOW - 180,
                learned_from=PROXY,
                blocked_within_count=2,
                neighbour_count=0,
            )
        ],
        proven=[
            ProvenStory(request_count=12, window_seconds=1.0),
            ProvenStory(request_count=120, window_seconds=64.0),
        ],
        late_seconds=23.0,
    ),
    networks=LimitsStory(
        scope="network",
        limits=[
            LimitStory(
                scope="network",
                request_count=200,
                above_seconds=1.9,
                below_seconds=None,
                chance=0.55,
                learned_at=NOW - 7200,
                learned_from="10.1.2.0/24",
                blocked_within_count=0,
                neighbour_count=1,
            )
        ],
        proven=[],
        late_seconds=0.0,
    ),
    recoveries=[
        RecoveryStory(
            history=standing,
            after_seconds=(60.0, 600.0, 3600.0, 86400.0),
            chances=[low, 0.3, 0.48, 0.996],
            recheck_count=count,
            recovered_count=0.0,
        )
        for standing, low, count in (("worked", 0.07, 12.0), ("never worked", 0.004, 1.0), ("dead", 0.0, 0.5))
    ],
    signs=[
        SignStory(sign="status-403", blocked_count=12, page_count=1),
        SignStory(sign="empty-body", blocked_count=0, page_count=3),
    ],
    held_sessions=[HeldStory(session="k3j9x2ab", proxy=PROXY, at=NOW - 5, why="status 403")],
    alarm_at=None,
    next=NextStory(why="unused for longest", proxy=PROXY, session="k3j9x2ab", reach="unproven"),
)
SITE_TEXT = """\
last used     3 s ago; 3,123 requests in all, a good answer takes 0.4 s
standing      19 sessions working; 13 exits cooling down, 60 blocked, 1 dead, 2
              unclear
              1 exit more of proxies that are not in the list
untried       5 of 100 proxies; 1 provider with names without end
fresh exits   at cost 1: 21 % likely to work (20 of 98 tried have worked)
              at cost 20: 50 % likely to work (none was tried yet)
networks      best of 20: 10.1.2.0/24 (5 of 6 worked)
              worst: 10.1.9.0/24 (0 of 4 worked)
limits        at most 30 requests within 60.0-61.9 s an exit (90 % sure; learned
              3 min ago from a block of http://user:***@10.1.2.3:8000; 2 blocked
              though within it)
              bans of an exit come up to 23 s after what they are for
              at most 200 requests a network within a window longer than 1.9 s
              whose end is not known (55 % sure; learned 2 h ago from a block of
              10.1.2.0/24; 1 neighbour tried to check it)
proven        up to 8 in flight
              an exit: 12 in 1 s, 120 in 64 s
              a network: nothing beyond 3 requests
recovery      works again after    1 min  10 min     1 h   1 day
              worked                 7 %    30 %    48 %  99.6 %  12 rechecks
              never worked         0.4 %    30 %    48 %  99.6 %  1 recheck
              dead                   0 %    30 %    48 %  99.6 %  0 rechecks
signs         status-403: 12 blocks, as others got the page; 1 page refused to
              all, also to sessions that work elsewhere
              empty-body: 3 pages refused to all, also to sessions that work
              elsewhere
held          1 session refused last, and not ended yet:
              k3j9x2ab on http://user:***@10.1.2.3:8000, 5 s ago: status 403
next          session k3j9x2ab on http://user:***@10.1.2.3:8000: unused for
              longest, beyond what is proven"""

SESSION_TEXT = """\
session       anna, named by its user, opened 12 min ago, first worked 12 min
              ago
browser       chrome142; 58 good answers to this session
proxy         http://user:***@10.1.2.3:8000, network 10.1.2.0/24, cost 20:
              working
answers       88 good, 1 blocked, 2 unclear
last used     1 s ago
last good     1.4 s ago
last bad      25 h ago: status 403
limits        30 of 30 in the last 61.9 s
              212 of 200 in the last 60 s of its network, which its network told
              of itself
now           may not be used for 12 s: it has used up a limit: 30 of 30"""
EXIT_TEXT = """\
proxy         http://user:***@10.1.2.3:8000, network 10.1.2.0/24: blocked
answers       1 blocked
last used     3 s ago
last bad      3 s ago: status 403
now           may be tried: 4 % likely to work"""


def body(text: str) -> str:
    """Without the first line, whose moment depends on the time zone."""
    heading, _, rest = text.partition("\n")
    assert heading.startswith(f"{SITE}, as of 1970-01-")
    return rest


class TestWords:
    """What a person reads."""

    def test_a_site_is_told_in_plain_words(self) -> None:
        """Numbers with their units, in at most 80 columns, a number never apart from its unit."""
        text = describe_site(STORY)

        assert body(text) == SITE_TEXT
        assert max(map(len, text.splitlines())) <= 80

    def test_a_wait_says_how_long_and_why(self) -> None:
        """And so does an alarm."""
        waits = NextStory(why="all sessions cool down or wait", until=NOW + 7.25)
        story = msgspec.structs.replace(STORY, next=waits, alarm_at=NOW - 130, held_sessions=[])

        lines = describe_site(story).splitlines()

        assert lines[-3:] == [
            "alarm         everything fails, for 2 min now",
            "held          none",
            "next          would wait for 7.2 s: all sessions cool down or wait",
        ]

    def test_a_session_is_told_with_its_exit(self) -> None:
        """What happened, what of each limit is used up, and whether it may be used."""
        text = describe_subject(SubjectStory(site=SITE, at=NOW, exits=[], sessions=[SESSION]))

        assert body(text) == f"\n{SESSION_TEXT}"

    def test_an_exit_that_does_not_work_has_a_chance(self) -> None:
        """Nobody's session is on it."""
        story = msgspec.structs.replace(
            EXIT,
            cost=1.0,
            standing="blocked",
            chance=0.04,
            ok_count=0,
            unclear_count=0,
            last_used_at=NOW - 3,
            last_ok_at=None,
            last_bad_at=NOW - 3,
            uses=[],
            sessions=[],
            permission=Permission(is_granted=True),
        )

        text = describe_subject(SubjectStory(site=SITE, at=NOW, exits=[story], sessions=[]))

        assert body(text) == f"\n{EXIT_TEXT}"

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.001, "less than 0.05 s"), (0.049, "less than 0.05 s"), (0.051, "0.1 s")],
    )
    def test_no_answer_takes_no_time(self, seconds: float, text: str) -> None:
        """However near its site is."""
        shown = describe_site(msgspec.structs.replace(STORY, answer_seconds=seconds))

        assert f"a good answer takes {text}" in " ".join(shown.replace("\u00a0", " ").split())

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.04, "0 s"), (1.0, "1 s"), (61.94, "61.9 s"), (120, "2 min"), (7200, "2 h"), (1e6, "12 days")],
    )
    def test_times_have_units(self, seconds: float, text: str) -> None:
        """The largest that there are two of."""
        assert span(seconds) == text

    @pytest.mark.parametrize(
        ("chance", "text"), [(0.0, "0 %"), (0.004, "0.4 %"), (0.19, "19 %"), (0.996, "99.6 %"), (1.0, "100 %")]
    )
    def test_chances_are_in_percent(self, chance: float, text: str) -> None:
        """Nearly certain is not certain."""
        assert share(chance) == text


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """With a store that a pool left behind."""
    return Shell(tmp_path, "explain").fill()


class TestCommand:
    """On a real store."""

    @pytest.mark.parametrize("site", [SITE, f"http://www.{SITE}/item/1", f"www.{SITE}"])
    def test_a_site_may_be_given_by_any_of_its_names(self, shell: Shell, site: str) -> None:
        """It is the one that the store keeps it by which is shown."""
        status, out, err = shell.run(site)

        assert (status, err) == (0, "")
        assert out.startswith(f"{SITE}, as of ")
        assert "11 requests in all" in out

    def test_machines_get_one_object(self, shell: Shell) -> None:
        """With the keys that the documentation names."""
        _, out, _ = shell.run(SITE, "--json")
        _, one, _ = shell.run(SITE, "anna", "--json")

        whole, part = json.loads(out), json.loads(one)
        assert list(whole) == list(SiteStory.__struct_fields__)
        assert list(part) == ["site", "at", "exits", "sessions"]
        assert part["sessions"][0]["name"] == "anna"
        assert list(part["sessions"][0]["exit"]) == list(ExitStory.__struct_fields__)

    def test_the_documentation_names_every_key(self) -> None:
        """All of them, wherever they stand in the object."""
        page = (Path(__file__).parent.parent.parent / "docs" / "reference" / "explain.md").read_text()
        kinds: list[type[msgspec.Struct]] = [
            SiteStory, TierStory, NetworkStory, LimitsStory, LimitStory, ProvenStory, RecoveryStory, HeldStory,
            SignStory, NextStory, SessionStory, ExitStory, LimitUse, Permission,
        ]  # fmt: skip

        missing = {key for kind in kinds for key in kind.__struct_fields__ if f"`{key}`" not in page}

        assert missing == set()

    def test_a_proxy_is_told_by_its_address(self, shell: Shell) -> None:
        """Whoever pastes its credentials does not see them again."""
        status, out, err = shell.run(SITE, LINES[0])

        assert (status, err) == (0, "")
        assert "http://user:***@10.1.2.1:8000" in out

    @pytest.mark.parametrize("arguments", [[SITE], [SITE, "anna"], [SITE, "10.1.2.1"], [SITE, "nobody"]])
    def test_nothing_secret_is_shown(self, shell: Shell, arguments: list[str]) -> None:
        """Neither to a person nor to a machine."""
        told = [*shell.run(*arguments), *shell.run(*arguments, "--json")]

        assert not any("topsecret" in str(one) for one in told)

    def test_the_same_store_gives_the_same_story(self, shell: Shell) -> None:
        """To look changes nothing, and chance is not asked."""
        first, second = (json.loads(shell.run(SITE, "--json")[1]) for _ in range(2))

        assert {**first, "at": 0} == {**second, "at": 0}

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param([SITE, "nobody"], "no session 'nobody' is open at shop.example", id="session"),
            pytest.param([SITE, "http://a:hidden@b:1"], "no session 'http://b:1' is open", id="address"),
            pytest.param(["other.example"], "it knows of shop.example", id="site"),
            pytest.param([SITE, "--store", "none"], "there is no store at none", id="store"),
            pytest.param([SITE, "--store", "memory:"], "expected the directory of a store", id="memory"),
            pytest.param([SITE, "--proxies", "none.txt"], "none.txt cannot be read", id="proxies"),
            pytest.param(["http://"], "not a URL", id="url"),
        ],
    )
    def test_bad_input_is_told_in_one_sentence(self, shell: Shell, arguments: list[str], says: str) -> None:
        """Exit status 2, and no traceback."""
        status, out, err = shell.run(*arguments)

        assert (status, out) == (2, "")
        assert says in err
        assert len(err.splitlines()) == 1
        assert "hidden" not in err

    def test_a_damaged_record_is_told(self, shell: Shell) -> None:
        """And the rest is told without it; nothing of the store changes."""
        with contextlib.closing(sqlite3.connect(shell.directory / "store" / DATABASE)) as database:
            database.execute("UPDATE records SET value = x'7b' WHERE kind = 'site'")
            database.commit()

        before = (shell.directory / "store" / DATABASE).read_bytes()

        status, out, err = shell.run(SITE)

        assert status == 0
        assert err.endswith("has damaged records, which are left out: site of shop.example\n")
        assert out
        assert (shell.directory / "store" / DATABASE).read_bytes() == before

    def test_the_help_has_an_example(self) -> None:
        """In lines of at most 80 columns."""
        done = CliRunner().invoke(main, ["explain", "--help"])

        assert "Example:" in done.output
        assert max(map(len, done.output.splitlines())) <= 80


def test_it_works_while_a_job_runs(tmp_path: Path) -> None:
    """The job goes on undisturbed."""
    with TestbedProcess(World(proxies=10, latency_seconds=0.05, page_bytes=500)) as bed:
        site = bed.site_url.partition("://")[2]
        (tmp_path / "urls.txt").write_text("\n".join(bed.page_urls(2000)))
        (tmp_path / "proxies.txt").write_text("\n".join(bed.proxy_lines))
        command = [sys.executable, "-m", "proxysieve"]
        fetch = ["fetch", "urls.txt", "--proxies", "proxies.txt", "--out", "pages.jsonl", "--quiet"]
        with subprocess.Popen([*command, *fetch], cwd=tmp_path) as job:
            story: dict[str, Any] = {}
            while not story.get("request_count") and job.poll() is None:
                told = subprocess.run(
                    [*command, "explain", site, "--proxies", "proxies.txt", "--json"],
                    cwd=tmp_path,
                    capture_output=True,
                    check=False,
                )
                story = json.loads(told.stdout or "{}")
            was_running = job.poll() is None
            job.terminate()

        assert was_running
        assert story["site"] == site
        assert story["working_count"] > 0
        assert job.returncode == 130
