"""What the twelve leads show when two electrodes have changed places."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from cgdmer.signals.leads import ELECTRODES, LEADS, LEADS_OF_ELECTRODES


def exchanged_leads(electrodes: Sequence[str]) -> tuple[list[int], np.ndarray]:
    """Return which lead each lead shows after the exchange, and with which sign (12,); RA with LA inverts lead I.

    Wilson's terminal is the mean of the limb electrodes, so exchanging those does not change the chest leads.
    """
    first, second = (ELECTRODES.index(name) for name in electrodes)
    order = list(range(len(ELECTRODES)))
    order[first], order[second] = second, first
    sources, signs = [], []
    for row in LEADS_OF_ELECTRODES[:, order]:
        pair = product(range(len(LEADS)), (1.0, -1.0))
        lead, sign = next((k, s) for k, s in pair if np.allclose(row, s * LEADS_OF_ELECTRODES[k], atol=1e-6))
        sources.append(lead)
        signs.append(sign)
    return sources, np.array(signs, dtype=np.float32)
