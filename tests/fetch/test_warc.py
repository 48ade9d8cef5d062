import gzip
import subprocess
import sys
import zlib
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fetch.outputs import PAGE, WarcRecord, read_fields, read_warc

from proxysieve.fetch.formats import GZIPPED
from proxysieve.fetch.warc import Warc
from proxysieve.pool.attempts import Page


def records(path: Path, *pages: Page) -> list[WarcRecord]:
    """What is read of an archive of *pages*."""
    warc, data = Warc(path.name, GZIPPED), b""
    for page in pages:
        data += warc.record(page, len(data))
    path.write_bytes(data)
    return read_warc(path)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("warc") / "pages.warc.gz"


def test_an_archive_says_at_its_beginning_what_it_is(path: Path) -> None:
    """Once, whatever follows."""
    found = records(path, PAGE, PAGE)

    assert [record.kind for record in found] == ["warcinfo", *["response", "request", "metadata"] * 2]
    assert found[0].headers["WARC-Filename"] == "pages.warc.gz"
    assert read_fields(found[0])["software"].startswith("proxysieve/")
    assert read_fields(found[0])["format"] == "WARC File Format 1.1"


def test_the_records_of_a_page_belong_together(path: Path) -> None:
    """All of one moment, when the capture began, and of the address that the answer came from."""
    _, response, *others = records(path, PAGE)

    assert {record.headers["WARC-Target-URI"] for record in [response, *others]} == {"https://shop.example/one"}
    assert {record.headers["WARC-Concurrent-To"] for record in others} == {response.headers["WARC-Record-ID"]}
    [date] = {record.headers["WARC-Date"] for record in [response, *others]}
    assert datetime.fromisoformat(date).timestamp() == PAGE.fetched_at - PAGE.seconds


def test_the_answer_is_as_the_site_gave_it_but_for_what_is_secret(path: Path) -> None:
    """Every other header, also those that it gave twice."""
    _, response, *_ = records(path, PAGE)

    assert response.status_line == "200 OK"
    assert response.content == PAGE.body
    assert response.http == [
        ("content-type", "text/html"), ("vary", "a"), ("vary", "b"), ("content-length", str(len(PAGE.body))),
    ]  # fmt: skip
    assert set(response.headers) >= {"WARC-Block-Digest", "WARC-Payload-Digest"}


def test_headers_speak_of_the_body_that_is_kept(path: Path) -> None:
    """It was decoded, so how it came is said under other names."""
    headers = (("content-encoding", "br"), ("transfer-encoding", "chunked"), ("content-length", "7"))

    _, response, *_ = records(path, msgspec.structs.replace(PAGE, headers=headers))

    assert response.http == [
        ("x-orig-content-encoding", "br"),
        ("x-orig-transfer-encoding", "chunked"),
        ("x-orig-content-length", "7"),
        ("content-length", str(len(PAGE.body))),
    ]
    assert response.content == PAGE.body


def test_the_request_holds_what_is_known_to_have_been_sent(path: Path) -> None:
    """Of the last one, where there were redirects, and nothing that is the session's or a login."""
    page = msgspec.structs.replace(PAGE, final_url="https://anna:secret@shop.example/one?a=1#top")

    _, _, request, metadata = records(path, page)

    assert (request.status_line, request.content) == ("/one?a=1 HTTP/1.1", b"")
    assert request.http == [("Host", "shop.example"), ("User-Agent", "Browser/1"), ("Accept-Language", "en")]
    assert b"secret" not in gzip.decompress(path.read_bytes())
    assert request.headers["WARC-Target-URI"] == "https://shop.example/one?a=1"
    assert metadata.headers["WARC-Target-URI"] == "https://shop.example/one?a=1"


def test_the_metadata_say_how_it_was_had(path: Path) -> None:
    """In the names of the other formats, beside two of the standard."""
    *_, metadata = records(path, PAGE)

    assert metadata.headers["Content-Type"] == "application/warc-fields"
    assert read_fields(metadata) == {
        "via": "https://shop.example/1",
        "fetchTimeMs": "250",
        "url": "https://shop.example/1",
        "final_url": "https://shop.example/one",
        "fetched_at": "1700000000.0",
        "attempts": "1",
        "session": "k3j2abcd",
        "proxy": "http://user:***@10.0.0.1:8000",
        "seconds": "0.25",
    }


def test_each_record_is_a_gzip_member(path: Path) -> None:
    """So that an index can point at it."""
    found, rest = [], (records(path, PAGE), path.read_bytes())[1]
    while rest:
        member = zlib.decompressobj(31)
        found.append(member.decompress(rest))
        rest = member.unused_data

    assert [record.split(b"\r\n")[0] for record in found] == [b"WARC/1.1"] * 4


@pytest.mark.parametrize(
    ("ended", "target", "asked"),
    [
        ("https://shop.example", "https://shop.example/", "/"),
        ("https://shop.example?a=1", "https://shop.example/?a=1", "/?a=1"),
        ("https://shop.example//a", "https://shop.example//a", "//a"),
        ("https://b\u00fccher.example/\u00e4", "https://xn--bcher-kva.example/%C3%A4", "/%C3%A4"),
        ("https://a..b/c", "https://a..b/c", "/c"),
        ("https://shop.\N{ACCOUNT OF}/a", "https://shop.%E2%84%80/a", "/a"),
        ("https://[::1/a", "https://%5B::1/a", "/a"),
    ],
)
def test_wherever_redirects_ended_is_told_as_it_was_asked_for(path: Path, ended: str, target: str, asked: str) -> None:
    """Also where it is no address: a site may send its visitors anywhere."""
    _, _, request, metadata = records(path, msgspec.structs.replace(PAGE, final_url=ended))

    assert request.headers["WARC-Target-URI"] == metadata.headers["WARC-Target-URI"] == target
    assert request.status_line == f"{asked} HTTP/1.1"


@pytest.mark.parametrize("arguments", [["check", "-v"], ["index", "-f", "warc-type,warc-target-uri,http:status"]])
def test_the_tools_of_archivists_read_it(path: Path, arguments: list[str]) -> None:
    """Without a complaint."""
    records(path, PAGE, msgspec.structs.replace(PAGE, status=599, body=b"", url="https://shop.example/ä?ö"))

    done = subprocess.run(
        [sys.executable, "-m", "warcio.cli", *arguments, str(path)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "fail" not in done.stdout


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
# What libcurl takes for the name of a header: anything up to a colon.
names = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"], exclude_characters=":"), min_size=1)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    status=st.integers(100, 999),
    headers=st.lists(st.tuples(st.sampled_from(["etag", "content-length", "link", "x-1"]) | names, texts), max_size=5),
    host=texts,
    tail=texts,
    body=st.binary(max_size=200),
    session=texts,
)
def test_whatever_a_site_says_the_body_is_read_again(
    path: Path, status: int, headers: list[tuple[str, str]], host: str, tail: str, body: bytes, session: str
) -> None:
    """Nothing that stands in a header or an address can end a record, or begin another."""
    page = msgspec.structs.replace(
        PAGE,
        status=status,
        headers=tuple(headers),
        final_url=f"https://shop.example{host}/{tail}",
        body=body,
        session=session,
    )

    _, response, _, metadata = records(path, page)

    assert response.content == body
    assert response.status_line.split(" ")[0] == str(status)
    assert "attempts" in read_fields(metadata)
