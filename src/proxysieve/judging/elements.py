"""Tells whether an element is on a page. The time is bounded for any page and any selector.

A page that is not harmless is tamed before it is parsed. A search can take long, too: ``main div div div`` tries all
ways in which divs are nested. So each part of a selector is looked up by itself, and one pass finds out how the parts
relate. The parser handles what is in parentheses, if the page is so small that this cannot take long.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from proxysieve.errors import ConfigError
from proxysieve.judging.html_taming import MOST_BYTES, MOST_TAGS, Tamed, is_harmless, tame

# The parser does ten million steps of its own search in about 30 ms. A node that it hands to us costs as much as 100.
MOST_STEPS, NODE_STEPS = 10_000_000, 100
PIECE = re.compile(
    r"""\\.|"(?:\\.|[^"\\])*+"|'(?:\\.|[^'\\])*+'|\s*+[>+~,]\s*+|\s++|[()\[\]]|[^\\"'\s>+~,()\[\]]++""", re.DOTALL
)
# Pseudo-classes that look at all siblings or all descendants.
SEARCHING = re.compile(r":(?:nth-[\w-]+|has|lexbor-contains)$", re.IGNORECASE)
SEARCHING_WORD = re.compile(r":(?:first|last|only)-of-type\b", re.IGNORECASE)

# How a part of a selector relates to the part before it, and the part itself.
Step = tuple[str, str]
Leads = Callable[[LexborNode, set[int], dict[int, bool]], bool]


class Selector:
    """A CSS selector to look for in pages.

    Args:
        text: The selector.

    Raises:
        ConfigError: It is no CSS selector.
    """

    def __init__(self, text: str) -> None:
        try:
            LexborHTMLParser("<p>").css_first(text)
        except (SelectolaxError, ValueError) as error:
            raise ConfigError(f"{text!r} is no CSS selector") from error
        self._chains, self._searching_count = _chains_of(text)
        self._part_count = sum(len(chain) for chain in self._chains if len(chain) > 1)

    def problem(self, body: bytes) -> str:
        """Why the selector is not known to match in the page *body*; empty if it matches."""
        count = body.count(b"<") + 3
        page = Tamed(body, count, count, is_whole=True)
        if not is_harmless(body) or self._steps(page) > MOST_STEPS:
            page = tame(body)
        if self._steps(page) > MOST_STEPS:
            return "the page is too large to look for the expected element"
        parser = LexborHTMLParser(page.markup)
        if any(_is_there(parser, chain) for chain in self._chains):
            return ""
        part = "" if page.is_whole else f" in the first {MOST_TAGS:,} tags and {MOST_BYTES:,} bytes"
        return f"the expected element is missing{part}"

    def _steps(self, page: Tamed) -> int:
        """The most steps that a search takes."""
        return page.tag_count * (NODE_STEPS * self._part_count + int(page.widest**self._searching_count))


def _chains_of(selector: str) -> tuple[list[list[Step]], int]:
    """The alternatives of *selector* as chains of parts, and how often it searches all elements around one."""
    chains: list[list[Step]] = [[]]
    functions: list[str] = []
    part, combinator, searching_count = "", "", len(SEARCHING_WORD.findall(selector))
    for piece in PIECE.findall(selector.strip()):
        kind = piece.strip() or " "
        if kind in {" ", ">", "+", "~", ","} and not functions:
            chains[-1].append((combinator, part))
            part, combinator = "", "" if kind == "," else kind
            if kind == ",":
                chains.append([])
            continue
        if kind in {" ", "~"}:
            # Within brackets, and in the arithmetic of :nth-child(), it means something else.
            searching_count += functions[-1] != "[" and ":nth-" not in functions[-1].lower()
        elif kind in {"(", "["}:
            functions.append("[" if kind == "[" else part)
            searching_count += kind == "(" and SEARCHING.search(part) is not None
        elif kind in {")", "]"}:
            functions = functions[:-1]
        part += piece
    chains[-1].append((combinator, part))
    return chains, searching_count


def _is_there(parser: LexborHTMLParser, chain: list[Step]) -> bool:
    (_, first), *steps = chain
    if not steps:
        return parser.css_first(first) is not None
    reached = {node.mem_id for node in parser.css(first)}
    for combinator, part in steps:
        if not reached:
            return False
        leads, known = LEADS[combinator], dict[int, bool]()
        reached = {node.mem_id for node in parser.css(part) if leads(node, reached, known)}
    return bool(reached)


def _somewhere(direction: str) -> Leads:
    """Whether one of the reached nodes lies in *direction*. Each node on the way is passed once."""
    next_of = attrgetter(direction)

    def leads(node: LexborNode, reached: set[int], known: dict[int, bool]) -> bool:
        passed, is_reached, other = [], False, next_of(node)
        while other is not None and not is_reached:
            number = other.mem_id
            if number in known:
                is_reached = known[number]
                break
            passed.append(number)
            is_reached = number in reached
            other = next_of(other)
        known.update(dict.fromkeys(passed, is_reached))
        return is_reached

    return leads


def _is_child(node: LexborNode, reached: set[int], _: dict[int, bool]) -> bool:
    return node.parent is not None and node.parent.mem_id in reached


def _is_next(node: LexborNode, reached: set[int], _: dict[int, bool]) -> bool:
    other = node.prev
    while other is not None and not other.is_element_node:
        other = other.prev
    return other is not None and other.mem_id in reached


LEADS: dict[str, Leads] = {" ": _somewhere("parent"), ">": _is_child, "~": _somewhere("prev"), "+": _is_next}
