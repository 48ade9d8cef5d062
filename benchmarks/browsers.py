"""What a real browser shows to a site, beside each of our identities.

The browser is this machine's Chromium, headless and with a fresh profile, which opens one page of a testbed that speaks
TLS and HTTP/2. Each identity asks for the same page through a proxy, twice: the second time over a new connection, as
the site has reset the first one. `=` stands for what the line above shows.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
from html import unescape

import msgspec
from curl_cffi.requests.exceptions import RequestException

from measure import Bench, Cell
from proxysieve.clients.curl import CurlClient
from proxysieve.clients.protocol import Request
from proxysieve.core.fingerprints.available import FINGERPRINTS
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.fingerprints.user_agents import platform_of
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.records import SessionRecord
from proxysieve.core.verdicts.failures import SendFailed
from proxysieve.sessions.clients import Clients
from proxysieve.sessions.session import Session
from proxysieve.testbed import SeenFingerprint, TestbedProcess, World

WORLD = World(proxies=1, networks=1, https=True)
LONGEST_SECONDS = 60.0
PAGE = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A browser, or what looks like one."""

    name: str
    first: SeenFingerprint
    later: SeenFingerprint | None = None


def open_in_chromium(bed: TestbedProcess) -> Side | None:
    """What the site sees of this machine's Chromium, if there is one."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as profile:
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--dump-dom")
        page = subprocess.run(
            [program, *options, f"--user-data-dir={profile}", f"{bed.site_url}/fingerprint"],
            capture_output=True,
            check=True,
            text=True,
            timeout=LONGEST_SECONDS,
        ).stdout
    found = PAGE.search(page)
    if found is None:
        raise RuntimeError(f"chromium did not show the page: {page[:200]!r}")
    first = msgspec.json.decode(unescape(found[1]), type=SeenFingerprint)
    version = re.search(r"Chrome/(\d+)", first.user_agent)
    return Side(name=f"Chromium {version[1] if version else '?'}", first=first)


async def look_like(fingerprint: Fingerprint, bed: TestbedProcess) -> Side:
    """What the site sees of *fingerprint*."""
    client, clients, proxy = CurlClient(ca_path=str(bed.ca_path)), Clients(1), parse_proxy(bed.proxy_lines[0])
    record = SessionRecord(name="visitor", proxy_key=proxy.key, exit_name="", fingerprint=fingerprint, opened_at=0)
    session = Session(record, "localhost", proxy, clients)

    async def shown() -> SeenFingerprint:
        response = await client.send(Request(url=f"{bed.site_url}/fingerprint"), session)
        return msgspec.json.decode(response.body, type=SeenFingerprint)

    try:
        first = await shown()
        try:
            await client.send(Request(url=f"{bed.site_url}/reset"), session)
        except (RequestException, SendFailed):
            later = await shown()
        else:
            raise RuntimeError("the site did not reset the connection")
        return Side(name=f"{fingerprint.impersonate} {platform_of(fingerprint.user_agent)}", first=first, later=later)
    finally:
        await clients.close()


def row(side: Side, above: Side | None) -> dict[str, Cell]:
    """A side in the table."""
    shown = columns(side)
    known = columns(above) if above else {}
    return {name: "=" if text == known.get(name) and name != "side" else text for name, text in shown.items()}


def columns(side: Side) -> dict[str, str]:
    """What a site compares, in short."""
    later = side.later
    return {
        "side": side.name,
        "JA4": side.first.ja4,
        "resumed": later.ja4.partition("_")[2] if later and later.is_resumed else "never" if later else "",
        "HTTP/2": side.first.http2,
    }


def main() -> None:
    """Compare."""
    bench = Bench("browsers", __doc__)
    bench.start()
    with TestbedProcess(WORLD) as bed:
        real = open_in_chromium(bed)
        sides = [asyncio.run(look_like(fingerprint, bed)) for fingerprint in FINGERPRINTS]
    if real:
        sides.insert(0, real)
    for side in sides:
        bench.emit(**msgspec.to_builtins(side))
    rows = [row(side, above) for side, above in zip(sides, [None, *sides], strict=False)]
    bench.table("what a site sees of a browser's first and of a resumed connection", rows)
    for side in sides:
        if real and "Chrome/" in side.first.user_agent and side is not real:
            agrees = (side.first.http2, side.first.http2_priority, side.first.header_names) == (
                real.first.http2,
                real.first.http2_priority,
                real.first.header_names,
            )
            print_difference(bench, side, real, agrees=agrees)


def print_difference(bench: Bench, side: Side, real: Side, *, agrees: bool) -> None:
    """Say what of *side* is not as in the *real* browser."""
    ours, theirs = (set(one.first.ja4_raw.replace("_", ",").split(",")[1:]) for one in (side, real))
    missing, extra = sorted(theirs - ours), sorted(ours - theirs)
    same = "has the same HTTP/2 opening, priority and order of headers" if agrees else "differs beyond TLS"
    tls = f"lacks {', '.join(missing)} in TLS" if missing else "has the same TLS"
    bench.note(f"{side.name} {same} as {real.name}, and {tls}{f', and adds {extra}' if extra else ''}")


if __name__ == "__main__":
    main()
