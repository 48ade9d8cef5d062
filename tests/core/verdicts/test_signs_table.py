"""The table of signs: every one of them can speak, and is written as the judge reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest

from proxysieve.core.model import OK, Exchange, Outcome
from proxysieve.core.verdicts.judge import REFUSALS
from proxysieve.core.verdicts.signs import Sign
from proxysieve.errors import ConfigError
from proxysieve.judging.sign_tables import make_judge, read_signs, usual_signs

FILE = usual_signs()
JUDGE = make_judge()
BY_NAME = {sign.name: sign for sign in FILE.sign}
PLACES = {sign.name: place for place, sign in enumerate(FILE.sign)}


def body_with(sign: Sign, text: str, title: str, frame: str) -> bytes:
    """The least that the mark asks for."""
    if frame:
        return f'<html><iframe src="https://{frame.replace("*", "a")}x"></iframe></html>'.encode()
    head = f"<title>{title.replace('*', ' and more')}</title>" if title else ""
    content = " ".join([text, *sign.also])
    return f"{head}<script>{content}</script>".encode() if sign.bare else (head + content).encode()


def headers_of(sign: Sign) -> list[tuple[tuple[str, str], ...]]:
    """All headers that the mark asks for, once for each combination of their values."""
    options = [[(name, value.replace("*", "x")) for value in values or ("x",)] for name, values in sign.header.items()]
    return list(product(*options))


def exchanges_of(sign: Sign) -> Iterator[Exchange]:
    """One for each way of meeting all that the mark asks for."""
    texts, titles, frames = (one or ("",) for one in (sign.body, sign.title, sign.frame))
    ways = product(texts, titles, frames, headers_of(sign), sign.status or (200,), sign.url or ("",))
    for text, title, frame, headers, status, url in ways:
        yield Exchange(
            url="https://asked.example/",
            final_url=f"https://{url.replace('*', 'sent.example')}x" if url else "",
            status=status,
            headers=headers,
            body=body_with(sign, text, title, frame) or b"x",
            at=1e9,
        )


@pytest.mark.parametrize("sign", FILE.sign, ids=lambda sign: sign.name)
def test_a_sign_speaks_where_all_that_it_asks_for_is_there(sign: Sign) -> None:
    """It decides, or an earlier one of its vendor does, whichever of its texts is there."""
    for exchange in exchanges_of(sign):
        verdict = JUDGE.judge(exchange)

        speaker = BY_NAME.get(verdict.sign)
        assert speaker is not None, (verdict, exchange)
        assert verdict.outcome is sign.verdict or {verdict.outcome, sign.verdict} <= REFUSALS, (verdict, exchange)
        is_earlier = speaker.vendor == sign.vendor and PLACES[speaker.name] <= PLACES[sign.name]
        assert speaker is sign or is_earlier, (verdict, exchange)


@pytest.mark.parametrize("sign", FILE.sign, ids=lambda sign: sign.name)
def test_a_sign_decides_for_one_of_its_texts_at_least(sign: Sign) -> None:
    """None is hidden behind another of its vendor."""
    assert any(JUDGE.judge(exchange).sign == sign.name for exchange in exchanges_of(sign))


def test_names_are_unique() -> None:
    """Users switch signs off by their names."""
    assert [name for name, count in Counter(sign.name for sign in FILE.sign).items() if count > 1] == []


@pytest.mark.parametrize("sign", FILE.sign, ids=lambda sign: sign.name)
def test_a_sign_is_written_as_the_judge_reads_it(sign: Sign) -> None:
    """What is compared in lower case is written so, and somebody says that it is true."""
    assert sign.source.strip()
    assert sign.why.strip()
    assert all(title == title.casefold() for title in sign.title)
    assert all(value == value.lower() for values in sign.header.values() for value in values)
    assert all(len(text) >= 4 for text in (*sign.body, *sign.also))
    assert sign.measured is None or 0 <= sign.measured[1] <= sign.measured[0]
    assert (sign.scope is not None) <= (sign.verdict not in {Outcome.OK, Outcome.PROXY_ERROR})


@pytest.mark.parametrize("sign", FILE.sign, ids=lambda sign: sign.name)
def test_no_text_of_a_sign_is_part_of_another(sign: Sign) -> None:
    """The longer one would never be needed."""
    texts = sign.body if sign.exact else [text.lower() for text in sign.body]

    assert [pair for pair in permutations(texts, 2) if pair[0] in pair[1]] == []


def test_words_are_lower_case_and_stand_in_one_list_only() -> None:
    """A word that hints at two things hints at neither."""
    words = [word for listed in FILE.words.values() for word in listed]

    assert [word for word in words if word != word.casefold()] == []
    assert [word for word, count in Counter(words).items() if count > 1] == []


def page(shown: str, head: str = "") -> str:
    return f"<html><head><title>A site</title>{head}</head><body>{shown}</body></html>"


SHELL = '<div id="root"></div>'


@pytest.mark.parametrize(
    "body",
    [
        # Scripts of vendors, which stand on what they let through.
        pytest.param(
            page(SHELL, '<script src="https://cdn.perfdrive.com/aperture/aperture.js"></script>'), id="radware"
        ),
        pytest.param(
            page(
                SHELL, '<script src="/149e9513-01fa-4fb0-aad4-566afd725d1b/2d206a39-8ed7-437e-a3be-862e0f06eea3/p.js">'
            ),
            id="kasada",
        ),
        pytest.param(page(SHELL, '<script>window["bobcmn"]="1011"</script><script src="/TSPD/08?type=9">'), id="f5"),
        pytest.param(
            page(SHELL, '<script src="/_Incapsula_Resource?SWJIYLWA=719d34d3"></script>' + "<link rel=icon>" * 40),
            id="imperva",
        ),
        pytest.param(page(SHELL, '<script src="/_Incapsula_Resource?SWJIYLWA=719d34d3"></script>'), id="imperva alone"),
        pytest.param(page(SHELL, '<script src="https://check.ddos-guard.net/check.js">') + " " * 5000, id="ddos-guard"),
        pytest.param(page(SHELL, '<script src="https://app.crowdsec.net/main.js">'), id="crowdsec"),
        pytest.param(page('<div id="captcha-container"></div>', '<script src="https://x.awswaf.com/j.js">'), id="aws"),
        pytest.param(page(SHELL, "<meta content='frame-src https://geo.captcha-delivery.com'>"), id="datadome"),
        pytest.param(page(SHELL, "<link rel=preconnect href='https://captcha.px-cdn.net'>"), id="human"),
        # Others' scripts, and others' pages.
        pytest.param(page(SHELL, '<script src="/js/aes.js"></script><script>document.cookie="a=1"</script>'), id="aes"),
        pytest.param(page(SHELL, "<script>let options_after = 'DpBtwAfX+rBzns=', specRecap;</script>"), id="letters"),
        pytest.param(
            "<title>404 Not Found</title><h1>404 Not Found</h1><a href='https://www.bt.cn/?from=404'>BT</a>",
            id="bt-404",
        ),
        pytest.param(page('<a href="https://www.reddit.com/r/a/?js_challenge=1&token=x">a thread</a>'), id="link"),
        # Words that are prose, or names.
        pytest.param(page("Your cart is empty. <a href=/>Continue shopping</a>"), id="cart"),
        pytest.param(page("Welcome back. Report suspicious activity. Security check-in."), id="bank"),
        pytest.param(page("Winners of the scholarship (2024)"), id="scholarship"),
        pytest.param(page("Slow down: press and hold the power button."), id="manual"),
        pytest.param(page("Tools of non-human primates at unusually high temperatures, not a bottle."), id="science"),
        pytest.param(page(SHELL).replace("A site", "Web Application Firewall | Vendor"), id="a-product"),
        pytest.param(page("Name <textarea name=text></textarea> Please verify you are human"), id="contact"),
        pytest.param(page("您的IP地址: 192.0.2.1"), id="address-in-chinese"),
        pytest.param(page("Uw IP-adres is 192.0.2.1"), id="address-in-dutch"),
        pytest.param('{"ratelimit": {"limit": 100, "remaining": 99}}', id="api"),
    ],
)
def test_a_good_page_stays_good(body: str) -> None:
    """What vendors, programs and plain words have in common with block pages is no sign."""
    verdict = JUDGE.judge(Exchange(url="https://site.example/", status=200, body=body.encode(), at=1e9))

    assert verdict == OK


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "", "body": ("x",)}, "has no name"),
        ({"name": "a"}, "has no condition"),
        ({"name": "a", "body": ("",)}, "looks for an empty text"),
        ({"name": "a", "title": ("*",)}, "looks for an empty text"),
        ({"name": "a", "header": {"X-A": ()}}, "has a header with capitals"),
        ({"name": "a", "header": {"x-a": ("YES",)}}, "has a header with capitals"),
        ({"name": "a", "title": ("Just A Moment",)}, "has a title with capitals"),
        ({"name": "a", "url": ("https://shop.example/x",)}, "has a url that is no host/path"),
        ({"name": "a", "frame": ("https://captcha.example/",)}, "has a frame that is no host/path"),
        ({"name": "a", "frame": ("captcha.example",)}, "has a frame that is no host/path"),
        ({"name": "a", "frame": ("*./x",)}, "looks for an empty text"),
        ({"name": "a", "status": (99_999,)}, "has a status that is none"),
        ({"name": "a", "body": ("x",), "most_bytes": -1}, "has a size or time that is none"),
        ({"name": "a", "body": ("x",), "wait_seconds": float("inf")}, "has a size or time that is none"),
        ({"name": "a", "body": ("x",), "wait_seconds": float("nan")}, "has a size or time that is none"),
        ({"name": "a", "body": ("x",), "measured": (1, 5)}, "was measured wrongly"),
    ],
)
def test_a_sign_that_can_never_be_meant_is_refused(fields: dict[str, Any], says: str) -> None:
    """It would be silent, or end a crawl, without anybody knowing why."""
    with pytest.raises(ConfigError, match=says):
        Sign(why="w", source="s", **fields)


def test_a_name_stands_once_in_a_file(tmp_path: Path) -> None:
    """Of two, one would be silent."""
    sign = '[[sign]]\nname = "a"\nwhy = "w"\nsource = "s"\nbody = ["x"]\n'
    (tmp_path / "twice.toml").write_text(sign + sign)

    with pytest.raises(ConfigError, match="'a' is in it twice"):
        read_signs(tmp_path / "twice.toml")


def test_what_is_refused_to_everybody_is_a_sites_error_and_final(tmp_path: Path) -> None:
    """Whatever its sign says of it: nobody is given up for it, and it is not asked for again."""
    (tmp_path / "own.toml").write_text(
        '[[sign]]\nname = "a"\nwhy = "w"\nsource = "s"\nscope = "resource"\nbody = ["not in your region"]\n'
    )

    verdict = make_judge([tmp_path / "own.toml"]).judge(
        Exchange(url="https://shop.example/", status=200, body=b"<p>not in your region")
    )

    assert (verdict.outcome, verdict.is_final) == (Outcome.SITE_ERROR, True)
