"""Sites of several makes of pages, made up by chance: what looks are learned of, and what is to be told from them."""

from __future__ import annotations

from random import Random

_SYLLABLES = "ba be bo da de di fa fe ga go ka ke la le li ma mo na no pa pe ra re sa so ta te va vi wo za"
SYLLABLES = _SYLLABLES.split()


def word(rng: Random) -> str:
    return "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4)))


def prose(rng: Random, count: int) -> str:
    return " ".join(word(rng) for _ in range(count))


_TAGS = "div p span section article ul li table tr td h2 h3 b i em nav aside figure label dl dt dd pre"
TAGS = _TAGS.split()


class Make:
    """One platform: its own names, scripts and frame, which all of its pages have, and several templates."""

    def __init__(self, rng: Random, template_count: int = 6, frame_size: int = 8) -> None:
        prefix = word(rng)
        head = [f'<script src="/{word(rng)}/{prefix}.{rng.randrange(99)}.js"></script>' for _ in range(3)]
        head += [f'<link rel=stylesheet href="/{prefix}/{word(rng)}.css">' for _ in range(rng.randint(1, 4))]
        head += [f'<meta name="{word(rng)}" content="{word(rng)}">' for _ in range(rng.randint(1, 6))]
        self._head = "".join(rng.sample(head, k=len(head)))
        self._header = "".join(
            f'<{rng.choice(TAGS)} class="{prefix}-{word(rng)}"><a href="/{word(rng)}">{word(rng)}</a>'
            for _ in range(frame_size)
        )
        self._footer = f'<footer id="{prefix}-foot"><p>{prose(rng, 6)}</p></footer>'
        self._templates = [
            [(rng.choice(TAGS), rng.choice(TAGS), f"{word(rng)}-{word(rng)}") for _ in range(5)]
            for _ in range(template_count)
        ]

    def page(self, rng: Random, *, words: int | None = None) -> bytes:
        """A page of any of its templates, of as many words as it happens to have."""
        length = rng.choice((5, 40, 400)) if words is None else words
        parts = "".join(
            f'<{outer} class="{name}" id="part-{rng.randrange(10_000)}"><{inner}>{prose(rng, length // 5)}'
            for outer, inner, name in rng.choice(self._templates)
        )
        return (
            f"<!DOCTYPE html><html><head>{self._head}<title>{prose(rng, 3)}</title></head>"
            f"<body>{self._header}<main>{parts}</main>{self._footer}</body></html>"
        ).encode()


def bare_page(rng: Random) -> bytes:
    """One of no make: what a server says of itself, or a version to be printed."""
    return f"<html><head><title>{word(rng)}</title></head><body><p>{prose(rng, 30)}</p></body></html>".encode()


def block_page(rng: Random) -> bytes:
    """What a maker that nobody knows puts in the way, in a language that nobody speaks."""
    maker = word(rng)
    return (
        f'<!DOCTYPE html><html><head><meta name="robots" content="noindex"><title>{prose(rng, 2)}</title>'
        f'<script src="https://{maker}.example/{word(rng)}.js"></script></head><body><div class="{maker}-box">'
        f'<h1>{prose(rng, 5)}</h1><p>{prose(rng, 40)}</p><form id="{maker}-form"><input name="{maker}-answer">'
        f"<button>{word(rng)}</button></form></div></body></html>"
    ).encode()
