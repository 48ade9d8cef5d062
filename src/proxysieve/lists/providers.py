"""The table of gateway providers that comes with the package."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import msgspec

from proxysieve.core.proxies.providers import Provider


class ProviderFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of ``providers.toml``."""

    provider: tuple[Provider, ...]


@cache
def usual_providers() -> tuple[Provider, ...]:
    """All providers of the table."""
    text = resources.files("proxysieve.lists").joinpath("providers.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), ProviderFile).provider
