from __future__ import annotations

import fcntl
import os
import shutil
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from stat import S_IMODE

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fetch.outputs import OLD, Killed, Mortal
from tests.stores.test_bad_stores import room

from proxysieve.core.urls.parsing import LONGEST_URL
from proxysieve.errors import ConfigError
from proxysieve.fetch import journal as module
from proxysieve.fetch.journal import (
    EMPTIED,
    FAILED,
    FORMAT_VERSION,
    HEADER,
    MOST_LINE_BYTES,
    PAGES,
    Entry,
    Journal,
    Span,
)

ENTRIES = [Entry(PAGES, "https://a.example/1", 100), Entry(FAILED, "https://a.example/2", 40)]
SIX = [
    Entry(PAGES, "https://a.example/1", 100),
    Entry(PAGES, "https://a.example/2", 200),
    Entry(FAILED, "https://a.example/3", 100),
    EMPTIED,
    Entry(PAGES, "https://a.example/3", 300),
    Entry(FAILED, "https://a.example/4", 100),
]


def written(path: Path, entries: list[Entry]) -> list[bytes]:
    """The lines of a journal that has *entries*, which is at *path* then."""
    with closing(Journal(path)) as journal:
        journal.begin()
        journal.write(entries)
    return path.read_bytes().splitlines(keepends=True)


def refusal(path: Path) -> str:
    """What is said of the journal at *path*, of which no byte changes by it."""
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        Journal(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return str(caught.value)


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    """A journal tells the next run what is done, what failed, and where both files end."""
    written(tmp_path / "journal", ENTRIES)

    again = Journal(tmp_path / "journal")

    assert again.done == {"https://a.example/1"}
    assert again.failed == {"https://a.example/2"}
    assert again.last == {PAGES: Span(0, 100, "https://a.example/1"), FAILED: Span(0, 40, "https://a.example/2")}
    again.close()


def test_an_entry_without_a_url_empties_a_file(tmp_path: Path) -> None:
    """That is how what failed is taken up again, and its ends begin anew."""
    written(tmp_path / "journal", [*ENTRIES, EMPTIED, Entry(FAILED, "https://a.example/2", 10)])

    again = Journal(tmp_path / "journal")

    assert again.failed == {"https://a.example/2"}
    assert again.last[FAILED] == Span(0, 10, "https://a.example/2")
    again.close()


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(min_value=0), urls=st.lists(st.text(min_size=1), min_size=1, max_size=20))
def test_a_journal_that_was_cut_short_holds_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, cut: int, urls: list[str]
) -> None:
    """Wherever a kill ends the file, what stands in it whole counts, and it can be written on."""
    path = tmp_path_factory.mktemp("cut") / "journal"
    data = b"".join(written(path, [Entry(PAGES, url, number) for number, url in enumerate(urls, start=1)]))
    kept = data[: cut % (len(data) + 1)]
    path.write_bytes(kept)

    written(path, [Entry(PAGES, "https://one.more/", 1000)])

    whole = max(0, kept.count(b"\n") - 1)
    with closing(Journal(path)) as last:
        assert last.done == {*urls[:whole], "https://one.more/"}


def test_a_look_at_a_journal_changes_nothing(tmp_path: Path) -> None:
    """Not even a line that is not whole is cut off before all else is known to be in order."""
    path = tmp_path / "journal"
    written(path, ENTRIES)
    path.write_bytes(path.read_bytes()[:-1])
    before = path.read_bytes()

    Journal(path).close()

    assert path.read_bytes() == before


# Of the lines of a journal, what may have become of them.
DAMAGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "line lost": lambda lines: [*lines[:2], *lines[3:]],
    "first line lost": lambda lines: [lines[0], *lines[2:]],
    "line twice": lambda lines: [*lines[:3], *lines[2:]],
    "last line twice": lambda lines: [*lines, lines[-1]],
    "lines exchanged": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "other way round": lambda lines: [lines[0], *lines[:0:-1]],
    "all twice": lambda lines: [*lines, *lines],
    "header twice": lambda lines: [lines[0], *lines],
    "end of a line lost": lambda lines: [*lines[:2], lines[2][:-1], *lines[3:]],
    "half a line": lambda lines: [*lines[:2], lines[2][:20] + b"\n", *lines[3:]],
    "empty line": lambda lines: [*lines[:2], b"\n", *lines[2:]],
    "a note within": lambda lines: [*lines[:2], b"my notes\n", *lines[2:]],
    "a note at the end": lambda lines: [*lines, b"my notes\n"],
    "a block of zeros": lambda lines: [*lines[:2], b"\0" * len(lines[2]), *lines[3:]],
    "zeros with an end": lambda lines: [*lines, b"\0\0\0\n"],
    "line of the format before": lambda lines: [*lines, b'["pages","https://a.example/9",900]\n'],
    "other checksum": lambda lines: [*lines[:-1], lines[-1][:-4] + b'0"]\n'],
    "other line ends": lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
    "a mark before": lambda lines: [b"\xef\xbb\xbf", *lines],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_journal_is_refused_and_kept(tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]]) -> None:
    """Whatever happened to its lines; what stands behind them may be true."""
    path = tmp_path / "journal"
    path.write_bytes(b"".join(damage(written(path, SIX))))

    assert str(path) in refusal(path)


def test_a_damaged_line_is_told_by_its_number(tmp_path: Path) -> None:
    """With what to do."""
    path = tmp_path / "journal"
    lines = written(path, SIX)
    path.write_bytes(b"".join(lines).replace(b"example/2", b"example/7"))

    said = refusal(path)

    assert "line 3 is damaged" in said
    assert "put back a sound copy of it" in said
    assert "example/7" not in said


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_flipped_bit_is_believed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A journal with a flipped bit is refused; or its last line has no end by it, and counts no more."""
    path = tmp_path_factory.getbasetemp() / "flipped" / "journal"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    content = bytearray(b"".join(written(path, SIX)))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)

    if place < len(content) - 1:
        refusal(path)
    else:
        with closing(Journal(path)) as found:
            assert found.done == {one.url for one in SIX if one.file == PAGES}
            assert found.failed == set()


@pytest.mark.parametrize("content", [b"my notes", b"my notes\n", b'["pages","x",1]\n', b'["proxysieve journal",0]\n'])
def test_a_file_that_is_no_journal_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    """Somebody else's file of that name is not overwritten."""
    path = tmp_path / "journal"
    path.write_bytes(content)

    assert "is not a journal" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbf" + HEADER, HEADER.replace(b"\n", b"\r\n"), b"\n" + HEADER, b"\0" * 9]
)
def test_one_whose_first_line_is_damaged_is_not_to_be_thrown_away(tmp_path: Path, content: bytes) -> None:
    """The rest of it may be sound: it is said what would help."""
    path = tmp_path / "journal"
    path.write_bytes(content)

    assert "or its first line is damaged; nothing was changed; put back a sound copy" in refusal(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "directory"])
def test_what_has_no_end_is_no_journal(tmp_path: Path, kind: str) -> None:
    """It is not read, which would take for ever."""
    path = tmp_path / "journal"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            path.mkdir()

    with pytest.raises(ConfigError, match="is no regular file: move it away"):
        Journal(path)


def test_a_hole_behind_a_journal_is_a_line_without_an_end(tmp_path: Path) -> None:
    """However large it is, it is not held in memory."""
    path = tmp_path / "journal"
    written(path, SIX)
    os.truncate(path, 50 * MOST_LINE_BYTES)
    tracemalloc.start()

    with closing(Journal(path)) as journal:
        most_bytes = tracemalloc.get_traced_memory()[1]

    tracemalloc.stop()
    assert journal.last[PAGES].end == 300
    assert most_bytes < 5 * MOST_LINE_BYTES


def test_a_hole_before_a_line_is_damage(tmp_path: Path) -> None:
    """As anything else is that stands before what may be true."""
    path = tmp_path / "journal"
    lines = written(path, SIX)
    path.write_bytes(b"".join(lines[:-1]) + b"\0" * (2 * MOST_LINE_BYTES) + lines[-1])

    assert "line 7 is damaged: it is longer than any entry" in refusal(path)


def test_the_longest_url_makes_an_entry(tmp_path: Path) -> None:
    """Whatever letters it has."""
    path, url = tmp_path / "journal", "https://a.example/" + "\N{COOKIE}" * (LONGEST_URL - 18)

    written(path, [Entry(PAGES, url, 100)])

    with closing(Journal(path)) as journal:
        assert journal.done == {url}


def test_a_newer_journal_is_refused_and_kept(tmp_path: Path) -> None:
    """Its lines may say what is not known here."""
    path = tmp_path / "journal"
    path.write_bytes(HEADER.replace(b"%d" % FORMAT_VERSION, b"%d" % (FORMAT_VERSION + 1)))

    assert "was written by a newer proxysieve: upgrade" in refusal(path)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Two jobs with one output would write into each other's pages."""
    journal = Journal(tmp_path / "journal")

    with pytest.raises(ConfigError, match="another job is writing"):
        Journal(tmp_path / "journal")

    journal.close()
    Journal(tmp_path / "journal").close()


class TestFormerFormat:
    """Journals without checksums."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return Path(shutil.copy(OLD / "pages-jsonl" / "pages.jsonl.journal", tmp_path))

    def test_it_is_read_and_rewritten(self, path: Path) -> None:
        """With the same entries under the new number; nothing else is left there."""
        with closing(Journal(path)) as old:
            told = (old.last, old.done, old.failed)
            old.begin()
            old.write([Entry(PAGES, "https://one.more/", 1000)])

        assert told[1:] == ({f"https://shop.example/{number}" for number in range(3)}, {"https://shop.example/lost"})
        assert told[0][PAGES] == Span(931, 1000, "https://one.more/")
        assert path.read_bytes().startswith(HEADER)
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]
        with closing(Journal(path)) as again:
            assert again.done == {*told[1], "https://one.more/"}
            assert again.failed == told[2]

    def test_it_is_rewritten_in_parts(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that a long one does not stand in memory; the file is for nobody to read who could not before."""
        monkeypatch.setattr(module, "BATCH_COUNT", 2)
        path.chmod(0o600)
        with path.open("ab") as file:
            file.write(b'["pages","https://sho')

        with closing(Journal(path)) as old:
            told = (old.last, old.done, old.failed)
            old.begin()

        with closing(Journal(path)) as again:
            assert (again.last, again.done, again.failed) == told
        assert S_IMODE(path.stat().st_mode) == 0o600

    def test_where_there_is_no_room_it_stays_as_it_is(self, path: Path) -> None:
        """And nothing is left beside it."""
        with closing(Journal(path)) as old, room(100), pytest.raises(OSError, match="too large"):
            old.begin()

        assert [entry.name for entry in path.parent.iterdir()] == [path.name]
        with closing(Journal(path)) as again:
            assert len(again.done) == 3

    def test_it_is_rewritten_whole_or_not(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whichever act of the system is the last, the next run finds all entries."""
        before = path.read_bytes()
        for n in range(1, 20):
            path.write_bytes(before)
            with monkeypatch.context() as patch:
                Mortal(patch, n)
                journal = Journal(path)
                try:
                    journal.begin()
                    was_killed = False
                except Killed:
                    was_killed = True
                journal.close()

            with closing(Journal(path)) as again:
                assert len(again.done) == 3
                assert again.failed == {"https://shop.example/lost"}
            if not was_killed:
                return
        pytest.fail("a rewrite never came to its end")

    def test_who_opened_it_before_it_was_rewritten_is_kept_out(self, path: Path) -> None:
        """The lock of the file that was there holds on."""
        opened = os.open(path, os.O_RDWR)
        with closing(Journal(path)) as first:
            first.begin()
            with pytest.raises(ConfigError, match="another job is writing"):
                Journal(path)
            with pytest.raises(BlockingIOError):
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(opened)

    def test_a_link_to_it_stays_one(self, path: Path) -> None:
        """The file that it leads to is rewritten."""
        link = path.with_name("link")
        link.symlink_to(path)

        with closing(Journal(link)) as old:
            old.begin()

        assert link.is_symlink()
        assert path.read_bytes().startswith(HEADER)

    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param((b'example/1",660]', b'example/1",260]'), id="back"),
            pytest.param((b'example/1",660]', b'example/1"660]'), id="no-json"),
            pytest.param((b'["pages","https://shop.example/1"', b'["qages","https://a.b/1"'), id="no-such-file"),
            pytest.param((b'["pages","https://shop.example/1"', b'["pages",""'), id="no-url"),
            pytest.param((b'["failed","",0]', b'["failed","",4]'), id="not-emptied"),
            pytest.param((b'["failed","",0]\n', b""), id="not-emptied-and-back"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_refused(self, path: Path, damage: tuple[bytes, bytes]) -> None:
        """Also where no checksum tells."""
        content = path.read_bytes()
        assert damage[0] in content
        path.write_bytes(content.replace(*damage))

        assert "is damaged" in refusal(path)
