"""What a proxy answers to a CONNECT, from the client to whoever reads of it."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest
from tests.fakes import lines

from proxysieve import GaveUp, NoSessionAvailable, Request, Response, Session, SessionPool
from proxysieve.check.check import Check, CheckOptions, CheckReport
from proxysieve.cli.check import show_check
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import Answer, Exchange, Failure
from proxysieve.core.verdicts.failures import SendFailed
from proxysieve.judging.samples import redacted

URL = "https://shop.example/item/1"
GATEWAY = "http://customer-{session}:topsecret@gateway.example:8000"
# The answers of six proxies: status, headers, body; the login in it, in clear and as the client sends it.
ANSWERS: tuple[tuple[int, tuple[tuple[str, str], ...], str], ...] = (
    (407, (("proxy-authenticate", 'Basic realm="x"'),), "no such login: LOGIN"),
    (402, (("x-error", "balance of LOGIN used up"),), ""),
    (403, (("x-echo", "Basic ENCODED"), ("x-error", "ENCODED: bad port")), ""),
    (429, (("retry-after", "30"),), "too many requests of LOGIN"),
    (502, (), "<title>no peer for ENCODED</title>"),
    (503, (("retry-after", "30"),), ""),
)


class Refusing:
    """A client whose proxies refuse each CONNECT: each with one of the *answers*, by its port."""

    def __init__(self, *answers: tuple[int, tuple[tuple[str, str], ...], str], good_count: int = 0) -> None:
        self.answers = answers
        self.good_count = good_count
        self.sent: list[str] = []

    async def send(self, request: Request, session: Session) -> Response:
        self.sent.append(session.exit)
        await asyncio.sleep(0)
        if len(self.sent) <= self.good_count:
            return Response(url=request.url, status=200, headers=(), body=b"page")
        pair = ":".join(session.proxy_login)
        encoded = b64encode(pair.encode()).decode()

        def told(text: str) -> str:
            return text.replace("LOGIN", pair).replace("ENCODED", encoded)

        status, headers, body = self.answers[session.proxy.port % len(self.answers)]
        answer = Answer(
            url=request.url,
            status=status,
            headers=tuple((name, told(value)) for name, value in headers),
            body=told(body).encode(),
        )
        raise SendFailed(Failure.PROXY_REFUSED, proxy_answer=answer)


def refusing_lines(count: int) -> list[str]:
    return [f"http://customer{number}:topsecret@proxy-{number}.example:{6000 + number}" for number in range(count)]


def is_readable(text: str) -> bool:
    """Whether the password can be read in *text*, as it is or in base64, wherever that begins."""
    return any(piece in text for piece in ("topsecret", "dG9wc2VjcmV0", "RvcHNlY3Jld", "b3BzZWNyZX"))


async def checked() -> CheckReport:
    proxies = [parse_proxy(line) for line in refusing_lines(len(ANSWERS))]
    options = CheckOptions(url=URL, proxies=proxies, max_rate=0, seed=1, client=Refusing(*ANSWERS))
    return await Check(options).run()


async def test_a_check_names_each_status(capsys: pytest.CaptureFixture[str]) -> None:
    """In a line of its own, with the proxy's words and how long it asks to wait."""
    show_check(await checked(), is_all=True)

    # Lines are wrapped.
    shown = "".join(capsys.readouterr().out.split())
    for told in (
        '1 x status 402: the proxy\'s plan is used up: "balance of *** used up" (proxy-payment)',
        '1 x status 403 from the proxy: "***: bad port" (proxy-status-403)',
        '1 x status 407: the proxy wants other credentials: "no such login: ***" (proxy-credentials)',
        '1 x status 429 from the proxy: "too many requests of ***" (proxy-busy), asks to wait 30 s',
        '1 x status 502 from the proxy: "no peer for ***" (proxy-status-502)',
        "1 x status 503 from the proxy (proxy-busy), asks to wait 30 s",
    ):
        assert told.replace(" ", "") in shown
    assert shown.count("1xstatus") == len(ANSWERS)
    assert not is_readable(shown)


async def test_a_check_saves_no_login_that_a_proxy_repeats() -> None:
    """Not in JSON either."""
    report = await checked()

    told = json.loads(msgspec.json.encode(report.results))
    assert {one["sign"]: one["verdict"] for one in told} == {
        "proxy-credentials": "proxy_error",
        "proxy-payment": "proxy_error",
        "proxy-status-403": "proxy_error",
        "proxy-busy": "proxy_error",
        "proxy-status-502": "unclear",
    }
    assert not is_readable(" ".join(str(one["why"]) for one in told))


@pytest.mark.parametrize("policy", ["adaptive", "classic"])
@pytest.mark.parametrize("answer", [ANSWERS[0], ANSWERS[1], ANSWERS[3], ANSWERS[5]], ids=["407", "402", "429", "503"])
async def test_a_gateway_that_refuses_whoever_comes_is_left_alone(
    policy: str, answer: tuple[int, tuple[tuple[str, str], ...], str]
) -> None:
    """All names would meet it, so one request says it for a page, and the error says what it was."""
    client = Refusing(answer)
    async with SessionPool(
        [GATEWAY], client=client, store="memory:", max_rate=0, policy=policy, max_wait_seconds=2, seed=1
    ) as pool:
        with pytest.raises(NoSessionAvailable, match=f"1 of 1 proxies cool down: status {answer[0]}") as refused:
            await pool.get(URL)

    assert len(client.sent) == 1
    assert not is_readable(refused.value.story())


async def test_what_is_kept_and_logged_of_a_refusal_has_no_login(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor has the error, though the client's own stands behind it."""
    caplog.set_level(logging.DEBUG)
    async with SessionPool(
        refusing_lines(6), client=Refusing(*ANSWERS), store=tmp_path / "store", max_rate=0, attempts=1, seed=1
    ) as pool:
        for number in range(6):
            with pytest.raises((GaveUp, NoSessionAvailable)) as failed:
                await pool.get(f"https://shop.example/{number}", max_tries=1)
            error = failed.value
            assert isinstance(error, GaveUp | NoSessionAvailable)
            assert not is_readable(error.story())
            if isinstance(error, GaveUp):
                assert error.exchange.proxy_answer is not None
                assert not is_readable(str(error.exchange))

    assert not is_readable(caplog.text)
    for file in (tmp_path / "store").rglob("*"):
        assert not file.is_file() or not is_readable(file.read_bytes().decode("latin-1"))


@pytest.mark.parametrize("body", ["no such login: LOGIN", "Basic ENCODED", "%74opsecret, %75ser"])
def test_a_sample_has_no_login_of_its_proxy(body: str) -> None:
    """Without TLS a proxy answers in a site's place, and its page may be kept for a person to look at."""
    encoded = b64encode(b"customer-abc:topsecret").decode()
    said = body.replace("LOGIN", "customer-abc:topsecret").replace("ENCODED", encoded)
    exchange = Exchange(
        url="http://shop.example/", status=403, headers=(("server", said),), body=f"<p>{said}</p>".encode()
    )

    kept = redacted(exchange, ("customer-abc", "topsecret")).decode()

    assert not is_readable(kept)
    assert "%74opsecret" not in kept


async def test_plain_lists_are_asked_once_each() -> None:
    """Every one of them says for itself that its login is wrong."""
    client = Refusing(ANSWERS[0])
    async with SessionPool(lines(20), client=client, store="memory:", max_rate=0, max_wait_seconds=2, seed=1) as pool:
        failed = await asyncio.gather(*(pool.get(f"{URL}/{n}") for n in range(10)), return_exceptions=True)

    assert all(isinstance(error, NoSessionAvailable) for error in failed)
    assert len(client.sent) == 20
