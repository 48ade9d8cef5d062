"""File names for pages: safe on every file system, and another one for every URL.

All end in a digest, also where they need none. Names that are made unique only where two meet depend on what came
first, and would have to be remembered.
"""

from __future__ import annotations

import base64
import re
from hashlib import blake2b

# With the other parts it is below the 143 bytes that encrypted directories allow.
READABLE_LENGTH = 80
DIGEST_BYTES = 10
# The scheme, a login and the fragment.
AROUND = re.compile(r"\A[^:/?#]*://(?:[^/\\?#]*@)?|#.*", re.DOTALL)
ODD = re.compile(r"[^A-Za-z0-9.-]+")
DOTS = re.compile(r"\.{2,}")

# Not from the system's table, so that a page has the same name on every machine.
ENDINGS = {
    "application/gzip": ".gz",
    "application/javascript": ".js",
    "application/json": ".json",
    "application/ld+json": ".json",
    "application/msword": ".doc",
    "application/pdf": ".pdf",
    "application/rss+xml": ".xml",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/x-ndjson": ".jsonl",
    "application/xhtml+xml": ".html",
    "application/xml": ".xml",
    "application/zip": ".zip",
    "audio/mpeg": ".mp3",
    "image/avif": ".avif",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/webp": ".webp",
    "text/css": ".css",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/javascript": ".js",
    "text/markdown": ".md",
    "text/xml": ".xml",
    "video/mp4": ".mp4",
}
# For other types, by the beginnings or ends of their names.
BY_SUFFIX = {"+json": ".json", "+xml": ".xml"}
TEXT, ANYTHING = ".txt", ".bin"


def file_name(url: str, content_type: str) -> str:
    """The file name for the page of *url*: a readable part, a digest of the whole URL, an ending.

    The digest makes the names different, also where upper and lower case count as equal. The readable part leaves out
    a login.
    """
    readable = DOTS.sub(".", ODD.sub("_", AROUND.sub("", url)))[:READABLE_LENGTH].strip("._-")
    digest = blake2b(url.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()
    return f"{readable or 'page'}-{base64.b32encode(digest).decode().lower()}{ending(content_type)}"


def ending(content_type: str) -> str:
    """The ending for a file of this type."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ENDINGS:
        return ENDINGS[kind]
    known = next((end for suffix, end in BY_SUFFIX.items() if kind.endswith(suffix)), "")
    return known or (TEXT if kind.startswith("text/") else ANYTHING)
