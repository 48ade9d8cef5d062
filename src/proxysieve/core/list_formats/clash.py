"""Reads the section ``proxies:`` of a Clash configuration into the fields of each proxy.

Only the YAML of such files is read: a sequence of mappings, as blocks or in braces, with names and plain or quoted
values. Deeper levels are skipped. Anchors, merges, tags and texts of several lines are not read. A proxy that needs
them is left out, so nothing unfolds to more than the file has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

SECTION = re.compile(r"""(["']?)proxies\1[ \t]*:(?=\s|$)[ \t]*(.*)""")
ITEM = re.compile(r"([ \t]*)-(?:[ \t]+(.*)|$)")
# Possessive: a parser that can step back needs 250 bytes of memory for each letter of a text that never closes.
QUOTED = r"""(?:"(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+')"""
WORD = r"(?:[^\s,\[\]{}:#]++|:(?![\s,\[\]{}]|$)|(?<=\S)#)++"
TOKEN = re.compile(
    rf"""\s+|(?:(?<=\s)|^)\#[^\n]*|(?P<name>{QUOTED})[ \t]*:|(?P<quoted>{QUOTED})"""
    rf"""|(?P<mark>[{{}}\[\],]|:(?=[\s,\[\]{{}}]|$))|(?P<plain>{WORD}(?:[ \t]++{WORD})*+)""",
    re.DOTALL,
)
NAME = re.compile(rf"({QUOTED})[ \t]*:(?:[ \t]+|$)", re.DOTALL)
COMMENT = re.compile(r"(?:^|[ \t])#.*")
# YAML takes these for numbers in another notation. It is not clear whether the text or the number is meant.
ODD_NUMBER = re.compile(
    r"[-+]?(?:0[0-9_]+|0[xob][0-9a-f_]+|[0-9][0-9_]*\.[0-9_]*|[0-9._]+e[-+]?[0-9]+)|\.(?:inf|nan)", re.IGNORECASE
)
INDICATORS = tuple("&*!|>%@`")
LONGEST_ENTRY = 20_000


class Odd:
    """A value in a notation that is not read."""


ODD = Odd()
Value = str | Odd | None
Fields = dict[str, Value]


def read_clash(lines: Sequence[str]) -> Iterator[Fields | str] | None:
    """The fields of each proxy, or its address if it has nothing else; no fields for one that cannot be read.

    Returns:
        None if *lines* are no such configuration.
    """
    heads = (at for at, line in enumerate(lines) if line[:1] in {"p", '"', "'"} and SECTION.fullmatch(line))
    first = next(heads, -1)
    if first < 0:
        return None
    inline = _bare(SECTION.sub(r"\2", lines[first], count=1))
    section = _section(lines[first + 1 :])
    if inline.startswith("["):
        return _between_braces("\n".join([inline, *section]))
    item = next((line for line in section if line.strip() and not line.lstrip().startswith("#")), "")
    return map(_entry, _items(section)) if not inline and ITEM.match(item) else None


def _entry(item: Sequence[str]) -> Fields | str:
    text = "\n".join(item)
    if len(text) > LONGEST_ENTRY:
        return {}
    if text.lstrip().startswith("{"):
        return next(_between_braces(text), {})
    value = _scalar(_bare(text)) if len(item) == 1 and _pair(text.strip()) is None else None
    return value if isinstance(value, str) else _block(item)


def _section(lines: Sequence[str]) -> list[str]:
    """Those of *lines* that belong to the section above."""
    own: list[str] = []
    for line in lines:
        is_next = line[:1] not in {"", " ", "\t", "#", "-", "}", "]"} or line.startswith(("---", "..."))
        if is_next:
            break
        own.append(line)
    return own


def _items(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines of each item. The first keeps its indentation, without the dash."""
    indent, item = "", list[str]()
    for line in lines:
        found = ITEM.match(line)
        if found and (not item or found[1] == indent):
            if item:
                yield item
            indent = found[1]
            item = [line.replace("-", " ", 1)]
        elif item:
            item.append(line)
    if item:
        yield item


def _block(lines: Sequence[str]) -> Fields:
    fields: Fields = {}
    column, last = -1, ""
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        column = indent if column < 0 else column
        pair = _pair(text) if indent == column else None
        if pair:
            last, value = pair
            # If a name is there twice, it is not clear which value is meant.
            fields[last] = ODD if last in fields else _scalar(_bare(value))
        elif indent > column and last:
            # The value continues in the next line, so the first line is not all of it.
            fields[last] = ODD
        else:
            return {}
    return fields


def _pair(text: str) -> tuple[str, str] | None:
    """A name and its value, as texts."""
    quoted = NAME.match(text)
    if quoted:
        return str(_scalar(quoted[1])), text[quoted.end() :]
    name, colon, value = text.partition(": ")
    if not colon and text.endswith(":"):
        name, colon = text[:-1], ":"
    return (name.rstrip(), value) if colon and not name.startswith((*INDICATORS, "#", "{", "[", "<<")) else None


def _bare(value: str) -> str:
    """*value* without a comment after it."""
    value = value.strip()
    if value[:1] in {'"', "'"}:
        found = TOKEN.match(value)
        behind = value[found.end() :] if found and found["quoted"] else "?"
        return found["quoted"] if found and COMMENT.fullmatch(behind or " #") else value
    return COMMENT.sub("", value, count=1).rstrip()


def _scalar(text: str) -> Value:
    if text.startswith('"'):
        try:
            return msgspec.json.decode(text, type=str)
        except msgspec.DecodeError:
            return ODD
    if text.startswith("'"):
        return text[1:-1].replace("''", "'") if len(text) > 1 and text.endswith("'") else ODD
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    return ODD if text.startswith((*INDICATORS, "{", "[")) or ODD_NUMBER.fullmatch(text) else text


def _between_braces(text: str) -> Iterator[Fields]:
    """The fields of a mapping, or of each mapping in a sequence."""
    base = 1 if text.lstrip().startswith("[") else 0
    depth, fields = 0, Fields()
    name: Value = None
    value: Value = None
    for token in TOKEN.finditer(text):
        mark = token["mark"] or ""
        if mark in {"{", "["}:
            fields, name, value = (Fields(), None, None) if mark == "{" and depth == base else (fields, name, ODD)
            depth += 1
        elif mark in {"}", "]"}:
            depth -= 1
            if depth == base and mark == "}":
                _put(fields, name, value)
                yield fields
            if depth <= 0:
                return
        elif depth == base + 1 and token.lastgroup:
            if token["name"]:
                name, value = _scalar(token["name"]), None
            elif mark == ",":
                _put(fields, name, value)
                name = value = None
            elif mark == ":":
                name, value = value, None
            else:
                value = _scalar(token[0]) if value is None else ODD


def _put(fields: Fields, name: Value, value: Value) -> None:
    if isinstance(name, str):
        fields[name] = ODD if name in fields else value
