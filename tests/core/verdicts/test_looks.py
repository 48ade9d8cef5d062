"""Looks: what good pages have in common, and what is like none of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.verdicts.made_up_sites import Make, bare_page, block_page

from proxysieve.core.model import OK, Exchange, Outcome, Verdict
from proxysieve.core.model.content import Content
from proxysieve.core.verdicts.looks import Looks, LooksRecord
from proxysieve.core.verdicts.traits import READ_BYTES, Kind, PageTraits

URL = "https://shop.example/item/1"
BLOCK = block_page(Random(1))
SEEDS = st.integers(0, 2**32)


def look(body: bytes) -> PageTraits:
    return PageTraits(Content(body))


def learned(pages: Iterable[bytes]) -> Looks:
    looks = Looks()
    for page in pages:
        looks.learn(look(page))
    return looks


def pages_of(make: Make, count: int, seed: int = 2) -> list[bytes]:
    rng = Random(seed)
    return [make.page(rng) for _ in range(count)]


def item(number: int) -> bytes:
    """An answer of an API."""
    thing = {"id": number, "name": "lamp", "price": {"amount": number, "currency": "EUR"}, "tags": ["a"]}
    return json.dumps({"status": "ok", "thing": thing, "seller": {"name": "x", "town": "y"}}).encode()


def restored(looks: Looks) -> Looks:
    copy = Looks()
    copy.restore(msgspec.json.decode(msgspec.json.encode(looks.record()), type=LooksRecord))
    return copy


def test_a_block_page_of_an_unknown_maker_is_doubted() -> None:
    """Once twenty good pages are known; the doubt says of how many."""
    pages = pages_of(Make(Random(1)), 20)

    assert learned(pages[:19]).doubt(look(BLOCK)) == ""
    assert learned(pages).doubt(look(BLOCK)) == "unlike the 20 good pages seen here"


def test_numbers_in_doubts_are_round() -> None:
    """A report counts reasons, and one that differed by a page would be another."""
    make = Make(Random(1))

    assert learned(pages_of(make, 47)).doubt(look(BLOCK)) == "unlike the 40+ good pages seen here"


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_no_page_of_a_make_that_is_known_is_doubted(seed: int) -> None:
    """Whatever its template, however short it is."""
    rng = Random(seed)
    make = Make(rng, template_count=rng.randint(1, 12))
    looks = learned(make.page(rng) for _ in range(30))

    assert not any(looks.doubt(look(make.page(rng))) for _ in range(10))


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_block_pages_are_doubted_at_every_site_of_one_make(seed: int) -> None:
    """Of many makers, each of them unlike the site."""
    rng = Random(seed)
    make = Make(rng)
    looks = learned(make.page(rng) for _ in range(30))

    assert all(looks.doubt(look(block_page(rng))) for _ in range(5))


def test_false_doubts_are_rare_at_sites_of_several_makes() -> None:
    """A shop with a blog, an old part and bare pages: no make is doubted twice, and of 6,000 pages few are at all."""
    doubted: Counter[tuple[int, int]] = Counter()
    for seed in range(20):
        rng = Random(seed)
        looks, makes = Looks(), (Make(rng), Make(rng), Make(rng, frame_size=4))
        for _ in range(300):
            (which,) = rng.choices(range(4), (93, 4, 2, 1))
            page = bare_page(rng) if which == 3 else makes[which].page(rng)
            if looks.judge(Exchange(url=URL, status=200, body=page), OK) is not OK:
                doubted[seed, which] += 1
                looks.accept(look(page))

    assert set(doubted.values()) == {1}
    assert not any(which == 0 for _, which in doubted)
    assert doubted.total() <= 24


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_sites_without_a_make_of_their_own_doubt_nothing(seed: int) -> None:
    """Where pages share nothing, there is nothing that one could lack."""
    rng = Random(seed)
    looks = learned(Make(rng).page(rng) for _ in range(60))

    assert looks.doubt(look(BLOCK)) == ""


def test_a_page_with_much_to_read_is_no_block() -> None:
    """An article in a layout that nobody has seen is learned."""
    rng = Random(3)
    looks, article = learned(pages_of(Make(rng), 50)), Make(rng).page(rng, words=800)

    assert looks.doubt(look(article)) == ""


def test_a_page_with_many_links_is_no_block() -> None:
    """It leads somewhere."""
    rng = Random(3)
    looks = learned(pages_of(Make(rng), 50))
    links = b"".join(b"<li><a href=/%d>x</a>" % number for number in range(30))

    assert looks.doubt(look(b"<!doctype html><title>x</title><ul>" + links)) == ""


def test_a_layout_that_was_learned_is_not_doubted() -> None:
    """A few long pages of a blog vouch for its short ones."""
    rng = Random(4)
    shop, blog = Make(rng), Make(rng)
    looks = learned(pages_of(shop, 100))
    assert looks.doubt(look(blog.page(rng, words=5)))

    looks.learn(look(blog.page(rng, words=800)))

    assert looks.doubt(look(blog.page(rng, words=5))) == ""
    assert looks.doubt(look(BLOCK))


def test_what_was_accepted_is_not_doubted_again() -> None:
    """Nor is what looks like it; other strangers are."""
    rng = Random(5)
    looks = learned(pages_of(Make(rng), 100))
    assert looks.doubt(look(bare_page(rng)))

    looks.accept(look(bare_page(rng)))

    assert looks.doubt(look(bare_page(rng))) == ""
    assert looks.doubt(look(BLOCK))


def test_looks_follow_a_site_that_is_made_anew() -> None:
    """What is old fades: pages of the new make are known, and those of the old one no longer a core."""
    rng = Random(6)
    old, new = Make(rng), Make(rng)
    looks = learned(pages_of(old, 500))
    for page in [new.page(rng, words=800) for _ in range(500)]:
        looks.learn(look(page))

    assert looks.doubt(look(new.page(rng, words=5))) == ""
    assert looks.doubt(look(BLOCK))


def test_html_where_there_is_nothing_but_json_is_doubted() -> None:
    """If it is slight; and the other way round nothing is, as what blocks is made for eyes."""
    api, shop = learned(map(item, range(60))), learned(pages_of(Make(Random(1)), 60))

    assert api.doubt(look(BLOCK)) == "unlike the 60 good pages seen here"
    assert api.doubt(look(Make(Random(7)).page(Random(7), words=800))) == ""
    assert shop.doubt(look(b'{"error": "no"}')) == ""
    assert shop.doubt(look(b"%PDF-1.7")) == ""


def test_html_beside_json_is_not_doubted_once_some_of_it_is_known() -> None:
    """A site whose pages are one HTML to forty JSON has both."""
    make, rng = Make(Random(1)), Random(2)
    looks = learned(map(item, range(80)))
    for _ in range(2):
        looks.learn(look(make.page(rng, words=800)))

    assert looks.doubt(look(BLOCK)) == ""


def test_json_without_any_usual_key_is_doubted() -> None:
    """After a hundred answers; an empty one says that there is nothing, which is no block."""
    refusal = b'{"url": "https://check.example/x", "reason": "no"}'

    assert learned(map(item, range(90))).doubt(look(refusal)) == ""
    looks = learned(map(item, range(120)))
    assert looks.doubt(look(refusal))
    assert looks.doubt(look(b"[]")) == looks.doubt(look(b"{}")) == looks.doubt(look(item(500))) == ""


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(0, 120))
def test_what_was_saved_and_restored_decides_and_learns_alike(seed: int, count: int) -> None:
    """As if there had been no restart."""
    rng = Random(seed)
    makes = [Make(rng) for _ in range(rng.randint(1, 3))]
    looks = learned(rng.choice(makes).page(rng) for _ in range(count))
    copy = restored(looks)

    for page in [rng.choice([*makes, Make(rng)]).page(rng) for _ in range(10)]:
        assert looks.doubt(look(page)) == copy.doubt(look(page))
        looks.learn(look(page))
        copy.learn(look(page))

    assert looks.doubt(look(BLOCK)) == copy.doubt(look(BLOCK))
    assert looks.record() == copy.record()


def test_a_record_is_small() -> None:
    """However many pages, makes and kinds of them there are."""
    rng = Random(8)
    looks = learned(Make(rng).page(rng) for _ in range(300))
    for number in range(300):
        looks.learn(look(json.dumps({f"key {number} {other}": other for other in range(50)}).encode()))

    assert len(msgspec.json.encode(looks.record())) < 12_000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<!doctype html>" + b"<a href=/x " * 900_000, id="tags without an end"),
        pytest.param(b"<!doctype html><p" + b" class=" * 1_400_000, id="names without a value"),
        pytest.param(b"<!doctype html><p" + b" class='" * 1_200_000, id="values without an end"),
        pytest.param(b"<!doctype html>" + b"".join(b"<%d>" % n for n in range(900_000)), id="tags that are none"),
        pytest.param(b"[" * 10_000_000, id="deep JSON"),
        pytest.param(b"[" * 100_000, id="JSON that is deeper than the stack"),
        pytest.param(b"{" + b",".join(b'"%d":1' % n for n in range(10_000)) + b"}", id="JSON of many keys"),
        pytest.param(b'{"\\ud800": 1}', id="JSON that is no text"),
    ],
)
def test_hostile_bodies_have_few_traits(body: bytes) -> None:
    """Only so much of them is looked at."""
    page = look(body)

    assert len(page.traits) <= 2_100
    assert isinstance(page.is_slight, bool)


def test_traits_are_read_of_the_first_part_alone() -> None:
    """What comes after it changes nothing."""
    start = b"<!doctype html>" + b" " * READ_BYTES

    assert look(start + b'<p class="late">').traits == {}


def test_traits_are_names_sources_and_runs_of_tags_without_their_numbers() -> None:
    """And the same for pages that differ in numbers."""
    markup = (
        b'<!doctype html><head><meta name="generator"><meta name="viewport"><script src="https://cdn%d.example/a/b.js">'
        b"<a HREF='/shop/item/%d?q=1'><a href=#top><a href=javascript:go()><div ID=\"item-%d\" class='Card wide x'>"
    )

    traits = look(markup % (1, 2, 3)).traits

    assert {trait.decode() for trait in traits.values() if not trait.startswith(b"<")} == {
        "@generator",
        "/cdn.example/a",
        "//shop",
        "#item-",
        ".card",
        ".wide",
    }
    assert b"<head<meta<meta<script<a" in traits.values()
    assert traits.keys() == look(markup % (40, 500, 6000)).traits.keys()


def test_traits_of_json_are_keys_and_types_two_levels_deep() -> None:
    """Of a list, those of its first value."""
    body = b' [{"name": "x", "tags": [{"id": 1, "deep": {"er": 1}}], "gone": null, "good": true}]'

    assert {trait.decode() for trait in look(body).traits.values()} == {
        '"name":text ',
        '"tags":list ',
        '"id":number tags',
        '"deep":object tags',
        '"gone":null ',
        '"good":flag ',
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!DOCTYPE html>", Kind.HTML),
        (b'\n {"html": "<html>"}', Kind.JSON),
        (b"[]", Kind.JSON),
        (b"plain text", Kind.OTHER),
        (b"", Kind.OTHER),
    ],
)
def test_kinds_are_told_by_the_beginning(body: bytes, kind: Kind) -> None:
    """What is sent as a header is often wrong."""
    assert look(body).kind is kind


@pytest.mark.parametrize("body", [b'{"name": "caf\xe9"}', b'{"caf\xe9": 1}', b'[{"a": {"caf\xe9": 1}}]'])
def test_json_in_another_encoding_is_no_error(body: bytes) -> None:
    """Old servers write keys in Latin-1; what can be read of them is."""
    exchange = Exchange(url=URL, status=200, body=body)

    assert Looks().judge(exchange, OK) is OK


def test_only_good_pages_are_asked_about_and_learned() -> None:
    """No other status, no robots.txt, nothing that a sign has spoken on."""
    looks = learned(pages_of(Make(Random(1)), 100))
    page = Exchange(url=URL, status=200, body=BLOCK)
    known_good = Verdict(outcome=Outcome.OK, sign="own")
    blocked = Verdict(outcome=Outcome.BLOCKED)

    assert looks.judge(page, OK) == Verdict(
        outcome=Outcome.UNCLEAR, why="unlike the 100 good pages seen here", sign="unlike", confidence=0.5
    )
    assert looks.judge(page, blocked) is blocked
    assert looks.judge(msgspec.structs.replace(page, status=404), OK) is OK
    assert looks.judge(msgspec.structs.replace(page, url="https://shop.example/robots.txt"), OK) is OK
    assert looks.judge(msgspec.structs.replace(page, body=None), OK) is OK
    assert looks.seen_count == 100
    assert looks.judge(page, known_good) is known_good
    assert looks.seen_count == 101
    assert looks.judge(page, OK, is_expected=True) is OK
