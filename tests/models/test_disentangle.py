"""Shared and specific encoders: one set of weights for both modalities."""

import torch

from cgdmer.models.disentangle import Disentangler, decoder_input
from cgdmer.settings import Model

MODEL = Model(width=16, heads=2, projection=8)
ALL = {"ecg_specific": True, "report_specific": True, "projection": True}


def test_both_modalities_pass_through_one_and_the_same_tensor():
    disentangler = Disentangler(MODEL, **ALL)
    ecg, report = torch.randn(2, 4, 16), torch.randn(2, 3, 16)
    for modality, tokens in (("ecg", ecg), ("report", report)):
        disentangler.zero_grad()
        disentangler(tokens, None, modality)[0].square().mul(torch.rand(16)).sum().backward()
        assert disentangler.shared.blocks[0].qkv.weight.grad.abs().sum() > 0
    names = [name for name, _ in disentangler.named_parameters() if name.endswith("blocks.0.qkv.weight")]
    assert [name.split(".")[0] for name in names] == ["shared", "ecg_specific", "report_specific"]
    same = disentangler(ecg, None, "ecg")[0], disentangler(ecg, None, "report")[0]
    assert torch.equal(*same)


def test_specific_encoders_are_two():
    disentangler, tokens = Disentangler(MODEL, **ALL), torch.randn(2, 4, 16)
    assert not torch.allclose(disentangler(tokens, None, "ecg")[1], disentangler(tokens, None, "report")[1])


def test_without_disentanglement_there_is_nothing_specific_and_nothing_extra():
    plain = Disentangler(MODEL.model_copy(update={"disentangled": False}), **ALL)
    shared, specific = plain(torch.randn(1, 2, 16), None, "ecg")
    assert specific is None
    assert decoder_input(shared, specific, None) is shared
    assert {name.split(".")[0] for name, _ in plain.named_parameters()} == {"shared", "projection"}


def test_aligned_vectors_have_length_one():
    vectors = Disentangler(MODEL, **ALL).align(torch.randn(5, 3, 16), None, "ecg")
    assert torch.allclose(vectors.norm(dim=1), torch.ones(5), atol=1e-6)


def test_decoders_read_the_shared_part_as_one_vector_per_record_and_no_padding():
    shared, specific = torch.randn(2, 4, 16), torch.randn(2, 4, 16)
    attention_mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    features = decoder_input(shared, specific, attention_mask)
    assert torch.equal(features[..., 16:], specific)
    for record, count in ((0, 2), (1, 4)):
        expected = shared[record, :count].mean(0)
        assert torch.allclose(features[record, :, :16], expected.expand(4, 16), atol=1e-6)
