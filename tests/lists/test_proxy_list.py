"""Proxies from wherever a user has them."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Proxy
from proxysieve.errors import ConfigError
from proxysieve.lists.proxy_list import ProxyList, read_proxies
from proxysieve.lists.sources import UNENDED_LOOKS, File

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
        pytest.param([], "the list of proxies has no proxies", id="empty"),
        pytest.param(["", "# none"], "the list of proxies has no proxies", id="comments-only"),
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

    with pytest.raises(ConfigError, match="it is an image: give a text"):
        read_proxies(path)


def test_what_real_lists_contain_is_read(tmp_path: Path) -> None:
    """Windows line ends, a mark, a heading, tabs, quotes, separators, comments, every form: a line each."""
    path = tmp_path / "proxies.csv"
    path.write_bytes(
        b"\xef\xbb\xbf# from the provider\r\n"
        b"ip:port:username:password\r\n"
        b"1.2.3.4:80:ann:pw\r\n"
        b'"1.2.3.5:80:ann:pw",\r\n'
        b"\t1.2.3.6:80\tcost=2 # spare\r\n"
        b"SOCKS5://ann:pw@1.2.3.7:80;\r\n"
        b"//1.2.3.8:80\r\n"
        b"ann:pw:1.2.3.9:80\r\n"
    )

    proxies, problems = read_proxies(path)

    assert [proxy.host for proxy in proxies] == [f"1.2.3.{number}" for number in range(4, 10)]
    assert [problem.partition(":")[0] for problem in problems] == [f"{path}, line 2"]


def test_sources_are_read_in_their_order(tmp_path: Path) -> None:
    """What stands in several has the options of the first, and the difference is told without the address' secrets."""
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text(f"ann:{SECRET}@1.2.3.4:80 cost=2\n5.6.7.8:80\n")
    second.write_text(f"1.2.3.4:80:ann:{SECRET} name=dear\n9.9.9.9:80\n")
    listed = ProxyList(first, str(second), lines=["5.6.7.8:80", "8.8.8.8:80"])

    problems = listed.read()

    assert [proxy.host for proxy in listed.proxies] == ["1.2.3.4", "5.6.7.8", "9.9.9.9", "8.8.8.8"]
    assert problems == [f"{second}: dear: the same proxy at another cost, the first one counts"]


def test_paths_may_stand_among_lines(tmp_path: Path) -> None:
    """A path that is no text is a file; a text is a line."""
    path = tmp_path / "proxies.txt"
    path.write_text("1.2.3.4:80\n")

    proxies, _ = read_proxies([path, "5.6.7.8:80", parse_proxy("9.9.9.9:80")])

    assert [proxy.host for proxy in proxies] == ["1.2.3.4", "5.6.7.8", "9.9.9.9"]


def test_the_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named twice it would be empty the second time, so that is an error."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1.2.3.4:80\nnonsense\n")))

    proxies, problems = read_proxies("-")

    assert [proxy.host for proxy in proxies] == ["1.2.3.4"]
    assert problems[0].startswith("the standard input, line 2: not a proxy")
    with pytest.raises(ConfigError, match="name it once"):
        ProxyList("-", "-")


@pytest.mark.parametrize("url", ["http://", "https:///list", "http://[::1/list"])
def test_an_address_without_a_host_is_an_error(url: str) -> None:
    """Before anything is asked for."""
    with pytest.raises(ConfigError, match="has no host"):
        ProxyList(url)


def test_problems_beyond_a_thousand_are_counted() -> None:
    """Nobody reads more, and a wrong file may have a million."""
    _, problems = read_proxies(["1.2.3.4:80", *(f"nonsense {number}" for number in range(5000))])

    assert len(problems) == 1001
    assert problems[-1] == "the list of proxies: 4,000 more lines are left out"


class TestFile:
    """When a file is read again."""

    @staticmethod
    def hosts(file: File) -> list[str] | None:
        listing = file.look_now()
        return None if listing is None else [str(line) for line in listing.lines]

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "proxies.txt"
        path.write_text("one:1\n")
        return path

    @pytest.fixture
    def file(self, path: Path) -> File:
        file = File(path)
        file.read()
        return file

    def test_not_while_it_is_the_same(self, file: File) -> None:
        """A look costs a question to the file system."""
        assert [self.hosts(file) for _ in range(3)] == [None, None, None]

    def test_once_it_has_been_still(self, path: Path, file: File) -> None:
        """While it grows from look to look, it is being written."""
        for number in range(2, 6):
            path.write_text("one:1\n" * number)
            assert self.hosts(file) is None

        assert self.hosts(file) == ["one:1"] * 5
        assert self.hosts(file) is None

    def test_not_while_it_ends_in_the_middle_of_a_line(self, path: Path, file: File) -> None:
        """Where it did not before; for ten seconds, as it may be meant so."""
        path.write_text("one:1\ntwo:2")

        looks = [self.hosts(file) for _ in range(UNENDED_LOOKS + 2)]

        assert looks[:-1] == [None] * (UNENDED_LOOKS + 1)
        assert looks[-1] == ["one:1", "two:2"]

    def test_if_another_file_takes_its_place(self, path: Path, file: File) -> None:
        """Also one of the same size and age."""
        status = path.stat()
        other = path.with_suffix(".new")
        other.write_text("two:2\n")
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(path)

        assert [self.hosts(file) for _ in range(2)] == [None, ["two:2"]]

    def test_a_pipe_is_read_once(self) -> None:
        """It is empty afterwards, which means nothing."""
        reader, writer = os.pipe()
        os.write(writer, b"one:1\n")
        os.close(writer)
        file = File(f"/dev/fd/{reader}")

        assert list(file.read().lines) == ["one:1"]
        assert file.seconds == 0
        os.close(reader)
