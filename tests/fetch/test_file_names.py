import re
import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from proxysieve.fetch.file_names import ending, file_name

# What Windows keeps for devices, whatever ending follows.
DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(10))}

ODD = [
    "..",
    "/",
    "\\",
    "//",
    "?",
    "a",
    "A",
    "ä",
    "%2e%2e",
    "%00",
    ":",
    "*",
    '"',
    "<",
    ">",
    "|",
    "&",
    "=",
    " ",
    "~",
    "#",
]
paths = st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=20)), max_size=30).map("".join)
urls = st.builds("https://{}/{}".format, st.sampled_from(["shop.example", "con", "user:secret@shop.example"]), paths)


@given(urls, st.text(max_size=40))
@example("https://shop.example/../../etc/passwd", "")
@example("https://shop.example/" + "x" * 5000, "text/html")
@example("https://nul/", "text/plain")
def test_a_name_is_safe_on_every_file_system(url: str, content_type: str) -> None:
    """Few plain characters, single dots in its middle at most, no device, and short enough for encrypted folders."""
    try:
        name = file_name(url, content_type)
    except ValueError:
        assume(False)  # noqa: FBT003 - no URL at all, and so none that was fetched

    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*[a-z0-9]", name)
    assert ".." not in name
    assert name.partition(".")[0].lower() not in DEVICES
    assert len(name) <= 110
    assert "secret" not in name.rpartition("-")[0]


@given(st.sets(urls, min_size=2, max_size=20))
def test_no_two_urls_have_the_same_name(several: set[str]) -> None:
    """Also where upper and lower case are the same."""
    names = set()
    for url in several:
        try:
            names.add(file_name(url, "").lower())
        except ValueError:
            assume(False)  # noqa: FBT003 - as above

    assert len(names) == len(several)


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        ("https://shop.example/item/1", "shop.example_item_1-"),
        ("https://shop.example/item/1?colour=red&size=9", "shop.example_item_1_colour_red_size_9-"),
        ("https://shop.example:8443/", "shop.example_8443-"),
        ("https://user:secret@shop.example/a/../b", "shop.example_a_._b-"),
    ],
)
def test_a_person_can_read_it(url: str, begins: str) -> None:
    """Host, path and query, as far as they are plain."""
    name = file_name(url, "text/html; charset=utf-8")

    assert name.startswith(begins)
    assert len(name) == len(begins) + 16 + len(".html")


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html; charset=utf-8", ".html"),
        ("TEXT/HTML", ".html"),
        ("application/json", ".json"),
        ("application/vnd.api+json", ".json"),
        ("application/atom+xml;charset=x", ".xml"),
        ("application/pdf", ".pdf"),
        ("image/jpeg", ".jpg"),
        ("text/x-anything", ".txt"),
        ("application/octet-stream", ".bin"),
        ("", ".bin"),
        ("../../x", ".bin"),
    ],
)
def test_the_ending_is_that_of_the_content(content_type: str, expected: str) -> None:
    """Not that of the URL, which says nothing."""
    assert ending(content_type) == expected


@given(st.text(alphabet=string.printable))
def test_an_ending_is_one_of_ours(content_type: str) -> None:
    """Whatever a site says."""
    assert re.fullmatch(r"\.[a-z0-9]{2,5}", ending(content_type))
