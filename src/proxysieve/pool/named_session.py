"""A session that its user names, and has again on every run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from proxysieve.errors import ConfigError
from proxysieve.pool.attempts import Sender, Settings
from proxysieve.pool.site_queue import SiteQueue


class NamedSession(Sender):
    """One session that its user names: the same proxy, identity and cookies on every run.

    When its exit is lost (blocked, dead, gone from the list, handed on by its provider), requests raise
    :class:`NoSessionAvailable` that says so, until :meth:`renew` is called: whether the account behind it may
    appear from another address is for its user to decide.
    """

    def __init__(
        self,
        name: str,
        site: str,
        settings: Settings,
        site_queue_of: Callable[[str], Awaitable[SiteQueue]],
        site_of_url: Callable[[str], str],
    ) -> None:
        super().__init__(settings, session=name)
        self.name = name
        self.site = site
        self._site_queue_of = site_queue_of
        self._site_of_url = site_of_url

    async def renew(self) -> None:
        """Let go of the exit, identity, cookies and data; the next request opens the session anew."""
        (await self._site_queue_of(self.site)).close_session(self.name)

    async def _site_queue(self, url: str) -> SiteQueue:
        site = self._site_of_url(url)
        if site != self.site:
            raise ConfigError(f"session {self.name!r} is one at {self.site}, but {url!r} belongs to {site}")
        return await self._site_queue_of(site)

    def __repr__(self) -> str:
        return f"<NamedSession {self.name!r} at {self.site}>"
