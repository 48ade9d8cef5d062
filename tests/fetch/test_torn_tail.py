"""Outputs that are not as their journals say, or hold more: nothing of them is lost."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from stat import S_ISDIR

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fetch.outputs import NAMES, OLD, PAGE, Killed, Mortal, read_bodies
from tests.stores.test_bad_stores import room

from proxysieve.errors import ConfigError
from proxysieve.fetch.journal import HEADER, PAGES, Journal
from proxysieve.fetch.output import Output
from proxysieve.fetch.output_files import Layout, lay_out
from proxysieve.pool.attempts import Page

NOTES = b"my own notes"
FOREIGN = b'{"url": "https://shop.example/1", "note": "mine"}\n'
ALL = pytest.mark.parametrize("name", NAMES)


def page(number: int, size: int = 1) -> Page:
    """Pages of one *size* are records of one length, but in what is compressed."""
    return msgspec.structs.replace(PAGE, url=f"https://shop.example/{number}", body=b"%d \xff" % number * size)


WANTED = [page(number) for number in range(6)]


async def write(out: str, wanted: list[Page], *, failed: str = "") -> None:
    """Go on with *out*: bring the *wanted* pages to it that it lacks, and that a page *failed*."""
    output = Output(out)
    try:
        for one in wanted:
            if not output.has_page(one.url):
                output.add_page(one)
        if failed:
            output.add_failed(failed, "blocked", [], at=5.0)
        await output.commit()
    finally:
        output.close()


def layout_of(out: str) -> Layout:
    """The files of *out*."""
    return lay_out(out)


def append(out: str, data: bytes) -> None:
    """Have *data* behind the records of *out*."""
    with layout_of(out).pages.open("ab") as file:
        file.write(data)


def snapshot(place: Path) -> dict[str, bytes]:
    """All that lies in *place*, byte for byte."""
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def check_refused(place: Path, out: str, why: str) -> None:
    """It is said *why* the output cannot be gone on with, and what to do; nothing is changed, and no file is made."""
    before = snapshot(place)
    for retry_failed in (False, True):
        with pytest.raises(ConfigError, match=why) as caught:
            Output(out, retry_failed=retry_failed)
        assert "nothing was changed; put back a sound copy" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert snapshot(place) == before


def check_whole(out: str, wanted: list[Page]) -> None:
    """Every page stands there once."""
    assert sorted(read_bodies(out)) == sorted((one.url, one.body) for one in wanted)


def asides(place: Path) -> list[bytes]:
    """What was moved aside, in the order of the names."""
    return [path.read_bytes() for path in sorted(place.rglob("*.aside-*"))]


async def next_record(out: str, number: int = 9) -> bytes:
    """The record that a further page of *out* would have, which lacks it again then."""
    path = layout_of(out).pages
    before, kept = path.read_bytes(), snapshot(path.parent)
    await write(out, [page(number)])
    record = path.read_bytes()[len(before) :]
    for one in path.parent.iterdir():
        if one.is_file():
            one.unlink()
    for name, content in kept.items():
        (path.parent / name).write_bytes(content)
    return record


class TestWhatAKillLeaves:
    """Whole records, and a broken one at the end."""

    @ALL
    async def test_it_is_cut_off_and_its_size_is_said(
        self, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Wherever the kill came."""
        out = f"{tmp_path}/{name}"
        await write(out, WANTED)
        path, record = layout_of(out).pages, await next_record(out)
        whole = path.read_bytes()
        sizes = [1, 5, 20, len(record) // 2, len(record) - 1, len(record), len(record) + 7, 2 * len(record) + 300]
        for size in sizes:
            caplog.clear()
            path.write_bytes(whole + (record * 4)[:size])

            await write(out, WANTED)

            assert path.read_bytes() == whole
            assert f"{path}: {size:,} bytes after the last record" in caplog.text
            assert "were cut off, as a killed run leaves them" in caplog.text
        assert asides(tmp_path) == []

    @ALL
    async def test_every_beginning_of_a_record_is_one(self, tmp_path: Path, name: str) -> None:
        """Of the first record in a file as of a later one."""
        out = f"{tmp_path}/{name}"
        form = layout_of(out).format
        for at in (0, 1000):
            lead = b"\0" * at
            record = form.record(WANTED[0], at)
            for size in range(1, len(record)):
                file = BytesIO(lead + record[:size])
                file.seek(at)
                assert form.look(file) == ""
            file = BytesIO(lead + record + record)
            file.seek(at)
            assert form.look(file) == form.named(WANTED[0].url)
            assert file.tell() == at + len(record)

    async def test_of_what_failed_too(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """That file has a journal as well."""
        out = f"{tmp_path}/pages.jsonl"
        await write(out, WANTED, failed="https://shop.example/lost")
        path = tmp_path / "pages.failed.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole + whole + whole[:10])

        await write(out, WANTED)

        assert path.read_bytes() == whole
        assert f"{path}: {len(whole) + 10} bytes" in caplog.text

    async def test_of_bodies_too(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Those without a record are removed; what else lies beside them stays."""
        out = f"{tmp_path}/pages/"
        await write(out, WANTED)
        waiting = tmp_path / "pages" / ".unfinished"
        waiting.mkdir()
        (waiting / "99999-shop.example_9-e6zlkjnboq7u24so.html").write_bytes(b"half a page")
        (waiting / "99999-mine.html").write_bytes(NOTES)

        await write(out, WANTED)

        assert "pages: removed 11 bytes of pages without a record" in caplog.text
        assert snapshot(waiting) == {"99999-mine.html": NOTES}

    @ALL
    async def test_where_nothing_is_left_nothing_is_said(
        self, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As after any run that was not killed."""
        caplog.set_level(logging.INFO, "proxysieve")
        for wanted in (WANTED[:3], WANTED, WANTED):
            await write(f"{tmp_path}/{name}", wanted, failed=f"https://shop.example/lost/{len(wanted)}")

        assert caplog.text == ""


# What may stand behind the committed records and is not a kill's, of the record that would come next.
STRANGE: dict[str, Callable[[bytes], bytes]] = {
    "notes": lambda _: NOTES,
    "a line of notes": lambda _: NOTES + b"\n",
    "notes behind a whole record": lambda record: record + NOTES,
    "notes between whole records": lambda record: record + NOTES + b"\n" + record,
    "a broken record before a whole one": lambda record: record[:-9] + record,
    "half a record before a whole one": lambda record: record[: len(record) // 2] + record,
    "a record with a hole": lambda record: record[:40] + b"\0" * 40 + record[80:],
    "zeros": lambda _: b"\0" * 600,
    "zeros before a whole record": lambda record: b"\0" * 600 + record,
    "a line of JSON": lambda _: FOREIGN,
    "a list": lambda _: b"[1, 2]\n",
    "deep brackets": lambda _: b'{"url":"' + b"[" * 100_000 + b"\n",
    "a member of notes": lambda _: gzip.compress(NOTES),
    "a member of JSON": lambda _: gzip.compress(FOREIGN),
    "a member without an end": lambda _: gzip.compress(NOTES)[:-3],
    "an archive's head": lambda _: b"WARC/1.1\r\nWARC-Type: resource\r\nContent-Length: 0\r\n\r\n\r\n\r\n",
    "an endless archive": lambda _: b"WARC/1.1\r\nWARC-Type: response\r\nContent-Length: 999999999999\r\n\r\n",
    "an archive without length": lambda _: b"WARC/1.1\r\nWARC-Type: response\r\n\r\n" + NOTES,
    "an older archive": lambda _: b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 0\r\n\r\n\r\n\r\n",
}


class TestWhatSomebodyPutThere:
    """It is moved aside."""

    @ALL
    @pytest.mark.parametrize("kind", STRANGE)
    async def test_it_is_kept_in_a_file_of_its_own(
        self, tmp_path: Path, name: str, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """All that stood there, said with its place, and the job goes on."""
        out = f"{tmp_path}/{name}"
        await write(out, WANTED[:4])
        path, tail = layout_of(out).pages, STRANGE[kind](await next_record(out))
        whole = path.read_bytes()
        path.write_bytes(whole + tail)

        await write(out, WANTED)

        assert path.read_bytes().startswith(whole)
        check_whole(out, WANTED)
        assert asides(tmp_path) == [tail]
        assert f"{path}: {len(tail):,} bytes after the last record" in caplog.text
        assert f"they were moved to {path}.aside-1" in caplog.text

    @pytest.mark.parametrize("name", ["pages.jsonl", "pages/"])
    async def test_a_line_that_is_no_record_is_none_that_was_cut_short(self, tmp_path: Path, name: str) -> None:
        """It has an end."""
        out = f"{tmp_path}/{name}"
        await write(out, WANTED)
        tail = (await next_record(out))[:-9] + b"\n"
        append(out, tail)

        await write(out, WANTED)

        assert asides(tmp_path) == [tail]

    async def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        """Each time it is another file."""
        out = f"{tmp_path}/pages.jsonl"
        for number in range(3):
            await write(out, WANTED)
            append(out, b"%d" % number)

        await write(out, WANTED)

        assert asides(tmp_path) == [b"0", b"1", b"2"]

    async def test_among_what_failed_too(self, tmp_path: Path) -> None:
        """A page is no failure."""
        out = f"{tmp_path}/pages.jsonl"
        await write(out, WANTED, failed="https://shop.example/lost")
        path = tmp_path / "pages.failed.jsonl"
        whole, record = path.read_bytes(), layout_of(out).pages.read_bytes().splitlines(keepends=True)[0]
        path.write_bytes(whole + record)

        await write(out, WANTED)

        assert path.read_bytes() == whole
        assert asides(tmp_path) == [record]

    async def test_where_there_is_no_room_for_it_it_stays(self, tmp_path: Path) -> None:
        """The job says so, and leaves no half of it."""
        out = f"{tmp_path}/pages.jsonl"
        await write(out, WANTED)
        append(out, NOTES * 1000)
        before = snapshot(tmp_path)

        with room(5_000), pytest.raises(ConfigError, match="cannot be written: File too large"):
            Output(out)

        assert snapshot(tmp_path) == before


# What somebody may have done to the records that count: of them all, and of whatever page would come next.
EDITS: dict[str, Callable[[list[bytes], bytes], list[bytes]]] = {
    "a byte more": lambda records, _: [b"x", *records],
    "a line more": lambda records, _: [records[0], NOTES + b"\n", *records[1:]],
    "a byte more within": lambda records, _: [records[0], records[1][:9] + b"x" + records[1][9:], *records[2:]],
    "a record twice": lambda records, _: [records[0], *records],
    "the last record lost": lambda records, _: records[:-1],
    "a record lost": lambda records, _: records[1:],
    "a record lost, and another at the end": lambda records, record: [*records[1:], record],
    "all lost": lambda _, __: [],
    "half lost": lambda records, _: records[: len(records) // 2],
    "the last record cut": lambda records, _: [*records[:-1], records[-1][:-1]],
    "the last record filled with zeros": lambda records, _: [*records[:-1], b"\0" * len(records[-1])],
    "other line ends": lambda records, _: [record.replace(b"\n", b"\r\n") + b"\r" for record in records],
    "the last records exchanged": lambda records, _: [*records[:-2], records[-1], records[-2]],
    "the other way round": lambda records, _: records[::-1],
    "somebody else's": lambda records, _: [NOTES + b"\n"] * 1000 + records,
}


async def records_of(out: str, wanted: list[Page]) -> list[bytes]:
    """The record of each page of *out*, which has them all then."""
    sizes = [0]
    for number in range(1, len(wanted) + 1):
        await write(out, wanted[:number])
        sizes.append(layout_of(out).pages.stat().st_size)
    content = layout_of(out).pages.read_bytes()
    return [content[start:end] for start, end in pairwise(sizes)]


class TestWhatCounts:
    """Where it is not as the journal says, nothing is touched."""

    @ALL
    @pytest.mark.parametrize("kind", EDITS)
    async def test_an_output_that_was_changed_is_refused(self, tmp_path: Path, name: str, kind: str) -> None:
        """As the end of the last record, or that record, is another one by that."""
        out = f"{tmp_path}/{name}"
        records = await records_of(out, WANTED)
        layout_of(out).pages.write_bytes(b"".join(EDITS[kind](records, await next_record(out))))

        check_refused(tmp_path, out, "something else has changed it")

    @ALL
    async def test_an_output_that_is_gone_is_refused(self, tmp_path: Path, name: str) -> None:
        """It is not made anew."""
        out = f"{tmp_path}/{name}"
        await write(out, WANTED)
        layout_of(out).pages.unlink()

        check_refused(tmp_path, out, "is gone: something else has changed it")

    async def test_what_failed_is_looked_at_too(self, tmp_path: Path) -> None:
        """Before anything is cut off the pages."""
        out = f"{tmp_path}/pages.jsonl"
        await write(out, WANTED, failed="https://shop.example/lost")
        (tmp_path / "pages.failed.jsonl").write_bytes(b"")
        append(out, NOTES)

        check_refused(tmp_path, out, "failed.jsonl is shorter than its journal says")

    @ALL
    async def test_a_journal_that_says_nothing_is_of_no_output(self, tmp_path: Path, name: str) -> None:
        """Cut short before it said what it is, it does not say that the pages are a job's."""
        out = f"{tmp_path}/{name}"
        await write(out, WANTED)
        layout = layout_of(out)
        for size in range(len(HEADER)):
            layout.journal.write_bytes(HEADER[:size])
            before = snapshot(tmp_path)
            with pytest.raises(ConfigError, match="no journal of a job beside it"):
                Output(out)
            assert snapshot(tmp_path) == before

    async def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        """It is no output."""
        out = f"{tmp_path}/pages.jsonl"
        await write(out, WANTED)
        layout_of(out).pages.unlink()
        os.mkfifo(out)

        with pytest.raises(ConfigError, match="is no regular file"):
            Output(out)


class TestEveryBit:
    """A journal in which one bit has flipped loses nothing."""

    @ALL
    async def test_it_is_refused_or_brings_the_same(self, tmp_path: Path, name: str) -> None:
        """All files are as they were, or in the end every page stands there once."""
        place = tmp_path / "place"
        place.mkdir()
        out = f"{place}/{name}"
        await records_of(out, WANTED[:3])
        await write(out, WANTED, failed="https://shop.example/lost")
        layout = layout_of(out)
        content, before = layout.journal.read_bytes(), snapshot(place)
        went_on = 0
        for place_in_it in range(len(content)):
            # One format has all bits flipped, the others one of each byte.
            for bit in range(8) if name == "pages.jsonl" else (place_in_it % 8,):
                flipped = bytearray(content)
                flipped[place_in_it] ^= 1 << bit
                layout.journal.write_bytes(flipped)
                try:
                    await write(out, WANTED)
                except ConfigError:
                    layout.journal.write_bytes(content)
                    assert snapshot(place) == before
                else:
                    went_on += 1
                    check_whole(out, WANTED)
                    for path, kept in before.items():
                        (place / path).write_bytes(kept)
        # The end of the last line.
        assert went_on == (8 if name == "pages.jsonl" else 1)


class TestOtherNames:
    """A file may have several, and is written to as one file of one output."""

    @pytest.mark.parametrize("link", [os.symlink, os.link])
    async def test_pages_that_are_also_what_failed_are_kept(
        self, tmp_path: Path, link: Callable[[Path, Path], None]
    ) -> None:
        """What is not a failure would be moved aside, and it is all that there is."""
        out = f"{tmp_path}/pages.jsonl"
        await write(out, WANTED)
        layout = layout_of(out)
        layout.failed.unlink()
        link(layout.pages, layout.failed)
        before = snapshot(tmp_path)

        with pytest.raises(ConfigError, match=r"is in use: .* or it is a link to another file of this output"):
            Output(out)

        assert snapshot(tmp_path) == before

    async def test_two_outputs_at_once_have_two_files(self, tmp_path: Path) -> None:
        """Each has a journal of its own, whose lock keeps nobody from the pages."""
        (tmp_path / "b.jsonl").symlink_to(tmp_path / "a.jsonl")
        first = Output(f"{tmp_path}/a.jsonl")

        with pytest.raises(ConfigError, match=r"b\.jsonl is in use: another job is writing to it"):
            Output(f"{tmp_path}/b.jsonl")

        first.close()
        Output(f"{tmp_path}/b.jsonl").close()


@ALL
async def test_a_directory_that_cannot_be_waited_for_is_written_to(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File systems of networks refuse it; the names there are theirs to keep."""
    wait = os.fsync

    def wait_for_files_alone(file: int) -> None:
        if S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        wait(file)

    monkeypatch.setattr(os, "fsync", wait_for_files_alone)
    out = f"{tmp_path}/{name}"
    await write(out, WANTED[:2])
    append(out, NOTES)

    await write(out, WANTED)

    check_whole(out, WANTED)
    assert asides(tmp_path) == [NOTES]


@st.composite
def rearranged(draw: st.DrawFn, lines: list[bytes]) -> list[bytes]:
    """What somebody, or a disk, may make of *lines*."""
    for _ in range(draw(st.integers(1, 3))):
        at, other = draw(st.integers(0, max(0, len(lines) - 1))), draw(st.integers(0, len(lines)))
        before, one, after = lines[:at], b"".join(lines[at : at + 1]), lines[at + 1 :]
        # Archives have records of other lengths each time.
        cut = draw(st.integers(0, 16)) * len(one) // 16
        rest = before + after
        changed = {
            "lost": rest,
            "twice": [*before, one, one, *after],
            "moved": [*rest[:other], one, *rest[other:]],
            "cut": [*before, one[:cut], *after],
            "parted": [*before, one[:cut], NOTES, one[cut:], *after],
            "the rest lost": before,
            "zeros": [*before, b"\0" * len(one), *after],
        }
        lines = changed[draw(st.sampled_from(list(changed)))]
    return lines


@ALL
async def test_a_record_that_is_done_is_no_killed_run_s(tmp_path: Path, name: str) -> None:
    """No run writes a page twice: where one stands behind all that counts, somebody has put it there."""
    out = f"{tmp_path}/{name}"
    first, *_ = await records_of(out, WANTED)
    path = layout_of(out).pages
    before = path.read_bytes()
    path.write_bytes(before + first)

    await write(out, WANTED)

    assert asides(tmp_path) == [first]
    assert path.read_bytes() == before


@ALL
@settings(deadline=None, max_examples=60)
@given(data=st.data())
async def test_whatever_was_done_to_an_output_or_its_journal_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    """It is refused, and all is as it was; or every page is done, and what was cut off is aside or fetched again."""
    place = tmp_path_factory.mktemp("place")
    out = f"{place}/{name}"
    records = await records_of(out, WANTED)
    layout = layout_of(out)
    if data.draw(st.booleans()):
        layout.pages.write_bytes(b"".join(data.draw(rearranged(records))))
    else:
        layout.journal.write_bytes(
            b"".join(data.draw(rearranged(layout.journal.read_bytes().splitlines(keepends=True))))
        )
    before = snapshot(place)

    try:
        with closing(Journal(layout.journal)) as journal:
            done = journal.done
        await write(out, WANTED)
    except ConfigError:
        assert snapshot(place) == before
        return

    there, written = before[str(layout.pages.relative_to(place))], layout.pages.read_bytes()
    kept = written + b"".join(asides(place))
    assert written.count(NOTES) + b"".join(asides(place)).count(NOTES) == there.count(NOTES)
    assert all(
        record in kept for record, one in zip(records, WANTED, strict=True) if one.url in done and record in there
    )
    with closing(Journal(layout.journal)) as journal:
        assert journal.done == {one.url for one in WANTED}
        assert journal.last[PAGES].end == len(written)


class TestFormerFormat:
    """Outputs that format 1 wrote, and a kill cut short."""

    BODIES = (*(b"page \xff %d " % number * 5 for number in range(2)), b"page two", b"page 3", b"page 4")
    PAGES = tuple(
        msgspec.structs.replace(PAGE, url=f"https://shop.example/{number}", body=body)
        for number, body in enumerate(BODIES)
    )

    def copy(self, place: Path, name: str) -> str:
        """Such an output, in *place*."""
        folder = OLD / name.rstrip("/").replace(".", "-")
        shutil.copytree(folder, place, dirs_exist_ok=True)
        return f"{place}/{name}"

    @ALL
    async def test_they_are_gone_on_with(self, tmp_path: Path, name: str) -> None:
        """What counts stays as it is, what was not committed is fetched again, and the journal has today's format."""
        out = self.copy(tmp_path, name)

        output = Output(out)
        assert [output.has_page(one.url) for one in self.PAGES] == [True, True, True, False, False]
        assert output.has("https://shop.example/lost")
        assert not output.has("https://shop.example/gone")
        output.close()
        await write(out, [*self.PAGES])

        check_whole(out, [*self.PAGES])
        assert layout_of(out).journal.read_bytes().startswith(HEADER)
        assert asides(tmp_path) == []

    @ALL
    async def test_wherever_the_first_run_ends_every_page_stands_once(
        self, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whichever act of the system is the last of a run, within the rewriting as well."""
        for n in range(1, 60):
            out = self.copy(tmp_path / str(n), name)
            with monkeypatch.context() as patch:
                Mortal(patch, n)
                try:
                    await write(out, [*self.PAGES])
                except Killed:
                    was_killed = True
                else:
                    was_killed = False

            await write(out, [*self.PAGES])

            check_whole(out, [*self.PAGES])
            if not was_killed:
                return
        pytest.fail("a run never came to its end")

    @ALL
    async def test_no_flipped_bit_loses_a_page(self, tmp_path: Path, name: str) -> None:
        """Without checksums a URL may be another by it, and is fetched again; what is there stays."""
        out = self.copy(tmp_path, name)
        layout, before = layout_of(out), snapshot(tmp_path)
        content = layout.journal.read_bytes()
        for place in range(len(content)):
            flipped = bytearray(content)
            flipped[place] ^= 1 << place % 8
            layout.journal.write_bytes(flipped)
            now = snapshot(tmp_path)
            try:
                await write(out, [*self.PAGES])
            except ConfigError:
                assert snapshot(tmp_path) == now
            else:
                assert {url for url, _ in read_bodies(out)} >= {one.url for one in self.PAGES}
            shutil.rmtree(tmp_path)
            self.copy(tmp_path, name)
            assert snapshot(tmp_path) == before
