"""The running search for the most similar rows equals a full sort, whatever the blocks."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer.errors import DataError
from cgdmer.similarity import Nearest, kth_largest


def searched(query, rows, count, size, without=None):
    found = Nearest(query, count, without)
    for begin in range(0, len(rows), size):
        found.add(rows[begin : begin + size])
    return found


@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(1, 12), st.integers(1, 250), st.integers(1, 64))
@settings(max_examples=60)
def test_it_equals_a_full_sort(seed, rows, width, count, size):
    draw = np.random.default_rng(seed)
    table = draw.normal(size=(rows, width)).astype(np.float32)
    table[draw.integers(0, rows, rows // 2)] = table[0]  # equal rows: the earlier one comes first
    query = draw.normal(size=width)
    found = searched(query, table, count, size)
    wide = table.astype(np.float64)
    cosines = wide @ query / np.linalg.norm(wide, axis=1) / np.linalg.norm(query)
    expected = np.sort(cosines)[::-1][:count]
    np.testing.assert_allclose(found.similarity, expected, atol=1e-12)
    np.testing.assert_allclose(cosines[found.rows], expected, atol=1e-12)
    assert np.array_equal(found.rows, searched(query, table, count, rows).rows), "whatever the blocks"
    assert found.searched == rows
    assert len(set(found.rows.tolist())) == len(found.rows) == min(count, rows)


@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_equal_rows_come_in_the_order_of_the_table(size):
    table = np.tile(np.float32([[1, 2, 3]]), (20, 1))
    found = searched(np.array([1.0, 2, 3]), table, 7, size)
    assert found.rows.tolist() == list(range(7))
    assert found.similarity == pytest.approx(np.ones(7))


def test_a_row_can_be_left_out_even_if_all_are_asked_for():
    table = np.eye(5, dtype=np.float32)
    found = searched(table[2], table, 10, 2, without=2)
    assert found.rows.tolist() == [0, 1, 3, 4]


def test_lengths_do_not_matter():
    table = np.float32([[1e-10, 0], [0, 1e12], [3, 3]])
    found = searched(np.array([1e15, 0]), table, 3, 3)
    assert found.rows.tolist() == [0, 2, 1]
    assert found.similarity == pytest.approx([1, np.sqrt(0.5), 0])


@pytest.mark.parametrize("query", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_query_without_direction_is_refused(query):
    with pytest.raises(DataError, match="no direction"):
        Nearest(np.array(query), 3)


@pytest.mark.parametrize("bad", [[0, 0], [np.nan, 1], [1, -np.inf]])
def test_a_row_without_direction_is_named(bad):
    found = Nearest(np.ones(2), 3)
    found.add(np.ones((4, 2), np.float32))
    with pytest.raises(DataError, match="row 6 has no direction"):
        found.add(np.float32([[1, 1], bad]))


@pytest.mark.parametrize("block", [np.ones((3, 4)), np.ones(3), np.ones((2, 3, 1))])
def test_another_width_is_refused(block):
    with pytest.raises(DataError, match="as in the query"):
        Nearest(np.ones(3), 3).add(block)


def test_memory_is_that_of_a_block():
    block = np.random.default_rng(0).normal(size=(4096, 64)).astype(np.float32)
    found = Nearest(block[0], 10)
    found.add(block)
    tracemalloc.start()
    for _ in range(50):
        found.add(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * block.nbytes


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(1, 45))
def test_the_kth_largest_is_that_of_a_sort(values, count):
    expected = sorted(values)[-count] if count <= len(values) else -np.inf
    assert kth_largest(np.array(values, float), count) == expected
