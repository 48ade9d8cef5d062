"""Proxies from wherever a user has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxysieve.core.address import parse_proxy
from proxysieve.core.model import Proxy
from proxysieve.errors import ConfigError
from proxysieve.proxy_list import read_proxies

SECRET = "hunter2"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A file such as people have."""
    path = tmp_path / "proxies.txt"
    path.write_text(
        "# bought in May\n"
        "1.2.3.4:8080\n"
        "\n"
        "   # spare\n"
        f"http://ann:{SECRET}@exit.example:80\n"
        f"1.2.3.5:8080:{SECRET}\n"
        "1.2.3.4:8080\n"
        "exit.example\n",
        encoding="utf-8",
    )
    return path


def test_a_file_has_one_a_line(listed: Path) -> None:
    """Blank lines and comments are skipped, doubles are one, and the order is kept."""
    proxies, _ = read_proxies(listed)

    assert [str(proxy) for proxy in proxies] == ["http://1.2.3.4:8080", "http://ann:***@exit.example:80"]


def test_what_is_no_proxy_is_told_by_file_and_line(listed: Path) -> None:
    """The other lines go on, and no password is repeated."""
    _, problems = read_proxies(str(listed))

    assert [problem.partition(": ")[0] for problem in problems] == [f"{listed}, line 6", f"{listed}, line 8"]
    assert "it has three parts" in problems[0]
    assert "lacks a port" in problems[1]
    assert SECRET not in "".join(problems)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"1.2.3.4:80\r\n5.6.7.8:80\r\n", id="windows"),
        pytest.param(b"\xef\xbb\xbf1.2.3.4:80\n5.6.7.8:80", id="mark-at-the-start"),
        pytest.param(b"  1.2.3.4:80  \n\t5.6.7.8:80\n\n\n", id="blanks"),
    ],
)
def test_editors_differ(tmp_path: Path, content: bytes) -> None:
    """Line ends, blanks and the mark that some put before the first line do not matter."""
    path = tmp_path / "proxies.txt"
    path.write_bytes(content)

    proxies, problems = read_proxies(path)

    assert ([proxy.host for proxy in proxies], problems) == (["1.2.3.4", "5.6.7.8"], [])


def test_lines_and_values_do_too() -> None:
    """Anything that gives lines or proxies is a list of them; wrong ones are told by their number."""
    first, second = "1.2.3.4:80", parse_proxy("5.6.7.8:80")
    values: list[str | Proxy] = [first, second, first, "nonsense", second]

    proxies, problems = read_proxies(iter(values))

    assert [proxy.host for proxy in proxies] == ["1.2.3.4", "5.6.7.8"]
    assert [problem.partition(": ")[0] for problem in problems] == ["the list of proxies, line 4"]


def test_the_first_of_two_costs_counts() -> None:
    """Two prices for one proxy are told by the line of the second; the same one again is no problem."""
    lines = [f"ann:{SECRET}@1.2.3.4:80 cost=2", f"ann:{SECRET}@1.2.3.4:80", f"http://ann:{SECRET}@1.2.3.4:80/ cost=2.0"]

    proxies, problems = read_proxies(lines)

    assert [proxy.cost for proxy in proxies] == [2.0]
    assert problems == ["the list of proxies, line 2: the same proxy at another cost, the first one counts"]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        pytest.param([], "the list of proxies has no proxies in it", id="empty"),
        pytest.param(["", "# none"], "the list of proxies has no proxies in it", id="comments-only"),
        pytest.param(["nonsense", "http://"], "the list of proxies, line 1: not a proxy", id="wrong-only"),
    ],
)
def test_not_one_proxy_is_an_error(lines: list[str], why: str) -> None:
    """It says what is wrong with the first line, or that there is none."""
    with pytest.raises(ConfigError, match=why):
        read_proxies(lines)


def test_a_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """It says which, and why it cannot be read."""
    with pytest.raises(ConfigError, match=r"none\.txt cannot be read: No such file"):
        read_proxies(tmp_path / "none.txt")


def test_a_directory_is_an_error(tmp_path: Path) -> None:
    """It cannot be read as a file."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_proxies(tmp_path)


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    """A picture is not a list of proxies."""
    path = tmp_path / "proxies.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")

    with pytest.raises(ConfigError, match="not UTF-8 text"):
        read_proxies(path)
