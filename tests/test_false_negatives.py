"""The count of false negatives behind docs/protocols.md G.26."""

import numpy as np
import torch

from benchmarks.false_negatives import counts, read_in_part, statements


def test_a_negative_is_false_if_what_is_read_stands_in_the_own_report():
    whole = np.array([[1, 2, 3], [1, 2, 3], [1, 4, 0]])
    assert counts(whole, whole) == (4, 0)  # equal reports are no negatives
    read = np.array([[1, 2, 3], [1, 0, 0], [1, 4, 0]])
    assert counts(whole, read) == (4, 1)  # "1" of the second report is true of the third record
    assert counts(np.array([[1, 2], [1, 0]]), np.array([[1, 2], [1, 0]])) == (2, 1)


def test_every_report_keeps_at_least_one_of_its_statements():
    reports = np.array([[1, 2, 3, 4], [5, 6, 0, 0]] * 50)
    read = read_in_part(reports, 1.0, torch.Generator().manual_seed(0))
    for row, kept in zip(reports, read, strict=True):
        assert 1 <= (kept > 0).sum() <= (row > 0).sum()
        assert set(kept[kept > 0]) <= set(row[row > 0])
    assert np.array_equal(read_in_part(reports, 0.0, torch.Generator()), reports)


def test_statements_are_cut_as_reports_are_joined():
    assert statements("sinus rhythm. left axis deviation.") == ["sinus rhythm", "left axis deviation"]
