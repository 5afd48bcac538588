"""Lead names, the identities between limb leads, and names that contradict them."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer.errors import RecordError
from cgdmer.signals import LEADS, canonical_leads, exchanged, identity_residual
from cgdmer.signals.leads import HEXAXIAL, IDENTITIES


def limb_leads(seed: int = 0, noise: float = 2.0) -> np.ndarray:
    """Return six consistent limb leads (6, 500) in microvolt with a little independent noise."""
    rng = np.random.default_rng(seed)
    return HEXAXIAL @ (rng.normal(size=(2, 500)) * 300) + rng.normal(size=(6, 500)) * noise


@given(order=st.permutations(LEADS), upper=st.booleans())
def test_names_are_found_in_any_order_and_case(order, upper):
    assert canonical_leads([name.upper() if upper else f" {name.lower()} " for name in order]) == list(order)


def test_unknown_names_are_refused_with_the_list():
    with pytest.raises(RecordError, match=r"\['MLII', 'vx'\]\n.*aVR, aVL, aVF"):
        canonical_leads(["I", "MLII", "vx"])


def test_a_lead_twice_is_refused():
    with pytest.raises(RecordError, match=r"\['V1'\] occur more than once"):
        canonical_leads(["V1", "II", "v1"])


def test_identities_follow_from_the_definition_of_the_leads():
    assert np.abs(IDENTITIES @ HEXAXIAL).max() == 0
    one, two = HEXAXIAL[:2]
    assert (HEXAXIAL[2] == two - one).all()
    assert all(np.linalg.matrix_rank(HEXAXIAL[list(pair)]) == 2 for pair in combinations(range(6), 2))


def test_residual_is_the_root_mean_square_of_what_is_left():
    limb = limb_leads(noise=0.0)
    assert identity_residual(limb) < 1e-3
    limb[2] += 10.0
    assert identity_residual(limb) == pytest.approx(np.sqrt((100 + 25 + 25) / 4), rel=1e-3)


@pytest.mark.parametrize("pair", list(combinations(range(6), 2)))
def test_every_exchange_of_two_names_is_found(pair):
    first, second = pair
    limb = limb_leads()
    assert exchanged(limb) is None
    limb[[first, second]] = limb[[second, first]]
    assert exchanged(limb) == (LEADS[first], LEADS[second])


def test_leads_that_fit_under_no_names_are_not_called_exchanged():
    rng = np.random.default_rng(1)
    assert exchanged(rng.normal(size=(6, 500)) * 300) is None
