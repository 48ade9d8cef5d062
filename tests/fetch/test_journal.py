from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.errors import ConfigError
from proxysieve.fetch.journal import FAILED, HEADER, PAGES, Entry, Journal

ENTRIES = [Entry(PAGES, "https://a.example/1", 100), Entry(FAILED, "https://a.example/2", 40)]


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    """A journal tells the next run what is done, what failed, and where both files end."""
    journal = Journal(tmp_path / "journal")
    journal.write(ENTRIES)
    journal.close()

    again = Journal(tmp_path / "journal")

    assert again.done == {"https://a.example/1"}
    assert again.failed == {"https://a.example/2"}
    assert again.ends == {PAGES: 100, FAILED: 40}
    again.close()


def test_an_entry_without_a_url_empties_a_file(tmp_path: Path) -> None:
    """That is how what failed is taken up again."""
    journal = Journal(tmp_path / "journal")
    journal.write([*ENTRIES, Entry(FAILED, "", 0)])
    journal.close()

    again = Journal(tmp_path / "journal")

    assert again.failed == set()
    assert again.ends == {PAGES: 100, FAILED: 0}
    again.close()


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(min_value=0), urls=st.lists(st.text(min_size=1), min_size=1, max_size=20))
def test_a_journal_that_was_cut_short_holds_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, cut: int, urls: list[str]
) -> None:
    """Wherever a power cut ends the file, what stands in it whole counts, and it can be written on."""
    path = tmp_path_factory.mktemp("cut") / "journal"
    journal = Journal(path)
    journal.write([Entry(PAGES, url, number) for number, url in enumerate(urls, start=1)])
    journal.close()
    data = path.read_bytes()
    kept = data[: cut % (len(data) + 1)]
    path.write_bytes(kept)

    again = Journal(path)
    again.write([Entry(PAGES, "https://one.more/", 1000)])
    again.close()

    whole = max(0, kept.count(b"\n") - 1)
    last = Journal(path)
    assert last.done == {*urls[:whole], "https://one.more/"}
    last.close()


def test_garbage_behind_the_last_whole_line_is_cut_off(tmp_path: Path) -> None:
    """Blocks that were never written may read as anything after a power cut."""
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.write(ENTRIES[:1])
    journal.close()
    path.write_bytes(path.read_bytes() + b"\0\0\0\n" + b'["pages","https://a.example/9",900]\n')

    again = Journal(path)

    assert again.done == {"https://a.example/1"}
    assert path.read_bytes().count(b"\n") == 2
    again.close()


@pytest.mark.parametrize("content", [b"my notes", b"my notes\n", HEADER.replace(b"1", b"2")])
def test_a_file_that_is_no_journal_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    """Somebody else's file of that name is not overwritten."""
    path = tmp_path / "journal"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match="is not a journal"):
        Journal(path)

    assert path.read_bytes() == content


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Two jobs with one output would write into each other's pages."""
    journal = Journal(tmp_path / "journal")

    with pytest.raises(ConfigError, match="another job is writing"):
        Journal(tmp_path / "journal")

    journal.close()
    Journal(tmp_path / "journal").close()
