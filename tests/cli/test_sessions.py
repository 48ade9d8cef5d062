"""The tables of sites and sessions, as a person and a machine meet them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from tests.cli.shells import LINES, SITE, Shell
from tests.cli.stories import EXIT, NOW, SESSION

from proxysieve.cli.sessions import SessionsStory, SitesStory, describe_sessions, describe_sites
from proxysieve.core.fingerprints.available import FINGERPRINTS, real_chromium
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.records import Record, SessionRecord
from proxysieve.core.story.values import HELD_BACK, Permission, SiteSummary
from proxysieve.lists.proxy_list import read_proxies
from proxysieve.stores.sqlite import SqliteStore

KEYS = [proxy.key for proxy in read_proxies(LINES)[0]]

SHOP = SiteSummary(
    site=SITE,
    last_used_at=NOW - 3,
    request_count=12_345,
    session_count=20,
    working_count=19,
    cooling_down_count=13,
    blocked_count=1_060,
    dead_count=1,
)
SITES_TEXT = """\
site          working  cooling down  blocked  dead  last used  requests
shop.example       19            13    1,060     1    3 s ago    12,345
other.test         19            13    1,060     1      never         0
and 5 more (--limit 0 shows all)"""

FREE = msgspec.structs.replace(SESSION, permission=Permission(is_granted=True))
FAR = msgspec.structs.replace(
    SESSION,
    name="a session with a name that says at length what it is for",
    ok_count=1_058_000,
    exit=msgspec.structs.replace(EXIT, proxy="socks5://user:***@a-rather-long-name-of-a-gateway.provider.example:8000"),
    permission=Permission(is_granted=False, why="it rests", until=NOW + 30),
)
LOST = msgspec.structs.replace(
    SESSION,
    name="odd\x1b[2Jname",
    lost="blocked",
    exit=msgspec.structs.replace(EXIT, proxy="", uses=[], last_used_at=None),
    permission=Permission(is_granted=False, why="its exit is lost"),
)


def body(text: str) -> str:
    """Without the first line, whose moment depends on the time zone."""
    return text.partition("\n")[2]


class TestWords:
    """What a person reads."""

    def test_sites_stand_in_a_table(self) -> None:
        """With what works, what does not, and how many there are beyond."""
        other = msgspec.structs.replace(SHOP, site="other.test", last_used_at=None, request_count=0)

        text = describe_sites(SitesStory(at=NOW, site_count=7, sites=[SHOP, other]))

        assert text.startswith("7 sites, as of 1970-01-")
        assert body(text) == SITES_TEXT

    def test_sessions_stand_in_a_table(self) -> None:
        """In at most 80 columns, whatever their names; what would move the cursor is not printed."""
        text = describe_sessions(SessionsStory(site=SITE, at=NOW, session_count=3, sessions=[FREE, FAR, LOST]))

        lines = text.splitlines()
        assert lines[0].startswith("shop.example: 3 sessions, as of 1970-01-")
        assert max(map(len, lines)) <= 80
        assert "\x1b" not in text
        assert lines[1].split() == ["session", "proxy", "standing", "good", "age", "idle", "free", "limit"]
        assert lines[2].split()[:3] == ["anna", "10.1.2.3:8000", "working"]
        assert lines[2].split()[3:] == ["58", "12", "min", "1", "s", "now", "212/200"]
        assert lines[3].startswith("a session w…  socks5://a-r…  working")
        assert lines[3].split()[-4:] == ["in", "30", "s", "212/200"]
        assert lines[4].split()[:3] == ["odd\N{REPLACEMENT CHARACTER}[2Jname", "001122334455…", "lost"]

    @pytest.mark.parametrize(
        ("permission", "says"),
        [
            (Permission(is_granted=True), "now"),
            (Permission(is_granted=False, why="it rests", until=NOW + 30), "in 30 s"),
            (Permission(is_granted=False, why=f"it {HELD_BACK}", until=NOW + 7200), "ahead"),
            (Permission(is_granted=False, why="its exit is lost"), "no"),
        ],
    )
    def test_it_says_when_each_is_free(self, permission: Permission, says: str) -> None:
        """Or that it only goes ahead of the others, or that time alone does not help."""
        one = msgspec.structs.replace(FREE, permission=permission)

        text = describe_sessions(SessionsStory(site=SITE, at=NOW, session_count=1, sessions=[one]))

        assert f"1 s  {says:>{max(4, len(says))}}  " in text

    def test_a_proxy_with_a_name_is_called_by_it(self) -> None:
        """As everywhere else."""
        one = msgspec.structs.replace(FREE, exit=msgspec.structs.replace(EXIT, proxy="berlin-7"))

        text = describe_sessions(SessionsStory(site=SITE, at=NOW, session_count=1, sessions=[one]))

        assert text.splitlines()[2].split()[1] == "berlin-7"

    def test_browsers_that_are_not_shown_any_more_are_counted(self) -> None:
        """With what becomes of their sessions, in lines of at most 80 columns."""
        story = SessionsStory(
            site=SITE,
            at=NOW,
            session_count=1,
            sessions=[FREE],
            updated={"chrome142": 9, "safari184": 1_000},
            ended={"odd\x1b[2Jname": 2},
        )
        text = describe_sessions(story)

        assert " ".join(text.splitlines()[3:]) == (
            "as the next job begins: 1,011 sessions of browsers that are not shown any more: "
            "1,009 updated (chrome142 9, safari184 1,000), 2 ended (odd\N{REPLACEMENT CHARACTER}[2Jname 2)"
        )
        assert max(map(len, text.splitlines())) <= 80

    def test_what_says_nothing_is_left_out(self) -> None:
        """As long as no limit is known, there is no column for it."""
        free = msgspec.structs.replace(FREE, exit=msgspec.structs.replace(EXIT, uses=[]))

        text = describe_sessions(SessionsStory(site=SITE, at=NOW, session_count=1, sessions=[free]))

        assert "limit" not in text
        assert text.splitlines()[1].split() == ["session", "proxy", "standing", "good", "age", "idle", "free"]


OLD_CHROME = msgspec.structs.replace(
    FINGERPRINTS[0], impersonate="chrome99", user_agent=FINGERPRINTS[0].user_agent.replace("151", "99")
)


async def give_looks(place: Path, fingerprint: Fingerprint) -> None:
    """Let the sessions in the store at *place* look like *fingerprint*."""
    store = SqliteStore(str(place))
    fence = await store.claim("", 60.0)
    records = [record for record in await store.load(SITE) if record.kind == "session"]
    sessions = [msgspec.json.decode(record.value or b"", type=SessionRecord) for record in records]
    old = [msgspec.structs.replace(one, fingerprint=fingerprint) for one in sessions]
    await store.save([Record(SITE, "session", one.name, msgspec.json.encode(one)) for one in old], fence)
    await store.close()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """With a store that knows two sites."""
    return Shell(tmp_path, "sessions").fill().fill("other.test")


class TestCommand:
    """On a real store."""

    def test_without_a_site_it_tells_of_all(self, shell: Shell) -> None:
        """That used last comes first."""
        status, out, err = shell.run()

        assert (status, err) == (0, "")
        assert [line.split()[0] for line in out.splitlines()[2:]] == ["other.test", SITE]

    def test_the_list_changes_no_count(self, shell: Shell) -> None:
        """Only the addresses need it."""
        with_list = json.loads(shell.run("--json")[1])
        without = json.loads(shell.run_alone("--store", str(shell.store), "--json")[1])

        assert {**with_list, "at": 0} == {**without, "at": 0}
        assert [site["request_count"] for site in with_list["sites"]] == [11, 11]

    def test_a_site_is_told_session_by_session(self, shell: Shell) -> None:
        """The best first, as addresses where there is a list, as hashes where there is none."""
        _, listed, _ = shell.run(f"http://www.{SITE}/item")
        status, hashed, err = shell.run_alone("--store", str(shell.store), SITE)

        assert (status, err) == (0, "")
        assert "10.1.2." in listed
        assert not any(key in listed for key in KEYS)
        assert any(key in hashed for key in KEYS)
        assert "10.1.2." not in hashed
        assert [line.split()[0] for line in listed.splitlines()] == [line.split()[0] for line in hashed.splitlines()]

    def test_without_the_list_sessions_are_told_of_all_the_same(self, shell: Shell) -> None:
        """Nothing but the address, and what follows from it, is unknown."""
        _, listed, _ = shell.run(SITE, "--json")
        _, hashed, _ = shell.run_alone("--store", str(shell.store), SITE, "--json")

        pairs = zip(json.loads(listed)["sessions"], json.loads(hashed)["sessions"], strict=True)
        for known, unknown in pairs:
            assert unknown["exit"]["proxy"] == ""
            assert unknown["exit"]["proxy_key"] == known["exit"]["proxy_key"]
            assert unknown["exit"]["standing"] == known["exit"]["standing"]
            assert {**known, "exit": 0, "permission": 0} == {**unknown, "exit": 0, "permission": 0}

    def test_sessions_of_old_browsers_are_told_as_the_next_job_has_them(self, shell: Shell) -> None:
        """Nothing is changed by looking."""
        asyncio.run(give_looks(shell.store, OLD_CHROME))
        counts = [json.loads(shell.run_alone("--store", str(shell.store), SITE, "--json")[1]) for _ in range(2)]
        _, text, _ = shell.run_alone("--store", str(shell.store), SITE)

        assert [one["updated"] for one in counts] == [{"chrome99": counts[0]["session_count"]}] * 2
        assert [one["ended"] for one in counts] == [{}, {}]
        assert "are not shown any more" in " ".join(text.split())

    def test_sessions_by_a_real_browser_are_told_of_too(self, shell: Shell) -> None:
        """They go on once that browser is open again."""
        before = json.loads(shell.run_alone("--store", str(shell.store), SITE, "--json")[1])
        asyncio.run(give_looks(shell.store, real_chromium("Mozilla/5.0 Chrome/156.0.0.0 Safari/537.36", "en", ())))
        after = json.loads(shell.run_alone("--store", str(shell.store), SITE, "--json")[1])

        assert after["session_count"] == before["session_count"] > 0
        assert {one["browser"] for one in after["sessions"]} == {"chromium"}
        assert (after["updated"], after["ended"]) == ({}, {})

    def test_a_limit_keeps_it_short(self, shell: Shell) -> None:
        """It says how many there are beyond; 0 shows them."""
        _, short, _ = shell.run(SITE, "--limit", "1")
        _, whole, _ = shell.run(SITE, "--limit", "0")

        assert len(short.splitlines()) == 4
        assert short.endswith("more (--limit 0 shows all)\n")
        assert "more" not in whole

    @pytest.mark.parametrize("arguments", [[], [SITE], ["--json"], [SITE, "--json"]])
    def test_nothing_secret_is_shown(self, shell: Shell, arguments: list[str]) -> None:
        """Neither to a person nor to a machine."""
        assert "topsecret" not in str(shell.run(*arguments))

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(["nowhere.example"], "it knows of other.test, shop.example", id="site"),
            pytest.param(["--store", "none"], "there is no store at none", id="store"),
            pytest.param(["--store", "memory:"], "expected the directory of a store", id="memory"),
            pytest.param(["--proxies", "none.txt"], "none.txt cannot be read", id="proxies"),
        ],
    )
    def test_bad_input_is_told_in_one_sentence(self, shell: Shell, arguments: list[str], says: str) -> None:
        """Exit status 2, and no traceback."""
        status, out, err = shell.run(*arguments)

        assert (status, out) == (2, "")
        assert says in err
        assert len(err.splitlines()) == 1
