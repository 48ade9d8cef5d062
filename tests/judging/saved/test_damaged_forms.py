"""Files that were cut, pasted together or edited: nothing is called good of which the page was not seen.

Each form holds one answer with status 200 whose page is a block. Whatever becomes of its lines, its fields or its end,
the block is found, or it is told that not all was read, or that the file is none; what holds no page at all any more is
never a good one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.judging.saved.forms import (
    CHALLENGE,
    URL,
    answered,
    asked,
    curl_v,
    entry,
    har,
    httpie,
    mhtml,
    page,
    raw,
    warc,
    wget_s,
)

from proxysieve.cli.judge import judged
from proxysieve.core.verdicts.judge import Judge
from proxysieve.errors import ConfigError
from proxysieve.judging.saved import reader
from proxysieve.judging.saved.reader import read_saved
from proxysieve.judging.sign_tables import make_judge

# The mark stands in its first half, so that what is cut behind it is no more than a half.
BLOCK = CHALLENGE + b"\n" + CHALLENGE + b"\n" + b"<p>more</p>\n" * 30
LENGTH = f"Content-Length: {len(BLOCK)}"
HEADERS = ("Content-Type: text/html", LENGTH, "Server: shop")
LINES: dict[str, Callable[[bytes], bytes]] = {
    "a.http": lambda body: raw(200, body, *HEADERS),
    "a.curl": lambda body: curl_v(asked(), answered(200, *HEADERS), body=body, is_drawn=False),
    "b.curl": lambda body: curl_v(
        asked("CONNECT"), answered(200), asked(), answered(302, "A: b"), asked(), answered(200, *HEADERS), body=body
    ),
    "a.wget": lambda body: wget_s((200, LENGTH), body=body),
    "a.httpie": lambda body: httpie(raw(200, body, *HEADERS)),
    "a.mhtml": mhtml,
    "a.warc": lambda body: warc((URL, raw(200, body, *HEADERS)), is_packed=False),
}  # fmt: skip
FIELDS: dict[str, Callable[[bytes], bytes]] = {
    "a.har": lambda body: har(entry(200, body)),
    "a.jsonl": lambda body: page(200, body),
}
FORMS = LINES | FIELDS
anew = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@cache
def judge() -> Judge:
    return make_judge()


def verdicts(name: str, content: bytes) -> list[str]:
    """What is made of each answer in a file; nothing where it is refused in one sentence."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        found = []
        with suppress(ConfigError):
            for one in read_saved(str(path)):
                told = judged(one, judge().see(one.exchange))
                assert told.verdict != "unread" or told.note
                found.append(told.verdict)
        return found


def is_known(content: bytes) -> bool:
    """Whether it still begins as a form, and not as some text."""
    return any(one.begins(content[:65_536]) for one in (reader.WARC, *reader.TEXTS))


@anew
@given(name=st.sampled_from(sorted(FORMS)), share=st.floats(0, 1))
def test_a_file_that_is_cut(name: str, share: float) -> None:
    """Wherever, as long as it can be told what it was."""
    whole = FORMS[name](BLOCK)
    content = whole[: int(share * len(whole))]
    assume(is_known(content) or name == "a.jsonl")

    assert "ok" not in verdicts(name, content)


@st.composite
def other_lines(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> tuple[str, bytes]:
    """A file with lines of its own dropped, doubled, swapped, or cut; those of its page stay as they are."""
    body = draw(bodies)
    name = draw(st.sampled_from(sorted(name for name in LINES if body or name != "a.mhtml")))
    lines = LINES[name](body).splitlines(keepends=True)
    own = [place for place, line in enumerate(lines) if not body or line.strip() not in body]
    # Where two of its lines are gone, nobody can tell a page from a frame, or half a header from a short text.
    for _ in range(draw(st.integers(0, 3 if body and name != "a.mhtml" else 1))):
        place = draw(st.integers(1, len(own) - 1))
        at, other = own[place], own[place - 1]
        match draw(st.sampled_from(["drop", "double", "swap", "cut"])):
            case "drop":
                lines[at] = b""
            case "double":
                lines[at] *= 2
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))] + b"\n"
    return name, b"".join(lines)


@anew
@given(other_lines(st.just(BLOCK)))
def test_a_file_whose_own_lines_are_changed(file: tuple[str, bytes]) -> None:
    """Its page is still in it, and is no good one."""
    name, content = file
    assume(is_known(content))

    assert "ok" not in verdicts(name, content)


@anew
@given(other_lines(st.just(b"")))
def test_a_file_without_its_page(file: tuple[str, bytes]) -> None:
    """However its other lines stand, none of them is taken for the page."""
    name, content = file
    assume(is_known(content))

    assert "ok" not in verdicts(name, content)


VALUES = st.sampled_from(
    ["null", '""', '"x"', "-1", "0", "1e300", "9" * 30, "true", "[]", "{}", "[null]", '{"a": 1}', '"200"', '"base64"']
).map(json.loads)


def places(value: object) -> list[tuple[Any, Any]]:
    """All fields in *value*, each with what it is in."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            found += [(value, key), *places(inner)]
    return found


@anew
@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_a_file_whose_fields_are_changed(name: str, data: st.DataObject) -> None:
    """Dropped, or of another value or type: a page that is not there any more was not seen."""
    value = json.loads(FIELDS[name](BLOCK))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(value) or [({"": 0}, "")]))
        if key in {"text", "body"}:
            holder.pop(key)
        elif data.draw(st.booleans()):
            holder[key] = data.draw(VALUES)
        else:
            del holder[key]

    assert "ok" not in verdicts(name, json.dumps(value).encode() + b"\n")


@anew
@given(st.sampled_from(sorted(FORMS)), st.sampled_from(sorted(FORMS)), st.floats(0, 1), st.floats(0, 1))
def test_two_files_that_were_pasted_together(one: str, other: str, end: float, start: float) -> None:
    """Nothing but verdicts and refusals comes of it."""
    first, second = FORMS[one](BLOCK), FORMS[other](BLOCK)

    verdicts(one, first[: int(end * len(first))] + second[int(start * len(second)) :])
