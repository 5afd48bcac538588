"""Without tokens of missing leads, the features are those of the whole model, and no such token is computed."""

from contextlib import contextmanager

import numpy as np
import pytest
from support import example_pool as example

from cgdmer import settings
from cgdmer.encoders.handcrafted import Handcrafted
from cgdmer.encoders.present_leads import PresentLeads, skipping_missing_leads
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.models import weights
from cgdmer.signals.leads import LEADS

LIMB = LEADS[:6]
LEAD_SETS = {None: 8, LIMB: 2, ("I", "II", "V2"): 3, ("II", "I"): 2, ("I",): 1, ("aVR", "V3", "V1", "III"): 4}
"""The tokens' leads that follow from each set."""


def encoders(leads):
    form = example.MODEL.model_copy(update={"leads": leads})
    plan = settings.Masking(), settings.Objective(), example.SIGNAL
    model = example.awake(weights.create(form, *plan, example.signals(20)[1], 0))
    whole = Pretrained("cgdmer", model, example.SIGNAL, "digest")
    return whole, skipping_missing_leads(whole)


@pytest.fixture(scope="module")
def signal():
    return example.signals(11)[0].astype(np.float32) / 1000


@contextmanager
def counted(encoder):
    """Yield a list that receives the number of tokens of each pass through the encoder's transformer."""
    counts = []
    handle = encoder.model.ecg_encoder.register_forward_hook(lambda *call: counts.append(call[2].shape[1]))
    yield counts
    handle.remove()


def assert_same(expected, actual):
    assert expected.keys() == actual.keys()
    for name, features in expected.items():
        np.testing.assert_allclose(actual[name], features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("leads", LEAD_SETS)
def test_features_are_those_of_the_model_from_fewer_tokens(signal, leads):
    whole, present = encoders("independent")
    given = signal if leads is None else signal[:, [LEADS.index(name) for name in leads]]
    valid = np.full(len(given), given.shape[2], np.int32)
    valid[:2] -= 2 * example.MODEL.patch + 1
    expected = whole.encode(given, leads, valid)
    with counted(present) as tokens:
        assert_same(expected, present.encode(given, leads, valid))
    assert set(tokens) == {LEAD_SETS[leads] * (given.shape[2] // example.MODEL.patch)}


@pytest.mark.parametrize("leads", ["independent", "all"])
def test_each_record_of_a_batch_may_miss_other_leads(signal, leads):
    whole, present = encoders(leads)
    damaged = signal.copy()
    damaged[0, :2] = 0  # I and II follow from the other limb leads
    damaged[1, 1:] = 0  # I alone
    damaged[2, 3:] = 0
    damaged[3] = 0  # nothing: read as a record of zeros
    damaged[4:, 7] = 0
    for chosen in (damaged, damaged[1:3], damaged[3:4], damaged[:0]):
        assert_same(whole.encode(chosen), present.encode(chosen))


def test_an_encoder_keeps_its_name_form_and_digest_and_others_are_left_alone(signal):
    whole, present = encoders("independent")
    assert isinstance(present, PresentLeads)
    assert (present.name, present.form, present.digest, present.dims) == ("cgdmer", whole.form, "digest", whole.dims)
    other = Handcrafted(example.SIGNAL)
    assert skipping_missing_leads(other) is other
