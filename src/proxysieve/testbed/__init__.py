"""STAGES a site that bans, and proxies with exits of their own, on loopback."""

from proxysieve.testbed.bed import Bed, Testbed
from proxysieve.testbed.fingerprint import SeenFingerprint
from proxysieve.testbed.mirror import Mirror
from proxysieve.testbed.process import TestbedProcess
from proxysieve.testbed.truth import Hit, Truth
from proxysieve.testbed.world import BlockStyle, Exit, Fate, Kind, Limit, Outage, World

__all__ = [
    "Bed",
    "BlockStyle",
    "Exit",
    "Fate",
    "Hit",
    "Kind",
    "Limit",
    "Mirror",
    "Outage",
    "SeenFingerprint",
    "Testbed",
    "TestbedProcess",
    "Truth",
    "World",
]
