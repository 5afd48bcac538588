import re

import numpy as np
import pytest

from cgdmer.page.charts import Series, _levels, bars, key, lines
from cgdmer.page.comparisons import Bar, cloud, from_reference


def numbers(pattern, markup):
    return [float(value) for value in re.findall(pattern, markup)]


def test_bars_are_as_long_as_their_values():
    widths = numbers(r'<rect [^>]*width="([\d.]+)"', bars("b", [("a", 4), ("b", 2), ("c", 0)]))
    assert widths[0] == pytest.approx(2 * widths[1])
    assert widths[2] == 1


@pytest.mark.parametrize("limits", [(0.0, 1.0), (0.493, 0.9), (7.89, 11.25), (-3.0, 12.0), (2.0, 2.0), (0.0, 1e-7)])
def test_levels_are_round_and_enclose_the_range(limits):
    levels = _levels(*limits)
    assert levels[0] <= limits[0] + 1e-9
    assert levels[-1] >= limits[1] - 1e-9
    assert 2 <= len(levels) <= 7
    assert np.allclose(np.diff(levels), levels[1] - levels[0])


def test_lines_go_through_their_points_and_bands_around_them():
    series = Series("a", [0, 1, 2], [0.5, 0.6, 0.7], [0.4, 0.5, 0.6], [0.6, 0.7, 0.8])
    drawing = lines("l", [series], x_ticks=[(0, "1%"), (2, "100%")], y=(0.0, 1.0), width=100, height=100)
    dots = list(zip(numbers(r'cx="([\d.]+)"', drawing), numbers(r'cy="([\d.]+)"', drawing), strict=True))
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert [y for _, y in dots] == sorted((y for _, y in dots), reverse=True)
    assert drawing.count('class="band series0"') == 1


def test_a_bar_starts_at_its_reference_on_either_side():
    drawing = from_reference("d", [Bar("up", 0.75, 0.7, 0.8, (0.6, None)), Bar("down", 0.3, 0.2, 0.4)])
    x, width = numbers(r'<rect x="([\d.]+)"', drawing), numbers(r'<rect [^>]*width="([\d.]+)"', drawing)
    assert x[0] == pytest.approx(x[1] + width[1], abs=0.2)
    assert drawing.count('class="tick series1"') == 1
    assert ">0.75</text>" in drawing


def test_a_cloud_keeps_every_point_inside_and_the_marked_apart():
    points = np.random.default_rng(0).normal(size=(50, 2)) * [100, 1]
    drawing = cloud("c", points, np.arange(50) < 10)
    plain, marked = re.findall(r'<path d="([^"]*)"', drawing)
    assert (plain.count("M"), marked.count("M")) == (40, 10)
    values = numbers(r"M([\d.]+) ", plain + marked)
    assert min(values) >= 0
    assert max(values) <= drawing.width


def test_points_that_coincide_are_drawn():
    assert "nan" not in cloud("c", np.zeros((3, 2)), np.array([True, False, False]))


def test_a_key_has_a_mark_a_name():
    assert key([("a", 0), ("b", 1)]).count("<li>") == 2
