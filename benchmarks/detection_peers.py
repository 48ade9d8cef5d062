"""What other packages make of answers, each called as its users call it; run by `detection.py`.

Answers come in as lines of JSON (url, status, headers, body in base64); for each package that the command line names, a
line goes out: what it made of each of them, or why it could not be asked. It needs nothing but the packages themselves.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from base64 import b64decode
from collections.abc import Callable
from importlib import import_module, metadata
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What came back."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body, for those that want it decoded."""
        return self.body.decode("utf-8", "replace")

    async def read(self) -> bytes:
        """The body, for crawlee."""
        return self.body


Classify = Callable[[Answer], bool]


def crawlee_selectors() -> Classify:
    """The selectors that its parser looks for, in the body as it came."""
    parser = import_module("crawlee.crawlers._parsel._parsel_parser").ParselParser()

    def classify(answer: Answer) -> bool:
        return bool(parser.is_blocked(asyncio.run(parser.parse(answer))))

    return classify


def crawlee_statuses() -> Classify:
    """The statuses that end a session, and the selectors."""
    session, selectors = import_module("crawlee.sessions").Session(), crawlee_selectors()
    return lambda answer: session.is_blocked_status_code(status_code=answer.status) or selectors(answer)


def rotating_proxies() -> Classify:
    """The policy of scrapy-rotating-proxies."""
    policy, http = import_module("rotating_proxies.policy").BanDetectionPolicy(), import_module("scrapy.http")

    def classify(answer: Answer) -> bool:
        response = http.Response(answer.url, status=answer.status, headers=answer.headers, body=answer.body)
        return bool(policy.response_is_ban(None, response))

    return classify


def is_antibot() -> Classify:
    """Whatever it detects."""
    detect = import_module("is_antibot").is_antibot

    def classify(answer: Answer) -> bool:
        found = detect(headers=answer.headers, html=answer.text, url=answer.url, status_code=answer.status)
        return bool(found.detected)

    return classify


def anti_bot_detector() -> Classify:
    """Its two upper levels; the lower one says that a vendor is there."""
    package = import_module("anti_bot_detector")
    engine, levels = package.AntiBotEngine(), {package.BotLevel.CHALLENGE, package.BotLevel.BLOCKED}

    def classify(answer: Answer) -> bool:
        response = package.FetchResponse(answer.url, answer.status, answer.headers, answer.text)
        return engine.detect_response(response).bot_level in levels

    return classify


def crawl4ai() -> Classify:
    """The one module that detects blocks, without the package around it, which brings a browser."""
    package = find_spec("crawl4ai")
    if package is None or not package.submodule_search_locations:
        raise ImportError("No module named 'crawl4ai'")
    file = Path(package.submodule_search_locations[0], "antibot_detector.py")
    spec = spec_from_file_location("antibot_detector", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module at {file.name}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda answer: bool(module.is_blocked(answer.status, answer.text)[0])


def scrapling_spider() -> Classify:
    """What its spiders take for a block unless told otherwise."""
    spider = import_module("scrapling.spiders.spider").Spider
    return lambda answer: bool(asyncio.run(spider.is_blocked(None, answer)))


def scrapling_browser() -> Classify:
    """What its browser takes for a challenge of Cloudflare's."""
    session = import_module("scrapling.engines._browsers._base").StealthySessionMixin
    return lambda answer: bool(session._detect_cloudflare(answer.text))  # noqa: SLF001 - its spiders have none


class Peer(NamedTuple):
    """A package, and how it is asked."""

    package: str
    make: Callable[[], Classify]


PEERS = {
    "crawlee, selectors": Peer("crawlee", crawlee_selectors),
    "crawlee, statuses": Peer("crawlee", crawlee_statuses),
    "rotating-proxies": Peer("scrapy-rotating-proxies", rotating_proxies),
    "is-antibot": Peer("is-antibot", is_antibot),
    "anti-bot-detector": Peer("anti-bot-detector", anti_bot_detector),
    "crawl4ai": Peer("crawl4ai", crawl4ai),
    "Scrapling, spider": Peer("scrapling", scrapling_spider),
    "Scrapling, browser": Peer("scrapling", scrapling_browser),
}


def ask(name: str, answers: list[Answer]) -> dict[str, Any]:
    """What the package called *name* makes of *answers*."""
    package, make = PEERS[name]
    try:
        classify = make()
        version = metadata.version(package)
    except Exception as error:  # noqa: BLE001 - whatever keeps it from being asked, the others are
        return {"peer": name, "missing": f"{type(error).__name__}: {error}"}
    opinions = [opinion(classify, answer) for answer in answers]
    blocked = [one is True for one in opinions]
    return {"peer": name, "version": version, "blocked": blocked, "stumbled": opinions.count(None)}


def opinion(classify: Classify, answer: Answer) -> bool | None:
    """Whether *answer* is a block; None where it cannot be read."""
    try:
        return classify(answer)
    except Exception:  # noqa: BLE001 - a package may stumble over anything
        return None


def main() -> None:
    """Answer."""
    logging.disable()
    given = [json.loads(line) for line in sys.stdin.buffer]
    answers = [Answer(one["url"], one["status"], one["headers"], b64decode(one["body"])) for one in given]
    for name in sys.argv[1:]:
        print(json.dumps(ask(name, answers)), flush=True)


if __name__ == "__main__":
    main()
