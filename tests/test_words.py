"""One word for each thing: the glossary's stand in the code, and those that it replaced do not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RETIRED = (
    *("bag", "beliefs", "belongings", "contrast", "desk", "desks", "doubts", "facts", "hearsay", "identities"),
    *("identity", "likeness", "lore", "pinned", "resting", "roster", "supply", "suspect", "suspects", "tally"),
    *("trial", "trials", "visitor", "visitors", "wear"),
)


def names() -> dict[str, str]:
    """Every name that the source gives to something, and a place where it stands."""
    found = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for part in file.relative_to(ROOT / "src").with_suffix("").parts:
            found[part] = str(file)
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found[name] = f"{file}:{node.lineno}"
                case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    found[name] = f"{file}:{node.lineno}"
    return found


def words_of(name: str) -> list[str]:
    """The words of a name, whichever case it is written in."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


NAMES = names()
WORDS = {word for name in NAMES for word in words_of(name)}


def glossary() -> list[str]:
    """The terms that ``docs/reference/concepts.md`` explains."""
    page = (ROOT / "docs" / "reference" / "concepts.md").read_text()
    tables = page[page.index("## The words") : page.index("## Verdicts")]
    cells = re.findall(r"^\| ([^|]+?) \|", tables, re.MULTILINE)
    return [term for cell in cells for term in cell.split(", ") if cell not in {"word", "standing", "---"}]


@pytest.mark.parametrize("term", glossary())
def test_what_the_glossary_explains_stands_in_the_code(term: str) -> None:
    """Word for word, as a name or a part of one."""
    assert set(term.split()) <= WORDS


@pytest.mark.parametrize("word", RETIRED)
def test_a_word_that_was_replaced_is_in_no_name(word: str) -> None:
    """Nor in a part of one."""
    assert [f"{name} in {place}" for name, place in NAMES.items() if word in words_of(name)] == []
