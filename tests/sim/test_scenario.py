"""The format of scenarios."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from proxysieve import ConfigError
from proxysieve.sim import load_scenario, shipped_scenarios
from proxysieve.sim.scenario import Bans, Exits, Limit, Noise, Runs, Scenario, Vendor, parse_scenario

LIST = (Path(__file__).parents[2] / "docs" / "inside" / "simulator.md").read_text()


def parse(text: str) -> Scenario:
    return parse_scenario(text, source="mine.toml", default_name="mine")


def test_a_scenario_without_keys_is_the_default_world() -> None:
    """500 exits in 60 networks, 3,000 pages, 50 at a time, and nothing in the way but a little noise."""
    empty = parse("")

    assert empty == Scenario(
        name="mine",
        says="",
        pages=3000,
        concurrency=50,
        exits=(Exits(count=500, networks=60, dead_share=0.0, provider=False, cost=1.0, banned_share=None),),
        bans=Bans(exit_share=0.0, network_share=0.0, lift_within_seconds=math.inf),
        limit=(),
        quota=None,
        others=None,
        vendor=Vendor(sites=1, shared_share=1.0),
        outage=None,
        runs=Runs(count=1, pause_seconds=0.0),
        noise=Noise(flaky_share=0.01, latency_seconds=1.0),
    )


def test_one_table_of_exits_and_limits_is_as_good_as_several() -> None:
    """Either form is understood, and an omitted key has its default in both."""
    one = parse("[exits]\ncount = 7\n[limit]\nrequests = 3\nwindow_seconds = 2\nban_seconds = 1\n")
    several = parse("[[exits]]\ncount = 7\n[[limit]]\nrequests = 3\nwindow_seconds = 2\nban_seconds = 1\n")

    assert one == several
    assert one.exits == (Exits(count=7),)
    assert one.limit == (Limit(requests=3, window_seconds=2.0, ban_seconds=1.0),)


def test_several_limits_keep_their_order() -> None:
    """And each has its own time."""
    two = parse(
        "[[limit]]\nrequests = 60\nwindow_seconds = 60\nban_seconds = 9\nuntil_seconds = 600\n"
        "[[limit]]\nrequests = 15\nwindow_seconds = 60\nban_seconds = 9\nfrom_seconds = 600\n"
    )

    assert [(one.requests, one.from_seconds, one.until_seconds) for one in two.limit] == [
        (60, 0.0, 600.0),
        (15, 600.0, math.inf),
    ]


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        pytest.param("pagse = 3", "pagse", "unknown field", id="unknown key"),
        pytest.param("[bans]\nexitshare = 0.5", "bans", "exitshare", id="unknown key in a table"),
        pytest.param("[[exits]]\ncuont = 5", "exits[0]", "cuont", id="unknown key in one of several"),
        pytest.param("[outtage]\nseconds = 5", "outtage", "unknown", id="unknown table"),
        pytest.param("[bans]\nexit_share = 1.5", "bans.exit_share", "<= 1", id="share above 1"),
        pytest.param("[exits]\ndead_share = -0.1", "exits.dead_share", ">= 0", id="negative share"),
        pytest.param("pages = 0", "pages", ">= 1", id="no pages"),
        pytest.param('pages = "many"', "pages", "int", id="text for a number"),
        pytest.param("pages = 10.5", "pages", "int", id="half a page"),
        pytest.param("concurrency = true", "concurrency", "int", id="truth for a number"),
        pytest.param("exits = []", "exits", "length", id="no exits"),
        pytest.param("[limit]\nwindow_seconds = 5", "limit", "requests", id="limit without a number"),
        pytest.param("[limit]\nrequests = 5\nwindow_seconds = 5", "limit", "ban_seconds", id="limit without a ban"),
        pytest.param(
            "[limit]\nrequests = 5\nwindow_seconds = 5\nban_seconds = 5\nscope = 'planet'", "limit.scope", "planet",
            id="unknown scope",
        ),
        pytest.param(
            "[limit]\nrequests = 5\nwindow_seconds = 5\nban_seconds = 5\nfrom_seconds = 9\nuntil_seconds = 9", "limit",
            "until_seconds", id="limit for no time",
        ),
        pytest.param("[others]\nban_seconds = 5", "others", "bans_per_hour", id="others without a rate"),
        pytest.param("[outage]\nstart_seconds = 1\nseconds = 1\nseen_as = 'ok'", "outage.seen_as", "ok", id="seen as"),
        pytest.param("[noise]\nlatency_seconds = 0", "noise.latency_seconds", "> 0", id="no latency"),
        pytest.param("[noise]\nlatency_seconds = inf", "noise.latency_seconds", "<=", id="endless latency"),
        pytest.param("[noise]\nflaky_share = nan", "noise.flaky_share", "nan", id="no number"),
        pytest.param("[[exits]]\ncost = nan", "exits[0].cost", "nan", id="no number in one of several"),
        pytest.param("[exits]\ncost = 0", "exits.cost", "> 0", id="no cost"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_key(text: str, key: str, what: str) -> None:
    """The message is one line with the file, the key, and what was expected."""
    with pytest.raises(ConfigError) as caught:
        parse(text)

    message = str(caught.value)
    assert message.startswith("mine.toml")
    assert key in message
    assert what in message
    assert "\n" not in message


def test_a_file_that_is_no_toml_is_said_to_be_none(tmp_path: Path) -> None:
    """With its path."""
    path = tmp_path / "mine.toml"
    path.write_text("pages = = 3")

    with pytest.raises(ConfigError, match=r"mine\.toml is no TOML"):
        load_scenario(path)


def test_a_file_that_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    """Likewise."""
    with pytest.raises(ConfigError, match=r"cannot read .*none\.toml"):
        load_scenario(tmp_path / "none.toml")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """What is neither a file nor the name of a shipped scenario."""
    with pytest.raises(ConfigError, match=r"no scenario 'mostly-baned': expected a \.toml file or one of .*mostly-ban"):
        load_scenario("mostly-baned")


def test_a_shipped_scenario_is_loaded_by_its_name() -> None:
    """That of its file."""
    shipped = load_scenario("cheap-needles")

    assert [(one.count, one.cost, one.banned_share, one.provider) for one in shipped.exits] == [
        (300, 1.0, 0.97, False),
        (3000, 20.0, 0.1, True),
    ]


def test_a_file_is_called_by_its_name_unless_it_says_another(tmp_path: Path) -> None:
    """So a scenario may be one line."""
    (tmp_path / "mine.toml").write_text("pages = 5")
    (tmp_path / "other.toml").write_text("name = 'yours'")

    assert load_scenario(tmp_path / "mine.toml").name == "mine"
    assert load_scenario(tmp_path / "other.toml").name == "yours"


def test_39_scenarios_are_shipped_each_with_a_name_and_a_line_of_its_own() -> None:
    """No two say the same."""
    shipped = shipped_scenarios()

    assert len(shipped) == 39
    assert len({one.name for one in shipped.values()}) == 39
    assert len({one.says for one in shipped.values()} - {""}) == 39


def test_every_shipped_scenario_is_listed_once() -> None:
    """In docs/inside/simulator.md, in one group or the other, with what it says."""
    listed = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", LIST.partition("## The scenarios")[2], re.MULTILINE))

    assert listed == {name: one.says for name, one in shipped_scenarios().items()}
