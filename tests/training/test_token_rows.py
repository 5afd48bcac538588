"""Widths of batches of tokens, and padding up to them."""

from types import SimpleNamespace

import numpy as np
import pytest

from cgdmer.training.token_rows import padded_for, rounded_width


@pytest.mark.parametrize(("longest", "eights", "powers"), [(0, 1, 16), (1, 8, 16), (16, 16, 16), (17, 24, 32),
                                                           (33, 40, 64), (64, 64, 64), (120, 120, 128)])  # fmt: skip
def test_reports_are_cut_to_eights_or_for_a_compiled_model_to_powers_of_two(longest, eights, powers):
    assert rounded_width(longest, few_widths=False) == eights
    assert rounded_width(longest, few_widths=True) == powers


@pytest.mark.parametrize(("length", "width"), [(64, 8), (6, 6)])
def test_rows_are_padded_to_a_rounded_width_but_not_beyond_what_the_model_reads(length, width):
    tokens = padded_for(SimpleNamespace(pad=9, length=length), [np.array([1, 2]), np.array([3, 4, 5])])
    assert tokens.shape == (2, width)
    np.testing.assert_array_equal(tokens[:, :3], [[1, 2, 9], [3, 4, 5]])
    assert (tokens[:, 3:] == 9).all()
    assert padded_for(SimpleNamespace(pad=9, length=length), []).shape == (0, width)
