import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer.evaluation.reconstruction import _batch, errors, reconstruct
from cgdmer.models import weights
from cgdmer.objectives import reconstruction
from cgdmer.settings import Masking, Objective
from cgdmer.signals.leads import HEXAXIAL, LIMB


@pytest.fixture(scope="module")
def records():
    signal, reports, _ = example.signals(6)
    return signal, np.full(6, signal.shape[2], dtype=np.int32), np.zeros((6, 12), dtype=bool), reports


def build(reports, masking=None, leads="all", **terms):
    settings = example.MODEL.model_copy(update={"leads": leads})
    return weights.create(settings, masking or Masking(), Objective(**terms), example.SIGNAL, reports, 0).eval()


def truthful(model, monkeypatch):
    """Let the model predict exactly what it should."""
    forward = model.forward

    def perfect(batch, noise):
        outputs = forward(batch, noise)
        return outputs | {"predicted_patches": outputs["target_patches"]}

    monkeypatch.setattr(model, "forward", perfect)


def test_hidden_patches_keep_the_mean_and_spread_of_what_they_stand_for(records, monkeypatch):
    signal, valid, missing, reports = records
    model = build(reports)
    truthful(model, monkeypatch)
    done = reconstruct(model, signal, valid, missing)
    for one, record in zip(done, signal, strict=True):
        assert np.abs(one.filled - record[:, : one.filled.shape[1]]).max() < 5


def test_a_model_of_the_independent_leads_fills_in_all_twelve(records, monkeypatch):
    signal, valid, missing, reports = records
    signal = signal.copy()
    signal[:, :LIMB] = np.rint(HEXAXIAL @ signal[:, :2].astype(np.float32))
    model = build(reports, leads="independent")
    truthful(model, monkeypatch)
    done = reconstruct(model, signal, valid, missing)
    assert [one.filled.shape[0] for one in done] == [12] * len(signal)
    for one, record in zip(done, signal, strict=True):
        np.testing.assert_allclose(one.filled, record[:, : one.filled.shape[1]], atol=8)
        np.testing.assert_array_equal(one.hidden[2:LIMB], np.tile(one.hidden[:2].any(axis=0), (4, 1)))


def test_a_mixture_shows_its_kinds_in_turn_and_hides_three_quarters(records):
    signal, valid, missing, reports = records
    done = reconstruct(build(reports), signal, valid, missing)
    assert [one.kind for one in done] == ["random", "spatial", "temporal"] * 2
    assert all(abs(one.hidden.mean() - 0.75) < 0.06 for one in done)
    spatial, temporal = done[1].hidden, done[2].hidden
    assert (spatial.all(axis=1) | ~spatial.any(axis=1)).sum() >= 11
    assert (temporal.all(axis=0) | ~temporal.any(axis=0)).sum() >= temporal.shape[1] - 1


def test_the_same_seed_hides_the_same(records):
    signal, valid, missing, reports = records
    model = build(reports)
    first, again = (reconstruct(model, signal, valid, missing)[0].filled for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("kind", ["random", "temporal"])
def test_a_single_kind_is_named(records, kind):
    signal, valid, missing, reports = records
    assert reconstruct(build(reports, Masking(kind=kind)), signal, valid, missing)[0].kind == kind


def test_a_model_without_a_decoder_shows_nothing(records):
    signal, valid, missing, reports = records
    assert reconstruct(build(reports, ecg_reconstruction=0.0), signal, valid, missing) == []


@pytest.mark.parametrize("leads", ["all", "independent"])
def test_errors_with_both_features_are_the_objective_s_term(records, leads):
    signal, valid, missing, reports = records
    model = build(reports, leads=leads)
    error = errors(model, signal, valid, missing, seed=3)
    batch = _batch(model, signal, valid, missing)
    with torch.no_grad():
        out = model(batch, model.draw_noise(len(signal), torch.Generator().manual_seed(3)))
    expected = reconstruction(out["predicted_patches"], out["target_patches"], out["hidden_patches"])
    assert error["both"].mean() == pytest.approx(float(expected))


def test_withheld_features_say_nothing_about_the_record(records):
    """With both withheld, only the positions of the visible patches are left, which the mask alone decides."""
    signal, valid, missing, reports = records
    model = build(reports, Masking(kind="temporal"))
    seen = []
    model.ecg_decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    errors(model, signal, valid, missing)
    both, shared, specific, neither = seen
    width = model.settings.width
    assert torch.equal(shared[..., :width], both[..., :width])
    assert torch.equal(specific[..., width:], both[..., width:])
    for withheld in (shared[..., width:], specific[..., :width], neither):
        assert torch.equal(withheld, withheld[:1, :1].expand_as(withheld))


def test_a_model_without_specific_features_has_no_errors(records):
    signal, valid, missing, reports = records
    model = weights.create(
        example.MODEL.model_copy(update={"disentangled": False}), Masking(), Objective(orthogonality=0.0),
        example.SIGNAL, reports, 0,
    )  # fmt: skip
    assert errors(model.eval(), signal, valid, missing) == {}
