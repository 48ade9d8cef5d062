"""What every store does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysieve.core.records import Record
from proxysieve.errors import ConfigError, StoreError
from proxysieve.stores import Store, open_store
from proxysieve.stores.memory import MemoryStore
from proxysieve.stores.sqlite import SqliteStore

TTL_SECONDS = 60.0
SITES = st.sampled_from(["a.example", "b.example"])
KINDS = st.sampled_from(["session", "exit", "site"])
KEYS = st.sampled_from(["", "k", "K", "ключ", "a/b"])
RECORDS = st.builds(Record, SITES, KINDS, KEYS, st.one_of(st.none(), st.binary(max_size=20)))


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """One of each kind."""
    store = open_store("memory:" if request.param == "memory" else tmp_path / "store")
    yield store
    await store.close()


@pytest.fixture
async def reader(store: Store, tmp_path: Path) -> AsyncIterator[Store]:
    """The same store without a claim: a second one in the same place, if it has a place."""
    reader = open_store(tmp_path / "store") if isinstance(store, SqliteStore) else store
    yield reader
    await reader.close()


def record(key: str, value: bytes | None = b"{}", *, site: str = "shop.example", kind: str = "exit") -> Record:
    return Record(site, kind, key, value)


def in_order(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda one: (one.site, one.kind))


async def kept(store: Store, site: str = "shop.example") -> dict[tuple[str, str], bytes | None]:
    return {(one.kind, one.key): one.value for one in await store.load(site)}


async def test_a_new_store_is_empty(store: Store) -> None:
    """Nothing is known of any site."""
    await store.claim("", TTL_SECONDS)

    assert await store.load("shop.example") == []


async def test_what_is_saved_is_loaded(store: Store) -> None:
    """Records come back as they were, whatever is in them."""
    records = [record("a", b""), record("b", bytes(range(256))), record("", b"x" * 1_000_000), record("ключ/'\"%")]
    fence = await store.claim("", TTL_SECONDS)

    await store.save(records, fence)

    loaded = await store.load("shop.example")
    assert sorted(loaded, key=lambda one: one.key) == sorted(records, key=lambda one: one.key)


async def test_the_last_value_counts(store: Store) -> None:
    """A record under the same site, kind and key takes the place of the one before."""
    fence = await store.claim("", TTL_SECONDS)
    await store.save([record("a", b"1"), record("b", b"1")], fence)

    await store.save([record("a", b"2")], fence)

    assert await kept(store) == {("exit", "a"): b"2", ("exit", "b"): b"1"}


async def test_no_value_deletes(store: Store) -> None:
    """A record without a value is gone, and deleting one that never was does no harm."""
    fence = await store.claim("", TTL_SECONDS)
    await store.save([record("a"), record("b")], fence)

    await store.save([record("a", None), record("never", None)], fence)

    assert await kept(store) == {("exit", "b"): b"{}"}


async def test_sites_and_kinds_are_apart(store: Store) -> None:
    """The same key at another site, or of another kind, is another record."""
    fence = await store.claim("", TTL_SECONDS)

    await store.save(
        [record("a", b"1"), record("a", b"2", site="other.example"), record("a", b"3", kind="session")], fence
    )

    assert await kept(store) == {("exit", "a"): b"1", ("session", "a"): b"3"}
    assert await kept(store, "other.example") == {("exit", "a"): b"2"}
    assert await kept(store, "third.example") == {}


async def test_saving_nothing_is_fine(store: Store) -> None:
    """A saver need not ask whether there is anything."""
    fence = await store.claim("", TTL_SECONDS)

    await store.save([], fence)

    assert await store.load("shop.example") == []


async def test_each_claim_gives_a_higher_number(store: Store) -> None:
    """Higher than any given before, under whatever key."""
    fences = [await store.claim(key, TTL_SECONDS) for key in ("", "", "other", "", "other", "third")]

    assert fences == sorted(set(fences))


async def test_who_was_overtaken_saves_nothing(store: Store) -> None:
    """With an old number nothing is written, nothing is deleted, and it is said why."""
    old = await store.claim("", TTL_SECONDS)
    await store.save([record("a", b"1")], old)
    new = await store.claim("", TTL_SECONDS)

    with pytest.raises(StoreError, match="another process claimed"):
        await store.save([record("a", None), record("b")], old)

    assert await kept(store) == {("exit", "a"): b"1"}
    await store.save([record("b")], new)
    assert await kept(store) == {("exit", "a"): b"1", ("exit", "b"): b"{}"}


async def test_it_is_read_without_a_claim(store: Store, reader: Store) -> None:
    """One site or all, all kinds or some; and whoever writes goes on undisturbed."""
    fence = await store.claim("", TTL_SECONDS)
    sites, kinds = ("a.example", "b.example"), ("cookies", "exit", "site")
    records = [record("k", site=site, kind=kind) for site in sites for kind in kinds]
    await store.save(records, fence)

    for one in (store, reader):
        assert in_order(await one.load()) == records
        assert in_order(await one.load("b.example")) == records[3:]
        assert in_order(await one.load(kinds=["exit", "site"])) == [*records[1:3], *records[4:]]
        assert await one.load("a.example", ["cookies"]) == records[:1]
        assert await one.load("c.example") == await one.load(kinds=["session"]) == []
    await store.save([record("k", None, site="a.example", kind="cookies")], fence)

    assert await reader.load("a.example", ["cookies"]) == []


async def test_a_site_is_forgotten(store: Store, reader: Store) -> None:
    """Whole, and no other; the claim goes on."""
    fence = await store.claim("", TTL_SECONDS)
    other = record("a", site="other.example")
    await store.save([record("a"), record("a", kind="cookies"), other], fence)

    await store.forget("shop.example", fence)
    await store.forget("never.example", fence)

    assert await store.load() == await reader.load() == [other]
    await store.save([record("b")], fence)
    assert await kept(store) == {("exit", "b"): b"{}"}


async def test_who_was_overtaken_forgets_nothing(store: Store) -> None:
    """As with a save."""
    old = await store.claim("", TTL_SECONDS)
    await store.save([record("a")], old)
    await store.claim("other", TTL_SECONDS)

    with pytest.raises(StoreError, match="another process claimed"):
        await store.forget("shop.example", old)

    assert await store.load() == [record("a")]


async def test_closing_twice_does_no_harm(store: Store) -> None:
    """Neither does closing what was never used."""
    await store.close()

    await store.close()


@settings(deadline=None, max_examples=25)
@given(saves=st.lists(st.lists(RECORDS, max_size=6, unique_by=lambda one: (one.site, one.kind, one.key)), max_size=5))
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_store_is_a_dictionary(
    kind: str, saves: list[list[Record]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After any saves it holds what a dictionary would."""
    store = open_store("memory:" if kind == "memory" else tmp_path_factory.mktemp("store"))
    fence = await store.claim("", TTL_SECONDS)
    model: dict[tuple[str, str, str], bytes] = {}

    for records in saves:
        await store.save(records, fence)
        for one in records:
            if one.value is None:
                model.pop((one.site, one.kind, one.key), None)
            else:
                model[one.site, one.kind, one.key] = one.value

    loaded = [one for site in ("a.example", "b.example") for one in await store.load(site)]
    assert {(one.site, one.kind, one.key): one.value for one in loaded} == model
    assert len(loaded) == len(model)
    await store.close()


def test_a_path_opens_a_directory_and_a_word_opens_memory(tmp_path: Path) -> None:
    """What is no URL is a path, a store is itself; nothing is made before it is used."""
    stores = [open_store("memory:"), open_store(str(tmp_path / "here")), open_store(tmp_path / "there")]

    assert [type(store) for store in stores] == [MemoryStore, SqliteStore, SqliteStore]
    assert [open_store(store) for store in stores] == stores
    assert repr(stores[1]) == f"<SqliteStore {tmp_path / 'here'}>"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["redis://localhost:6379/0", "postgres://db", "https://shop.example"])
def test_an_unknown_kind_of_store_is_refused(where: str) -> None:
    """A URL is not mistaken for the name of a directory."""
    with pytest.raises(ConfigError, match="no such kind of store") as caught:
        open_store(where)

    assert "memory:" in str(caught.value)
