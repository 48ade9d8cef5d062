"""A Chrome with flags alone, as Selenium starts it, at proxies that want a login."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proxysieve.browser.chromium import NAMES
from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures import failure_of
from proxysieve.testbed import TestbedProcess, World

ROOT = Path(__file__).parent.parent
STAND_INS = ROOT / "tests" / "stand_ins"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def needs_chromium() -> None:
    """A test is skipped where there is no Chromium, but never in CI."""
    if not any(map(shutil.which, NAMES)) and not os.environ.get("CI"):
        pytest.skip("there is no Chromium here")


def run_block(directory: Path, bed: TestbedProcess) -> str:
    """What the documented program prints, with the testbed's site in place of shop.example."""
    (found,) = BLOCK.findall((ROOT / "docs" / "use" / "selenium.md").read_text())
    (directory / "proxies.txt").write_text("\n".join(bed.proxy_lines))
    code = found.replace("https://shop.example/item", f"{bed.site_url}/page")
    environment = os.environ | {"PYTHONPATH": f"{STAND_INS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("needs_chromium")
def test_the_documented_program_finds_the_proxy_that_works(tmp_path: Path) -> None:
    """It logs in at each, passes by a banned one and one that is not there, and comes back as the same visitor."""
    world = World(proxies=3, networks=3, banned_share=0.34, refusing=1, bound_cookies=True, page_bytes=2_000)
    with TestbedProcess(world) as bed:
        printed = [run_block(tmp_path, bed) for _ in range(2)]
        truth = bed.truth()

    assert all(printed)
    assert truth.answer_counts["ok"] == 2
    assert truth.direct_connection_count == 0
    served = [hit for hit in truth.hits if hit.answer == "ok"]
    assert len({hit.exit for hit in served}) == 1
    assert {hit.user_agent.partition("Chrome/")[2] for hit in served} == {"156.0.0.0 Safari/537.36"}
    assert all("Headless" not in hit.user_agent for hit in truth.hits)


@pytest.mark.parametrize(
    ("kind", "message", "failure"),
    [
        ("WebDriverException", "net::ERR_TUNNEL_CONNECTION_FAILED", Failure.PROXY_REFUSED),
        ("WebDriverException", "net::ERR_EMPTY_RESPONSE", Failure.RESET),
        ("WebDriverException", "element click intercepted", None),
        ("TimeoutException", "timeout: Timed out receiving message from renderer", Failure.TIMEOUT),
    ],
)
def test_what_selenium_raises_means(
    kind: str, message: str, failure: Failure | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Chrome says of the way to a page is the request's failure; what goes wrong on a page is the caller's."""
    monkeypatch.syspath_prepend(str(STAND_INS))
    seleniums = importlib.import_module("selenium.common.exceptions")

    assert failure_of(getattr(seleniums, kind)(message)) is failure
