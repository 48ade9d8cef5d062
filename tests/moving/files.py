"""Files of sessions, as other tools write them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crawlee import service_locator
from crawlee.configuration import Configuration
from crawlee.sessions import Session, SessionPool

CHROME_70 = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0 Safari/537.36"


def classic(*names: str, **more: object) -> dict[str, dict[str, object]]:
    """The object of 2019."""
    return {name: {"name": name, "userAgent": CHROME_70, **more} for name in names}


def crawlee_js(name: str, created_at: float, **changes: object) -> dict[str, Any]:
    """A session of Crawlee for JavaScript, with a cookie of each kind that its jar knows."""
    moment = datetime.fromtimestamp(created_at, UTC).isoformat().replace("+00:00", "Z")
    cookie = {"key": "visitor", "value": "v1", "path": "/", "creation": moment, "lastAccessed": moment}
    cookies = [
        {**cookie, "domain": "shop.example", "hostOnly": True, "httpOnly": True},
        {**cookie, "key": "shared", "domain": "shop.example", "hostOnly": False, "secure": True, "expires": "Infinity"},
        {**cookie, "key": "dated", "domain": "shop.example", "hostOnly": False, "expires": "2033-05-18T03:33:20.000Z"},
        {**cookie, "key": "lasting", "domain": "shop.example", "hostOnly": True, "maxAge": 100},
    ]
    return {
        "id": name,
        "cookieJar": {"version": "tough-cookie@4.1.4", "storeType": "MemoryCookieStore", "cookies": cookies},
        "userData": {"tier": 1},
        "maxErrorScore": 3,
        "errorScoreDecrement": 0.5,
        "expiresAt": moment,
        "createdAt": moment,
        "usageCount": 7,
        "maxUsageCount": 50,
        "errorScore": 0.5,
        **changes,
    }


def crawlee_4(name: str, created_at: float, proxy: str = "", **changes: object) -> dict[str, Any]:
    """A session of Crawlee 4, which says what it used and what it looks like."""
    session = crawlee_js(name, created_at, retired=False, fingerprint={"browser": "firefox", "platform": "windows"})
    session["expiresAt"] = datetime.fromtimestamp(created_at + 3_000, UTC).isoformat().replace("+00:00", "Z")
    session["cookieJar"]["version"] = "tough-cookie@6.0.0"
    if proxy:
        parts = urlsplit(proxy)
        session["proxyInfo"] = {
            "url": proxy, "username": parts.username, "password": parts.password, "hostname": parts.hostname,
            "port": str(parts.port), "ignoreTlsErrors": False,
        }  # fmt: skip
    return {**session, **changes}


def crawlee_js_pool(*sessions: dict[str, Any]) -> dict[str, Any]:
    """A pool of Crawlee for JavaScript, as ``SDK_SESSION_POOL_STATE.json`` has it."""
    return {"usableSessionsCount": len(sessions), "retiredSessionsCount": 0, "sessions": list(sessions)}


def crawlee_python_pool(directory: Path, change: Callable[[SessionPool], None]) -> bytes:
    """What a real pool of Crawlee for Python leaves in *directory*, after a *change* by its user."""

    async def run() -> None:
        service_locator.set_configuration(Configuration(storage_dir=str(directory), purge_on_start=False))
        async with SessionPool(max_pool_size=1, persistence_enabled=True, persist_state_kvs_name="moving") as pool:
            change(pool)

    asyncio.run(run())
    (state,) = directory.glob("**/CRAWLEE_SESSION_POOL_STATE")
    return state.read_bytes()


def used(name: str, **settings: Any) -> Session:  # noqa: ANN401 - what Crawlee takes
    """A session of Crawlee for Python that worked twice."""
    session = Session(id=name, **settings)
    session.mark_good()
    session.mark_good()
    return session


def encoded(value: object) -> bytes:
    """*value* as JSON."""
    return json.dumps(value).encode()
