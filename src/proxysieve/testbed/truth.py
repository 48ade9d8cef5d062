"""What really happened, as the servers saw it."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Literal

import msgspec

from proxysieve.testbed.fingerprint import SeenFingerprint
from proxysieve.testbed.mirror import Mirror
from proxysieve.testbed.world import network_of

HitAnswer = Literal[
    "ok",
    "blocked",
    "throttled",
    "challenged",
    "missing",
    "forbidden",
    "empty",
    "error",
    "outage",
    "sorry",
    "robots",
    "asset",
]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One request that the site saw.

    Attributes:
        at: When, by the site's clock.
        exit: The address that it came from.
        network: The /24 of that address.
        path: Its path with its query.
        answer: What it got. `blocked` is any style of block for a ban or a cookie, `throttled` is the limit's 429,
            `challenged` a challenge by script to a client that is not banned; `missing`, `forbidden` and `empty` are
            what everybody gets there.
        user_agent: As sent, or empty.
        connection: The number of the TCP connection, counted by the site from 1.
        fingerprint: The index of its fingerprint in the truth's list.
    """

    at: float
    exit: str
    network: str
    path: str
    answer: HitAnswer
    user_agent: str
    connection: int
    fingerprint: int


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers know. Counts leave out zeros. Proxies are named by host and port.

    Attributes:
        hits: The first requests that the site saw, up to the world's limit.
        fingerprints: All fingerprints of these, each once.
        answer_counts: How often the site gave each answer.
        banned_exits: Exits that are banned now.
        burned_exits: Exits that the limit has banned while the testbed ran.
        connection_count: TCP connections that each proxy accepted.
        tunnel_count: Tunnels that each proxy opened, by CONNECT or SOCKS5.
        proxy_answers: How often proxies gave each status of their own, such as 407 and 502; SOCKS5 refusals count
            as the corresponding status.
        direct_connection_count: Connections to the site that came from no exit, so not through a proxy.
        mirrors: The reports to `/mirror`, oldest first.
        stun_senders: How many packets the mirror's STUN server got from each address; no proxy carries them.
        passed_count: How many clients (an address with a user agent) have passed the challenge by script.
        foreign_clearance_count: How many requests came with another client's clearance.
    """

    hits: list[Hit]
    fingerprints: list[SeenFingerprint]
    answer_counts: dict[HitAnswer, int]
    banned_exits: list[str]
    burned_exits: list[str]
    connection_count: dict[str, int]
    tunnel_count: dict[str, int]
    proxy_answers: dict[int, int]
    direct_connection_count: int
    mirrors: list[Mirror]
    stun_senders: dict[str, int]
    passed_count: int
    foreign_clearance_count: int

    @property
    def hit_count(self) -> int:
        """How many requests the site saw."""
        return sum(self.answer_counts.values())

    def fingerprint_of(self, hit: Hit) -> SeenFingerprint:
        """Return what the request showed of its client."""
        return self.fingerprints[hit.fingerprint]


class HitLedger:
    """The site's record of its requests, as columns: a value for each would need several times the memory."""

    def __init__(self, *, kept: int) -> None:
        self.answer_counts: Counter[HitAnswer] = Counter()
        self._kept = kept
        self._moments = array("d")
        self._connections = array("Q")
        self._texts: list[tuple[str, HitAnswer]] = []
        self._callers: list[tuple[str, str]] = []
        self._known_callers: dict[tuple[str, str], tuple[str, str]] = {}
        self._fingerprint_numbers = array("L")
        self._known_fingerprints: dict[SeenFingerprint, int] = {}

    def add(
        self, *, at: float, address: str, path: str, answer: HitAnswer, fingerprint: SeenFingerprint, connection: int
    ) -> None:
        """Record one request with its answer."""
        self.answer_counts[answer] += 1
        if len(self._moments) >= self._kept:
            return
        caller = (address, fingerprint.user_agent)
        number = self._known_fingerprints.setdefault(fingerprint, len(self._known_fingerprints))
        self._fingerprint_numbers.append(number)
        self._moments.append(at)
        self._connections.append(connection)
        self._texts.append((path, answer))
        self._callers.append(self._known_callers.setdefault(caller, caller))

    def hits(self) -> list[Hit]:
        """Return the recorded requests, oldest first."""
        return [
            Hit(
                at=at,
                exit=address,
                network=network_of(address),
                path=path,
                answer=answer,
                user_agent=user_agent,
                connection=connection,
                fingerprint=fingerprint,
            )
            for at, connection, (path, answer), (address, user_agent), fingerprint in zip(
                self._moments, self._connections, self._texts, self._callers, self._fingerprint_numbers, strict=True
            )
        ]

    def fingerprints(self) -> list[SeenFingerprint]:
        """Return the fingerprints of the recorded requests, in the order of their indexes."""
        return list(self._known_fingerprints)


class ProxyCounts:
    """Counts of what the proxies did themselves."""

    def __init__(self) -> None:
        self.connection_count: Counter[str] = Counter()
        self.tunnel_count: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
