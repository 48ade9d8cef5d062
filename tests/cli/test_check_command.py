from __future__ import annotations

import json
import re
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from tests.cli.shells import Command, run_in

from proxysieve.check.check import Checked, CheckReport, Progress
from proxysieve.check.good_list import HEADER
from proxysieve.cli.check import describe, show_check
from proxysieve.core.model import Outcome
from proxysieve.lists.proxy_list import read_proxies
from proxysieve.testbed import Bed, BlockStyle, TestbedProcess, World
from proxysieve.testbed.world import SCRIPTED_STYLES

# With a proxy of every kind, each of which is told at once.
WORLD = World(
    proxies=40,
    networks=40,
    banned_share=0.5,
    block_styles=tuple(style for style in get_args(BlockStyle) if style not in SCRIPTED_STYLES),
    refusing=2,
    demanding=2,
    failing=2,
    page_bytes=6_000,
    seed=4,
)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    """A testbed of WORLD."""
    with TestbedProcess(WORLD) as bed:
        yield bed


class Shell(Command):
    """Runs the command in a directory with ``proxies.txt``."""

    def __init__(self, directory: Path, proxies: list[str]) -> None:
        super().__init__(directory, "check", "--max-rate", "0", "--proxies", "proxies.txt")
        (directory / "proxies.txt").write_text("\n".join(proxies))


def good_lines(bed: Bed) -> list[str]:
    """The lines of the proxies that work."""
    pairs = zip(bed.proxy_lines, bed.exits, strict=True)
    return [line for line, exit_ in pairs if exit_.kind == "plain" and not exit_.banned]


def test_a_person_sees_who_works_and_what_the_others_met(tmp_path: Path, bed: Bed) -> None:
    """In lines of at most 80 columns, without a password, and without a store."""
    shell = Shell(tmp_path, bed.proxy_lines)

    status, out, err = shell.run(bed.page_url(1))

    text = " ".join(out.split())
    assert (status, err) == (0, "")
    assert text.startswith("works: 17 ")
    assert "status 403, where others got the page (status-403)" in text
    assert "asks to wait 3,600 s" in text
    assert "status 407: the proxy wants other credentials" in text
    assert "works 17 of 40, half of them within" in text
    assert "6 dead" in text
    assert max(map(len, out.splitlines())) <= 80
    assert ":pass@" not in out
    assert {path.name for path in tmp_path.iterdir()} == {"proxies.txt"}


def test_many_are_summed_up_unless_all_are_wanted(tmp_path: Path) -> None:
    """The working ones and each thing that was met have a few examples; of a short list, all are shown."""
    with TestbedProcess(World(proxies=80, banned_share=0.5, page_bytes=2_000)) as bed:
        shell = Shell(tmp_path, bed.proxy_lines)

        _, few, _ = shell.run(bed.page_url(1))
        _, every, _ = shell.run(bed.page_url(1), "--all")
        (tmp_path / "proxies.txt").write_text("\n".join(bed.proxy_lines[:20]))
        _, short, _ = shell.run(bed.page_url(1))

    assert few.count("http://user:***@") == 23
    assert "and 20 more (--all)" in few
    assert "and 37 more (--all)" in few
    assert every.count("http://user:***@") == 80
    assert short.count("http://user:***@") == 20


def test_quiet_prints_errors_alone(tmp_path: Path) -> None:
    """Nothing where a proxy works; why none does, on the standard error."""
    with TestbedProcess(World(proxies=4, banned_share=0.5, refusing=1)) as bed:
        shell = Shell(tmp_path, bed.proxy_lines)

        assert shell.run(bed.page_url(1), "--quiet", "--save", "good.txt") == (0, "", "")
        assert (tmp_path / "good.txt").exists()
    with TestbedProcess(World(proxies=2, refusing=2)) as bed:
        shell = Shell(tmp_path, bed.proxy_lines)

        assert shell.run(bed.page_url(1), "--quiet") == (1, "", "proxysieve: none of 2 works: 2 dead\n")


def test_machines_read_one_object(tmp_path: Path, bed: Bed) -> None:
    """With each proxy in it, and no password."""
    shell = Shell(tmp_path, bed.proxy_lines)

    status, out, err = shell.run_apart(f"{bed.page_url(1)}?key=topsecret", "--json")

    report = json.loads(out)
    assert (status, err) == (0, "")
    assert report["url"].endswith("/page/1?key=…")
    assert (report["exits"], report["tried"], report["works"], report["proxy_errors"]) == (40, 40, 17, 6)
    assert [one["verdict"] for one in report["results"]][:17] == ["ok"] * 17
    assert {one["sign"] for one in report["results"]} >= {"cloudflare-challenge", "status-403"}
    assert "topsecret" not in out
    assert ":pass@" not in out


def test_what_works_is_saved_for_the_next_command(tmp_path: Path, bed: Bed) -> None:
    """Byte for byte, for its owner only; and replaced by the next check."""
    shell = Shell(tmp_path, [f"{line}  cost=2" for line in bed.proxy_lines])

    status, out, _ = shell.run(bed.page_url(1), "--save", "good.txt")
    again, report, _ = shell.run(bed.page_url(1), "--save", "good.txt", "--json")

    good = tmp_path / "good.txt"
    assert (status, again) == (0, 0)
    assert "17 proxies in good.txt, with passwords" in " ".join(out.split())
    assert json.loads(report)["saved"] == 17
    assert good.read_text().splitlines() == [HEADER, *(f"{line}  cost=2" for line in good_lines(bed))]
    assert stat.S_IMODE(good.stat().st_mode) == 0o600


def test_proxies_come_from_several_places(tmp_path: Path) -> None:
    """Files and lines of the command; each line is saved as it stood."""
    with TestbedProcess(World(proxies=3)) as bed:
        one, two, three = bed.proxy_lines
        shell = Shell(tmp_path, [one])
        (tmp_path / "more.txt").write_text(f"  {two}\r\n")

        shell.run(bed.page_url(1), "--proxies", "more.txt", "--proxy", three, "--save", "good.txt")

    assert (tmp_path / "good.txt").read_bytes() == f"{HEADER}\n{one}\n  {two}\r\n{three}\n".encode()


def test_a_gateway_is_saved_as_a_gateway(tmp_path: Path) -> None:
    """Its names are for a crawl to choose."""
    with TestbedProcess(World(proxies=50, provider_names=True)) as bed:
        shell = Shell(tmp_path, bed.proxy_lines)

        status, out, _ = shell.run(bed.page_url(1), "--names", "5", "--save", "good.txt")

        assert status == 0
        assert "5 of 5" in out
        assert [proxy.url("x") for proxy in read_proxies(tmp_path / "good.txt")[0]] == [
            line.replace("{session}", "x") for line in bed.proxy_lines
        ]


def test_where_nothing_works_nothing_is_saved(tmp_path: Path) -> None:
    """Exit status 1; and yesterday's list is kept."""
    with TestbedProcess(World(proxies=4, banned_share=1.0)) as bed:
        shell = Shell(tmp_path, bed.proxy_lines)
        (tmp_path / "good.txt").write_text(f"{HEADER}\nproxy.example:8000\n")

        status, out, err = shell.run(bed.page_url(1), "--save", "good.txt")

    text = " ".join(out.split())
    assert (status, err) == (1, "")
    assert "all 4 that got through were answered alike (status 403)" in text
    assert "nothing, as nothing works; good.txt is as it was" in text
    assert (tmp_path / "good.txt").read_text() == f"{HEADER}\nproxy.example:8000\n"


def test_what_cannot_be_saved_is_shown_all_the_same(tmp_path: Path) -> None:
    """Exit status 2, but nothing that was found out is lost; a limit on files stands for a full disk."""
    with TestbedProcess(World(proxies=60)) as bed:
        shell = Shell(tmp_path, bed.proxy_lines)
        (tmp_path / "good.txt").write_text(f"{HEADER}\nproxy.example:8000\n")

        status, out, err = shell.run_apart(bed.page_url(1), "--save", "good.txt", max_file_kib=1)

    assert status == 2
    assert "60 of 60" in out
    assert "good.txt cannot be written: File too large" in err
    assert "Traceback" not in err
    assert (tmp_path / "good.txt").read_text() == f"{HEADER}\nproxy.example:8000\n"
    assert {path.name for path in tmp_path.iterdir()} == {"proxies.txt", "good.txt"}


@pytest.mark.parametrize(
    ("number", "name", "saved"),
    [
        pytest.param(signal.SIGINT, "new.txt", "in new.txt, with passwords", id="new"),
        pytest.param(signal.SIGTERM, "old.txt", "the check was interrupted; old.txt is as it was", id="old"),
    ],
)
def test_ctrl_c_prints_what_is_known(tmp_path: Path, number: signal.Signals, name: str, saved: str) -> None:
    """At once, also while proxies hang; a list that is there is not replaced by a part of it."""
    old = f"{HEADER}\nproxy.example:8000\n"
    (tmp_path / "old.txt").write_text(old)
    with TestbedProcess(World(proxies=12, hanging=3)) as bed:
        shell = Shell(tmp_path, bed.proxy_lines)
        process = shell.start(bed.page_url(1), "--timeout", "60", "--max-rate", "5", "--save", name)
        while len(bed.truth().hits) < 4 and process.poll() is None:
            time.sleep(0.01)  # another process asks, and tells nobody
        process.send_signal(number)
        out, err = process.communicate(timeout=30)

    text = " ".join(out.split())
    assert (process.returncode, err) == (130, "")
    assert text.startswith("works: ")
    assert re.search(r"interrupted \d+ were not tried to the end", text)
    assert saved in text
    assert len(read_proxies(tmp_path / name)[0]) > 0
    assert (tmp_path / "old.txt").read_text() == old


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["shop.example"], "not a URL: 'shop.example'", id="url"),
        pytest.param(["https://shop.example/", "--proxies", "none.txt"], "none.txt cannot be read", id="list"),
        pytest.param(["https://shop.example/", "--proxy", "a:topsecret@b"], "not a proxy", id="proxy"),
        pytest.param(
            ["https://shop.example/", "--save", "proxies.txt"], "one of the lists that are checked", id="input"
        ),
        pytest.param(["https://shop.example/", "--save", "notes.txt"], "no list that a check has saved", id="other"),
        pytest.param(["https://shop.example/", "--save", "no/good.txt"], "cannot be written", id="directory"),
        pytest.param(["https://shop.example/", "--timeout", "0"], "0.0 is not in the range", id="timeout"),
        pytest.param(["https://shop.example/", "--names", "0"], "0 is not in the range", id="names"),
        pytest.param(["https://shop.example/", "--expect", "css:["], "no CSS selector", id="expect"),
        pytest.param([], "Missing argument 'URL'", id="no url"),
    ],
)
def test_bad_input_is_told_in_one_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Exit status 2, before anything is sent; no traceback, no password, and nothing is lost."""
    shell = Shell(tmp_path, ["bad line", "user:topsecret@host"] if "--proxy" in arguments else ["10.0.0.1:8000"])
    (tmp_path / "notes.txt").write_text("mine")

    status, out, err = shell.run(*arguments)

    assert (status, out) == (2, "")
    assert says in " ".join(err.split())
    assert "Traceback" not in err
    assert "topsecret" not in err
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_list_of_no_proxies_is_bad_input(tmp_path: Path) -> None:
    """None is named, or none can be used."""
    status, _, err = run_in(tmp_path, "check", "https://shop.example/")

    assert status == 2
    assert "which proxies?" in err


def test_the_help_fits(tmp_path: Path) -> None:
    """It says why robots.txt is not read, and has an example."""
    _, out, _ = run_in(tmp_path, "check", "--help")

    assert "does not read robots.txt" in out
    assert "Example:" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def result(**changes: object) -> Checked:
    fields = {
        "proxy": "http://user:***@proxy.example:8000",
        "name": None,
        "browser": "chrome150",
        "verdict": Outcome.OK,
        "why": None,
        "vendor": None,
        "sign": None,
        "scope": None,
        "status": 200,
        "title": "shop",
        "bytes": 15_000,
        "seconds": 0.5,
        "retry_after": None,
    }
    return Checked(**fields | changes)  # type: ignore[arg-type] # named there


def shown(capsys: pytest.CaptureFixture[str], *results: Checked) -> str:
    report = CheckReport(
        exits=len(results),
        tried=len(results),
        works=sum(one.verdict is Outcome.OK for one in results),
        blocked=0,
        throttled=0,
        proxy_errors=0,
        site_errors=0,
        unclear=0,
        seconds=1.0,
        interrupted=False,
        remarks=[],
        results=list(results),
    )
    show_check(report, is_all=False)
    return capsys.readouterr().out


def test_what_a_site_says_does_no_harm_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Titles are theirs to choose; a long address keeps both of its ends, and the name behind it."""
    proxy = f"http://customer-anna-{'x' * 90}-session-{{session}}:***@gateway.example:8000"
    out = shown(capsys, result(title="\x1b[2J" + "bell\a" * 20, proxy=proxy, name="k3j2h1g0"))

    assert "\x1b" not in out
    assert "\a" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert "http://customer…" in out
    assert "}:***@gateway.example:8000 k3j2h1g0" in out


def test_pages_are_told_by_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    """So a person sees whether it is the page that was wanted."""
    one = shown(capsys, result(), result())
    many = shown(capsys, result(), result(), result(title=None), result(title="gone", status=404), result(title="x"))

    assert 'page          "shop"\n' in one
    assert '2 x "shop", 1 x status 200 without a title, 1 x "gone" (status 404)' in " ".join(many.split())
    assert "1 more" in many


def test_progress_says_how_long_it_will_take() -> None:
    """As far as that can be known."""
    assert describe(Progress(total=5_000, done=0, good=0, seconds=0.0)) == (0, 5_000, "0.0/s, ? left, 0 good so far")
    assert describe(Progress(total=5_000, done=1_400, good=1_010, seconds=50.0)) == (
        1_400,
        5_000,
        "28.0/s, 0:02:09 left, 1,010 good so far",
    )
