"""What the built-in client must have of the library that it sends by, tried with curl_cffi and wreq.

curl_cffi is tried twice: by its handles (`Curl`, `AsyncCurl`), and by its sessions. One row a demand, one column a way
to send; what the cells mean is said at each demand below. All is tried on real sockets of loopback, against a proxy
that is all sites at once and misbehaves as told, and against the testbed where HTTP/2 and fingerprints matter.

Each way runs in a process of its own. Which systems there are wheels for is asked of the index, by
``pip install --dry-run --no-deps --only-binary=:all: --platform NAME --target DIRECTORY PACKAGE==VERSION``.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from client_choice_clients import CLIENTS
from client_choice_servers import Trust
from client_choice_trials import Trials
from clients import package_facts
from measure import Bench, Cell

LONGEST_TRIAL_SECONDS = 60.0
DEMANDS: tuple[tuple[str, Callable[[Trials], Awaitable[str]]], ...] = (
    ("kinds of proxies; socks5h resolves there", Trials.schemes),
    ("odd logins arrive", Trials.logins),
    ("a refused CONNECT is told", Trials.refusals),
    ("time-outs told by stage", Trials.time_outs),
    ("lost connections told by stage", Trials.ends),
    ("CONNECT: 200 and a login page", Trials.login_page),
    ("CONNECT: an endless line", Trials.endless_connect),
    ("cancelled: connection closed", Trials.cancellation),
    ("cancelled 300 times: growth", Trials.leaks),
    ("1 GB ends at 1 MB; most sent, growth", Trials.limit),
    ("session ended: sockets closed", Trials.closing),
    ("connections: kept, not shared", Trials.sharing),
    ("redirects and cookies left to us", Trials.nothing_of_its_own),
    ("URL bytes", Trials.url_bytes),
    ("Chrome's order with cookies", Trials.header_order),
    ("agrees with Chrome 150 at HTTP/2", Trials.http_2),
    ("TLS resumed", Trials.resumption),
)


async def _try_all(client: str) -> dict[str, str]:
    cells = {}
    with tempfile.TemporaryDirectory() as directory:
        trials = Trials(CLIENTS[client], Trust(Path(directory)))
        for name, trial in DEMANDS:
            try:
                cells[name] = await asyncio.wait_for(trial(trials), LONGEST_TRIAL_SECONDS)
            except TimeoutError:
                cells[name] = "hangs"
            except Exception as error:  # noqa: BLE001 - what a client does wrong is a cell, and no end
                cells[name] = f"no ({type(error).__name__}: {error})"[:120]
    return cells


def try_all(client: str) -> dict[str, str]:
    """What each demand comes to with *client*."""
    # asyncio's servers complain of connections that a client ends.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return asyncio.run(_try_all(client))


def main() -> None:
    """Try all."""
    bench = Bench("client_choice", __doc__)
    bench.start()
    cells = {}
    for client, visitor in CLIENTS.items():
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            cells[client] = package_facts(visitor.package) | process.submit(try_all, client).result()
        bench.emit(client=client, **cells[client])
    rows: list[dict[str, Cell]] = [
        {"demand": name, **{client: cells[client][name] for client in cells}} for name in cells["wreq"]
    ]
    bench.table("what the built-in client must have of a library", rows)


if __name__ == "__main__":
    main()
