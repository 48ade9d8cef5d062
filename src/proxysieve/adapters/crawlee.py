"""Crawlee on our pool: what takes the place of its session pool, proxy configuration, HTTP client and browser pool.

Its crawlers and their handlers stay as they are::

    pool = SessionPool("proxies.txt")
    crawler = HttpCrawler(**http_crawler_options(pool))
"""

from __future__ import annotations

from typing import Any

from proxysieve.errors import MissingExtraError
from proxysieve.pool.session_pool import SessionPool

try:
    from crawlee.http_clients import HttpClient

    from proxysieve.adapters.crawlee_http import CrawleeHttpClient
    from proxysieve.adapters.crawlee_sessions import CrawleeProxyConfiguration, CrawleeSession, CrawleeSessionPool
except ImportError as error:
    raise MissingExtraError(f"the adapter for Crawlee needs {error.name}: pip install 'proxysieve[crawlee]'") from error

__all__ = [
    "CrawleeHttpClient",
    "CrawleeProxyConfiguration",
    "CrawleeSession",
    "CrawleeSessionPool",
    "http_crawler_options",
    "playwright_crawler_options",
]


def http_crawler_options(pool: SessionPool, *, http_client: HttpClient | None = None) -> dict[str, Any]:
    """What an ``HttpCrawler`` takes to run on *pool*, and any other crawler that has an HTTP client.

    Args:
        pool: The crawler opens it and closes it, unless it is open: open it around several runs.
        http_client: What sends; left out, the pool's own does, with the browser that the session shows.
    """
    sessions = CrawleeSessionPool(pool)
    return {
        "session_pool": sessions,
        "proxy_configuration": CrawleeProxyConfiguration(sessions),
        "http_client": CrawleeHttpClient(sessions, http_client),
    }


def playwright_crawler_options(pool: SessionPool, **browser: Any) -> dict[str, Any]:  # noqa: ANN401 - Crawlee's own
    """What a ``PlaywrightCrawler`` takes to run on *pool*: each session is a browser context of its own.

    Args:
        pool: As for :func:`http_crawler_options`.
        browser: What the crawler itself would take of its browser: ``browser_type``, ``headless``,
            ``browser_launch_options``, ``browser_new_context_options`` and ``fingerprint_generator``.

    Raises:
        MissingExtraError: Crawlee was installed without Playwright.
    """
    try:
        from proxysieve.adapters.crawlee_browsers import (  # noqa: PLC0415 - optional
            CrawleeBrowserHttpClient,
            CrawleeBrowserPool,
        )
    except ImportError as error:
        raise MissingExtraError("browsers need Playwright: pip install 'crawlee[playwright]'") from error
    sessions = CrawleeSessionPool(pool)
    return {
        "session_pool": sessions,
        "proxy_configuration": CrawleeProxyConfiguration(sessions),
        "browser_pool": CrawleeBrowserPool.of(**browser),
        "http_client": CrawleeBrowserHttpClient(sessions),
    }
