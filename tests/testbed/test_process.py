"""The testbed in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from proxysieve.errors import ProxySieveError
from proxysieve.testbed import Hit, Limit, Testbed, TestbedProcess, World

WORLD = World(
    proxies=5, banned_share=0.4, block_styles=("captcha", "sorry"), limit=Limit(requests=20), missing_share=0.1
)


def pid_of(bed: TestbedProcess) -> int:
    """Return the process that the testbed runs in."""
    assert bed._process is not None
    return bed._process.pid


def is_there(pid: int) -> bool:
    """Whether a process runs or waits to be reaped."""
    return Path(f"/proc/{pid}").exists()


def wait_for_end(pid: int) -> None:
    """Wait until a process that is not ours has ended, or is left to whoever reaps orphans."""
    ends_at = time.monotonic() + 5
    while is_there(pid) and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < ends_at, "it lives on"
        time.sleep(0.01)


async def test_it_is_the_same_world_in_another_process() -> None:
    """Its exits, pages and answers are those of the testbed in this process."""
    with TestbedProcess(WORLD) as twin:
        async with Testbed(WORLD) as bed:
            assert twin.exits == bed.exits
            assert len(twin.proxy_lines) == len(twin.socks5_lines) == 5
            assert twin.page_url(3).endswith("/page/3")
            for line, twin_line in zip(bed.proxy_lines, twin.proxy_lines, strict=True):
                async with httpx.AsyncClient(proxy=line) as one, httpx.AsyncClient(proxy=twin_line) as other:
                    page, twin_page = await one.get(bed.page_url(3)), await other.get(twin.page_url(3))
                    assert (page.status_code, page.content) == (twin_page.status_code, twin_page.content)
            truth, twin_truth = bed.truth(), twin.truth()

    assert twin_truth.answer_counts == truth.answer_counts
    assert twin_truth.banned_exits == truth.banned_exits
    assert [hit.exit for hit in twin_truth.hits] == [hit.exit for hit in truth.hits]
    assert isinstance(twin_truth.hits[0], Hit)


def test_it_speaks_tls_and_announces_exits() -> None:
    """The options reach the process."""
    with TestbedProcess(World(proxies=1, https=True), announce=True) as bed:
        assert bed.announces_exits
        assert bed.ca_path is not None
        assert bed.ca_path.exists()
        path = bed.ca_path

    assert not path.exists()


def test_leaving_it_ends_the_process() -> None:
    """Also when the block fails, and its ports are free."""
    with pytest.raises(KeyError), TestbedProcess(World(proxies=1)) as bed:
        raise KeyError

    assert not is_there(pid_of(bed))
    with pytest.raises(httpx.ConnectError):
        httpx.get(bed.site_url)


PARENT = """
import sys
from proxysieve.testbed import TestbedProcess, World
with TestbedProcess(World(proxies=2)) as bed:
    print(bed._process.pid, flush=True)
    sys.stdin.read()
"""


def test_it_dies_with_its_parent() -> None:
    """Even when the parent is killed and can tell it nothing."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_there(child)

        parent.kill()

    wait_for_end(child)


def test_a_process_that_has_died_is_an_error_and_is_reaped() -> None:
    """The next question says so."""
    with TestbedProcess(World(proxies=1)) as bed:
        os.kill(pid_of(bed), signal.SIGKILL)
        with pytest.raises(ProxySieveError, match="has ended"):
            bed.truth()

    assert not is_there(pid_of(bed))


def test_a_start_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of the process reaches the caller, and the process is reaped."""
    (tmp_path / "trustme.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    bed = TestbedProcess(World(https=True))
    with pytest.raises(ProxySieveError, match=r"pip install 'proxysieve\[testbed\]'"), bed:
        pass

    assert not is_there(pid_of(bed))


async def test_the_interrupt_of_a_terminal_does_not_end_it() -> None:
    """It reaches the whole group of processes, but the parent decides."""
    with TestbedProcess(World(proxies=1)) as bed:
        os.kill(pid_of(bed), signal.SIGINT)
        await asyncio.sleep(0.01)

        assert bed.truth().hit_count == 0


def test_help_says_what_it_is() -> None:
    """The module is for parents, and says so to people."""
    shown = subprocess.run(
        [sys.executable, "-m", "proxysieve.testbed", "--help"], capture_output=True, text=True, check=True
    )

    assert "loopback" in shown.stdout
