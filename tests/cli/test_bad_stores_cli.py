"""What the command line says of stores that cannot be used."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.cli.test_cli_fetch import Shell
from tests.stores.test_bad_stores import closed, fill, kept, nosy, records, room
from tests.test_fuzz_records import crawl

from proxysieve.cli import main
from proxysieve.stores import sqlite
from proxysieve.stores.sqlite import DATABASE, FORMAT_VERSION, LOCK
from proxysieve.testbed import TestbedProcess, World

SENTENCE = "proxysieve: "
# Of a crawl, with a login.
SOUND = [
    msgspec.structs.replace(one, value=(one.value or b"").replace(b'"value":"1"', b'"value":"topsecret"'))
    for one in crawl("adaptive", seed=1)
]


def garbage(store: Path) -> None:
    (store / DATABASE).write_bytes(b"This is not a database, " * 400)


def cut_short(store: Path) -> None:
    content = (store / DATABASE).read_bytes()
    (store / DATABASE).write_bytes(content[: len(content) // 2])


def emptied(store: Path) -> None:
    (store / DATABASE).write_bytes(b"")


def foreign(store: Path) -> None:
    with closing(sqlite3.connect(store / DATABASE)) as database:
        database.execute("PRAGMA application_id = 1")


def newer(store: Path) -> None:
    with closing(sqlite3.connect(store / DATABASE)) as database:
        database.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")


def damaged_record(store: Path) -> None:
    with closing(sqlite3.connect(store / DATABASE)) as database:
        database.execute("INSERT INTO records VALUES ('shop.example', 'session', 'x', ?, 0)", (b"{",))
        database.commit()


def directory(store: Path) -> None:
    (store / DATABASE).unlink()
    (store / DATABASE).mkdir()


def file(store: Path) -> None:
    (store / DATABASE).unlink()
    (store / LOCK).unlink()
    store.rmdir()
    store.write_text("mine")


def loop(store: Path) -> None:
    (store / DATABASE).unlink()
    (store / DATABASE).symlink_to(store / DATABASE)


def away(store: Path) -> None:
    store.rename(store.with_name("away"))
    store.symlink_to(store.with_name("nowhere"))


def snapshot(place: Path) -> dict[str, bytes]:
    """All that is kept there."""
    return {str(path): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file() and path.name != LOCK}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the two lists, and a store that was used."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.0)
    (tmp_path / "urls.txt").write_text("http://shop.example/1")
    (tmp_path / "proxies.txt").write_text("http://ann:topsecret@127.0.0.1:9")
    asyncio.run(fill(tmp_path / "store"))
    return tmp_path


EXPLAIN = ("explain", "shop.example")
FETCH = ("fetch", "urls.txt", "--out", "pages.jsonl", "--no-robots", "--quiet", "--max-wait", "0")


def invoke(*command: str) -> Result:
    proxies = [] if command[0] == "forget" else ["--proxies", "proxies.txt"]
    return CliRunner().invoke(main, [*command, *proxies, "--store", "store"])


def run(*command: str) -> tuple[int, str]:
    result = invoke(*command)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    return result.exit_code, result.stderr


def fetch() -> tuple[int, str]:
    return run(*FETCH)


def check_told(said: tuple[int, str], why: str) -> None:
    """Exit status 2, and one sentence with the place and the reason."""
    status, error = said
    assert status == 2
    assert error.startswith(SENTENCE)
    assert error.count("\n") == 1
    assert "store" in error
    assert why in error
    assert "topsecret" not in error


HARMS = [
    pytest.param(garbage, "is damaged", id="no-database"),
    pytest.param(cut_short, "is damaged", id="cut-short"),
    pytest.param(emptied, "is not a store of proxysieve", id="emptied"),
    pytest.param(foreign, "is not a store of proxysieve", id="another-application"),
    pytest.param(newer, "written by a newer proxysieve", id="newer-format"),
    pytest.param(directory, "is not a store of proxysieve", id="directory-for-a-file"),
    pytest.param(loop, "", id="loop-of-links"),
]


@pytest.mark.parametrize(("harm", "why"), [*HARMS, pytest.param(file, "File exists", id="file-for-a-directory")])
def test_fetch_refuses_what_it_cannot_use(place: Path, harm: Callable[[Path], None], why: str) -> None:
    """Not a byte of it changes, and no page is written."""
    harm(place / "store")
    before = snapshot(place)

    check_told(fetch(), why)

    after = snapshot(place)
    assert {path: after[path] for path in before} == before
    assert not (place / "pages.jsonl").read_bytes()


@pytest.mark.parametrize(("harm", "why"), HARMS)
def test_explain_refuses_it_too(place: Path, harm: Callable[[Path], None], why: str) -> None:
    """With the same words."""
    harm(place / "store")
    before = snapshot(place)

    check_told(run("explain", "shop.example"), why)

    after = snapshot(place)
    assert {path: after[path] for path in before} == before


def test_a_damaged_record_is_told_and_done_without(place: Path) -> None:
    """By each command that meets it; a job sets it aside, and then nothing is said any more."""
    asyncio.run(fill(place / "store", SOUND))
    damaged_record(place / "store")

    seen, fetched, again = (invoke(*command) for command in (EXPLAIN, FETCH, FETCH))

    named = "store has damaged records, which are {}: session x of shop.example\n"
    assert (seen.exit_code, seen.stderr) == (0, f"proxysieve: the store {named.format('left out')}")
    assert named.format("set aside, and the rest is used") in fetched.stderr
    assert "damaged" not in again.stderr
    assert (fetched.exit_code, again.exit_code) == (1, 1)


def test_a_record_that_was_saved_so_and_cannot_be_read_is_told_and_kept(place: Path) -> None:
    """With the site whose it is."""
    check_told(fetch(), "keeps of shop.example is damaged")
    check_told(run("explain", "shop.example"), "keeps of shop.example is damaged")

    assert asyncio.run(records(place / "store")) == [kept(0)]


COMMANDS = (
    FETCH,
    EXPLAIN,
    ("sessions",),
    ("sessions", "shop.example"),
    ("export", "shop.example"),
    ("import", "sessions.json"),
    ("forget", "shop.example"),
)


def test_whatever_flips_in_a_store_no_command_has_a_traceback(place: Path) -> None:
    """Each works without what is damaged, or says in a sentence why it cannot; and no cookie is in what it says."""
    asyncio.run(fill(place / "store", SOUND))
    (place / "sessions.json").write_bytes(invoke("export", "shop.example").stdout_bytes)
    assert [invoke(*command).exit_code for command in COMMANDS] == [1, 0, 0, 0, 0, 0, 0]
    asyncio.run(fill(place / "store", SOUND))
    content, rng = (place / "store" / DATABASE).read_bytes(), Random(1)
    for _ in range(60):
        # Only what is used of the file, or most flips would change nothing.
        used = [at for at, byte in enumerate(content) if byte]
        flipped = bytearray(content)
        for _ in range(rng.choice((1, 1, 3))):
            flipped[rng.choice(used)] ^= 1 << rng.randrange(8)
        for command in COMMANDS:
            for path in (place / "store").iterdir():
                path.unlink()
            (place / "store" / DATABASE).write_bytes(flipped)

            done = invoke(*command)

            assert isinstance(done.exception, SystemExit | None), (command, done.exception)
            assert done.exit_code in {0, 1, 2}
            assert all(line.isprintable() for line in done.stderr.splitlines())
            assert "topsecret" not in done.stderr


def test_a_link_that_leads_nowhere_is_not_replaced(place: Path) -> None:
    """The disk may only not be there."""
    away(place / "store")

    check_told(fetch(), "File exists")

    assert (place / "store").is_symlink()
    assert asyncio.run(records(place / "away")) == [kept(0)]


@pytest.mark.parametrize(
    ("name", "mode", "why"),
    [
        pytest.param("", 0o500, "readonly database", id="directory-read-only"),
        pytest.param("", 0o000, "Permission denied", id="directory-closed"),
        pytest.param(DATABASE, 0o400, "readonly database", id="file-read-only"),
        pytest.param(DATABASE, 0o000, "unable to open database file", id="file-closed"),
    ],
)
def test_what_may_not_be_written_is_told(place: Path, name: str, mode: int, why: str) -> None:
    """And once it may be, all is there."""
    with closed(place / "store" / name, mode):
        check_told(fetch(), why)

    assert asyncio.run(records(place / "store")) == [kept(0)]


def test_a_store_that_somebody_uses_is_told(place: Path) -> None:
    """By another program that keeps everybody else out."""
    with nosy(place / "store" / DATABASE):
        check_told(fetch(), "database is locked")
        check_told(run("explain", "shop.example"), "database is locked")

    assert asyncio.run(records(place / "store")) == [kept(0)]


@pytest.mark.parametrize("size", [100, 4096])
def test_a_disk_without_room_for_a_store_is_told(place: Path, size: int) -> None:
    """And the next run makes one."""
    garbage(place / "store")
    (place / "store" / DATABASE).unlink()

    with room(size):
        check_told(fetch(), "cannot be")

    asyncio.run(fill(place / "store"))
    assert asyncio.run(records(place / "store")) == [kept(0)]


def test_a_disk_that_fills_up_under_the_store_loses_no_page(tmp_path: Path) -> None:
    """What was fetched stands in the output, and the same command goes on. SQLite itself takes 32 KiB for its index."""
    with TestbedProcess(World(proxies=200, banned_share=0.9, page_bytes=50)) as bed:
        shell = Shell(tmp_path, bed.page_urls(12), bed.proxy_lines)

        status, _, error = shell.run_apart("--quiet", "--policy", "uniform_random", max_file_kib=33)
        between = shell.page_count()
        again, out, _ = shell.run("--json")

        assert status == 2
        assert "state.sqlite3 cannot be used" in error
        assert "Traceback" not in error
        assert again == 0
        assert json.loads(out)["resumed"] == between
        assert len({page["url"] for page in shell.pages()}) == len(shell.pages()) == 12
