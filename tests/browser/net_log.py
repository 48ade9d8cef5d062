"""Reads the log that Chromium keeps of all that it asks a network for (``--log-net-log=FILE``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

# What asks others for a name; questions that only the browser's own memory is asked have no such task.
OF_NAMES = ("HOST_RESOLVER_MANAGER_JOB", "HOST_RESOLVER_SYSTEM_TASK", "HOST_RESOLVER_DNS_TASK", "DNS_TRANSACTION")


class Asked(NamedTuple):
    """What a browser asked a network for.

    Attributes:
        connected: Each address and port that it tried to connect to by TCP.
        name_tasks: The kinds of tasks by which it had names resolved, each once.
        packets: How often it sent something by UDP. Sockets that are connected and send nothing ask only this
            machine which way it would take.
        urls: What it wanted to load, whether or not it got there.
    """

    connected: set[str]
    name_tasks: set[str]
    packets: int
    urls: set[str]


def read_net_log(path: Path) -> Asked:
    """What stands in the log at *path*, of a browser that has ended or was killed."""
    return asked_in(_decode(path.read_text()))


def asked_in(log: dict[str, Any]) -> Asked:
    """What stands in *log*."""
    kinds = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    events = [(kinds[event["type"]], event.get("params", {})) for event in log["events"]]
    return Asked(
        connected={told["address"] for kind, told in events if kind == "TCP_CONNECT_ATTEMPT" and "address" in told},
        name_tasks={kind for kind, _ in events if kind.startswith(OF_NAMES)},
        packets=sum(kind == "UDP_BYTES_SENT" for kind, _ in events),
        urls={told["url"] for kind, told in events if kind == "URL_REQUEST_START_JOB" and "url" in told},
    )


def _decode(text: str) -> dict[str, Any]:
    """The log, also where its end is missing: an event stands on each line."""
    try:
        log: dict[str, Any] = json.loads(text)
    except ValueError:
        log = json.loads(text[: text.rindex(",\n")] + "]}")
    return log
