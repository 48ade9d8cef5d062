import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.shells import Command
from tests.fetch.outputs import NAMES, read_bodies
from tests.privileges import without_overrides

from proxysieve.cli import main
from proxysieve.testbed import Bed, TestbedProcess, World

KEPT_NAMES = {
    "urls", "pages", "failed", "skipped", "requests", "wasted_per_page", "blocked", "throttled", "proxy_errors",
    "site_errors", "sessions_working", "seconds", "resumed",
}  # fmt: skip
WORLD = World(proxies=40, banned_share=0.7, refusing=2, page_bytes=2_000)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    """A testbed of WORLD."""
    with TestbedProcess(WORLD) as bed:
        yield bed


class Shell(Command):
    """Runs the command in a directory with ``urls.txt`` and ``proxies.txt``."""

    def __init__(self, directory: Path, urls: list[str], proxies: list[str], out: str = "pages.jsonl") -> None:
        self.out = out
        is_directory = out.endswith("/")
        self.records = directory / out / "index.jsonl" if is_directory else directory / out
        self.journal = directory / out / "journal" if is_directory else directory / f"{out}.journal"
        super().__init__(
            directory,
            *("fetch", "urls.txt", "--proxies", "proxies.txt"),
            *("--out", out, "--max-rate", "0", "--max-sessions", "8"),
        )
        (directory / "urls.txt").write_text("\n".join(urls))
        (directory / "proxies.txt").write_text("\n".join(proxies))

    def pages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / "pages.jsonl").read_bytes().splitlines()]

    def page_count(self) -> int:
        """How many pages are committed."""
        return self.journal.read_bytes().count(b'\n["pages"') if self.journal.exists() else 0

    def wait_for_pages(self, process: subprocess.Popen[str], count: int) -> None:
        """Wait until so many pages are committed, or *process* has ended."""
        while self.page_count() < count and process.poll() is None:
            time.sleep(0.01)  # another process writes them, and tells nobody

    def wait_for_a_write(self, process: subprocess.Popen[str]) -> None:
        """Wait until pages are written that are not committed, or *process* has ended."""
        size = self.size()
        while self.size() == size and process.poll() is None:
            pass  # what is waited for is over in a moment

    def size(self) -> int:
        """How much is written of what is to be committed."""
        return self.records.stat().st_size if self.records.exists() else 0


def test_the_job_prints_one_object_for_machines(tmp_path: Path, bed: Bed) -> None:
    """With the names that are promised, and nothing else on the standard output."""
    shell = Shell(tmp_path, ["# pages", *bed.page_urls(50), bed.page_url(0)], bed.proxy_lines)

    status, out, err = shell.run_apart("--json")

    report = json.loads(out)
    assert (status, err) == (0, "")
    assert set(report) >= KEPT_NAMES
    assert (report["urls"], report["pages"], report["failed"], report["resumed"]) == (50, 50, 0, 0)
    assert report["duplicates"] == 1
    assert {page["url"]: page["body"].encode() for page in shell.pages()} == {
        bed.page_url(number): bed.page_body(number) for number in range(50)
    }


def test_a_person_reads_what_happened(tmp_path: Path, bed: Bed) -> None:
    """In lines of at most 80 columns; a second run says that nothing was left."""
    shell = Shell(tmp_path, bed.page_urls(50), bed.proxy_lines)

    _, first, _ = shell.run()
    _, second, _ = shell.run()

    assert "50 of 50" in first
    assert "wasted a page" in first
    assert "working" in first
    assert max(map(len, first.splitlines())) <= 80
    assert "nothing was left to do" in second


@pytest.mark.parametrize(
    ("out", "failed"), [("pages.jsonl.gz", "pages.failed.jsonl"), ("pages/", "pages/failed.jsonl")]
)
def test_a_person_reads_where_the_failed_are(tmp_path: Path, out: str, failed: str) -> None:
    """And how to take them up again; where there is no page, nothing is counted for each."""
    with TestbedProcess(World(proxies=3, flaky_share=1.0)) as bed:
        shell = Shell(tmp_path, [bed.page_url(1)], bed.proxy_lines, out)

        status, told, _ = shell.run("--attempts", "1", "--no-robots")

        assert status == 1
        assert "1 wasted, and no page" in told
        assert f"1 in {failed}, with the reasons; --retry-failed" in told


def test_a_search_that_finds_no_more_is_hinted_at(tmp_path: Path, bed: Bed) -> None:
    """The classic goes on looking until as many work as it was told; a person cannot guess that."""
    shell = Shell(tmp_path, bed.page_urls(100), bed.proxy_lines)

    _, out, _ = shell.run("--policy", "classic", "--max-sessions", "100")

    assert re.search(r"hint +--max-sessions \d+ would use those that work", out)


def test_quiet_prints_errors_alone(tmp_path: Path, bed: Bed) -> None:
    """Nothing where all is well; lines that are left out, and why a job stopped, on the standard error."""
    with TestbedProcess(World(proxies=5, banned_share=1.0)) as banned:
        shell = Shell(tmp_path, [banned.page_url(1), "no url"], banned.proxy_lines)

        status, out, err = shell.run("--quiet", "--max-wait", "0")

        assert (status, out) == (1, "")
        assert "left out: urls.txt, line 2" in err
        assert "nothing works at" in err
        assert "1 URL is pending" in err
    shell = Shell(tmp_path, bed.page_urls(3), bed.proxy_lines)

    assert shell.run("--quiet", "--out", "good.jsonl") == (0, "", "")


def test_a_mark_at_the_beginning_of_the_list_is_no_part_of_it(tmp_path: Path, bed: Bed) -> None:
    """Some editors write a byte-order mark."""
    shell = Shell(tmp_path, [f"\ufeff{bed.page_url(1)}"], bed.proxy_lines)

    status, out, _ = shell.run("--json")

    assert (status, json.loads(out)["pages"]) == (0, 1)


def test_urls_come_from_the_standard_input_as_well(tmp_path: Path, bed: Bed) -> None:
    """Named as a dash."""
    Shell(tmp_path, [], bed.proxy_lines)
    command = [sys.executable, "-m", "proxysieve", "fetch", "-", "--proxies", "proxies.txt", "--out", "p.jsonl"]

    done = subprocess.run(
        [*command, "--json"], cwd=tmp_path, input=bed.page_url(1), capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout)["pages"] == 1


@pytest.mark.parametrize("name", NAMES)
def test_after_kill_9_every_page_stands_once(tmp_path: Path, bed: Bed, name: str) -> None:
    """Whatever moment it is killed at, the same command goes on, and what was learned is still known."""
    rng = random.Random(4)
    shell = Shell(tmp_path, bed.page_urls(300), bed.proxy_lines, name)
    for _ in range(4):
        before = shell.page_count()
        process = shell.start("--quiet")
        shell.wait_for_pages(process, before + rng.randrange(1, 45))
        if rng.random() < 0.5:
            shell.wait_for_a_write(process)
        process.kill()
        process.communicate()

    status, out, _ = shell.run("--json")

    report = json.loads(out)
    assert status == 0
    assert report["resumed"] >= 4
    assert report["pages"] == 300
    assert sorted(read_bodies(f"{tmp_path}/{name}")) == sorted(
        (url, bed.page_body(number)) for number, url in enumerate(bed.page_urls(300))
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Within five seconds, with a word on how to go on, and what came in until then is kept."""
    with TestbedProcess(World(proxies=10, latency_seconds=0.1)) as bed:
        shell = Shell(tmp_path, bed.page_urls(5000), bed.proxy_lines)
        process = shell.start()
        shell.wait_for_pages(process, 1)
        started = time.monotonic()

        process.send_signal(number)
        out, err = process.communicate(timeout=10)

        assert process.returncode == 130
        assert time.monotonic() - started < 5
        assert "Traceback" not in err
        assert "the same command continues from here" in out
        assert len(shell.pages()) == len({page["url"] for page in shell.pages()}) > 0


def test_when_nothing_works_the_job_stops_and_says_when_to_come_back(tmp_path: Path) -> None:
    """What was tried, when the next is due, what is pending, and exit status 1."""
    with TestbedProcess(World(proxies=10, banned_share=1.0)) as bed:
        shell = Shell(tmp_path, bed.page_urls(30), bed.proxy_lines)

        status, out, err = shell.run("--max-wait", "0.5")

        text = " ".join(out.split())
        assert (status, err) == (1, "")
        assert "none of the 10 exits" in text
        assert "10 unclear" in text
        assert "the next is due at" in text
        assert "30 URLs are pending" in text


GOOD_PROXY = "10.0.0.1:8000"
GOOD_URL = "https://shop.example/"


@pytest.mark.parametrize(
    ("urls", "proxies", "options", "says"),
    [
        pytest.param([], [GOOD_PROXY], [], "urls.txt has no URLs", id="no urls"),
        pytest.param(["shop.example"], [GOOD_PROXY], [], "urls.txt, line 1: not a URL", id="no scheme"),
        pytest.param([GOOD_URL], [], [], "proxies.txt has no proxies", id="no proxies"),
        pytest.param([GOOD_URL], ["user:topsecret@host"], [], "proxies.txt, line 1: not a proxy", id="no port"),
        pytest.param([GOOD_URL], ["ftp://a:topsecret@b:1"], [], "the scheme ftp is not supported", id="scheme"),
        pytest.param([GOOD_URL], [GOOD_PROXY], ["--out", "pages.csv"], "in .jsonl, .jsonl.gz or .warc.gz", id="format"),
        pytest.param([GOOD_URL], [GOOD_PROXY], ["--out", "no/pages.jsonl"], "cannot be written", id="directory"),
        pytest.param([GOOD_URL], [GOOD_PROXY], ["--proxies", "none.txt"], "none.txt cannot be read", id="file"),
        pytest.param([GOOD_URL], [GOOD_PROXY], ["--store", "urls.txt"], "store urls.txt cannot be used", id="store"),
        pytest.param([GOOD_URL], [GOOD_PROXY], ["--policy", "best"], "'best' is not one of", id="policy"),
        pytest.param([GOOD_URL], [GOOD_PROXY], ["--concurrency", "0"], "0 is not in the range", id="concurrency"),
        pytest.param([GOOD_URL], [GOOD_PROXY], ["--max-rate", "-1"], "not in the range", id="rate"),
        pytest.param([GOOD_URL], [GOOD_PROXY], ["--sessions", "5"], "No such option", id="option"),
    ],
)
def test_bad_input_is_told_in_one_sentence(
    tmp_path: Path, urls: list[str], proxies: list[str], options: list[str], says: str
) -> None:
    """Exit status 2, no traceback, no password, and nothing is left behind."""
    shell = Shell(tmp_path, urls, proxies)

    status, out, err = shell.run(*options)

    assert (status, out) == (2, "")
    assert says in " ".join(err.split())
    assert "Traceback" not in err
    assert "topsecret" not in err
    assert not shell.page_count()


@pytest.mark.parametrize(
    ("name", "kib"),
    [("pages.jsonl", 500), ("pages.jsonl.gz", 60), ("pages.warc", 500), ("pages.warc.gz", 90), ("pages/", 30)],
)
def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path, name: str, kib: int) -> None:
    """A file size limit stands for the disk: one sentence, and the next run goes on."""
    with TestbedProcess(World(proxies=5)) as bed:
        shell = Shell(tmp_path, bed.page_urls(100), bed.proxy_lines, name)

        status, _, err = shell.run_apart("--store", "memory:", max_file_kib=kib)
        again, out, _ = shell.run("--json", "--store", "memory:")

        assert status == 2
        assert f"{name} cannot be written: File too large" in err
        assert "Traceback" not in err
        assert again == 0
        assert json.loads(out)["pages"] == 100
        assert sorted(url for url, _ in read_bodies(f"{tmp_path}/{name}")) == sorted(bed.page_urls(100))


@pytest.mark.parametrize("name", NAMES)
def test_a_read_only_directory_is_told_in_one_sentence(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent."""
    Shell(tmp_path, [GOOD_URL], [GOOD_PROXY])
    (tmp_path / "locked").mkdir(mode=0o500)
    monkeypatch.chdir(tmp_path)
    command = ["fetch", "urls.txt", "--proxies", "proxies.txt", "--out", f"locked/{name}", "--store", "memory:"]

    with without_overrides():
        done = CliRunner().invoke(main, command)

    assert done.exit_code == 2
    assert f"locked/{name} cannot be written: Permission denied" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_output_that_is_in_use_is_refused(tmp_path: Path) -> None:
    """Two jobs would write into each other's pages."""
    with TestbedProcess(World(proxies=5, latency_seconds=0.2)) as bed:
        shell = Shell(tmp_path, bed.page_urls(2_000), bed.proxy_lines)
        process = shell.start()
        shell.wait_for_pages(process, 1)

        status, _, err = shell.run("--store", "memory:")

        process.terminate()
        process.communicate()
        assert status == 2
        assert "another job is writing to the same output" in err


def test_the_state_is_for_its_owner_only(tmp_path: Path) -> None:
    """Cookies are in it; and neither state nor output knows a proxy's password."""
    with TestbedProcess(World(proxies=5)) as bed:
        password = bed.proxy_lines[0].partition("@")[0].rpartition(":")[2]
        shell = Shell(tmp_path, bed.page_urls(10), bed.proxy_lines)

        shell.run("--json")

        store = tmp_path / ".proxysieve"
        assert store.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in store.iterdir()} == {0o600}
        written = [*store.iterdir(), *tmp_path.glob("pages*")]
        assert all(f":{password}@".encode() not in path.read_bytes() for path in written)
        assert all(os.access(path, os.R_OK) for path in written)


def test_proxies_come_from_several_sources(tmp_path: Path) -> None:
    """A file, the standard input and single lines, whose options are kept."""
    with TestbedProcess(World(proxies=3)) as bed:
        shell = Shell(tmp_path, bed.page_urls(9), bed.proxy_lines[:1])
        command = [sys.executable, "-m", "proxysieve", "fetch", "urls.txt", "--out", "pages.jsonl", "--json"]
        sources = ["--proxies", "proxies.txt", "--proxies", "-", "--proxy", f"{bed.proxy_lines[2]} name=spare"]

        done = subprocess.run(
            [*command, *sources, "--policy", "round_robin"],
            cwd=tmp_path,
            input=f"# piped\r\n{bed.proxy_lines[1]} name=piped max_in_flight=1\r\n",
            capture_output=True,
            text=True,
            check=True,
        )

        shown = {page["proxy"] for page in shell.pages()}
        assert json.loads(done.stdout)["pages"] == 9
        assert {"piped", "spare"} < shown
        assert len(shown) == 3


def test_the_standard_input_is_one_list_only(tmp_path: Path) -> None:
    """Not the URLs and the proxies at once; and the message says what to do."""
    done = subprocess.run(
        [sys.executable, "-m", "proxysieve", "fetch", "-", "--proxies", "-", "--out", "pages.jsonl"],
        cwd=tmp_path,
        input="",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "the standard input cannot be both the URLs and the proxies" in done.stderr


def test_a_list_that_becomes_unusable_is_told_of(tmp_path: Path, bed: Bed) -> None:
    """Once, and in a sentence, also without --verbose: whoever changed it would think that it was taken."""
    shell = Shell(tmp_path, bed.page_urls(5_000), bed.proxy_lines)
    process = shell.start("--quiet", "--max-rate", "50")
    shell.wait_for_pages(process, 1)

    (tmp_path / "proxies.txt").write_text("# none\n")
    line = process.stderr.readline() if process.stderr else ""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert line == "proxysieve: proxies.txt has no proxies any more; they stay as they were\n"
    assert (process.returncode, out, err) == (130, "", "")


def test_an_address_of_proxies_shows_no_token(tmp_path: Path) -> None:
    """What cannot be fetched is told by its host."""
    shell = Shell(tmp_path, ["https://shop.example/"], ["127.0.0.1:9"])

    status, out, err = shell.run("--proxies", "http://ann:topsecret@127.0.0.1:9/topsecret?token=topsecret")

    assert (status, out) == (2, "")
    assert err == "proxysieve: the proxies in http://127.0.0.1/… cannot be read: it cannot be reached\n"
    assert "topsecret" not in err


def test_ctrl_c_before_anything_is_sent_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """As while a browser starts: in a word, with the status of any other interrupt."""

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["proxysieve.cli.fetch"], "read_url_files", press)

    done = CliRunner().invoke(main, ["fetch", "urls.txt", "--proxy", "a.example:80", "--out", "pages.jsonl"])

    assert (done.exit_code, done.output) == (130, "proxysieve: interrupted\n")
