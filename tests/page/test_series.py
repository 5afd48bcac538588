"""Every series of a chart has a colour that can be told from the others and seen on either background."""

import re
from itertools import combinations
from pathlib import Path

import pytest

from cgdmer.page import series
from cgdmer.page.elements import style
from cgdmer.page.standalone import STYLE

ROOT = Path(__file__).resolve().parents[2]
PAPER = {"light": "#fbfaf8", "dark": "#14181b"}
LEAST_CONTRAST = 3.0
"""WCAG 2.1, criterion 1.4.11, for graphics."""


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("colours", "paper"), [(series.LIGHT, "light"), (series.DARK, "dark")])
def test_colours_stand_out_from_the_paper_and_from_each_other(colours, paper):
    assert all(contrast(one, PAPER[paper]) >= LEAST_CONTRAST for one in colours)
    assert all(one != other for one, other in combinations(colours, 2))


@pytest.mark.parametrize("sheet", [style(), STYLE], ids=["page", "image"])
def test_a_sheet_has_every_series_before_the_rule_that_lines_have_no_fill(sheet):
    known = {int(number) for number in re.findall(r"svg \.series(\d+)\{stroke:", sheet)}
    assert known == set(range(series.MOST))
    assert sheet.index("svg .series0{") < re.search(r"svg \.line ?\{ ?fill: ?none", sheet).start()


def test_the_committed_page_draws_no_series_without_a_style():
    page = (ROOT / "reports/report.html").read_text()
    drawn = {int(number) for number in re.findall(r'class="[^"]*series(\d+)"', page)}
    assert len(drawn) >= 5
    assert max(drawn) < series.MOST
    assert all(f"svg .series{number}{{stroke:" in page for number in drawn)
