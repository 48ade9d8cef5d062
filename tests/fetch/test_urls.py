from pathlib import Path

import pytest

from proxysieve.errors import ConfigError
from proxysieve.fetch.urls import read_url_files, read_urls


def test_blank_lines_and_comments_are_skipped() -> None:
    """What remains is one URL a line, without the space around it."""
    lines = ["# pages", "", "  https://shop.example/1 ", "\n", "https://shop.example/2\n"]

    found = read_urls(lines, "urls.txt")

    assert found.urls == ["https://shop.example/1", "https://shop.example/2"]


def test_a_url_that_stands_twice_is_fetched_once_and_counted() -> None:
    """Duplicates keep the place of the first."""
    lines = ["https://a.example/", "https://b.example/", "https://a.example/", "https://a.example/"]

    found = read_urls(lines, "urls.txt")

    assert found.urls == ["https://a.example/", "https://b.example/"]
    assert found.duplicate_count == 2


def test_a_line_that_is_no_url_is_named_and_the_others_go_on() -> None:
    """The problem says file, line and what was expected."""
    lines = ["https://a.example/", "shop.example/1", "ftp://b.example/"]

    found = read_urls(lines, "urls.txt")

    assert found.urls == ["https://a.example/"]
    assert [problem.partition(":")[0] for problem in found.problems] == ["urls.txt, line 2", "urls.txt, line 3"]
    assert all("expected http" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        pytest.param([], "urls.txt has no URLs in it", id="nothing"),
        pytest.param(["# only", "", "# comments"], "urls.txt has no URLs in it", id="comments"),
        pytest.param(["not a url"], "urls.txt, line 1: not a URL", id="garbage"),
        pytest.param(["http://[::1"], "urls.txt, line 1: not a URL", id="half an address"),
    ],
)
def test_a_list_without_a_url_is_refused(lines: list[str], says: str) -> None:
    """There is nothing to do, and the message says why."""
    with pytest.raises(ConfigError, match=says):
        read_urls(lines, "urls.txt")


def test_several_files_make_one_list(tmp_path: Path) -> None:
    """What stands in two of them is fetched once, problems name their file, and an empty file is none."""
    names = [str(tmp_path / name) for name in ("a.txt", "b.txt", "c.txt")]
    for name, text in zip(names, ("https://a.example/1\r\nnonsense\n", "", "\ufeffhttps://a.example/1"), strict=True):
        Path(name).write_text(text, encoding="utf-8", newline="")

    found = read_url_files(names)

    assert found.urls == ["https://a.example/1"]
    assert found.duplicate_count == 1
    assert [problem.partition(":")[0] for problem in found.problems] == [f"{names[0]}, line 2"]


def test_files_without_a_single_url_are_an_error(tmp_path: Path) -> None:
    """It names all of them."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("# none\n")

    with pytest.raises(ConfigError, match=r"a.txt and .*b.txt has no URLs in it"):
        read_url_files([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])


def test_a_list_of_proxies_is_no_list_of_urls() -> None:
    """Whoever exchanged the two files is told so, and not that all pages failed."""
    with pytest.raises(ConfigError, match=r"are the two lists exchanged\?") as caught:
        read_urls(["http://anna:topsecret@203.0.113.7:8000", "http://anna:topsecret@203.0.113.8:8000/"], "proxies.txt")

    assert "topsecret" not in str(caught.value)
