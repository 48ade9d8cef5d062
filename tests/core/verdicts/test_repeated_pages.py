"""Repeats: what is the same at several addresses, and what only looks so."""

from __future__ import annotations

import pytest

from proxysieve.core.model.content import Content
from proxysieve.core.verdicts.repeated_pages import Repeats

SITE = "https://shop.example"


def page(shown: str, title: str = "A shop of all sorts") -> Content:
    return Content(f"<!doctype html><html><title>{title}</title><body>{shown}</body></html>".encode())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("One moment, we are looking at you", "One moment, we are looking at you", id="word by word"),
        pytest.param("We cannot help you. Incident 71f3", "We cannot help you. Incident 99a0", id="an incident"),
        pytest.param("Your address 203.0.113.4 is odd", "Your address 198.51.100.7 is odd", id="an address"),
        pytest.param("Not for you: shop.example/item/1", "Not for you: shop.example/item/2", id="what was asked for"),
    ],
)
def test_the_same_at_another_address_is_repeated(first: str, second: str) -> None:
    """Whatever number it bears."""
    repeats = Repeats()

    assert not repeats.is_repeated(page(first), f"{SITE}/item/1")
    assert not repeats.is_repeated(page(first), f"{SITE}/item/1")
    assert repeats.is_repeated(page(second), f"{SITE}/item/2")


@pytest.mark.parametrize("address", ["/item/{}", "/item?id={}", "/lot-{}.html", "/de_DE/item_{}", "/ITEM/{}#more"])
@pytest.mark.parametrize("number", ["{}", "A{}", "{}b"])
def test_pages_that_differ_in_what_their_addresses_name_are_not_the_same(address: str, number: str) -> None:
    """Lots, timetables, numbered items: all else on them may be alike."""
    repeats, names = Repeats(), [number.format(count) for count in range(30)]

    found = [
        repeats.is_repeated(page(f"<h1>Lot {name}</h1><p>Sold as seen, no returns.</p>"), SITE + address.format(name))
        for name in names
    ]

    assert not any(found)


def test_what_was_accepted_is_not_repeated() -> None:
    """At no address, and with no number."""
    repeats = Repeats()
    repeats.accept(page("There is nothing here by the number 1"))

    assert not any(
        repeats.is_repeated(page(f"There is nothing here by the number {number % 2}"), f"{SITE}/item/{number}")
        for number in range(9)
    )


def test_next_to_nothing_is_never_repeated() -> None:
    """Programs that draw their pages in the browser come as empty shells."""
    repeats = Repeats()

    assert not any(repeats.is_repeated(page("<div id=root></div>", "App"), f"{SITE}/{number}") for number in range(9))
