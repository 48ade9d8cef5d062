"""Pages to be written, and outputs as readers that know nothing of proxysieve find them."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from warcio.archiveiterator import ArchiveIterator  # type: ignore[import-untyped]

from proxysieve.pool.attempts import Page

# Outputs of every format, as format 1 wrote them and a kill left them.
OLD = Path(__file__).with_name("data") / "format-1"
NAMES = ["pages.jsonl", "pages.jsonl.gz", "pages.warc", "pages.warc.gz", "pages/"]
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
    request_headers=(("User-Agent", "Browser/1"), ("Accept-Language", "en")),
)


class WarcRecord(NamedTuple):
    """A record of an archive, whose digests are right."""

    kind: str
    headers: dict[str, str]
    http: list[tuple[str, str]]
    status_line: str
    content: bytes


class Killed(BaseException):
    """Stands for the end of a process: nothing catches it."""


class Mortal:
    """Stands for the system below an output, which ends a run at its *n*-th act, in the middle of it if that can be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
        self._left = n
        self._write, self._fsync, self._replace = os.write, os.fsync, os.replace
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "replace", self.replace)

    def write(self, file: int, data: memoryview) -> int:
        if self._is_over():
            self._write(file, data[: len(data) // 2])
            raise Killed
        return self._write(file, data)

    def fsync(self, file: int) -> None:
        if self._is_over():
            raise Killed
        self._fsync(file)

    def replace(self, path: Path, target: Path) -> None:
        if self._is_over():
            raise Killed
        self._replace(path, target)

    def _is_over(self) -> bool:
        self._left -= 1
        return self._left == 0


def read_bodies(out: str) -> list[tuple[str, bytes]]:
    """The URL that each page of an output was asked for by, with its body."""
    if out.endswith("/"):
        return [(record["url"], Path(out, record["file"]).read_bytes()) for record in read_index(out)]
    if ".warc" in out:
        return list(_archived(read_warc(Path(out))))
    opened = gzip.open if out.endswith(".gz") else open
    with opened(out, "rt", encoding="utf-8") as lines:
        return [(record["url"], _body(record)) for record in map(json.loads, lines)]


def read_index(out: str) -> list[dict[str, Any]]:
    """The records of the index of a directory."""
    return [json.loads(line) for line in Path(out, "index.jsonl").read_text(encoding="utf-8").splitlines()]


def read_warc(path: Path) -> list[WarcRecord]:
    """The records of an archive."""
    with path.open("rb") as file:
        return [
            WarcRecord(
                kind=record.rec_type,
                headers=dict(record.rec_headers.headers),
                http=record.http_headers.headers if record.http_headers else [],
                status_line=record.http_headers.statusline if record.http_headers else "",
                content=record.content_stream().read(),
            )
            for record in ArchiveIterator(file, check_digests="raise")
        ]


def read_fields(record: WarcRecord) -> dict[str, str]:
    """The content of a record that has a field a line."""
    return dict(line.split(": ", 1) for line in record.content.decode().splitlines())


def _archived(records: list[WarcRecord]) -> Iterator[tuple[str, bytes]]:
    assert [record.kind for record in records] == ["warcinfo"] * bool(records) + [
        "response", "request", "metadata",
    ] * (len(records) // 3)  # fmt: skip
    for response, _, metadata in zip(records[1::3], records[2::3], records[3::3], strict=True):
        yield read_fields(metadata)["url"], response.content


def _body(record: dict[str, Any]) -> bytes:
    return record["body"].encode() if "body" in record else base64.b64decode(record["body_base64"])
