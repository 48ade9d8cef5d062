"""Pages that made the judge distrust a sign, kept for a person to read."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from proxysieve.core.model import Exchange, Verdict
from proxysieve.core.verdicts.redact_logins import without_login

log = logging.getLogger("proxysieve")

# Enough to see what the page is.
KEPT_BYTES, KEPT_HEADERS = 131_072, 500
# A longer line is left out: nobody could recognise a token that was cut in two.
LONGEST_LINE = 2_048
MOST_SAMPLES = 100
LEFT_OUT = "[left out]"
# Headers that tell nothing about the user. Of the others only the names are kept.
PLAIN_HEADERS = frozenset(
    {
        "server", "content-type", "content-length", "content-encoding", "cache-control", "retry-after", "via", "date",
        "vary", "age", "x-cache", "x-powered-by", "cf-mitigated", "x-amzn-waf-action", "x-vercel-mitigated",
    }
)  # fmt: skip
# Private data: addresses of people and machines, and what looks like a token (it has a digit).
ADDRESSES = re.compile(
    rb"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,63}"
    rb"|\b\d{1,3}(?:\.\d{1,3}){3}\b"
    rb"|\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b"
    rb"|\b(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}\b",
    re.IGNORECASE,
)
TOKENS = re.compile(rb"[A-Za-z0-9_-]{24,}")


class Samples:
    """A directory of pages, one for each site and sign.

    Args:
        directory: Made when it is needed; only its user can read it. None keeps nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._kept: set[Path] = set()

    def keep(self, site: str, exchange: Exchange, verdict: Verdict, login: tuple[str, str] = ("", "")) -> Path | None:
        """Keep the page of *exchange* without its secrets. Returns its path, or None if it is not kept.

        *login* is the login at the proxy of the exchange.
        """
        if self._directory is None:
            return None
        path = self._directory / f"{_plain(site)}-{_plain(verdict.sign or verdict.outcome)}.txt"
        if path in self._kept:
            return path
        if len(self._kept) >= MOST_SAMPLES:
            return None
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The sample of an earlier run is out of date.
            path.unlink(missing_ok=True)
            path.touch(mode=0o600, exist_ok=False)
            path.write_bytes(redacted(exchange, login))
        except OSError as error:
            log.warning("%s: the sample of a page cannot be kept: %s", site, error.strerror)
            return None
        self._kept.add(path)
        return path


def redacted(exchange: Exchange, login: tuple[str, str] = ("", "")) -> bytes:
    """The answer of *exchange* as text: address, status, headers, body; without private data and the *login*."""
    shown = [
        f"{name}: {value if name in PLAIN_HEADERS else LEFT_OUT}" for name, value in exchange.headers[:KEPT_HEADERS]
    ]
    address = _without_query(exchange.final_url or exchange.url)
    lines = [line if len(line) <= LONGEST_LINE else LEFT_OUT for line in (address, f"status {exchange.status}", *shown)]
    head = "\n".join([*lines, "", ""])
    # As UTF-8: the patterns find nothing in UTF-16.
    body = exchange.content.searched[:KEPT_BYTES]
    return _without_secrets(head.encode("utf-8", "replace"), login) + _without_secrets(body, login)


def _without_secrets(body: bytes, login: tuple[str, str]) -> bytes:
    body = without_login(body, login)
    body = ADDRESSES.sub(LEFT_OUT.encode(), body)
    return TOKENS.sub(lambda found: LEFT_OUT.encode() if re.search(rb"\d", found[0]) else found[0], body)


def _without_query(url: str) -> str:
    if len(url) > LONGEST_LINE:
        return LEFT_OUT
    try:
        parts = urlsplit(url)
    except ValueError:
        return LEFT_OUT
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{LEFT_OUT}" if parts.query else "")


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in name)[:80].lstrip(".")


def samples_of(directory: Path | None, site: str, others: Iterable[str]) -> list[Path]:
    """The pages of *site* in *directory*. *others* are sites whose names may begin alike; their pages are left out."""
    if directory is None or not directory.is_dir():
        return []
    beginnings = tuple(f"{_plain(other)}-" for other in others if _plain(other).startswith(f"{_plain(site)}-"))
    paths = sorted(directory.glob("*.txt"))
    return [
        path
        for path in paths
        if path.name.startswith(f"{_plain(site)}-") and not (beginnings and path.name.startswith(beginnings))
    ]
