"""Export, import and forget, as a person and a machine meet them."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from http.cookiejar import Cookie
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.shells import SITE, Shell
from tests.fakes import Scripted, answers
from tests.moving.files import classic, crawlee_js, crawlee_js_pool, encoded

from proxysieve import Request, Response, Session, SessionPool
from proxysieve.cli import main
from proxysieve.clock import SystemClock
from proxysieve.moving.session_files import MOST_BYTES
from proxysieve.stores.sqlite import SqliteStore

SECRET = "c00kie-v4lue"
PROVIDER_LINE = "http://user-session-{session}:topsecret@gate.example:8000"


def with_cookie(request: Request, session: Session) -> Response:
    """A good page that sets a cookie, and is noted in the session's data."""
    host = request.url.split("/")[2]
    session.cookies.set_cookie(
        Cookie(0, "visitor", SECRET, None, False, host, False, False, "/", True, False, None, True, None, None, {})  # noqa: FBT003
    )
    session.data["pages"] = session.data.get("pages", 0) + 1
    return answers(200)(request, session)


def fill(shell: Shell, site: str = SITE) -> None:
    """Have sessions with cookies and data in the store."""

    async def fetch() -> None:
        proxies = str(shell.proxies)
        async with SessionPool(proxies, store=shell.store, client=Scripted(with_cookie), max_rate=0, seed=1) as pool:
            await pool.session("anna", site=site).get(f"http://{site}/")
            for _ in range(10):
                await pool.get(f"http://{site}/")

    asyncio.run(fetch())


def other_sites(shell: Shell, command: str, name: str = "machine") -> Shell:
    """*command* on another machine, with the same list."""
    directory = shell.directory / name
    directory.mkdir(exist_ok=True)
    return Shell(directory, command, shell.proxies.read_text().splitlines())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """With a store that has two sessions with cookies."""
    shell = Shell(tmp_path, "export")
    fill(shell)
    return shell


@pytest.fixture
def file(shell: Shell) -> Path:
    """Their export."""
    path = shell.directory / "sessions.json"
    assert shell.run(SITE, "--out", str(path))[0] == 0
    return path


class TestExport:
    """Sessions into a file."""

    def test_a_file_is_for_its_user_alone(self, shell: Shell, file: Path) -> None:
        """Also if another was there before; nothing else is left beside it."""
        file.write_text("old")
        file.chmod(0o644)

        status, out, err = shell.run(f"http://www.{SITE}/", "--out", str(file))

        assert (status, out) == (0, "")
        assert err.startswith(f"2 sessions of {SITE}, 2 with cookies")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(json.loads(file.read_text())["sessions"]) == 2
        assert not list(file.parent.glob(".*"))

    def test_without_out_it_is_printed(self, shell: Shell, file: Path) -> None:
        """The same, and what is said goes to the standard error."""
        _, out, err = shell.run(SITE)

        assert out.encode() == file.read_bytes()
        assert SECRET not in err

    def test_no_password_is_in_it(self, file: Path) -> None:
        """But the cookies are, which is what it is for."""
        content = file.read_text()

        assert "topsecret" not in content
        assert SECRET in content

    def test_the_classics_form_has_names_and_looks(self, shell: Shell) -> None:
        """And no cookies."""
        _, out, _ = shell.run(SITE, "--format", "classic")

        sessions = json.loads(out)
        assert {"anna"} < sessions.keys()
        assert all(name == one["name"] and "Mozilla" in one["userAgent"] for name, one in sessions.items())
        assert SECRET not in out

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["nowhere.example"], "nothing is known of 'nowhere.example'"),
            ([SITE, "--out", "none/x.json"], "none/x.json cannot be written"),
            ([SITE, "--store", "none"], "there is no store at none"),
        ],
    )
    def test_bad_input_is_told_in_one_sentence(self, shell: Shell, arguments: list[str], says: str) -> None:
        """Exit status 2, and no traceback."""
        status, out, err = shell.run(*arguments)

        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert says in err


class TestImport:
    """Sessions out of a file."""

    def test_what_came_is_told(self, shell: Shell, file: Path) -> None:
        """To a person; and sessions and export know it then."""
        other = other_sites(shell, "import")

        status, out, err = other.run(str(file))

        assert (status, err) == (0, "")
        assert out.splitlines() == [f"imported      2 sessions of proxysieve into {SITE}, 2 with cookies"]
        assert other_sites(shell, "export").run(SITE)[1].encode() == file.read_bytes()

    def test_what_is_known_is_kept(self, shell: Shell, file: Path) -> None:
        """Unless it is to be replaced."""
        other = other_sites(shell, "import")
        other.run(str(file))

        _, again, _ = other.run(str(file), "--json")
        _, replaced, _ = other.run(str(file), "--replace", "--json")

        assert json.loads(again)["imported"] == 0
        assert sum(json.loads(again)["left_out"].values()) == 2
        assert (json.loads(replaced)["imported"], json.loads(replaced)["replaced"]) == (2, 2)

    def test_it_comes_by_the_standard_input(self, shell: Shell, file: Path) -> None:
        """From another machine's export."""
        options = ["--proxies", str(shell.proxies), "--store", str(shell.directory / "machine")]

        done = CliRunner().invoke(main, ["import", "-", *options], input=file.read_bytes())

        assert "2 sessions of proxysieve" in done.stdout

    def test_classic_sessions_are_names_at_a_provider(self, tmp_path: Path) -> None:
        """Those of a file that is older than a day are none any more."""
        shell = Shell(tmp_path, "import", [PROVIDER_LINE])
        path = tmp_path / "SESSIONS.json"
        path.write_bytes(encoded(classic("0.787", "0.478")))
        status, out, _ = shell.run(str(path), "--site", f"https://www.{SITE}/")
        os.utime(path, (1.0, 1.0))
        _, late, _ = other_sites(shell, "import").run(str(path), "--site", SITE, "--json")

        assert status == 0
        assert f"2 sessions of the algorithm of 2019 into {SITE}" in out
        assert "2 x Chrome 70 on Windows -> chrome150" in " ".join(out.split())
        assert "does not say how old they are" in out
        assert max(map(len, out.splitlines())) <= 80
        assert sum(json.loads(late)["left_out"].values()) == 2

    def test_crawlees_sessions_keep_their_cookies(self, tmp_path: Path) -> None:
        """As the session that a pool gives out has them."""
        shell = Shell(tmp_path, "import", [PROVIDER_LINE])
        path = tmp_path / "SDK_SESSION_POOL_STATE.json"
        path.write_bytes(encoded(crawlee_js_pool(crawlee_js("session_a", SystemClock().now()))))
        seen: list[tuple[str, str, set[str], Any]] = []

        def look(request: Request, session: Session) -> Response:
            seen.append((session.name, session.proxy_url, {one.name for one in session.cookies}, session.data))
            return answers(200)(request, session)

        async def fetch() -> None:
            async with SessionPool(str(shell.proxies), store=shell.store, client=Scripted(look), seed=1) as pool:
                await pool.get(f"http://{SITE}/")

        shell.run(str(path), "--site", SITE)
        asyncio.run(fetch())

        name, proxy_url, cookies, data = seen[0]
        assert (name, data) == ("session_a", {"tier": 1})
        assert proxy_url == "http://user-session-session_a:topsecret@gate.example:8000"
        assert cookies == {"visitor", "shared", "dated", "lasting"}

    @pytest.mark.parametrize(
        ("content", "arguments", "says"),
        [
            pytest.param(b"no json", [], "it is no JSON", id="json"),
            pytest.param(b"{}", [], "it has no sessions", id="form"),
            pytest.param(encoded(classic("a")), [], "name it with --site", id="site"),
            pytest.param(encoded(classic("two words")), ["--site", SITE], "cannot be a session's name", id="name"),
            pytest.param(b'{"format": "proxysieve sessions", "version": 9}', [], "upgrade", id="newer"),
        ],
    )
    def test_bad_input_changes_nothing(self, tmp_path: Path, content: bytes, arguments: list[str], says: str) -> None:
        """It is told in one sentence, with exit status 2."""
        shell = Shell(tmp_path, "import", [PROVIDER_LINE])
        path = tmp_path / "sessions.json"
        path.write_bytes(content)

        status, out, err = shell.run(str(path), *arguments)

        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert says in err
        kept = Shell(tmp_path, "sessions", [PROVIDER_LINE]).run("--json")[1]
        assert not kept or json.loads(kept)["sites"] == []

    def test_those_of_another_site_are_refused(self, shell: Shell, file: Path) -> None:
        """Whoever works at one site need not at another."""
        status, _, err = other_sites(shell, "import").run(str(file), "--site", "other.example")

        assert status == 2
        assert "not of 'other.example'" in err

    def test_a_file_that_is_too_large_is_refused(self, tmp_path: Path) -> None:
        """Before it is read."""
        path = tmp_path / "large.json"
        with path.open("wb") as file:
            file.truncate(MOST_BYTES + 1)

        status, _, err = Shell(tmp_path, "import").run(str(path), "--site", SITE)

        assert status == 2
        assert "larger than 100 MB" in err

    def test_a_store_that_is_in_use_is_left_alone(self, shell: Shell, file: Path) -> None:
        """A job keeps what it knows in memory, and would write over it."""
        store = SqliteStore(shell.store)

        async def try_while_claimed() -> tuple[int, str, str]:
            await store.claim("", 60.0)
            try:
                return await asyncio.to_thread(lambda: Shell(shell.directory, "import").run(str(file)))
            finally:
                await store.close()

        status, _, err = asyncio.run(try_while_claimed())

        assert status == 2
        assert "being written by another process" in err


class TestForget:
    """One site, out of the store."""

    def test_nothing_of_the_site_stays_in_the_files(self, shell: Shell) -> None:
        """And all else does."""
        fill(shell, "other.test")
        samples = shell.store / "samples"
        samples.mkdir()
        for name in (f"{SITE}-captcha.txt", "other.test-captcha.txt"):
            (samples / name).write_text("a page")

        status, out, err = Shell(shell.directory, "forget").run_alone(SITE, "--store", str(shell.store))

        assert (status, err) == (0, "")
        assert "2 sessions, 2 with cookies" in out
        assert "1 sample of pages" in out
        assert [path.name for path in samples.iterdir()] == ["other.test-captcha.txt"]
        assert all(SITE.encode() not in path.read_bytes() for path in shell.store.iterdir() if path.is_file())
        kept = json.loads(Shell(shell.directory, "sessions").run("--json")[1])
        assert [(one["site"], one["working_count"]) for one in kept["sites"]] == [("other.test", 1)]

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["nowhere.example"], "it knows of shop.example"),
            ([SITE, "--store", "none"], "there is no store at none"),
        ],
    )
    def test_what_is_not_there_is_told(self, shell: Shell, arguments: list[str], says: str) -> None:
        """In one sentence, and no store is made."""
        status, out, err = Shell(shell.directory, "forget").run_alone("--store", str(shell.store), *arguments)

        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert says in err
        assert not Path("none").exists()


@pytest.mark.parametrize("command", ["sessions", "export", "import", "forget"])
def test_the_help_has_an_example(command: str) -> None:
    """In lines of at most 80 columns."""
    done = CliRunner().invoke(main, [command, "--help"])

    assert "Example:" in done.output
    assert max(map(len, done.output.splitlines())) <= 80
