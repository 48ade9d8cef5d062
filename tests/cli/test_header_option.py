"""``--header``, on the command line and in a configuration file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.cli.test_cli_fetch import Shell

from proxysieve.cli import main
from proxysieve.testbed import TestbedProcess, World

SECRET = "s3cret-t0ken"
WORLD = World(proxies=2, networks=1, page_bytes=500)
TWO_SITES = "http://shop.example/\nhttp://www.shop.example/\nhttp://other.example/\n"
QUICK = ("--max-rate", "0", "--store", "memory:", "--no-robots")


def fetch(directory: Path, *options: str, urls: str = TWO_SITES) -> Result:
    """What comes of a job that gets no page, as nobody is where its proxy should be."""
    (directory / "urls.txt").write_text(urls)
    paths = (str(directory / "urls.txt"), "--out", str(directory / "pages.jsonl"))
    quickly = (*QUICK, "--proxy", "127.0.0.1:1", "--max-wait", "0", "--attempts", "1")
    return CliRunner().invoke(main, ["fetch", *paths, *quickly, *options])


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "x-csrf-token"])
@pytest.mark.parametrize("is_in_file", [False, True], ids=["command line", "file"])
def test_a_secret_for_several_sites_is_refused_before_anything_is_sent(
    tmp_path: Path, name: str, *, is_in_file: bool
) -> None:
    """The error says the name of the header, and how to write it; never its value."""
    header = f"{name}: {SECRET}"
    config = tmp_path / "proxysieve.toml"
    config.write_text(f'header = "{header}"')

    result = fetch(tmp_path, *(("--config", str(config)) if is_in_file else ("--header", header)))

    assert result.exit_code == 2
    assert f"the header {name} is a secret, and the URLs are of 2 sites" in result.output
    assert f"--header 'other.example={name}: ...'" in result.output
    assert SECRET not in result.output
    assert not (tmp_path / "pages.jsonl").exists()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(
            (f"shop.example=Authorization: {SECRET}", f"other.example=X-Api-Key: {SECRET}"), id="each its own"
        ),
        pytest.param(("X-Plain: a", "Accept-Language: de"), id="none is a secret"),
        pytest.param((f"www.shop.example=Authorization: {SECRET}",), id="for a host"),
    ],
)
def test_what_says_its_site_is_taken(tmp_path: Path, headers: tuple[str, ...]) -> None:
    """And nothing is said of it."""
    result = fetch(tmp_path, "--quiet", *(f"--header={one}" for one in headers))

    assert result.exit_code == 1
    assert "header" not in result.output
    assert SECRET not in result.output


def test_a_site_that_no_url_is_of_is_told(tmp_path: Path) -> None:
    """It may be a slip of the pen."""
    result = fetch(tmp_path, f"--header=shpo.example=Authorization: {SECRET}")

    assert "left out: the header Authorization for shpo.example, as no URL is of that site" in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize("site", ["https://shop.example", "shop.example/path", "user@shop.example", "shop.example:0"])
def test_what_is_no_site_is_refused(tmp_path: Path, site: str) -> None:
    """Rather than sent to all."""
    result = fetch(tmp_path, f"--header={site}=Authorization: {SECRET}")

    assert result.exit_code == 2
    assert "not a header: expected" in result.output or "is given for is no site" in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize("command", ["fetch", "check"])
def test_help_shows_no_header_of_a_configuration_file(tmp_path: Path, command: str) -> None:
    """As it shows the other defaults that stand there."""
    config = tmp_path / "proxysieve.toml"
    config.write_text(f'header = ["shop.example=Authorization: {SECRET}"]\n[{command}]\ntimeout = 17')

    result = CliRunner().invoke(main, [command, "--config", str(config), "--help"])

    assert "17" in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize("out", ["pages.warc", "pages.jsonl", "pages/"])
def test_a_job_sends_a_secret_and_keeps_it_nowhere(tmp_path: Path, out: str) -> None:
    """Of one site it needs no site. It is in no report, in no output but the page that repeats it, and in no store."""
    with TestbedProcess(WORLD) as bed:
        shell = Shell(tmp_path, [bed.page_url(1), f"{bed.site_url}/status/500"], bed.proxy_lines, out)
        _, said, complained = shell.run("--header", f"X-Api-Key: {SECRET}", "--json", "--attempts", "1", "--no-robots")
        report = json.loads(said)
        [heard] = {name for one in bed.truth().fingerprints for name in one.header_names if name.lower() == "x-api-key"}

    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert (report["pages"], report["failed"], heard.lower()) == (1, 1, "x-api-key")
    assert b"<h1>" in kept
    assert SECRET.encode() not in kept + said.encode() + complained.encode()


def test_a_check_needs_no_site(tmp_path: Path) -> None:
    """There is one URL."""
    with TestbedProcess(WORLD) as bed:
        (tmp_path / "proxies.txt").write_text("\n".join(bed.proxy_lines))
        arguments = ("--proxies", str(tmp_path / "proxies.txt"), "--json", "--header", f"Authorization: {SECRET}")
        result = CliRunner().invoke(main, ["check", bed.page_url(1), "--max-rate", "0", *arguments])
        names = [[name.lower() for name in one.header_names] for one in bed.truth().fingerprints]

    assert result.exit_code == 0
    assert all("authorization" in one for one in names)
    assert SECRET not in result.output
