"""Shared and specific encoders: one set of weights for both modalities."""

import torch

from cgdmer.models.split import Split, joined
from cgdmer.settings import Model

MODEL = Model(width=16, heads=2, projection=8)


def test_both_modalities_pass_through_one_and_the_same_tensor():
    split = Split(MODEL, ecg=True, report=True, aligns=True)
    ecg, report = torch.randn(2, 4, 16), torch.randn(2, 3, 16)
    for modality, tokens in (("ecg", ecg), ("report", report)):
        split.zero_grad()
        split(tokens, None, modality)[0].square().mul(torch.rand(16)).sum().backward()
        assert split.shared.blocks[0].qkv.weight.grad.abs().sum() > 0
    names = [name for name, _ in split.named_parameters() if name.endswith("blocks.0.qkv.weight")]
    assert names == ["shared.blocks.0.qkv.weight", "ecg.blocks.0.qkv.weight", "report.blocks.0.qkv.weight"]
    same = split(ecg, None, "ecg")[0], split(ecg, None, "report")[0]
    assert torch.equal(*same)


def test_specific_encoders_are_two():
    split, tokens = Split(MODEL, ecg=True, report=True, aligns=True), torch.randn(2, 4, 16)
    assert not torch.allclose(split(tokens, None, "ecg")[1], split(tokens, None, "report")[1])


def test_without_disentanglement_there_is_nothing_specific_and_nothing_extra():
    plain = Split(Model(width=16, heads=2, projection=8, disentangled=False), ecg=True, report=True, aligns=True)
    shared, specific = plain(torch.randn(1, 2, 16), None, "ecg")
    assert specific is None
    assert joined(shared, specific, None) is shared
    assert {name.split(".")[0] for name, _ in plain.named_parameters()} == {"shared", "project"}


def test_aligned_vectors_have_length_one():
    vectors = Split(MODEL, ecg=True, report=True, aligns=True).align(torch.randn(5, 3, 16), None)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(5), atol=1e-6)


def test_decoders_read_the_shared_part_as_one_vector_a_record_and_no_padding():
    shared, specific = torch.randn(2, 4, 16), torch.randn(2, 4, 16)
    real = torch.tensor([[True, True, False, False], [True, True, True, True]])
    read = joined(shared, specific, real)
    assert torch.equal(read[..., 16:], specific)
    for record, count in ((0, 2), (1, 4)):
        expected = shared[record, :count].mean(0)
        assert torch.allclose(read[record, :, :16], expected.expand(4, 16), atol=1e-6)
