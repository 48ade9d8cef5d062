"""Finds the proxies that still work at a site, and keeps using those without wearing them out."""

import logging

from proxysieve.clients.protocol import Client, Request, Response
from proxysieve.core.fingerprints.fingerprint import Fingerprint
from proxysieve.core.model import Exchange, Failure, Outcome, Proxy, Scope, Tried, Verdict
from proxysieve.errors import ConfigError, MissingExtraError, ProxySieveError, SessionEnded, StoreError
from proxysieve.lists.proxy_list import ProxyList
from proxysieve.pool.attempts import Attempt, Page
from proxysieve.pool.errors import Blocked, GaveUp, NoSessionAvailable
from proxysieve.pool.named_session import NamedSession
from proxysieve.pool.session_pool import SessionPool
from proxysieve.pool.site_queue import Lease
from proxysieve.sessions.session import Session
from proxysieve.sync.pool import SyncNamedSession, SyncSessionPool

__all__ = [
    "Attempt",
    "Blocked",
    "Client",
    "ConfigError",
    "Exchange",
    "Failure",
    "Fingerprint",
    "GaveUp",
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
