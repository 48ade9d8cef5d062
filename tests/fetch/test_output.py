import asyncio
import gzip
import json
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fetch.outputs import NAMES, PAGE, Killed, Mortal, read_bodies

from proxysieve.core.model import Outcome, Scope, Tried
from proxysieve.errors import ConfigError
from proxysieve.fetch import output as module
from proxysieve.fetch.file_names import file_name
from proxysieve.fetch.output import Output
from proxysieve.judging.saved import files_of, read_saved
from proxysieve.pool.attempts import Page

TRIED = Tried(
    session="k3j2abcd",
    proxy="http://user:***@10.0.0.1:8000",
    verdict=Outcome.BLOCKED,
    why="status 403",
    status=403,
    seconds=0.1,
    counted=True,
    vendor="Cloudflare",
    sign="cloudflare-challenge",
    scope=Scope.SESSION,
)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_page_is_one_record(tmp_path: Path) -> None:
    """Its names are kept, and the headers that would let others act as the session are left out."""
    output = Output(tmp_path / "pages.jsonl")

    output.add_page(PAGE)
    await output.commit()

    assert records(tmp_path / "pages.jsonl") == [
        {
            "url": "https://shop.example/1",
            "final_url": "https://shop.example/one",
            "status": 200,
            "headers": {"content-type": "text/html", "vary": "a, b"},
            "body": "<h1>Grüße</h1>",
            "fetched_at": 1_700_000_000.0,
            "attempts": 1,
            "session": "k3j2abcd",
            "proxy": "http://user:***@10.0.0.1:8000",
            "seconds": 0.25,
        }
    ]
    output.close()


async def test_bytes_that_are_no_text_are_kept_as_they_are(tmp_path: Path) -> None:
    """No byte is lost or replaced: what is not UTF-8 goes into body_base64."""
    output = Output(tmp_path / "pages.jsonl")

    output.add_page(msgspec.structs.replace(PAGE, body=b"caf\xe9\x00"))
    await output.commit()

    (record,) = records(tmp_path / "pages.jsonl")
    assert record["body_base64"] == "Y2Fm6QA="
    assert "body" not in record
    output.close()


async def test_what_failed_tells_its_story(tmp_path: Path) -> None:
    """Session, proxy and verdict of every attempt, in a file of its own."""
    output = Output(tmp_path / "pages.jsonl")

    output.add_failed("https://shop.example/2", "blocked: status 403", [TRIED], at=5.0)
    await output.commit()

    (record,) = records(tmp_path / "pages.failed.jsonl")
    assert record["url"] == "https://shop.example/2"
    assert record["attempts"] == [
        {
            "session": "k3j2abcd",
            "proxy": "http://user:***@10.0.0.1:8000",
            "verdict": "blocked",
            "why": "status 403",
            "status": 403,
            "seconds": 0.1,
            "counted": True,
            "vendor": "Cloudflare",
            "sign": "cloudflare-challenge",
            "scope": "session",
        }
    ]
    output.close()


async def test_a_page_that_was_not_journaled_is_cut_off(tmp_path: Path) -> None:
    """A crash between page and journal costs the page another fetch, and never doubles it."""
    path = tmp_path / "pages.jsonl"
    output = Output(path)
    output.add_page(PAGE)
    await output.commit()
    output.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole + b'{"url": "https://shop')

    again = Output(path)

    assert path.read_bytes() == whole
    assert again.has_page(PAGE.url)
    again.close()


async def test_a_commit_whose_caller_was_cancelled_does_not_run_into_the_next(tmp_path: Path) -> None:
    """It ends first; every record stands whole, and the journal knows where."""
    output = Output(tmp_path / "pages.jsonl")
    urls = [f"https://shop.example/{number}" for number in range(200)]
    for url in urls:
        output.add_page(msgspec.structs.replace(PAGE, url=url))
        commit = asyncio.create_task(output.commit())
        await asyncio.sleep(0)
        commit.cancel()
    await output.commit()
    output.close()

    again = Output(tmp_path / "pages.jsonl")

    assert [record["url"] for record in records(tmp_path / "pages.jsonl")] == urls
    assert all(again.has_page(url) for url in urls)
    again.close()


async def test_a_write_that_failed_is_the_last(tmp_path: Path) -> None:
    """What it left behind is for the next run to cut off; every later commit says so, and nothing is built on it."""
    path = tmp_path / "pages.jsonl"
    output = Output(path)
    output.add_page(PAGE)
    await output.commit()
    file = output._files["pages"]
    closed = os.open(path, os.O_RDONLY)
    output._files["pages"] = closed

    output.add_page(msgspec.structs.replace(PAGE, url="https://shop.example/2"))
    with pytest.raises(ConfigError, match="cannot be written: Bad file descriptor"):
        await output.commit()
    output._files["pages"] = file
    output.add_page(msgspec.structs.replace(PAGE, url="https://shop.example/3"))
    with pytest.raises(ConfigError, match="cannot be written"):
        await output.commit()

    output.close()
    os.close(closed)
    again = Output(path)
    assert [record["url"] for record in records(path)] == [PAGE.url]
    assert not again.has("https://shop.example/2")
    assert not again.has("https://shop.example/3")
    again.close()


async def test_a_write_that_failed_while_nobody_waited_is_told(tmp_path: Path) -> None:
    """The last commit has nothing to write, and must not say that all is well."""
    output = Output(tmp_path / "pages.jsonl")
    file, output._files["pages"] = output._files["pages"], os.open(os.devnull, os.O_RDONLY)
    output.add_page(PAGE)
    commit = asyncio.create_task(output.commit())
    await asyncio.sleep(0)
    commit.cancel()

    with pytest.raises(ConfigError, match="cannot be written"):
        await output.commit()

    output.close()
    os.close(file)


async def test_retrying_what_failed_forgets_it(tmp_path: Path) -> None:
    """Its records leave the file; what succeeded stays."""
    output = Output(tmp_path / "pages.jsonl")
    output.add_page(PAGE)
    output.add_failed("https://shop.example/2", "blocked", [TRIED], at=5.0)
    await output.commit()
    output.close()

    again = Output(tmp_path / "pages.jsonl", retry_failed=True)

    assert not again.has("https://shop.example/2")
    assert again.has_page(PAGE.url)
    assert records(tmp_path / "pages.failed.jsonl") == []
    again.close()


def test_an_output_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    """A file without a journal is not a job's."""
    path = tmp_path / "pages.jsonl"
    path.write_text("precious\n")

    with pytest.raises(ConfigError, match="no journal of a job beside it"):
        Output(path)

    assert path.read_text() == "precious\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["pages.jsonl"]


async def test_an_output_shorter_than_its_journal_is_refused(tmp_path: Path) -> None:
    """Somebody changed it; going on would leave pages out."""
    path = tmp_path / "pages.jsonl"
    output = Output(path)
    output.add_page(PAGE)
    await output.commit()
    output.close()
    path.write_bytes(b"")

    with pytest.raises(ConfigError, match="shorter than its journal"):
        Output(path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One sentence, and nothing is made."""
    with pytest.raises(ConfigError, match=r"nowhere/pages.jsonl cannot be written: No such file"):
        Output(tmp_path / "nowhere" / "pages.jsonl")


OF_A_DIRECTORY = {"index.jsonl", "failed.jsonl", "journal"}


def pages(count: int) -> list[Page]:
    """Pages whose bodies differ, and are not all text."""
    return [
        msgspec.structs.replace(PAGE, url=f"https://shop.example/{number}", body=b"page \xff %d" % number * 50)
        for number in range(count)
    ]


def names_in(directory: str) -> list[str]:
    return [path.name for path in Path(directory).iterdir()]


def file_of(page: Page) -> str:
    return file_name(page.url, "text/html")


async def write(out: str, wanted: list[Page], *, size: int = 3) -> None:
    """Bring those of *wanted* that are still missing to *out*, so many a commit."""
    output = Output(out)
    try:
        todo = [page for page in wanted if not output.has_page(page.url)]
        for start in range(0, len(todo), size):
            for page in todo[start : start + size]:
                output.add_page(page)
            await output.commit()
    finally:
        output.close()


@pytest.mark.parametrize("name", NAMES)
async def test_wherever_a_run_ends_every_page_stands_once(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever act of the system is the last of a run, the next one goes on, in every format."""
    wanted = pages(7)
    for n in range(1, 60):
        (tmp_path / str(n)).mkdir()
        out = f"{tmp_path}/{n}/{name}"
        with monkeypatch.context() as patch:
            Mortal(patch, n)
            try:
                await write(out, wanted)
            except Killed:
                was_killed = True
            else:
                was_killed = False

        await write(out, wanted)

        found = read_bodies(out)
        assert sorted(found) == sorted((page.url, page.body) for page in wanted)
        assert name != "pages/" or set(names_in(out)) == {*map(file_of, wanted), *OF_A_DIRECTORY}
        if not was_killed:
            return
    pytest.fail("a run never came to its end")


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_behind_the_journal_is_cut_off_in_every_format(tmp_path: Path, name: str) -> None:
    """Down to the byte; what stands before it stays as it is."""
    out = f"{tmp_path}/{name}"
    await write(out, pages(4))
    path = Path(out, "index.jsonl") if name == "pages/" else Path(out)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 3])

    await write(out, pages(4))

    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", NAMES)
async def test_an_output_cut_short_is_refused_in_every_format(tmp_path: Path, name: str) -> None:
    """Pages would be missing that the journal takes for done."""
    out = f"{tmp_path}/{name}"
    await write(out, pages(4))
    path = Path(out, "index.jsonl") if name == "pages/" else Path(out)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ConfigError, match="is shorter than its journal says"):
        Output(out)


@pytest.mark.parametrize("name", NAMES)
async def test_what_could_not_be_translated_ends_the_output(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is told at every commit, and what it left half-written is not built on."""
    out = f"{tmp_path}/{name}"
    await write(out, pages(2))
    output = Output(out)
    monkeypatch.setattr(output._format, "record", lambda *_: 1 / 0)
    for page in pages(4)[2:]:
        output.add_page(page)
        with pytest.raises(ZeroDivisionError):
            await output.commit()
    output.close()
    monkeypatch.undo()

    await write(out, pages(4))

    assert len(read_bodies(out)) == 4


@pytest.mark.parametrize("name", NAMES)
async def test_what_was_written_can_be_judged(tmp_path: Path, name: str) -> None:
    """Every page, with the status, headers, body and end that it had."""
    gone = msgspec.structs.replace(PAGE, url="https://shop.example/2", final_url="https://shop.example/2", status=404)
    out = f"{tmp_path}/{name}"
    await write(out, [PAGE, gone])

    [file] = [file for file in files_of(out) if "failed" not in file and not file.endswith("journal")]
    exchanges = [saved.exchange for saved in read_saved(file)]

    assert [(one.status, one.body) for one in exchanges] == [(200, PAGE.body), (404, PAGE.body)]
    assert {one.final_url or one.url for one in exchanges} == {"https://shop.example/one", "https://shop.example/2"}
    assert all(one.header("content-type") == "text/html" for one in exchanges)


@pytest.mark.parametrize("name", NAMES)
async def test_no_format_tells_what_is_the_sessions_own(tmp_path: Path, name: str) -> None:
    """Neither the cookies that the site gave it nor more of the proxy than its user."""
    out = f"{tmp_path}/{name}"
    await write(out, [PAGE])

    names = [Path(folder, file) for folder, _, files in os.walk(tmp_path) for file in files]
    contents = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in names]
    assert b"k3j2abcd" in b"".join(contents)
    assert b"secret" not in b"".join(contents)
    assert b"cookie" not in b"".join(contents).lower()


async def test_a_large_batch_is_translated_a_page_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its records at once would take the memory of the batch once more."""
    sizes = []

    def write_all(file: int, data: bytes) -> None:
        sizes.append(len(data))
        os.write(file, data)

    monkeypatch.setattr(module, "write_all", write_all)

    await write(f"{tmp_path}/pages.jsonl", pages(20), size=20)

    assert len(sizes) == 20


async def test_what_a_commit_is_writing_is_in_memory_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many commits wait for a slow disk, it counts until it is written, so that they do not add up."""
    disk = threading.Event()
    monkeypatch.setattr(module, "write_all", lambda *_: disk.wait())
    output = Output(tmp_path / "pages.jsonl")
    sizes, commits = [], []
    for page in pages(2):
        output.add_page(page)
        commits.append(asyncio.create_task(output.commit()))
        await asyncio.sleep(0)
        sizes.append(output.batch_bytes)

    disk.set()
    await asyncio.gather(*commits)

    assert sizes == [1 * sizes[0], 2 * sizes[0]]
    assert output.batch_bytes == 0
    output.close()
