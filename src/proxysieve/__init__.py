"""Finds the proxies that still work at a site, and keeps using those without wearing them out."""

import logging

from proxysieve.attempts import Attempt, Page
from proxysieve.bridge import SyncNamedSession, SyncSessionPool
from proxysieve.clients.protocol import Client, Request, Response
from proxysieve.core.model import Exchange, Failure, Identity, Outcome, Proxy, Scope, Tried, Verdict
from proxysieve.desk import Lease
from proxysieve.errors import (
    Blocked,
    ConfigError,
    GaveUp,
    MissingExtraError,
    NoSessionAvailable,
    ProxySieveError,
    SessionEnded,
    StoreError,
)
from proxysieve.named_session import NamedSession
from proxysieve.pool import SessionPool
from proxysieve.proxy_list import ProxyList
from proxysieve.session import Session

__all__ = [
    "Attempt",
    "Blocked",
    "Client",
    "ConfigError",
    "Exchange",
    "Failure",
    "GaveUp",
    "Identity",
    "Lease",
    "MissingExtraError",
    "NamedSession",
    "NoSessionAvailable",
    "Outcome",
    "Page",
    "Proxy",
    "ProxyList",
    "ProxySieveError",
    "Request",
    "Response",
    "Scope",
    "Session",
    "SessionEnded",
    "SessionPool",
    "StoreError",
    "SyncNamedSession",
    "SyncSessionPool",
    "Tried",
    "Verdict",
]

# A library is silent unless its user wants to hear it.
logging.getLogger("proxysieve").addHandler(logging.NullHandler())
