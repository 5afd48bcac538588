"""The sliding pool: each record as often as promised, no record twice in a batch, and only the step decides."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from cgdmer import settings
from cgdmer.streams import SlidingPlan


def plan(pool=24, passes=3, batch=8, records=48, epochs=4, seed=1):
    simulated = settings.Simulated(records=records, seed=5, pool=pool, passes=passes)
    return SlidingPlan(simulated, batch, seed, epochs)


@limits(max_examples=40)
@given(shift=st.integers(1, 12), passes=st.integers(1, 4), batch=st.integers(2, 9), seed=st.integers(0, 5))
def test_each_record_is_shown_as_often_as_passes_says(shift, passes, batch, seed):
    pool = max(2, shift * passes)
    pool -= pool % passes
    sliding = plan(pool, passes, batch, 2 * pool, 3, seed)
    rounds = passes + 3
    shown = Counter(np.concatenate([sliding(step) for step in range(rounds * sliding.round.steps)]).tolist())
    inner = range((passes - 1) * sliding.shift, (rounds - passes + 1) * sliding.shift)
    assert {shown[number] for number in inner} <= {passes}
    assert max(shown.values()) == passes


def test_no_batch_holds_a_record_twice_and_all_lie_in_the_pool_of_their_round():
    sliding = plan()
    for step in range(sliding.steps * 4):
        numbers = sliding(step)
        begin = step // sliding.round.steps * sliding.shift
        assert len(set(numbers.tolist())) == len(numbers) == 8
        assert begin <= numbers.min() <= numbers.max() < begin + 24


def test_the_training_ends_below_the_number_of_its_records():
    sliding = plan()
    assert sliding.steps == 6
    highest = max(sliding(step).max() for step in range(sliding.steps * 4))
    assert highest < sliding.records == 7 * 8 + 24
    assert max(sliding(step).max() for step in range(8 * sliding.round.steps)) == sliding.records - 1


def test_step_and_seed_alone_decide_a_batch():
    assert np.array_equal(plan()(5), plan()(5))
    assert not np.array_equal(plan()(5), plan(seed=2)(5))
    assert len(plan(batch=7).largest(4)) == max(len(plan(batch=7)(step)) for step in range(4, 8))


@pytest.mark.parametrize("change", [{"passes": 5}, {"pool": 25}])
def test_passes_must_divide_the_pool(change):
    with pytest.raises(ValueError, match="does not divide"):
        settings.Simulated(**{"records": 48, "pool": 24, "passes": 3, **change})
