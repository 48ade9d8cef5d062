"""The picture of a comparison."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from proxysieve.sim.plot import BAR_WIDTH, LABEL_WIDTH, plot, plot_dots

SPACE = "{http://www.w3.org/2000/svg}"
WASTE = {"one & all": {"classic": 0.1, "oracle": 0.001}, "two": {"classic": 100.0, "oracle": 0.0}}


def test_a_bar_is_as_long_as_the_logarithm() -> None:
    """From 0.001 to 100; what is beyond is cut off."""
    picture = ET.fromstring(plot(WASTE))

    bars = [rect for rect in picture.iter(f"{SPACE}rect") if rect.get("x")]
    assert [float(bar.get("width", "")) for bar in bars] == [
        pytest.approx(BAR_WIDTH * share, abs=0.1) for share in (0.4, 0.0, 1.0, 0.0)
    ]
    assert {bar.get("x") for bar in bars} == {str(LABEL_WIDTH)}
    assert [bar.get("fill") for bar in bars[:2]] == [bar.get("fill") for bar in bars[2:]]


def test_names_and_values_are_written_beside_the_bars() -> None:
    """And all of it is inside of the picture."""
    picture = ET.fromstring(plot(WASTE))

    texts = [text.text for text in picture.iter(f"{SPACE}text")]
    assert {"one & all", "two", "classic", "oracle", "0.100", "0.001", "100.000"} <= set(texts)
    height = float(picture.get("viewBox", "").split()[3])
    assert all(float(text.get("y", "")) < height for text in picture.iter(f"{SPACE}text"))


def test_a_dot_stands_where_a_bar_would_end() -> None:
    """With one more of each colour that says whose it is; what comes later is smaller, and on top."""
    picture = ET.fromstring(plot_dots(WASTE))

    dots = list(picture.iter(f"{SPACE}circle"))
    keys, placed = dots[:2], dots[2:]
    assert [float(dot.get("cx", "")) - LABEL_WIDTH for dot in placed] == [
        pytest.approx(BAR_WIDTH * share, abs=0.1) for share in (0.4, 0.0, 1.0, 0.0)
    ]
    assert [dot.get("fill") for dot in placed] == 2 * [key.get("fill") for key in keys]
    assert float(keys[0].get("r", "")) > float(keys[1].get("r", ""))
    assert {"one & all", "two", "classic", "oracle"} <= {text.text for text in picture.iter(f"{SPACE}text")}
