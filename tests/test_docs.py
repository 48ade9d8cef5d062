"""What the documentation shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

import cli_reference
from proxysieve.cli import SECTIONS, main
from proxysieve.testbed import TestbedProcess, World

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
# What commands write, and other blocks read.
OUTPUTS = ("pages.jsonl", "night.jsonl.gz", "shop.warc.gz", "shop/")
# These set up, test or measure the project itself.
ELSEWHERE = ("make ", "git ", ".venv/", "benchmarks/")
# tests/test_selenium.py runs this one.
SELENIUM = "from selenium import"


class Block(NamedTuple):
    """A piece of code of a page."""

    language: str
    code: str


def blocks() -> Iterator[object]:
    for page in PAGES:
        for number, found in enumerate(BLOCK.finditer(page.read_text()), start=1):
            block = Block(*found.groups())
            is_run = block.language == "python" or (block.language == "sh" and not block.code.startswith(ELSEWHERE))
            if is_run and SELENIUM not in block.code:
                yield pytest.param(block, id=f"{page.name}-{number}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A directory with the two lists, and the site that they are about."""
    directory = tmp_path_factory.mktemp("docs")
    with TestbedProcess(World(proxies=12, banned_share=0.5, page_bytes=2_000)) as bed:
        (directory / "urls.txt").write_text("\n".join(bed.page_urls(5)))
        (directory / "proxies.txt").write_text("\n".join(bed.proxy_lines))
        yield directory, bed.site_url


@pytest.mark.parametrize("block", list(blocks()))
def test_code_in_the_documentation_runs(block: Block, place: tuple[Path, str]) -> None:
    """As it stands there, with the testbed's site in place of shop.example."""
    directory, site_url = place
    # Pages read what the command of an earlier block wrote.
    for out in OUTPUTS:
        if out in block.code and "--out" not in block.code and not (directory / out).exists():
            command = ["proxysieve", "fetch", "urls.txt", "--proxies", "proxies.txt", "--out", out]
            subprocess.run([sys.executable, "-m", *command], cwd=directory, check=True, capture_output=True)
    host = site_url.partition("://")[2]
    code = block.code.replace("https://shop.example/item", f"{site_url}/page").replace('"shop.example"', f'"{host}"')
    command = [sys.executable, "-W", "ignore", "-c", code] if block.language == "python" else ["sh", "-ec", code]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        command, cwd=directory, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_the_documentation_lead_somewhere(page: Path) -> None:
    """Within the project."""
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("name", main.commands)
def test_the_help_of_every_command_is_readable(name: str) -> None:
    """It has an example, in lines of at most 80 columns."""
    done = subprocess.run(
        [sys.executable, "-m", "proxysieve", name, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "80"},
    )

    assert "Example:" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_every_command_is_told_in_a_line() -> None:
    """In one of the sections, whole, and at most 80 columns wide."""
    listed = [command for commands in SECTIONS.values() for command in commands]
    done = CliRunner().invoke(main, ["--help"], terminal_width=80)

    assert {command.name for command in listed} == set(main.commands)
    assert all(f"{command.name:<12}{command.short_help}" in done.stdout for command in listed)
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_the_reference_is_what_the_commands_say() -> None:
    """`make docs` writes it."""
    assert cli_reference.PAGE.read_text(encoding="utf-8") == cli_reference.render()


def test_the_index_has_every_page() -> None:
    """Once."""
    index = ROOT / "docs" / "README.md"
    pages = {str(page.relative_to(index.parent)) for page in index.parent.rglob("*.md")} - {index.name}

    assert sorted(LINK.findall(index.read_text())) == sorted(pages)


def test_the_readme_is_short() -> None:
    """It is for a newcomer's first five minutes."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100
