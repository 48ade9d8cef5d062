"""What strangers wrote is shown by every command, and moves no cursor, turns no line around and forges none."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from tests.judging.saved.forms import GOOD, entry, har
from tests.moving.files import crawlee_js, crawlee_js_pool, encoded

from proxysieve.cli import main
from proxysieve.cli.job_report import show_report, show_steps
from proxysieve.cli.log import logging_to_terminal
from proxysieve.cli.printing import escaped, printable, printable_lines, wrapped
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Outcome
from proxysieve.core.records import ExitRecord, Record, SessionRecord
from proxysieve.fetch.report import Report, Stalled
from proxysieve.stores.sqlite import SqliteStore

# Escapes of 7 and 8 bits, a title, bell, backspace, both ends of a line, a turned line, what is not seen, a tag of
# Unicode, markup of rich, and a line that looks like one of ours.
EVIL = (
    "a\x1b[31mb\x9b32mc\x1b]0;t\x07\x08\rd\u2028\x85\u202ee\u200b\u2066\ufeff\U000e0041\x7f"
    "[red]f[/red][link=http://x]g[/link]\nproxysieve: all is well"
)
EVIL_LINE = EVIL.replace("\n", "\x0b").replace("\r", "\x0c").replace("\u2028", "").replace("\x85", "")
FORGED = re.compile(r"^proxysieve: all is well", re.MULTILINE)
SITE = "shop.example"
PROXY = "http://user:pass@10.1.2.3:80"
DRAWING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def harmful(text: str) -> set[str]:
    """The letters of *text* that do more than to be seen."""
    return {one for one in text if not one.isprintable() and one not in "\n\N{NO-BREAK SPACE}"}


def run(*arguments: str) -> Result:
    """The command as on a terminal, where click leaves escapes as they are."""
    done = CliRunner().invoke(main, list(arguments), color=True)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done


def check(done: Result, *, told: str = "") -> None:
    assert not harmful(done.output), ascii(done.output)
    assert not FORGED.search(done.output)
    assert told in done.output


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files of a test are, and its command runs."""
    monkeypatch.chdir(tmp_path)
    Path("proxies.txt").write_text(f"{PROXY}\n")
    return tmp_path


@pytest.fixture
def store(place: Path) -> str:
    """A store in which every text is a stranger's."""
    proxy, gateway = parse_proxy(PROXY), parse_proxy("http://u-{session}:p@gate.example:1")
    Path("proxies.txt").write_text(f"{PROXY}\nhttp://u-{{session}}:p@gate.example:1\n")
    looks = msgspec.structs.replace(FINGERPRINTS[0], user_agent=EVIL, impersonate=EVIL, engine="")
    sessions = [
        SessionRecord(
            name=EVIL,
            proxy_key=proxy.key,
            exit_name="",
            fingerprint=looks,
            opened_at=9e8,
            worked_at=9e8,
            lost=EVIL,
            is_named=True,
        ),
        SessionRecord(name=f"{EVIL}3", proxy_key=proxy.key, exit_name="", fingerprint=looks, opened_at=9e8),
        SessionRecord(
            name=f"{EVIL}2", proxy_key=gateway.key, exit_name=EVIL, fingerprint=looks, opened_at=9e8, is_named=True
        ),
    ]
    known = ExitRecord(ok_count=1, blocked_count=1, last=Outcome.BLOCKED, why=EVIL, last_bad_at=9e8)
    values: list[tuple[str, str, Any]] = [
        *(("session", one.name, one) for one in sessions),
        *(("exit", one.exit_id, known) for one in sessions),
        ("data", EVIL, {EVIL: EVIL}),
    ]

    async def fill() -> None:
        kept = SqliteStore(str(place / "store"))
        fence = await kept.claim("", 60.0)
        for site in (SITE, EVIL):
            await kept.save([Record(site, kind, key, msgspec.json.encode(value)) for kind, key, value in values], fence)
        await kept.close()

    asyncio.run(fill())
    return "store"


class Handler(BaseHTTPRequestHandler):
    """A proxy that answers everything itself, with all that it likes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_page = "good" in self.path
        body = f"<title>{EVIL}</title><p>{EVIL}</p>".encode() * 20
        self.send_response_only(200 if is_page else 403, EVIL_LINE.encode().decode("latin-1"))
        for name in ("Server", "X-Squid-Error", "CF-Mitigated" if not is_page else "X-Other", "Via"):
            self.send_header(name, EVIL_LINE.encode().decode("latin-1"))
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestCommands:
    """Each of them."""

    @pytest.mark.parametrize("form", [[], ["--json"]], ids=["words", "json"])
    def test_judge(self, form: list[str]) -> None:
        """Names of files, addresses, and signs of another's making."""
        Path(f"{EVIL_LINE.replace('/', '')}.har").write_bytes(
            har(entry(200, GOOD, url=f"https://{EVIL}/"), entry(403, GOOD, url=f"https://shop.example/{EVIL}"))
        )
        Path("page.html").write_bytes(GOOD)
        text = json.dumps(EVIL)[1:-1].replace("\\udb40\\udc41", "").replace("\x7f", "\\u007f")
        sign = f'[[sign]]\nname = "{text}"\nvendor = "{text}"\nwhy = "{text}"\nsource = "s"\nbody = ["42 articles"]\n'
        Path("signs.toml").write_text(sign)

        for arguments in (["."], ["page.html", "--signs", "signs.toml"], ["--list-signs", "--signs", "signs.toml"]):
            check(run("judge", *arguments, *form))

    @pytest.mark.parametrize("form", [[], ["--json"], ["--quiet"]], ids=["words", "json", "quiet"])
    @pytest.mark.parametrize("page", ["good", "bad"])
    def test_check(self, proxy: str, page: str, form: list[str]) -> None:
        """Titles and headers of sites and proxies."""
        check(run("check", f"http://shop.example/{page}", "--proxy", proxy, "--names", "2", *form))

    @pytest.mark.parametrize("form", [[], ["--json"], ["--quiet"]], ids=["words", "json", "quiet"])
    def test_fetch(self, proxy: str, form: list[str]) -> None:
        """Likewise, and with all that is logged."""
        Path("urls.txt").write_text(
            f"http://shop.example/good\nhttp://shop.example/bad\n#{EVIL_LINE}\nhttp://x/{EVIL_LINE}\n", encoding="utf-8"
        )
        fixed = ("--proxy", proxy, "--out", "out.jsonl", "--max-wait", "0", "--max-rate", "0", "--no-robots")
        check(run("--verbose", "fetch", "urls.txt", *fixed, "--attempts", "1", *form))

    @pytest.mark.parametrize("form", [[], ["--json"]], ids=["words", "json"])
    @pytest.mark.parametrize(
        "arguments",
        [
            ["sessions"],
            ["sessions", SITE],
            ["explain", SITE],
            ["explain", SITE, EVIL],
            ["explain", SITE, "10.1.2.3:80"],
        ],
        ids=["sites", "sessions", "site", "session", "proxy"],
    )
    def test_what_looks_into_a_store(self, store: str, arguments: list[str], form: list[str]) -> None:
        """Names of sites and sessions, what was last refused and why, browsers."""
        done = run(*arguments, "--store", store, "--proxies", "proxies.txt", *form)

        check(done, told="mb" if EVIL in arguments or arguments[0] == "sessions" else SITE)
        assert done.exit_code == 0

    def test_export_and_forget(self, store: str) -> None:
        """The file that is printed is the same in other letters."""
        done = run("export", SITE, "--store", store, "--proxies", "proxies.txt")
        Path("out.json").write_bytes(b"")
        run("export", SITE, "--store", store, "--proxies", "proxies.txt", "--out", "out.json")

        check(done)
        assert json.loads(done.stdout) == json.loads(Path("out.json").read_bytes())
        assert [one["session"]["exit"] for one in json.loads(done.stdout)["sessions"]] == ["", EVIL]
        check(run("forget", SITE, "--store", store))

    @pytest.mark.parametrize("form", [[], ["--json"]], ids=["words", "json"])
    def test_import(self, form: list[str]) -> None:
        """Names, user agents and addresses of another tool."""
        session = crawlee_js(EVIL, 1.7e9, userData={"userAgent": EVIL, "proxyUrl": PROXY, EVIL: EVIL})
        Path("in.json").write_bytes(encoded(crawlee_js_pool(session, crawlee_js(EVIL, 1.7e9))))
        Path("bad.json").write_bytes(encoded({EVIL: {"name": f"{EVIL}!", "userAgent": EVIL}}))

        for file in ("in.json", "bad.json"):
            check(run("import", file, "--site", SITE, "--proxies", "proxies.txt", *form))

    @pytest.mark.parametrize("form", [[], ["--json"]], ids=["words", "json"])
    def test_simulate(self, form: list[str]) -> None:
        """Names and descriptions of worlds."""
        text = json.dumps(EVIL.replace("\U000e0041", "").replace("\x7f", ""))
        Path(f"{EVIL_LINE.replace('/', '')}.toml").write_text(f"says = {text}\npages = 1\n[[exits]]\ncount = 1\n")

        [name] = [str(path) for path in Path().glob("*.toml")]
        check(run("simulate", name, "--policy", "oracle", *form))
        check(run("simulate", EVIL, "--policy", EVIL, *form))

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion(self, shell: str) -> None:
        """What it prints is a program, and has no letter that is not seen."""
        check(run("completion", shell), told="_PROXYSIEVE_COMPLETE")

    @pytest.mark.parametrize("command", [*main.commands])
    def test_what_is_wrong_with_a_command(self, command: str) -> None:
        """Whatever it repeats of that: options, files, values, keys and values of configuration files."""
        text = json.dumps(EVIL.replace("\U000e0041", "").replace("\x7f", ""))
        Path("key.toml").write_text(f"{text} = 1\n")
        Path("table.toml").write_text(f"[{text}]\na = 1\n")
        Path("store.toml").write_text(f"store = {text}\nexpect = {text}\nsigns = {text}\n")
        listed = Path("list.txt")
        listed.write_text(f"{EVIL_LINE}\nhttp://{EVIL_LINE}:80\n", encoding="utf-8")
        cases: list[list[str]] = [
            [f"--{EVIL}"], [EVIL], [EVIL, EVIL, "--proxy", EVIL], [EVIL, "--proxies", EVIL], [EVIL, "--store", EVIL],
            [f"http://a.example/{EVIL}", "--proxies", "list.txt", "--out", EVIL], ["--site", EVIL, EVIL],
            *([EVIL, "--config", f"{name}.toml"] for name in ("key", "table", "store", EVIL)),
            ["--config", "store.toml", "--help"],
        ]  # fmt: skip

        for arguments in cases:
            if arguments == [EVIL] and command == "demo":
                continue
            check(run(command, *arguments))
        check(run(EVIL))
        check(run(f"--{EVIL}", command))


def test_the_report_of_a_job(capsys: pytest.CaptureFixture[str]) -> None:
    """Why a site was given up, which sign is suspicious, and what else was met."""
    numbers = {one.name: 1 for one in msgspec.structs.fields(Report) if one.type in {int, float} and one.name != "urls"}
    report = Report(
        **numbers,
        urls=9,
        interrupted=True,
        suspicions=[EVIL],
        stalled=[Stalled(site=EVIL, why=EVIL, pending=1, retry_at=None)],
        reasons=[(outcome, EVIL, 2) for outcome in Outcome],
    )

    show_report(report, f"{EVIL_LINE.replace('/', '')}.jsonl")

    out = capsys.readouterr().out
    assert not harmful(out)
    assert not FORGED.search(out)
    assert out.count("f[/red]") >= 8


@pytest.mark.parametrize("verbose", [True, False])
def test_what_is_logged(capsys: pytest.CaptureFixture[str], *, verbose: bool) -> None:
    """A message is one line, whatever is in it; the lines of a traceback stay lines."""
    log = logging.getLogger("proxysieve")
    with logging_to_terminal(verbose=verbose):
        try:
            raise ValueError(EVIL)  # noqa: TRY301 - a client's, with a stranger's words
        except ValueError:
            log.exception("at %s", EVIL)

    err = capsys.readouterr().err
    assert not harmful(err)
    assert len(FORGED.findall(err)) == verbose  # as Python itself tells of an error's text, in a traceback
    assert err.splitlines()[0].endswith("proxysieve: all is well")


class Terminal(io.StringIO):
    """A standard error that draws."""

    def isatty(self) -> bool:
        return True


async def test_the_progress_is_drawn_from_letters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither escapes nor rich's own markup; only rich itself moves the cursor."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "300")
    looked = asyncio.Event()

    def look() -> tuple[int, int, str]:
        looked.set()
        return 1, 2, EVIL

    drawing = asyncio.create_task(show_steps(look, "pages"))
    await looked.wait()
    drawing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await drawing

    drawn = DRAWING.sub("", terminal.getvalue())
    assert not harmful(drawn)
    assert "[red]f[/red][link=http://x]g[/link]" in drawn


@given(st.text())
def test_a_text_keeps_its_length_and_its_letters(text: str) -> None:
    """As tables count them."""
    shown = printable(text)

    assert len(shown) == len(text)
    assert not harmful(shown)
    assert "\n" not in shown
    assert not harmful(printable_lines(text) + wrapped(text, first=text[:5], rest="  "))


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_says_the_same_in_letters_that_are_seen(value: object) -> None:
    """On one line or on several."""
    whole = msgspec.json.encode(value)
    for form in (whole, msgspec.json.format(whole, indent=2)):
        shown = escaped(form.decode())

        assert json.loads(shown) == value
        assert not harmful(shown)
