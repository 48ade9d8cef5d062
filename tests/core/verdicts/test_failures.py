"""What is a client's error and what is its user's own, and what browsers say."""

from __future__ import annotations

import asyncio
import importlib

import httpx
import pytest
from curl_cffi import CurlError
from playwright.async_api import Error as BrowserError
from playwright.async_api import TimeoutError as BrowserTimeoutError
from tests.core.verdicts.faults import PLAIN
from tests.core.verdicts.senders import by_curl
from tests.core.verdicts.wires import nobody

from proxysieve.core.model import Failure
from proxysieve.core.verdicts.failures import failure_of, words_of
from proxysieve.core.verdicts.failures.browsers import PLAYWRIGHTS
from proxysieve.core.verdicts.failures.python_clients import BAD_ANSWER, BENEATH, CLASSES, UNREAD, VAGUE
from proxysieve.core.verdicts.failures.rust import IMPITS


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("mine"), id="value-error"),
        pytest.param(KeyError("mine"), id="key-error"),
        pytest.param(OSError("disk full"), id="os-error"),
        pytest.param(ConnectionResetError("my database"), id="reset-elsewhere"),
        pytest.param(httpx.HTTPStatusError("500", request=None, response=None), id="raise-for-status"),  # type: ignore[arg-type]
        pytest.param(asyncio.CancelledError(), id="cancelled"),
        pytest.param(KeyboardInterrupt(), id="interrupted"),
    ],
)
def test_other_exceptions_are_the_callers_own(error: BaseException) -> None:
    """An exception of no known client says nothing of the proxy."""
    assert failure_of(error) is None


def test_an_error_while_a_clients_error_is_handled_is_the_callers_own() -> None:
    """A bug in the caller's own except clause stays one."""

    def fetch(port: int) -> None:
        try:
            by_curl(f"http://127.0.0.1:{port}", PLAIN, verify=True)
        except CurlError:
            raise ValueError("mine")  # noqa: B904 - as callers do

    with nobody() as port, pytest.raises(ValueError, match="mine") as caught:
        fetch(port)

    assert failure_of(caught.value) is None


@pytest.mark.parametrize("name", sorted({*CLASSES, *VAGUE, *BENEATH, *IMPITS, BAD_ANSWER, UNREAD, PLAYWRIGHTS}))
def test_every_class_exists_under_its_name(name: str) -> None:
    """Clients are told by the names of their exceptions, so a name that is gone would go unnoticed."""
    module, _, kind = name.rpartition(".")

    found = getattr(importlib.import_module(module), kind)

    assert issubclass(found, BaseException)
    assert f"{found.__module__}.{found.__qualname__}" == name


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("Page.goto: net::ERR_PROXY_CONNECTION_FAILED at http://site/", Failure.PROXY_UNREACHABLE),
        ("Page.goto: net::ERR_TUNNEL_CONNECTION_FAILED at https://site/", Failure.PROXY_REFUSED),
        ("Page.goto: net::ERR_CONNECTION_RESET at http://site/", Failure.RESET),
        ("Page.goto: net::ERR_ABORTED at http://site/", Failure.UNREADABLE),
        ("Page.goto: net::ERR_CONNECTION_TIMED_OUT at http://site/", Failure.TIMEOUT),
        ("Page.goto: net::ERR_CERT_AUTHORITY_INVALID at https://site/", Failure.CERTIFICATE),
        ("Page.goto: net::ERR_SOMETHING_NEW at https://site/", Failure.GARBLED),
        ("Page.goto: Page crashed", Failure.UNREADABLE),
        ("Page.wait_for_load_state: Navigation failed because page crashed!", Failure.UNREADABLE),
        ("Page.goto: Protocol error (Page.navigate): Cannot navigate to invalid URL", Failure.UNSENDABLE),
        ("Page.goto: NS_ERROR_PROXY_CONNECTION_REFUSED", Failure.PROXY_UNREACHABLE),
        ("Page.goto: NS_ERROR_PROXY_FORBIDDEN", Failure.PROXY_REFUSED),
        ("Page.click: strict mode violation", None),
    ],
)
def test_an_error_of_a_browser_means(text: str, failure: Failure | None) -> None:
    """What it says of the network; what it says of the page's use is the caller's own."""
    assert failure_of(BrowserError(text)) is failure


def test_a_browsers_timeout_is_one() -> None:
    """It has a class of its own."""
    assert failure_of(BrowserTimeoutError("Page.goto: Timeout 30000ms exceeded.")) is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Page.goto: Cannot navigate to invalid URL\nCall log:\n  - cookie: a=b\n",
            "Page.goto: Cannot navigate to invalid URL",
        ),
        ("no way by http://anna:s3cret@proxy.example:1 at all", "no way by http://***@proxy.example:1 at all"),
        ("no way by anna:s3/cret@proxy.example:1", "no way by ***@proxy.example:1"),
        ("sent Cookie: sid=1; login=2", "sent Cookie: ***"),
        ("sent proxy-authorization: Basic YTpi", "sent proxy-authorization: ***"),
        ("", ""),
    ],
)
def test_a_browser_is_quoted_in_a_line(said: str, told: str) -> None:
    """The first of what it says; a call log has headers in it, and an address may have a login."""
    assert words_of(BrowserError(said)) == told


def test_a_browser_is_quoted_in_short() -> None:
    """What a page threw may be of any length."""
    assert len(words_of(BrowserError("word " * 1000))) == 200


def test_others_are_not_quoted() -> None:
    """Nobody knows where in their words a secret may stand."""
    assert words_of(RuntimeError("s3cret")) == ""
