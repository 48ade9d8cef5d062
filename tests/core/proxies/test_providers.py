"""Gateway providers: what they make of a session's name, and for how long."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from proxysieve.core.events import Reported
from proxysieve.core.list_formats.address import parse_proxy
from proxysieve.core.model import OK, Proxy
from proxysieve.core.policies.adaptive import Adaptive
from proxysieve.core.policies.classic import Classic
from proxysieve.core.proxies.catalog import Catalog
from proxysieve.core.proxies.providers import Provider, exit_name, fill_in
from proxysieve.core.site.choices import Pick
from proxysieve.core.site.engine import Engine
from proxysieve.lists.providers import usual_providers
from proxysieve.lists.proxy_list import read_proxies

EACH = pytest.mark.parametrize("provider", [pytest.param(one, id=one.name) for one in usual_providers()])
OXYLABS = "http://customer-ann-cc-US-sessid-{session}-sesstime-30:pw@pr.oxylabs.io:7777"


def filled(line: str) -> Proxy:
    (proxy,), problems = read_proxies([line])
    assert problems == []
    return proxy


@EACH
def test_each_says_how_it_is_written(provider: Provider) -> None:
    """Its own line is a gateway that is taken for its, and its time is what the line says."""
    proxy = fill_in(parse_proxy(provider.line), usual_providers())

    assert proxy.is_gateway
    assert proxy.host.endswith(provider.hosts)
    assert (proxy.idle_seconds, proxy.numbers) == (provider.idle_seconds, provider.number)
    assert provider.source.startswith("https://")
    assert bool(proxy.ttl_seconds) == bool(provider.ttl_seconds or provider.ttl_mark)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        pytest.param(OXYLABS, 1800.0, id="said in minutes"),
        pytest.param(OXYLABS.replace("-sesstime-30", ""), 600.0, id="not said"),
        pytest.param(f"{OXYLABS} ttl_seconds=5", 5.0, id="by the user"),
        pytest.param("http://u:p_session-{session}_lifetime-2h@geo.iproyal.com:12321", 7200.0, id="said in hours"),
        pytest.param("http://u:p_session-{session}_lifetime-90s@geo.iproyal.com:12321", 90.0, id="in seconds"),
        pytest.param("http://a-sessionid-{session}-sessionlength-300:p@proxy.soax.com:5000", 300.0, id="its seconds"),
        pytest.param("http://user-{session}:pw@gateway.example:8000", 0.0, id="unknown provider"),
        pytest.param("http://customer-ann-sesstime-30:pw@pr.oxylabs.io:7777", 0.0, id="without names"),
    ],
)
def test_for_how_long_an_exit_is_kept(line: str, seconds: float) -> None:
    """What the user says counts for more than what the user name says, and that for more than the table."""
    assert filled(line).ttl_seconds == seconds


def test_names_are_what_the_provider_takes() -> None:
    """Numbers of its range, or else eight letters and digits."""
    rng = Random(1)
    numbers = filled("http://ann-res-us-sid-{session}:pw@gw.netnut.net:5959")
    letters = filled(OXYLABS)

    assert all(10_000 <= int(exit_name(numbers, rng)) <= 999_999_999 for _ in range(100))
    assert all(len(name) == 8 and name.isalnum() for name in (exit_name(letters, rng) for _ in range(100)))


@pytest.mark.parametrize("policy", [Adaptive(), Classic(1)], ids=["adaptive", "classic"])
def test_an_exit_that_was_idle_for_too_long_is_somebody_elses(policy: Adaptive | Classic) -> None:
    """Its session goes on while it is used, and is not used again once its provider has handed on the exit."""
    engine, rng = Engine("shop.example", Catalog([filled(OXYLABS)]), policy), Random(1)

    def ask(now: float) -> str:
        pick = engine.choose(now, rng)
        assert isinstance(pick, Pick)
        for event in (pick.opened, pick.leased):
            if event:
                engine.apply(event)
        engine.apply(Reported(now + 1, pick.leased.lease, OK))
        return pick.leased.session_name

    names = [ask(now) for now in (0.0, 50.0, 100.0, 150.0, 212.0, 250.0)]

    assert len(set(names[:4])) == 1
    assert names[4] != names[3]
    assert names[5] == names[4]
    assert set(engine.state.sessions) == {names[4]}


def test_more_sessions_than_names_have_their_own_names_all_the_same() -> None:
    """Then two of them share an exit, and none is lost or waited for."""
    proxy = fill_in(
        parse_proxy("http://n-{session}:pw@few.example:1"),
        [Provider(name="few", hosts=("few.example",), line="", source="", number=(1, 3))],
    )
    engine, rng = Engine("shop.example", Catalog([proxy]), Classic(100)), Random(1)

    for _ in range(20):
        pick = engine.choose(0.0, rng)
        assert isinstance(pick, Pick)
        for event in (pick.opened, pick.leased):
            if event:
                engine.apply(event)

    assert len(engine.state.sessions) > 3
    assert {session.exit_name for session in engine.state.sessions.values()} == {"1", "2", "3"}


@EACH
def test_each_stands_in_the_documentation(provider: Provider) -> None:
    """With its line as the table has it."""
    page = Path(__file__).parents[3] / "docs" / "use" / "provider.md"

    assert f"| [{provider.name}]({provider.source}) | `{provider.line}` |" in page.read_text(encoding="utf-8")
