from collections import Counter

from proxysieve.fetch.queue import UrlQueue


def site_of(url: str) -> str:
    return url.partition("/")[0]


def test_a_site_that_holds_its_urls_up_does_not_hold_up_the_others() -> None:
    """Whoever is free takes from the site with the fewest under way."""
    queue = UrlQueue([*(f"a/{n}" for n in range(100)), *(f"b/{n}" for n in range(100))], site_of, concurrency=10)
    under_way = [queue.take() for _ in range(10)]

    for _ in range(60):
        done = next(url for url in under_way if url and url.startswith("b"))
        under_way.remove(done)
        queue.finish(done)
        under_way.append(queue.take())

    assert Counter(site_of(url) for url in under_way if url) == {"a": 5, "b": 5}


def test_a_sites_urls_come_in_their_order_and_each_once() -> None:
    """Nothing is dealt out twice, and in the end nothing is left."""
    urls = [f"a/{n}" for n in range(20)]
    queue = UrlQueue(urls, site_of, concurrency=4)

    taken = [queue.take() for _ in range(20)]

    assert taken == urls
    assert queue.take() is None


def test_a_site_that_stalls_is_left_alone() -> None:
    """What it still has is pending, the URL that was put back included."""
    queue = UrlQueue(["a/1", "a/2", "b/1"], site_of, concurrency=1)
    first = queue.take()
    assert first == "a/1"

    queue.put_back(first)

    assert queue.pending() == {"b": 1, "a": 2}
    assert queue.take() == "b/1"
    assert queue.take() is None


def test_several_urls_of_a_site_can_be_put_back() -> None:
    """The second finds its site stalled already."""
    queue = UrlQueue(["a/1", "a/2", "a/3"], site_of, concurrency=2)
    taken = [queue.take(), queue.take()]

    for url in taken:
        assert url is not None
        queue.put_back(url)

    assert queue.pending() == {"a": 3}


def test_what_is_put_off_comes_after_the_others_of_its_site() -> None:
    """It stays to be fetched in this run, unless its site stalls."""
    queue = UrlQueue(["a/1", "a/2"], site_of, concurrency=2)
    taken = [queue.take(), queue.take()]

    for url in taken:
        assert url is not None
        queue.put_off(url)

    assert [queue.take(), queue.take(), queue.take()] == ["a/1", "a/2", None]
    queue.put_back("a/1")
    queue.put_off("a/2")
    assert queue.take() is None
    assert queue.pending() == {"a": 2}
