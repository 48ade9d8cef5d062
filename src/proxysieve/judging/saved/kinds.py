"""Tells what a file is by its beginning if it is no response, so that the message can say it."""

from __future__ import annotations

import re

from proxysieve.errors import ConfigError

PAGE = "save the page as HTML"
CURL = "save the answer with curl -i"
# Enough to tell what a file is.
HEAD_BYTES = 65_536
ANOTHER = "give a file with responses in it"
# As copied out of a browser.
HEADERS = (
    rb"\s*(?::?[\w-]+: [^\n]*\n){0,60}?"
    rb"(?:content-(?:type|length)|server|set-cookie|date|cache-control|cf-ray): [^\n]*"
    rb"(?:\n:?[\w-]+: [^\n]*)+\s*(?:\Z|\n\r?\n)"
)
# How the file begins, what it is, and what to do instead.
KINDS = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), what, do)
    for pattern, what, do in (
        (rb"%PDF-", "a PDF file", PAGE),
        (rb"\x89PNG\r\n\x1a\n", "a picture (PNG)", PAGE),
        (rb"\xff\xd8\xff", "a picture (JPEG)", PAGE),
        (rb"GIF8[79]a", "a picture (GIF)", PAGE),
        (rb"RIFF....WEBP", "a picture (WebP)", PAGE),
        (rb"....ftyp(?:avif|heic|mif1)", "a picture (AVIF or HEIC)", PAGE),
        (rb"....ftyp|\x1aE\xdf\xa3|RIFF....(?:AVI |WAVE)|OggS\x00|ID3[\x02-\x04]|fLaC\x00", "video or audio", PAGE),
        (rb"wOF[F2]|\x00\x01\x00\x00\x00|OTTO\x00", "a font", PAGE),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document", PAGE),
        (rb"\{\\rtf", "an office document (RTF)", PAGE),
        (rb"bplist00", "a web archive of Safari, or another property list", "save the page as its source"),
        (rb"\s*<\?xml.{0,400}<plist.{0,400}WebMainResource", "a web archive of Safari", "save the page as its source"),
        (rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|BZh[1-9]1AY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|.{257}ustar",
         "an archive", "unpack it"),
        (rb"SQLite format 3\x00", "a database (SQLite)", ANOTHER),
        (rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x0a\x0d\x0d\x0a", "a packet capture", CURL),
        (rb"\x7fELF|MZ.\x00|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe|\x00asm", "a program", ANOTHER),
        (rb"(?:  % Total[^\n]*\n[^\n]*\n)?[^\n]{0,120}== Info: |=> Send (?:SSL data|header)",
         "the output of curl --trace", CURL),
        (rb"\s*(?:\xef\xbb\xbf\s*)?StatusCode +: [1-9]\d\d\r?\n", "PowerShell's display of an answer",
         "save all of it with Invoke-WebRequest -OutFile, or with curl.exe -i"),
        (HEADERS,
         "headers without their status line", "put the line with HTTP and the status above them"),
        (rb"\s*<\?xml.{0,4000}<items burpVersion=", "an export of Burp", "save its answers one by one"),
        (rb"[1-9]\d{0,11}:\d{1,2}:[a-z_]{2,30};\d", "a file of mitmproxy", "export a HAR file"),
        (rb"\s*(?:\x1b\[[\d;]*m)+(?:HTTP|GET|HEAD|POST|PUT)\x1b", "an exchange with terminal colours",
         "save it without colours, as with http --pretty=format"),
        (rb'\s*\{\s*"constants"\s*:\s*\{.{0,8000}"(?:logEventTypes|clientInfo|activeFieldTrialGroups)"',
         "a network log of Chrome", "export a HAR file"),
    )
)  # fmt: skip


def refuse_other_kinds(content: bytes) -> None:
    """Refuse a file if its *content* begins as something that is no response.

    Raises:
        ConfigError: What it is, and what to do.
    """
    for begins, what, do in KINDS:
        if begins.match(content, 0, HEAD_BYTES):
            raise ConfigError(f"{what}, and not a response: {do}")
