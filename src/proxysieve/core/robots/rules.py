"""What a robots.txt asks of us (RFC 9309). Reading and asking take a bounded time for any content.

Parsers that keep every group, and ask one rule after the other, can be made to work for minutes by a file of 500 kB
(protego, which Scrapy uses, is one; docs/inside/benchmarks.md has the figures). Here a line is looked at once, only our
group is kept, and rules without wildcards are looked up. Many rules with wildcards are asked in steps of a millisecond
in the event loop: a thread would take the loop 5 ms each time it lets go of the interpreter.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import NamedTuple

from proxysieve.core.urls.parsing import as_sent

# The name by which a site can address us in its robots.txt.
USER_AGENT = "proxysieve"
# A reader of robots.txt must read at least this much (RFC 9309, 2.5).
READ_BYTES = 512_000

# With the typing errors that Google's parser accepts: https://github.com/google/robotstxt
AGENT = frozenset({"user-agent", "useragent", "user agent"})
ALLOW = frozenset({"allow"})
DISALLOW = frozenset({"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"})
NAMES = AGENT | ALLOW | DISALLOW
# A robot's name ends where its version begins (RFC 9309, 2.2.1).
TOKEN = re.compile(r"[a-z_-]*")
# Other characters can be spelled in two ways. One of them is compared.
PLAIN = re.compile(r"[A-Za-z0-9_.~/=*-]*")
SPELLED = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9_.~/=*-]")
# These mean something else when they are escaped.
KEPT = frozenset("/%*")
# A folder shows this file at its own address.
INDEX = "/index.html"
# How much is compared within a millisecond, and the extra cost of a rule.
STEP_CHARACTERS, OVERHEAD = 500_000, 30
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Wildcard(NamedTuple):
    """A rule with ``*`` in its path.

    Attributes:
        rank: See :func:`_rank`.
        longest: Its longest text, which rules out most paths.
        head: How the path begins, up to the first ``*``.
        pieces: The texts after it, in this order.
        end: How the path ends; empty if anything may follow.
    """

    rank: int
    longest: str
    head: str
    pieces: list[str]
    end: str

    def matches(self, path: str) -> bool:
        """Whether the rule is about *path*. The first place of a piece is as good as any, so nothing is tried twice."""
        if not (path.startswith(self.head) and path.endswith(self.end)):
            return False
        at, end = len(self.head), len(path) - len(self.end)
        for piece in self.pieces:
            place = path.find(piece, at, end)
            if place < 0:
                return False
            at = place + len(piece)
        return at <= end


class Rules:
    """The rules of one robots.txt that address us.

    Args:
        paths: The paths of the rules as :func:`path_of` spells them, and whether each is allowed.
    """

    def __init__(self, paths: Mapping[str, bool]) -> None:
        # For the beginnings of paths, and for whole paths.
        self._starts: dict[str, bool] = {}
        self._wholes: dict[str, bool] = {}
        wildcards = []
        for path, allows in paths.items():
            if "*" in path:
                wildcards.append(_wildcard(path, allows=allows))
            elif path.endswith("$"):
                self._wholes[path[:-1]] = allows
            else:
                self._starts[path] = allows
        self._wildcards = sorted(wildcards, key=attrgetter("rank"), reverse=True)
        self._lengths = sorted({len(start) for start in self._starts})

    def allow(self, url: str) -> bool:
        """Whether *url* may be fetched."""
        *_, answer = self.steps(url)
        return answer is True

    def steps(self, url: str) -> Iterator[bool | None]:
        """The answer of :meth:`allow`, in steps of a millisecond: None until it is known, then the answer."""
        path = path_of(url)
        if path == "/robots.txt":
            yield True
            return
        best = self._looked_up(path)
        # They are sorted, so the first that matches is the best.
        step = max(1, STEP_CHARACTERS // (len(path) + OVERHEAD))
        for start in range(0, len(self._wildcards), step):
            if len(self._wildcards) > step:
                yield None
            rules = self._wildcards[start : start + step]
            found = next((rule for rule in rules if rule.longest in path and rule.matches(path)), None)
            if found or rules[-1].rank <= best:
                best = max(best, found.rank if found else best)
                break
        yield bool(best % 2)

    def _looked_up(self, path: str) -> int:
        """The highest rank of the rules without wildcards for *path*."""
        best = _rank(0, allows=True)
        for length in self._lengths:
            if length > len(path):
                break
            allows = self._starts.get(path[:length])
            if allows is not None:
                best = _rank(length, allows=allows)
        if path in self._wholes:
            best = max(best, _rank(len(path) + 1, allows=self._wholes[path]))
        return best


def _rank(length: int, *, allows: bool) -> int:
    """The rule with the highest rank counts: the longest, and of two equally long ones the one that allows (2.2.2)."""
    return 2 * length + allows


def _wildcard(path: str, *, allows: bool) -> Wildcard:
    whole = path.removesuffix("$")
    head, *pieces, end = whole.split("*")
    if whole == path:
        pieces, end = [*pieces, end], ""
    rank = _rank(len(path), allows=allows)
    return Wildcard(rank, max(head, *pieces, end, key=len), head, [one for one in pieces if one], end)


def read_rules(body: bytes) -> Rules:
    """The rules in the *body* of a robots.txt, up to the size that must be read."""
    cut = body[:READ_BYTES]
    if len(body) > READ_BYTES:
        # A rule that was cut means something else.
        cut = cut[: max(cut.rfind(b"\n"), cut.rfind(b"\r"), 0)]
    return Rules(_our_paths(_decoded(cut)))


def _decoded(body: bytes) -> str:
    for mark, encoding in MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, errors="replace")
    return body.decode(errors="replace")


def _our_paths(text: str) -> dict[str, bool]:
    """The paths of our groups, or of the groups for all robots if we have none, and whether each is allowed."""
    named: dict[str, bool] = {}
    others: dict[str, bool] = {}
    is_named = for_us = for_all = has_rules = False
    for line in text.replace("\r", "\n").split("\n"):
        name, value = _parts(line)
        if name in AGENT:
            if has_rules:
                for_us = for_all = has_rules = False
            agent = value.lower()
            for_us = for_us or _token(agent) == USER_AGENT
            for_all = for_all or agent.startswith("*")
            is_named = is_named or for_us
        elif name in NAMES:
            has_rules = True
            if value and for_us:
                _add(named, value, allows=name in ALLOW)
            # These are not needed any more.
            if value and for_all and not is_named:
                _add(others, value, allows=name in ALLOW)
    return named if is_named else others


def _token(agent: str) -> str:
    found = TOKEN.match(agent)
    return found[0] if found else ""


def _parts(line: str) -> tuple[str, str]:
    """The name and the value of a *line*. The colon between them may be missing."""
    line = line.partition("#")[0].strip()
    name, _, value = line.partition(":")
    name = name.strip().lower()
    if name not in NAMES:
        name, *rest = line.split(None, 1) or [""]
        name, value = name.lower(), "".join(rest)
    return name, value.strip()


def _add(paths: dict[str, bool], value: str, *, allows: bool) -> None:
    end = "$" if value.endswith("$") else ""
    path = _spelled(value.removesuffix("$"))
    paths[path + end] = allows or paths.get(path + end, False)
    if allows and path.endswith(INDEX):
        paths[f"{path.removesuffix(INDEX)}/$"] = True


def path_of(url: str) -> str:
    """What rules are compared with: the path and the query of *url*, spelled as in rules."""
    path = as_sent(url).split("/", 3)[3]
    return _spelled(f"/{path}").replace("*", "%2A")


def _spelled(path: str) -> str:
    return path if PLAIN.fullmatch(path) else SPELLED.sub(_spell, path)


def _spell(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) == 1:
        return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
    letter = chr(int(text[1:], 16))
    return letter if letter not in KEPT and PLAIN.fullmatch(letter) else text.upper()
