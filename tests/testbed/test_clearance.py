"""The challenge by script, by clients that compute what its script does."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from proxysieve.core.model import Exchange, Outcome
from proxysieve.judging.sign_tables import make_judge
from proxysieve.testbed import Testbed, World
from proxysieve.testbed.clearance import solution_of

WORLD = World(proxies=2, script_challenge=True)


@contextlib.asynccontextmanager
async def visitor(bed: Testbed, exit_number: int = 0, user_agent: str = "one") -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client at the address of an exit."""
    transport = httpx.AsyncHTTPTransport(local_address=bed.exits[exit_number].address)
    headers = {"User-Agent": user_agent}
    async with httpx.AsyncClient(transport=transport, base_url=bed.site_url, headers=headers) as client:
        yield client


def nonce_in(page: str) -> int:
    """What a challenge gives its visitor."""
    nonce = re.search(r"nonce: (\d+)", page)
    assert nonce
    return int(nonce[1])


async def clear(client: httpx.AsyncClient) -> str:
    """Meet the challenge, and keep the cookie that passes it."""
    clearance = solution_of(nonce_in((await client.get("/page/7")).text))
    client.cookies.set("clearance", clearance)
    return clearance


def test_the_solution_is_where_the_steps_of_the_script_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, as a browser goes."""
    monkeypatch.setattr("proxysieve.testbed.clearance._ROUNDS", 1000)
    answer = nonce = 1_234_567_890
    for _ in range(1000):
        answer = answer * 48271 % 2147483647

    assert solution_of(nonce) == f"{nonce}.{answer}"


async def test_who_computes_passes_and_stays_passed() -> None:
    """With the page as it always is; who has no script meets the challenge each time."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        before = [(await client.get("/page/7")).status_code for _ in range(2)]
        await clear(client)
        after = [(await client.get("/page/7")).content for _ in range(2)]

        assert before == [403, 403]
        assert after == [bed.page_body(7)] * 2
        assert bed.truth().answer_counts == {"challenged": 3, "ok": 2}
        assert (bed.truth().passed_count, bed.truth().foreign_clearance_count) == (1, 0)


async def test_the_judge_knows_the_challenge_by_its_header_and_by_its_body() -> None:
    """As it does the vendor's."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        page = await client.get("/page/7")

    headers = tuple(page.headers.items())
    seen = make_judge().see(Exchange(url="https://a.example/", status=403, headers=headers, body=page.content))
    assert [verdict.sign for verdict in seen][:2] == ["cf-mitigated", "cloudflare-challenge"]
    assert seen[0].outcome is Outcome.BLOCKED


async def test_the_answer_does_not_stand_in_the_page() -> None:
    """Only what it is computed from."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        page = (await client.get("/page/7")).text

    nonce, _, answer = solution_of(nonce_in(page)).partition(".")
    assert nonce in page
    assert answer not in page


@pytest.mark.parametrize(("exit_number", "user_agent"), [(1, "one"), (0, "two")])
async def test_a_clearance_is_worth_nothing_elsewhere(exit_number: int, user_agent: str) -> None:
    """It is challenged again, and counted; a clearance of one's own helps."""
    async with Testbed(WORLD) as bed, visitor(bed) as one, visitor(bed, exit_number, user_agent) as other:
        other.cookies.set("clearance", await clear(one))
        status = (await other.get("/page/7")).status_code
        counted = bed.truth().foreign_clearance_count
        other.cookies.clear()
        await clear(other)

        assert (status, counted) == (403, 1)
        assert (await other.get("/page/7")).status_code == 200
        assert bed.truth().passed_count == 1


@pytest.mark.parametrize("wrong", ["", "x", "1.1", "٣.٣"])
async def test_what_was_not_computed_does_not_pass(wrong: str) -> None:
    """And is nobody's clearance."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        status = (await client.get("/page/7", headers=[(b"Cookie", f"clearance={wrong}".encode())])).status_code

        assert status == 403
        assert bed.truth().foreign_clearance_count == 0


async def test_only_pages_are_challenged() -> None:
    """What else there is can be had as ever."""
    async with Testbed(WORLD) as bed, visitor(bed) as client:
        assert [(await client.get(path)).status_code for path in ("/robots.txt", "/echo", "/")] == [200, 200, 200]


async def test_the_banned_are_challenged_for_ever() -> None:
    """By the same page, whatever they compute, where that is their style."""
    world = World(proxies=1, banned_share=1.0, block_styles=("challenge",), script_challenge=True)
    async with Testbed(world) as bed, visitor(bed) as client:
        await clear(client)
        page = await client.get("/page/7")

        assert (page.status_code, nonce_in(page.text) > 0) == (403, True)
        assert bed.truth().answer_counts == {"blocked": 2}
        assert bed.truth().passed_count == 0
