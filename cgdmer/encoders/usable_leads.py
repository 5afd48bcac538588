"""Whether a recording has leads that its encoder reads.

An encoder of the independent leads computes nothing from III, aVR, aVL or aVF alone: it returns the features of a flat
line.
"""

import numpy as np

from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import RecordError
from cgdmer.models.independent_leads import gives_a_token
from cgdmer.signals.leads import LEADS


def refusal(encoder: Pretrained, signal: np.ndarray) -> RecordError | None:
    """Return why an encoder cannot use a recording (12, T), or None; a lead of zeros was not recorded."""
    leads = np.flatnonzero(signal.any(axis=1)).tolist()
    if leads and (gives_a_token(leads) or not encoder.model.independent):
        return None
    return RecordError(
        f"lead {LEADS[leads[0]]} alone, from which the encoder computes nothing" if leads else "no lead holds a signal",
        allowed="I, II, a chest lead, or any two limb leads",
        fix="record one more limb lead; cgdmer measure and cgdmer plot need none",
    )
