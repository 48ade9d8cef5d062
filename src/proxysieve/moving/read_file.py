"""Reads a file of sessions, from any of the known tools."""

from __future__ import annotations

from typing import Any

import msgspec

from proxysieve.errors import ConfigError
from proxysieve.moving.classic import is_classic, read_classic
from proxysieve.moving.crawlee import is_crawlee, read_crawlee
from proxysieve.moving.values import FORMAT, FORMAT_VERSION, Export, FoundSessions, check_count, check_moved

EXPECTED = (
    "expected what proxysieve export writes, SESSIONS of the algorithm of 2019, or a session pool that Crawlee saved"
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The names under which a key-value store keeps a value that has no file of its own.
WRAPPINGS = ("SESSIONS", "SDK_SESSION_POOL_STATE", "CRAWLEE_SESSION_POOL_STATE", "value")
# Memory is the limit: each value takes some fifty bytes, however short it is in the file.
MOST_VALUES = 5_000_000


def read_sessions(content: bytes, written_at: float) -> Export | FoundSessions:
    """The sessions in *content*, a file that was written at *written_at*.

    Raises:
        ConfigError: It is none of the known forms, or damaged.
    """
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ConfigError(f"it has more than {MOST_VALUES:,} values: import fewer sessions at once")
    try:
        value = msgspec.json.decode(content.removeprefix(BYTE_ORDER_MARK))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"it is no JSON ({error}): {EXPECTED}") from error
    value = _unwrapped(value)
    if not isinstance(value, dict):
        raise ConfigError(f"it has no sessions: {EXPECTED}")
    if value.get("format") == FORMAT:
        return _read_own(value)
    if is_crawlee(value):
        return read_crawlee(value)
    if is_classic(value):
        return read_classic(value, written_at)
    raise ConfigError(f"it has no sessions: {EXPECTED}")


def _unwrapped(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(value, dict) or value.get("format") == FORMAT:
        return value
    # Crawlee 4 puts a pool's name after that of its state.
    inner = next((value[name] for name in value if name.startswith(WRAPPINGS) and isinstance(value[name], dict)), None)
    return value if inner is None or is_classic(value) else inner


def _read_own(value: dict[str, Any]) -> Export:
    version = value.get("version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ConfigError(
            f"it has version {version} of the format, written by a newer proxysieve; this one reads up to "
            f"{FORMAT_VERSION}: upgrade"
        )
    try:
        export = msgspec.convert(value, Export)
    except msgspec.ValidationError as error:
        raise ConfigError(f"it is damaged: {error}") from error
    check_count(export.sessions)
    for moved in export.sessions:
        check_moved(moved)
    return export
