"""Exchanged electrodes: the other leads follow from the definition of the leads."""

import numpy as np
import pytest

from cgdmer.signals.electrodes import exchanged_leads
from cgdmer.signals.leads import ELECTRODES, LEADS, LEADS_OF_ELECTRODES, LIMB

PAIRS = [("RA", "LA"), ("RA", "LL"), ("LA", "LL"), ("V1", "V2"), ("V3", "V6")]


def test_arms_exchanged_turn_lead_one_and_swap_the_others():
    sources, signs = exchanged_leads(["RA", "LA"])
    assert [LEADS[k] for k in sources] == ["I", "III", "II", "aVL", "aVR", "aVF", *LEADS[LIMB:]]
    assert signs.tolist() == [-1.0] + [1.0] * 11


@pytest.mark.parametrize("pair", PAIRS)
def test_the_leads_are_those_of_potentials_that_have_changed_places(pair):
    potentials = np.random.default_rng(0).normal(size=(len(ELECTRODES), 50))
    order = list(range(len(ELECTRODES)))
    first, second = (ELECTRODES.index(name) for name in pair)
    order[first], order[second] = second, first
    sources, signs = exchanged_leads(pair)
    expected = LEADS_OF_ELECTRODES @ potentials[order]
    np.testing.assert_allclose((LEADS_OF_ELECTRODES @ potentials)[sources] * signs[:, None], expected, atol=1e-5)
