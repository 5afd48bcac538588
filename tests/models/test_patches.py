"""Scaling, cutting and normalising against plain numpy."""

import numpy as np
import pytest
import torch

from cgdmer.models import patches


def naive(millivolt, valid, missing):
    present = [lead for lead in range(len(millivolt)) if not missing[lead]]
    cut = millivolt[present, :valid]
    cut = cut - cut.mean(1, keepdims=True)
    std = np.sqrt(np.mean(cut**2) + 1e-8)
    out = np.zeros_like(millivolt)
    out[present, :valid] = cut / std
    return out, np.log(std)


def test_standardise_equals_the_record_by_record_way_and_ignores_padding_and_missing_leads():
    draw = np.random.default_rng(0)
    microvolt = draw.integers(-2000, 2000, (4, 12, 90)).astype(np.int16)
    valid, missing = np.array([90, 60, 31, 90]), draw.random((4, 12)) < 0.3
    got, std = patches.standardise(*map(torch.from_numpy, (microvolt, valid, missing)))
    for row in range(4):
        expected, log_std = naive(microvolt[row] / 1000, valid[row], missing[row])
        np.testing.assert_allclose(got[row], expected, atol=2e-5)
        assert std[row, 0] == pytest.approx(log_std, abs=1e-5)


def test_standardise_gives_the_same_for_microvolt_and_millivolt_and_for_another_gain():
    microvolt = torch.randint(-2000, 2000, (2, 12, 50), dtype=torch.int16)
    valid, missing = torch.tensor([50, 50]), torch.zeros(2, 12, dtype=torch.bool)
    got, _ = patches.standardise(microvolt, valid, missing)
    same, same_std = patches.standardise(microvolt.float() / 1000, valid, missing)
    assert torch.allclose(got, same, atol=1e-6)
    louder, more = patches.standardise(microvolt.float() / 250, valid, missing)
    assert torch.allclose(got, louder, atol=1e-5)
    assert torch.allclose(more - same_std, torch.full((2, 1), np.log(4.0).item()), atol=1e-5)


def test_a_flat_record_becomes_zeros_and_not_nan():
    flat = torch.full((1, 12, 40), 7, dtype=torch.int16)
    got, std = patches.standardise(flat, torch.tensor([40]), torch.zeros(1, 12, dtype=torch.bool))
    assert not got.any()
    assert std.isfinite().all()
    assert not patches.normalise(patches.patchify(got, 10)).any()


def test_patchify_cuts_in_order_and_leaves_the_tail_out():
    signal = torch.arange(2 * 3 * 11).reshape(2, 3, 11)
    cut = patches.patchify(signal, 4)
    assert cut.shape == (2, 3, 2, 4)
    assert torch.equal(cut[1, 2, 1], signal[1, 2, 4:8])


def test_whole_patches_excludes_partly_padded_ones():
    whole = patches.whole_patches(torch.tensor([8, 7]), torch.tensor([[False, True]] * 2), 3, 4)
    assert whole.tolist() == [[[True, True, False], [False] * 3], [[True, False, False], [False] * 3]]


def test_normalise_gives_every_patch_mean_zero_and_variance_one():
    got = patches.normalise(torch.randn(5, 7, 20) * 3 + 2)
    assert torch.allclose(got.mean(-1), torch.zeros(5, 7), atol=1e-5)
    assert torch.allclose(got.var(-1, unbiased=False), torch.ones(5, 7), atol=0.01)


def test_positions_are_those_of_the_paper():
    table = patches.sincos_positions(9, 6)
    for position in range(9):
        for pair in range(3):
            angle = position / 10000 ** (2 * pair / 6)
            assert table[position, 2 * pair] == pytest.approx(np.sin(angle), abs=1e-5)
            assert table[position, 2 * pair + 1] == pytest.approx(np.cos(angle), abs=1e-5)
