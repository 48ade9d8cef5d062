"""What each client raises for each fault of a proxy or a site, on real sockets, and what it is taken for."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.core.verdicts import senders
from tests.core.verdicts.faults import FAULTS

from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures import failed_exchange, failure_of

WORDS = {
    "unreachable": Failure.PROXY_UNREACHABLE,
    "refused": Failure.PROXY_REFUSED,
    "late": Failure.TIMEOUT,
    "lost": Failure.RESET,
    "tls": Failure.TLS,
    "untrusted": Failure.CERTIFICATE,
    "garbled": Failure.GARBLED,
    "circles": Failure.REDIRECTS,
    "misled": Failure.MISLED,
    "unsendable": Failure.UNSENDABLE,
}
# A line a fault, a column a client; where it raises nothing, there is a dash. Where a client's error does not tell who
# failed, as a connection that was lost during CONNECT, the word is the vague one. While httpx speaks SOCKS it has no
# time limit, so the proxy that says nothing ends it; it has no name for that, as httpx2 has.
TABLE = """
                 httpx       httpx_async httpx2      requests    aiohttp     curl        wreq        impit
nobody           unreachable unreachable unreachable unreachable unreachable unreachable unreachable unreachable
nobody-plain     unreachable unreachable unreachable unreachable unreachable unreachable unreachable unreachable
nobody-socks     unreachable unreachable unreachable unreachable unreachable unreachable unreachable unreachable
unresolved       unreachable unreachable unreachable unreachable unreachable unreachable unreachable unreachable
unresolved-plain unreachable unreachable unreachable unreachable unreachable unreachable unreachable unreachable
unresolved-socks unreachable unreachable unreachable unreachable unreachable unreachable unreachable unreachable
full             unreachable unreachable unreachable unreachable late        unreachable late        late
mute             late        late        late        late        late        unreachable late        late
mute-plain       late        late        late        late        late        late        late        late
mute-socks       lost        lost        late        unreachable late        unreachable late        late
closed           lost        lost        lost        refused     refused     refused     refused     refused
closed-plain     lost        lost        lost        lost        lost        lost        lost        lost
closed-socks     refused     refused     refused     refused     lost        refused     refused     refused
reset            lost        lost        lost        refused     refused     lost        refused     lost
reset-plain      lost        lost        lost        lost        lost        lost        lost        lost
reset-socks      lost        lost        lost        refused     lost        refused     refused     refused
connect-403      refused     refused     refused     refused     refused     refused     refused     refused
connect-407      refused     refused     refused     refused     refused     refused     refused     refused
connect-429      refused     refused     refused     refused     refused     refused     refused     refused
connect-502      refused     refused     refused     refused     refused     refused     refused     refused
connect-503      refused     refused     refused     refused     refused     refused     refused     refused
connect-garbage  garbled     garbled     garbled     refused     refused     garbled     refused     refused
connect-ssh      garbled     garbled     garbled     refused     refused     refused     refused     refused
connect-endless  garbled     garbled     garbled     tls         refused     garbled     refused     refused
connect-closed   lost        lost        lost        refused     refused     refused     refused     refused
connect-reset    lost        lost        lost        refused     refused     lost        refused     lost
socks-login      refused     refused     refused     refused     refused     refused     refused     refused
socks-method     refused     refused     refused     refused     refused     refused     refused     refused
socks-ruleset    refused     refused     refused     refused     refused     refused     refused     refused
socks-host       refused     refused     refused     refused     refused     refused     refused     refused
socks-code-255   refused     refused     refused     refused     refused     refused     refused     refused
socks-garbage    refused     refused     refused     refused     refused     refused     refused     refused
socks-http       refused     refused     refused     refused     refused     refused     refused     refused
socks-midway     refused     refused     refused     refused     lost        refused     refused     refused
socks-cut        refused     refused     refused     refused     lost        refused     refused     refused
socks-mute       lost        lost        late        unreachable late        unreachable late        late
socks-4          refused     refused     refused     refused     refused     refused     refused     refused
socks-tls-reset  lost        lost        lost        lost        late        tls         lost        lost
tls-mute         unreachable unreachable unreachable late        late        unreachable late        late
tls-garbage      tls         tls         tls         tls         tls         tls         tls         tls
tls-reset        lost        lost        lost        lost        lost        tls         lost        lost
untrusted        untrusted   untrusted   untrusted   untrusted   untrusted   untrusted   untrusted   untrusted
silent           late        late        late        late        late        late        late        late
silent-tls       late        late        late        late        late        late        late        late
unanswered       lost        lost        lost        lost        lost        lost        lost        lost
unanswered-tls   lost        lost        lost        lost        lost        lost        lost        lost
gone             lost        lost        lost        lost        lost        lost        lost        lost
cut              lost        lost        lost        lost        lost        lost        lost        lost
garbled          garbled     garbled     garbled     garbled     garbled     garbled     garbled     garbled
chunks           garbled     garbled     garbled     garbled     garbled     garbled     garbled     lost
chunks-cut       lost        lost        lost        lost        lost        lost        lost        lost
gzip             garbled     garbled     garbled     garbled     garbled     garbled     garbled     lost
headers-endless  garbled     garbled     garbled     garbled     garbled     garbled     garbled     garbled
circle           circles     circles     circles     circles     circles     circles     circles     circles
misled           unsendable  unsendable  unsendable  misled      misled      circles     unsendable  unsendable
misled-script    misled      misled      misled      misled      misled      misled      -           unsendable
misled-garbage   misled      misled      misled      misled      misled      misled      -           -
no-url           unsendable  unsendable  unsendable  unsendable  unsendable  unsendable  unsendable  unsendable
bad-url          unsendable  unsendable  unsendable  unsendable  unsendable  unsendable  unsendable  unsendable
no-web           unsendable  unsendable  unsendable  unsendable  unsendable  unreachable unsendable  unsendable
"""


HEADER, *LINES = (line.split() for line in TABLE.strip("\n").splitlines())
SHORT = {failure: word for word, failure in WORDS.items()}


def raised(fault: str, client: str) -> Exception | None:
    """What *client* raises where *fault* is met."""
    met = FAULTS[fault]
    with met.proxy() as at:
        place = at if isinstance(at, str) else f"127.0.0.1:{at}"
        try:
            getattr(senders, f"by_{client}")(f"{met.scheme}://{met.login}{place}", met.url, verify=met.verify)
        except Exception as error:  # noqa: BLE001 - which one is what is tried
            return error
    return None


def told(fault: str, client: str) -> str:
    error = raised(fault, client)
    failure = None if error is None else failure_of(error)
    return SHORT[failure] if failure else "-" if error is None else repr(error)


# Clients leave sockets open where SOCKS fails, and requests warns of what it was asked to do.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told(fault: str) -> None:
    """Whoever's class an error is that comes out of a client, it is a failure, and the right one."""
    expected = {name: dict(zip(HEADER, words, strict=True)) for name, *words in LINES}

    with ThreadPoolExecutor(len(HEADER)) as threads:
        row = dict(zip(HEADER, threads.map(lambda client: told(fault, client), HEADER), strict=True))

    gc.collect()
    assert row == expected[fault]


@pytest.mark.parametrize("how", ["timeout", "wait_for", "builtin"])
async def test_a_time_limit_of_the_callers_own_is_one(how: str) -> None:
    """Around a request it says what the client's own says; nobody asks whose it is."""
    with pytest.raises(TimeoutError) as caught:  # noqa: PT012 - three ways to the same
        if how == "timeout":
            async with asyncio.timeout(0):
                await asyncio.sleep(60)
        elif how == "wait_for":
            await asyncio.wait_for(asyncio.sleep(60), 0)
        else:
            raise TimeoutError

    exchange = failed_exchange("http://site.example/", caught.value)
    assert exchange is not None
    assert exchange.failure is Failure.TIMEOUT


@pytest.mark.parametrize("error", [asyncio.CancelledError(), ValueError("mine"), ConnectionResetError("my database")])
def test_what_else_the_caller_raises_is_not(error: BaseException) -> None:
    """It says nothing of the request."""
    assert failed_exchange("http://site.example/", error) is None


async def test_an_error_of_the_callers_within_a_client_is_the_callers_own() -> None:
    """A hook that a client calls may fail as networks do; it comes through the client, and not out of it."""

    def hook(_: object) -> None:
        raise ConnectionResetError("my database")

    with pytest.raises(ConnectionResetError) as caught:
        senders.by_httpx_with("http://127.0.0.1:1", "http://site.example/", hook)

    assert failure_of(caught.value) is None
