"""The pages for those who change the code name what is there."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "proxysieve"
PAGES = {page.name: page.read_text() for page in (ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))}
PATH = re.compile(r"`([a-z_]+/[a-z_/]*(?:\.[a-z]+)?)`")
CONSTANTS = re.compile(r"^\| (`[A-Z_`, ]+`) \| ([\d., ]+) \|", re.MULTILINE)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "architecture.md", "policy.md", "client.md"])
def test_the_paths_that_a_page_names_are_there(name: str) -> None:
    """From the root, the documentation, the package, or its core."""
    places = (ROOT, ROOT / "docs", PACKAGE, PACKAGE / "core")

    assert [path for path in PATH.findall(PAGES[name]) if not any((place / path).exists() for place in places)] == []


def test_the_picture_of_the_architecture_has_every_folder() -> None:
    """As the import rules list them."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][:2]
    (picture,) = (ROOT / "docs").rglob("architecture.svg")
    names = {name for rule in rules for layer in rule["layers"] for name in layer.split(" : ")}

    assert [name for name in sorted(names) if not re.search(rf"[> ]{name}[,<]", picture.read_text())] == []


def test_the_constants_are_as_the_page_on_the_policy_says() -> None:
    """Where a cell has a number for each name."""
    files = [file.relative_to(PACKAGE.parent).with_suffix("") for file in (PACKAGE / "core").rglob("*.py")]
    modules = [import_module(".".join(file.parts)) for file in files]
    said = [
        one
        for names, values in CONSTANTS.findall(PAGES["policy.md"])
        for one in zip(re.findall("[A-Z_]+", names), map(float, values.split(", ")), strict=True)
    ]

    assert said
    assert [(name, value) for name, value in said if value not in [getattr(one, name, 0) for one in modules]] == []
