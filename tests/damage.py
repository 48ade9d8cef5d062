"""What happens to files of lines and fields: some of them are lost, doubled, moved, cut, or get odd letters."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

ODD_LETTERS = "\"'{}[]<>,:;|#&*=- \t\nA1\u200b\u202e\u00a0\x00\x1b"


@st.composite
def damaged(draw: st.DrawFn, texts: Sequence[str], separators: Sequence[str]) -> str:
    """One of *texts*, of whose pieces between *separators* something has become, once or twice."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 2))):
        separator = draw(st.sampled_from(separators))
        pieces = text.split(separator)
        at, other = (draw(st.integers(0, len(pieces) - 1)) for _ in range(2))
        match draw(st.sampled_from(["drop", "double", "swap", "cut", "put"])):
            case "drop":
                del pieces[at]
            case "double":
                pieces.insert(at, pieces[at])
            case "swap":
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case "cut":
                del pieces[at + 1 :]
            case _:
                pieces[at] += draw(st.text(ODD_LETTERS, min_size=1, max_size=3))
        text = separator.join(pieces)
    return text
