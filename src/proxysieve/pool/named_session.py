"""A session that its user names, to have the same one on every run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from proxysieve.errors import ConfigError
from proxysieve.pool.attempts import Sender
from proxysieve.pool.settings import Settings
from proxysieve.pool.site_queue import SiteQueue


class NamedSession(Sender):
    """One session that its user names: the same proxy, fingerprint and cookies on every run.

    Its exit can be lost: blocked, dead, gone from the list, or given to others by its provider. Then requests raise
    :class:`NoSessionAvailable` until you call :meth:`renew`. You decide whether the account may appear from another
    address.
    """

    def __init__(
        self,
        name: str,
        site: str,
        settings: Settings,
        site_queue_of: Callable[[str], Awaitable[SiteQueue]],
    ) -> None:
        super().__init__(settings, session=name)
        self.name = name
        self.site = site
        self._site_queue_of = site_queue_of

    async def renew(self) -> None:
        """Drop the exit, fingerprint, cookies and data. The next request opens the session anew."""
        (await self._site_queue_of(self.site)).close_session(self.name)

    async def _site_queue(self, url: str) -> SiteQueue:
        site = self.settings.site(url)
        if site != self.site:
            raise ConfigError(f"session {self.name!r} is one at {self.site}, but {url!r} belongs to {site}")
        return await self._site_queue_of(site)

    def __repr__(self) -> str:
        return f"<NamedSession {self.name!r} at {self.site}>"
