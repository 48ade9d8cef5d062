import asyncio
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxysieve.attempts import Page
from proxysieve.core.model import Outcome, Scope, Tried
from proxysieve.errors import ConfigError
from proxysieve.fetch.output import Output

PAGE = Page(
    url="https://shop.example/1",
    final_url="https://shop.example/one",
    status=200,
    headers=(("content-type", "text/html"), ("set-cookie", "sid=secret"), ("vary", "a"), ("vary", "b")),
    body="<h1>Grüße</h1>".encode(),
    fetched_at=1_700_000_000.0,
    session="k3j2abcd",
    proxy="http://user:***@10.0.0.1:8000",
    seconds=0.25,
    attempts=1,
    tries=(),
)
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

    with pytest.raises(ConfigError, match="no journal beside it"):
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


@pytest.mark.parametrize("name", ["pages.json", "pages", "pages.jsonl.gz"])
def test_other_kinds_of_output_are_refused(tmp_path: Path, name: str) -> None:
    """The name says the format, and there is one so far."""
    with pytest.raises(ConfigError, match=r"ends in \.jsonl"):
        Output(tmp_path / name)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One sentence, and nothing is made."""
    with pytest.raises(ConfigError, match=r"nowhere/pages.jsonl cannot be written: No such file"):
        Output(tmp_path / "nowhere" / "pages.jsonl")
