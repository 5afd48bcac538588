"""RR intervals of a simulated record, against the beats that can be seen in its signal."""

import numpy as np
import pytest

from cgdmer.delineation import beats
from cgdmer.simulator import draw_cases, rr_intervals, simulate


@pytest.mark.parametrize("population", ["textbook", "clinical", "mixed"])
def test_intervals_are_those_of_the_signal(population):
    cases = draw_cases(5, 0, 12, population)
    agree = 0
    for number, case in enumerate(cases):
        peaks = beats.find(simulate([case], 5, number)[0] / 1000.0, 500.0)
        expected, seen = rr_intervals(case, 5, number), np.diff(peaks) / 500.0
        agree += abs(np.median(seen) - np.median(expected)) < 0.02
    assert agree >= 10


def test_every_fourth_record_of_the_mixed_population_is_a_textbook_one():
    mixed = draw_cases(5, 2, 9, "mixed")
    textbook, clinical = draw_cases(5, 2, 9, "textbook"), draw_cases(5, 2, 9, "clinical")
    numbers = range(2, 11)
    assert mixed == [textbook[k] if number % 4 == 0 else clinical[k] for k, number in enumerate(numbers)]
