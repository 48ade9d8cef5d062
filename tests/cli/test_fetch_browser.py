"""``proxysieve fetch --browser``: the main job by a real Chromium."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from tests.cli.test_cli_fetch import Shell

from proxysieve.testbed import TestbedProcess, World

pytestmark = pytest.mark.usefixtures("chromium_path")

PNG = b"\x89PNG\r\n\x1a\n"
WORLD = World(
    proxies=12,
    networks=4,
    banned_share=0.5,
    script_challenge=True,
    bound_cookies=True,
    block_styles=("hidden_captcha", "forbidden", "challenge"),
    assets=20_000,
    page_bytes=2_000,
    robots="User-agent: *\nDisallow: /page/7\n",
)
BY_BROWSER = ("--browser", "--concurrency", "3", "--json", "--quiet")


def heading(body: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", body)
    return found[1] if found else ""


def test_every_page_is_the_rendered_one(tmp_path: Path) -> None:
    """Past a check by script, and though a captcha shows only once its script ran; robots.txt is obeyed."""
    with TestbedProcess(WORLD) as bed:
        shell = Shell(tmp_path, bed.page_urls(8), bed.proxy_lines)

        status, out, err = shell.run(*BY_BROWSER)

        report, pages = json.loads(out), {page["url"]: page for page in shell.pages()}
        assert (status, err) == (0, "")
        assert (report["pages"], report["failed"], report["skipped"]) == (7, 0, 1)
        assert {url: heading(page["body"]) for url, page in pages.items()} == {
            bed.page_url(number): heading(bed.page_body(number).decode()) for number in range(8) if number != 7
        }
        assert {page["status"] for page in pages.values()} == {200}
        assert bed.truth().direct_connection_count == 0


def test_the_report_says_what_was_left_out(tmp_path: Path) -> None:
    """Images, media and fonts; what they weigh is known from those of a page that was loaded whole."""
    with TestbedProcess(World(proxies=2, networks=1, assets=20_000, page_bytes=2_000)) as bed:
        shell = Shell(tmp_path, bed.page_urls(8), bed.proxy_lines)

        status, out, _ = shell.run(*BY_BROWSER)

        report, asset_count = json.loads(out), bed.truth().answer_counts["asset"]
        assert status == 0
        assert 0 < asset_count < 24
        assert report["left_out"] > 0
        # One kind at least was weighed; what is loaded last may be gone with its page. Headers count, too.
        assert 0 < report["saved_bytes"] <= report["left_out"] * 21_000


def test_screenshots_are_of_whole_pages(tmp_path: Path) -> None:
    """One for each URL, under a name that says which, with its images loaded."""
    with TestbedProcess(World(proxies=2, networks=1, assets=2_000, page_bytes=2_000)) as bed:
        shell = Shell(tmp_path, bed.page_urls(3), bed.proxy_lines)

        status, out, _ = shell.run(*BY_BROWSER, "--screenshot", "shots")

        shots = sorted((tmp_path / "shots").iterdir())
        assert (status, json.loads(out)["left_out"]) == (0, 0)
        assert [shot.name.rpartition("-")[0].rpartition("_")[2] for shot in shots] == ["0", "1", "2"]
        assert all(shot.read_bytes().startswith(PNG) for shot in shots)
        assert bed.truth().answer_counts["asset"] >= 3


def test_an_interrupted_job_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends it as it ends any job, and the next run fetches what is left, by the session that works."""
    with TestbedProcess(WORLD) as bed:
        urls = [bed.page_url(number) for number in range(100, 112)]
        shell = Shell(tmp_path, urls, bed.proxy_lines)
        process = shell.start(*BY_BROWSER)
        shell.wait_for_pages(process, 1)

        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        first = json.loads(out)
        status, out, _ = shell.run(*BY_BROWSER)

        second = json.loads(out)
        assert (process.returncode, first["interrupted"], first["failed"]) == (130, True, 0)
        assert 0 < first["pages"] < 12
        assert (status, second["pages"], second["resumed"]) == (0, 12, first["pages"])
        assert sorted(page["url"] for page in shell.pages()) == sorted(urls)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(("--screenshot", "shots"), "need --browser", id="screenshots of no browser"),
        pytest.param(("--browser", "--browser-path", "nowhere"), "'nowhere' is no program", id="no program"),
        pytest.param(("--browser", "--browser-path", "/bin/false"), "/bin/false does not start", id="no browser"),
        pytest.param(("--browser", "--timezone", "Mars/Olympus"), "such as Europe/Berlin", id="no time zone"),
        pytest.param(("--browser", "--locale", "?"), "expected a language", id="no language"),
        pytest.param(("--browser", "--screenshot", "urls.txt/x"), "cannot be made", id="no directory"),
    ],
)
def test_wrong_input_is_told_in_a_sentence(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    """With status 2, no traceback, and no output file begun."""
    shell = Shell(tmp_path, ["http://127.0.0.1:9/"], ["http://127.0.0.1:9"])

    status, out, err = shell.run(*options)

    assert (status, out) == (2, "")
    assert words in err
    assert "Traceback" not in err
    assert not (tmp_path / "pages.jsonl").exists()
