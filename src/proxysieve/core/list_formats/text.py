"""Turns the bytes of a list into text if their encoding is unmistakable; otherwise says in words what they are.

Lists of URLs and of proxies and files of cookies are read alike. Accepted are UTF-8, with a byte order mark or without;
UTF-16 and UTF-32 with one; XML that declares one of a few other encodings; and all of these packed by gzip. Nothing
else is guessed: a wrong guess would change the address in a line.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE

from proxysieve.errors import ConfigError

# UTF-32's byte order mark begins with that of UTF-16, so it comes first.
MARKS = {
    BOM_UTF32_LE: "utf-32",
    BOM_UTF32_BE: "utf-32",
    BOM_UTF16_LE: "utf-16",
    BOM_UTF16_BE: "utf-16",
    BOM_UTF8: "utf-8-sig",
}
DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,100}?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
DECLARABLE = frozenset({"iso-8859-1", "iso-8859-15", "us-ascii", "windows-1251", "windows-1252"})

GZIP_MARK = b"\x1f\x8b"
# Text rarely packs better. A gzip bomb grows a thousandfold.
MOST_UNPACKED_BYTES, MOST_UNPACKED_RATIO = 50_000_000, 100
PIECE_BYTES = 1_000_000
UNPACK = "unpack it, and give its content"

HEAD_BYTES = 4_096
# How the file begins, what it is, and what to do.
BINARY = {
    b"%PDF-": ("a PDF", "save its lines as plain text"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an Office document", "save it as CSV or plain text"),
    b"{\\rtf": ("an RTF document", "save it as plain text"),
    b"SQLite format 3\0": ("an SQLite database", "export its content as text or JSON"),
    b"\x89PNG": ("an image", "give a text"),
    b"\xff\xd8\xff": ("an image", "give a text"),
    b"GIF8": ("an image", "give a text"),
    b"RIFF": ("an image or a recording", "give a text"),
    b"BZh": ("packed by bzip2", UNPACK),
    b"\xfd7zXZ\0": ("packed by xz", UNPACK),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", UNPACK),
    GZIP_MARK: ("packed by gzip twice", UNPACK),
    b"cook\0": ("a file of Safari", "export its content as text or JSON"),
    b"bplist": ("a property list", "export its content as text or JSON"),
}
ZIP_MARK = b"PK\x03\x04"
OFFICE = {b"xl/": ("an Excel file", "save it as CSV"), b"word/": ("a Word document", "save it as plain text")}
OFFICE |= {
    b"opendocument.spreadsheet": ("a LibreOffice spreadsheet", "save it as CSV"),
    b"opendocument.text": ("a LibreOffice document", "save it as plain text"),
}
CONTROLS = bytes(set(range(32)) - set(b"\b\t\n\v\f\r\x1a\x1b"))
HTML = re.compile(
    r"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+(?:html|netscape-bookmark-file-1)|html|head|body|script|meta|title|div"
    r"|table|p|a|b|br|ul|ol|li|span|pre)(?=[\s>/])",
    re.IGNORECASE | re.DOTALL,
)
XML = re.compile(r"\s*<(?:\?xml|!--|![Dd][Oo][Cc][Tt][Yy][Pp][Ee]\s|[A-Za-z_][\w.-]*(?::[\w.-]+)?[\s/>])")
JSON = re.compile(r"\s*(?:\[\s*(?:[\[{\"\]]|null|true|false|-?\d+\s*[,\]])|\{\s*[\"}])")
SUBSCRIPTION = re.compile(r"\s*(?:[A-Za-z0-9+/_-]{20,}={0,2}\s*)+")

# Invisible letters that Unicode does not count among control and format characters.
BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})


def text_of(content: bytes) -> str:
    """*content* as text, unpacked and without a byte order mark.

    Raises:
        ConfigError: It is something else; the message says what, and what to do.
    """
    plain = _unpacked(content) if content.startswith(GZIP_MARK) else content
    encoding = next((MARKS[mark] for mark in MARKS if plain.startswith(mark)), "")
    if not encoding:
        _refuse_binary(plain)
        encoding = _declared(plain) or "utf-8"
    try:
        return plain.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        name = encoding.removesuffix("-sig").upper()
        raise ConfigError(
            "not UTF-8 text: save it as UTF-8" if name == "UTF-8" else f"not {name} text, though it begins as such"
        ) from None


def lines_of(text: str) -> list[str]:
    """The lines of *text* as editors count them: only line feeds and carriage returns end one.

    The last line needs no line break.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def kind_of(text: str) -> str:
    """What *text* is if it is no list of lines, such as ``JSON`` or ``an HTML page``; empty if it may be one."""
    if HTML.match(text):
        return "an HTML page"
    if XML.match(text):
        return "XML"
    return "JSON" if JSON.match(text) else ""


def unseen(text: str) -> str:
    """The code point of the first invisible letter of *text*; empty if there is none. A blank counts as visible."""
    if text.isascii() and text.isprintable():
        return "U+0020" if " " in text else ""
    return next((f"U+{ord(letter):04X}" for letter in text if _is_unseen(letter)), "")


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter) in UNSEEN or letter in BLANK_LETTERS


def _unpacked(content: bytes) -> bytes:
    limit = max(MOST_UNPACKED_BYTES, MOST_UNPACKED_RATIO * len(content))
    plain, at = bytearray(), 0
    try:
        # Several packed files in a row are one. Zeros after them come from a tape.
        while content.startswith(GZIP_MARK, at):
            at = _unpack_one(content, at, plain, limit)
    except zlib.error:
        raise ConfigError("its compression is damaged: give a whole one") from None
    if content[at:].strip(b"\0"):
        raise ConfigError("something that is not packed follows the packed data: remove it")
    return bytes(plain)


def _unpack_one(content: bytes, start: int, plain: bytearray, limit: int) -> int:
    """Append what is packed at *start* to *plain*; returns where it ends."""
    unpack, at = zlib.decompressobj(zlib.MAX_WBITS | 16), start
    while not unpack.eof:
        packed = unpack.unconsumed_tail
        if not packed:
            # A file may have a million small parts, and unpacking copies the rest of each piece.
            packed = content[at : at + min(PIECE_BYTES, max(1_000, at - start))]
            at += len(packed)
        piece = unpack.decompress(packed, PIECE_BYTES)
        if not packed and not piece:
            raise ConfigError("its compression breaks off: give a whole one")
        plain += piece
        if len(plain) > limit:
            raise ConfigError(f"it unpacks to more than {limit // 1_000_000:,} MB: {UNPACK}")
    return at - len(unpack.unused_data)


def _declared(content: bytes) -> str:
    found = DECLARED.match(content[:HEAD_BYTES])
    name = found[1].decode().lower() if found else ""
    return name if name in DECLARABLE else ""


def _refuse_binary(content: bytes) -> None:
    head = content[:HEAD_BYTES]
    kind = next((BINARY[mark] for mark in BINARY if head.startswith(mark)), None)
    if head.startswith(ZIP_MARK):
        ends = head + content[-HEAD_BYTES:]
        kind = next((OFFICE[name] for name in OFFICE if name in ends), ("a ZIP archive", UNPACK))
    if kind is None and b"\0" in head:
        is_wide = len(head) > 1 and (head[1::2].count(0) > len(head) // 3 or head[0::2].count(0) > len(head) // 3)
        kind = (
            ("text in UTF-16 without a byte order mark", "save it as UTF-8")
            if is_wide
            else ("binary data and no text", "give a text")
        )
    if kind is None and len(head) - len(head.translate(None, CONTROLS)) > len(head) // 20:
        kind = ("binary data and no text", "give a text")
    if kind:
        raise ConfigError(f"it is {kind[0]}: {kind[1]}")
