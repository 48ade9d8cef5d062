"""A set that can be drawn from at random, all operations in constant time."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class RandomSet(Generic[T]):
    """Distinct items in no particular order."""

    __slots__ = ("_items", "_places")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(dict.fromkeys(items))
        self._places = {item: place for place, item in enumerate(self._items)}

    def add(self, item: T) -> None:
        """Put *item* in."""
        if item not in self._places:
            self._places[item] = len(self._items)
            self._items.append(item)

    def discard(self, item: T) -> None:
        """Take *item* out; absent does no harm. The last one takes its place."""
        place = self._places.pop(item, None)
        if place is None:
            return
        last = self._items.pop()
        if place < len(self._items):
            self._items[place] = last
            self._places[last] = place

    def draw(self, rng: Random) -> T:
        """Any item, all equally likely; there must be one."""
        return self._items[int(rng.random() * len(self._items))]

    def __contains__(self, item: object) -> bool:
        return item in self._places

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
