from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.privileges import without_overrides

from proxysieve import ConfigError
from proxysieve.check.good_list import HEADER, GoodList, line_of
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.lists.proxy_list import read_proxies

LIST = (
    "\ufeff# ours\r\n"
    "http://anna:s3cr%65t@203.0.113.7:8000\r\n"
    "203.0.113.8:3128 cost=20\r\n"
    "\r\n"
    "  socks5h://anna:s3cret@203.0.113.9:1080\r\n"
    "http://anna-session-{session}:s3cret@gateway.example:8000"
)


@pytest.fixture
def proxies(tmp_path: Path) -> Path:
    path = tmp_path / "proxies.txt"
    path.write_bytes(LIST.encode())
    return path


def test_lines_are_saved_as_they_stood(proxies: Path, tmp_path: Path) -> None:
    """Blanks, escapes, costs and line ends included; in the order of the list."""
    good = GoodList(tmp_path / "good.txt", [str(proxies)])

    good.save(read_proxies(proxies)[0])

    lines = LIST.encode().splitlines(keepends=True)
    expected = [lines[1], lines[2], lines[4], lines[5] + b"\n"]
    assert good.path.read_bytes() == HEADER.encode() + b"\n" + b"".join(expected)
    assert read_proxies(good.path)[0] == read_proxies(proxies)[0]


def test_the_list_is_for_its_owner_only(proxies: Path, tmp_path: Path) -> None:
    """Passwords are in it; and nothing else is left beside it."""
    good = GoodList(tmp_path / "good.txt", [str(proxies)])

    good.save(read_proxies(proxies)[0])

    assert stat.S_IMODE(good.path.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"proxies.txt", "good.txt"}


@pytest.mark.parametrize(
    "line",
    [
        "203.0.113.8:3128",
        "http://203.0.113.8:3128 cost=20",
        "http://us%20er:p%40ss%3Aword@[2001:db8::1]:3128 cost=0.125",
        "https://key:@203.0.113.8:3128",
        "socks5://anna-session-{session}:s3cret@gateway.example:8000",
        "203.0.113.8:3128 cost=3 name=berlin-1 ttl_seconds=1.5 max_in_flight=50",
    ],
)
def test_a_proxy_whose_line_is_not_known_gets_one(line: str, tmp_path: Path) -> None:
    """Which means the same: where a list cannot be read twice, or is no list of lines."""
    proxy = parse_proxy(line)
    good = GoodList(tmp_path / "good.txt", [])

    good.save([proxy])

    (again,) = read_proxies(good.path)[0]
    assert (again, again.options, again.url("x")) == (proxy, proxy.options, proxy.url("x"))
    assert line_of(again) == line_of(proxy)


def test_lines_that_come_from_no_file_are_saved_too(tmp_path: Path) -> None:
    """As they were named with --proxy."""
    line = "203.0.113.8:3128  cost=20"
    good = GoodList(tmp_path / "good.txt", [], [line])

    good.save([parse_proxy(line)])

    assert good.path.read_text().splitlines() == [HEADER, line]


def test_what_is_no_file_has_no_lines(proxies: Path, tmp_path: Path) -> None:
    """The standard input, or an address that is longer than any file's name."""
    inputs = ["-", f"https://proxies.example/{'x' * 300}", "a\0b", str(proxies)]

    GoodList(tmp_path / "good.txt", inputs).save(read_proxies(proxies)[0])

    assert len(read_proxies(tmp_path / "good.txt")[0]) == 4


def test_a_list_of_an_earlier_check_is_replaced(proxies: Path, tmp_path: Path) -> None:
    """A check that runs every night needs no new name."""
    path = tmp_path / "good.txt"
    GoodList(path, [str(proxies)]).save(read_proxies(proxies)[0])

    GoodList(path, [str(proxies)]).save(read_proxies(proxies)[0][:1])

    assert len(read_proxies(path)[0]) == 1


def test_a_link_stays_a_link(proxies: Path, tmp_path: Path) -> None:
    """What it leads to is replaced."""
    (tmp_path / "lists").mkdir()
    link = tmp_path / "good.txt"
    link.symlink_to(tmp_path / "lists" / "good.txt")

    GoodList(link, [str(proxies)]).save(read_proxies(proxies)[0])

    assert link.is_symlink()
    assert len(read_proxies(tmp_path / "lists" / "good.txt")[0]) == 4


def refused(path: Path, *inputs: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        GoodList(path, map(str, inputs))
    return str(caught.value)


def test_a_list_is_never_lost(proxies: Path, tmp_path: Path) -> None:
    """Neither the one that is checked, by whatever name, nor anything that no check has saved."""
    hard, soft, other = tmp_path / "hard.txt", tmp_path / "soft.txt", tmp_path / "other.txt"
    hard.hardlink_to(proxies)
    soft.symlink_to(proxies)
    other.write_text("203.0.113.8:3128\n")

    assert all("one of the lists that are checked" in refused(path, proxies) for path in (proxies, hard, soft))
    assert "no list that a check has saved" in refused(other, proxies)
    assert "no list that a check has saved" in refused(tmp_path, proxies)
    assert "cannot be written" in refused(tmp_path / "no" / "good.txt", proxies)
    assert proxies.read_bytes() == LIST.encode()
    assert other.read_text() == "203.0.113.8:3128\n"


def test_a_list_that_a_check_has_saved_can_be_checked(proxies: Path, tmp_path: Path) -> None:
    """But not replaced by what is left of it."""
    good = GoodList(tmp_path / "good.txt", [str(proxies)])
    good.save(read_proxies(proxies)[0])

    assert "one of the lists that are checked" in refused(good.path, good.path)
    GoodList(tmp_path / "better.txt", [str(good.path)]).save(read_proxies(good.path)[0])
    assert (tmp_path / "better.txt").read_bytes() == good.path.read_bytes()


def test_a_disk_that_fails_costs_nothing(proxies: Path, tmp_path: Path) -> None:
    """What was there is there still, and the error names no password."""
    good = GoodList(tmp_path / "good.txt", [str(proxies)])
    good.path.mkdir()

    with pytest.raises(ConfigError, match="cannot be written") as caught:
        good.save(read_proxies(proxies)[0])

    assert "s3cret" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"proxies.txt", "good.txt"}


def test_a_list_that_cannot_be_read_is_not_replaced(proxies: Path, tmp_path: Path) -> None:
    """Nobody knows what is in it."""
    path = tmp_path / "good.txt"
    path.write_text(HEADER)
    path.chmod(0o000)

    with without_overrides():
        assert "is there already" in refused(path, proxies)
