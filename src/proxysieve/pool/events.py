"""What a pool tells to the one who listens (``on_event``), each a frozen value."""

from __future__ import annotations

import msgspec

from proxysieve.core.model import Tried


class TryEnded(msgspec.Struct, frozen=True):
    """A request was sent at *site*, and this came of it."""

    site: str
    tried: Tried


class ProxiesJoined(msgspec.Struct, frozen=True):
    """The list of proxies has so many new ones."""

    count: int


PoolEvent = TryEnded | ProxiesJoined
