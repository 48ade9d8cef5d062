"""The comparison as a picture: wasted requests a page of each policy, world by world, on a log scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

# World, then policy, then wasted requests a page.
Waste = Mapping[str, Mapping[str, float]]

LEAST, MOST = 0.001, 100.0
LABEL_WIDTH, BAR_WIDTH, VALUE_WIDTH = 180, 480, 60
ROW, GAP, HEAD, FOOT = 14, 26, 34, 24
DOT_ROW, KEY_WIDTH = 18, 90
# Those on top are smaller, so that the ones below stay visible.
DOT_RADII = (7.0, 6.0, 5.0, 4.0)
# Also people who are colour-blind can tell them apart (Okabe and Ito, 2008).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")


def plot(waste: Waste) -> str:
    """An SVG file with a group of bars for each world."""
    policies = list(dict.fromkeys(policy for bars in waste.values() for policy in bars))
    colours = {policy: COLOURS[place % len(COLOURS)] for place, policy in enumerate(policies)}
    parts, y = [], HEAD
    for world, bars in waste.items():
        parts.append(f'<text x="0" y="{y + ROW - 3}" font-weight="bold">{escape(world)}</text>')
        y += ROW + 2
        for policy, wasted in bars.items():
            parts.append(_bar(y, policy, wasted, colours[policy]))
            y += ROW
        y += GAP - ROW
    return _page([*_grid(y), *parts], y)


def plot_dots(waste: Waste) -> str:
    """An SVG file with a line for each world, and a dot on it for each policy. Later ones are on top."""
    policies = list(dict.fromkeys(policy for dots in waste.values() for policy in dots))
    looks = {
        policy: (DOT_RADII[min(place, len(DOT_RADII) - 1)], COLOURS[place % len(COLOURS)])
        for place, policy in enumerate(policies)
    }
    key_start = LABEL_WIDTH + BAR_WIDTH - KEY_WIDTH * len(policies)
    parts = []
    for place, (policy, look) in enumerate(looks.items()):
        x = key_start + place * KEY_WIDTH
        parts.append(_dot(x, 10, look))
        parts.append(f'<text x="{x + 10}" y="14">{escape(policy)}</text>')
    y = HEAD
    for world, dots in waste.items():
        middle = y + DOT_ROW / 2
        end = LABEL_WIDTH + BAR_WIDTH
        parts.append(f'<text x="{LABEL_WIDTH - 10}" y="{middle + 4}" text-anchor="end">{escape(world)}</text>')
        parts.append(f'<line x1="{LABEL_WIDTH}" y1="{middle}" x2="{end}" y2="{middle}" stroke="#eee"/>')
        parts += [_dot(LABEL_WIDTH + _place(wasted), middle, looks[policy]) for policy, wasted in dots.items()]
        y += DOT_ROW
    return _page([*_grid(y), *parts], y)


def _page(parts: list[str], bottom: int) -> str:
    width, height = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH, bottom + FOOT
    space = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
    lines = (
        f'<svg {space} font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<text x="0" y="14" font-size="13">wasted requests a page</text>',
        *parts,
        "</svg>",
    )
    return "\n".join(lines) + "\n"


def _dot(x: float, y: float, look: tuple[float, str]) -> str:
    radius, colour = look
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" stroke="white" stroke-width="0.5"/>'


def _bar(y: int, policy: str, wasted: float, colour: str) -> str:
    width = _place(wasted)
    return (
        f'<text x="{LABEL_WIDTH - 6}" y="{y + ROW - 4}" text-anchor="end">{escape(policy)}</text>'
        f'<rect x="{LABEL_WIDTH}" y="{y + 2}" width="{width:.1f}" height="{ROW - 4}" fill="{colour}"/>'
        f'<text x="{LABEL_WIDTH + width + 4:.1f}" y="{y + ROW - 4}">{wasted:.3f}</text>'
    )


def _grid(bottom: int) -> list[str]:
    """A line for each power of ten, with its value."""
    lines = []
    for power in range(round(math.log10(LEAST)), round(math.log10(MOST)) + 1):
        x = LABEL_WIDTH + _place(10.0**power)
        lines.append(f'<line x1="{x:.1f}" y1="{HEAD - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle" fill="#666">{10.0**power:g}</text>')
    return lines


def _place(wasted: float) -> float:
    """The distance from the left, in pixels. A value below the least shows no bar."""
    inside = min(max(wasted, LEAST), MOST)
    return BAR_WIDTH * math.log(inside / LEAST) / math.log(MOST / LEAST)
