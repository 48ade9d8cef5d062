"""What an exception says of the request that it ended."""

from __future__ import annotations

from proxysieve.core.model import Answer, Exchange, Failure
from proxysieve.core.verdicts.failures.browsers import browser_failure
from proxysieve.core.verdicts.failures.curl import cffi_failure
from proxysieve.core.verdicts.failures.python_clients import client_failure
from proxysieve.core.verdicts.failures.rust import rust_failure

# What an exchange takes over from a failure of our own clients.
KNOWN = ("redirect_count", "hops", "proxy_answer")


class SendFailed(Exception):  # noqa: N818 - it says what happened
    """There is no answer. Our own clients raise it, with all that they know of the reason.

    Attributes:
        failure: What went wrong.
        redirect_count: How many more requests redirects had taken by then, as far as nobody else tells of them.
        hops: Those redirects.
        proxy_answer: What the proxy answered to a CONNECT that it refused.
    """

    def __init__(
        self,
        failure: Failure,
        words: str = "",
        *,
        hops: tuple[Answer, ...] = (),
        redirect_count: int | None = None,
        proxy_answer: Answer | None = None,
    ) -> None:
        super().__init__(words or str(failure))
        self.failure = failure
        self.hops = hops
        self.redirect_count = len(hops) if redirect_count is None else redirect_count
        self.proxy_answer = proxy_answer


def failed_exchange(url: str, error: BaseException, *, method: str = "GET", at: float = 0.0) -> Exchange | None:
    """The exchange that *error* ended; None when it is not a client's: then it is the caller's own.

    A time limit around the request, as by ``asyncio.timeout``, counts like a client's own.
    """
    failure = failure_of(error) or (Failure.TIMEOUT if isinstance(error, TimeoutError) else None)
    if failure is None:
        return None
    known = {name: getattr(error, name) for name in KNOWN} if isinstance(error, SendFailed) else {}
    return Exchange(url=url, method=method, failure=failure, at=at, **known)


def failure_of(error: BaseException) -> Failure | None:
    """What *error* says about the request, or None when it is not a client's: then it is the caller's own."""
    if isinstance(error, SendFailed):
        return error.failure
    return cffi_failure(error) or browser_failure(error) or client_failure(error) or rust_failure(error)
