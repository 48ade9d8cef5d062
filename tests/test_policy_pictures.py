"""The pictures of docs/inside/policy.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parent.parent
SPACE = "{http://www.w3.org/2000/svg}"
NAMES = re.findall(r"\]\((policy-\w+\.svg)\)", (ROOT / "docs" / "inside" / "policy.md").read_text())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the script has drawn them anew."""
    directory = tmp_path_factory.mktemp("pictures")
    subprocess.run([sys.executable, ROOT / "scripts" / "policy-pictures", directory], check=True)
    return directory


def test_the_page_shows_all_pictures_that_the_script_draws(drawn: Path) -> None:
    """And no others; a link that leads nowhere is found by the tests of the documentation."""
    assert sorted(NAMES) == sorted(path.name for path in drawn.iterdir())
    assert sorted(NAMES) == sorted(path.name for path in (ROOT / "docs" / "inside").glob("policy-*.svg"))


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_can_be_read_on_any_ground(drawn: Path, name: str) -> None:
    """It brings its own, says what it shows along both axes, and all of that is inside of it."""
    picture = ET.parse(drawn / name).getroot()
    _, _, width, height = (float(part) for part in picture.get("viewBox", "").split())

    ground = picture.find(f"{SPACE}rect")
    assert ground is not None
    assert (ground.get("fill"), ground.get("width"), ground.get("height")) == ("white", f"{width:g}", f"{height:g}")
    texts = list(picture.iter(f"{SPACE}text"))
    assert len(texts) > 10
    for text in texts:
        assert 0 <= float(text.get("x", "")) <= width
        assert 0 < float(text.get("y", "")) < height
        if text.get("text-anchor") == "start":
            assert float(text.get("x", "")) + 6.2 * len(text.text or "") < width


@pytest.mark.parametrize("name", NAMES)
def test_what_is_drawn_is_inside_of_the_axes(drawn: Path, name: str) -> None:
    """Whatever the numbers are."""
    picture = ET.parse(drawn / name).getroot()
    _, _, width, height = (float(part) for part in picture.get("viewBox", "").split())

    lines = list(picture.iter(f"{SPACE}polyline"))
    assert lines
    for line in lines:
        for x, y in (point.split(",") for point in line.get("points", "").split()):
            assert 0 < float(x) < width
            assert 0 < float(y) < height
