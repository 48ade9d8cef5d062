"""Records of pages: a line of JSON, whatever the body is, and in pieces where it is large."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.fetch import records
from proxysieve.fetch.records import page_line
from proxysieve.pool.attempts import Page


def page_of(body: bytes) -> Page:
    return Page(
        url="https://shop.example/1",
        final_url="https://shop.example/2",
        status=200,
        headers=(("body", ""), ("fetched_at", "x"), ("set-cookie", "secret")),
        body=body,
        fetched_at=1e9,
        session="s1",
        proxy="http://proxy.example:8000",
        seconds=0.25,
        attempts=1,
        tries=(),
    )


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
def test_a_body_is_read_as_it_was_written(body: bytes) -> None:
    """Text and bytes, also where pieces meet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "PIECE", 6)
        read = msgspec.json.decode(page_line(page_of(body)))

    written = read["body"].encode() if "body" in read else base64.b64decode(read["body_base64"], validate=True)
    assert written == body
    assert list(read)[:4] == ["url", "final_url", "status", "headers"]
    assert list(read)[5:] == ["fetched_at", "attempts", "session", "proxy", "seconds"]
    assert "set-cookie" not in read["headers"]


def test_a_large_body_is_written_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No single call that no other thread can run beside has more than one of them to write."""
    sizes: list[int] = []
    encode = msgspec.json.encode

    def counted(value: object) -> bytes:
        encoded = encode(value)
        sizes.append(len(encoded))
        return encoded

    monkeypatch.setattr(msgspec.json, "encode", counted)

    line = page_line(page_of(b"\0" * 5_000_000))

    assert len(line) > 30_000_000
    assert max(sizes) <= 6 * records.PIECE + 2
