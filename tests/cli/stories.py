"""What is told of a session and its exit, for tests of how it is shown."""

from __future__ import annotations

from proxysieve.core.story.values import ExitStory, LimitUse, Permission, SessionStory

NOW = 1_000_000.0
PROXY = "http://user:***@10.1.2.3:8000"

EXIT = ExitStory(
    proxy=PROXY,
    session_name="",
    network="10.1.2.0/24",
    cost=20.0,
    standing="working",
    chance=None,
    ok_count=88,
    blocked_count=1,
    throttled_count=0,
    proxy_error_count=0,
    unclear_count=2,
    last="ok",
    last_used_at=NOW - 1,
    last_ok_at=NOW - 1.4,
    last_bad_at=NOW - 90_000,
    last_bad_why="status 403",
    cooldown_until=None,
    uses=[
        LimitUse(scope="exit", used_count=30, request_count=30, window_seconds=61.94, is_own=False),
        LimitUse(scope="network", used_count=212, request_count=200, window_seconds=60.0, is_own=True),
    ],
    sessions=["anna"],
    proxy_key="0011223344556677",
    permission=Permission(is_granted=False, why="it has used up a limit: 30 of 30", until=NOW + 12),
)
SESSION = SessionStory(
    name="anna",
    is_named=True,
    opened_at=NOW - 700,
    worked_at=NOW - 699,
    browser="chrome142",
    user_agent="Mozilla/5.0",
    ok_count=58,
    lost="",
    exit=EXIT,
    permission=EXIT.permission,
)
