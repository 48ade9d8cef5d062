"""What docstrings name is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "proxysieve"
Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documented(tree: ast.AST) -> Iterator[tuple[Documented, list[str]]]:
    """Each class and function, with the names that its docstring explains."""
    for node in ast.walk(tree):
        if isinstance(node, Documented):
            sections = re.split(r"^(\w+):$", ast.get_docstring(node) or "", flags=re.MULTILINE)
            parts = zip(sections[1::2], sections[2::2], strict=True)
            told = [body for head, body in parts if head in {"Args", "Attributes"}]
            yield node, [name for body in told for name in re.findall(r"^ {4}(\w+):", body, re.MULTILINE)]


def names_in(node: Documented) -> set[str]:
    """The parameters, fields and attributes of a class or function, its own base's not counted."""
    arguments = {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
    attributes = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return arguments | attributes | names | {one.name for one in ast.walk(node) if isinstance(one, ast.FunctionDef)}


def test_what_a_docstring_explains_is_there() -> None:
    """Every name under ``Args`` and ``Attributes`` is one of the class or the function."""
    missing = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.name} has no {name}"
        for file in sorted(SOURCE.rglob("*.py"))
        for node, told in documented(ast.parse(file.read_text()))
        for name in set(told) - names_in(node)
    ]

    assert missing == []
