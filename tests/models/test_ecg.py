"""ECG encoder and decoder: hidden patches never enter, and the filling of a short record leaks nothing."""

import pytest
import torch
import torch.nn.functional as F
from support import example_pool as example

from cgdmer.models import masking
from cgdmer.models.ecg import ConvStem, EcgDecoder, EcgEncoder, LeadLinear
from cgdmer.models.transformer import initialise
from cgdmer.settings import Masking, Model

MODEL = Model(width=16, depth=2, heads=2, patch=10, decoder_width=16, decoder_depth=1)
COLUMNS, LEADS = 4, 12


def encoder_and_decoder():
    torch.manual_seed(0)
    modules = EcgEncoder(MODEL, COLUMNS).apply(initialise), EcgDecoder(MODEL, COLUMNS, 1).apply(initialise)
    return tuple(map(example.awake, modules))


def chosen(full=True, short=COLUMNS):
    valid = torch.ones(3, LEADS, COLUMNS, dtype=torch.bool)
    valid[1, :, short:] = False
    noise = masking.draw_noise(3, LEADS, COLUMNS, 8, torch.Generator().manual_seed(5))
    return masking.sample_mask(valid, noise, Masking(ratio=0.5), full=full)


def encoded(encoder, patches, mask):
    return encoder(patches, torch.zeros(len(patches), 1), torch.arange(LEADS), mask.ids_keep, mask.attention_mask)


def test_masked_encoder_equals_the_full_encoder_restricted_to_visible_tokens():
    encoder, _ = encoder_and_decoder()
    patches, mask = torch.randn(3, LEADS, COLUMNS, 10), chosen()
    full = encoder(patches, torch.zeros(3, 1), torch.arange(LEADS), attention_mask=~mask.hidden)
    restricted = full.gather(1, mask.ids_keep[:, :, None].expand(-1, -1, 16))
    assert torch.allclose(encoded(encoder, patches, mask), restricted, atol=1e-5)


def test_hidden_patches_cannot_change_what_is_predicted():
    encoder, decoder = encoder_and_decoder()
    patches, mask = torch.randn(3, LEADS, COLUMNS, 10), chosen(full=False, short=2)
    hidden = mask.hidden.view(3, LEADS, COLUMNS, 1)
    other = patches.where(~hidden, torch.randn_like(patches))
    grid = (LEADS, COLUMNS)
    first, second = (decoder(encoded(encoder, x, mask), mask, grid) for x in (patches, other))
    assert torch.equal(first[mask.hidden], second[mask.hidden])


def test_padding_changes_no_prediction_of_a_short_record():
    encoder, decoder = encoder_and_decoder()
    patches, mask = torch.randn(3, LEADS, COLUMNS, 10), chosen(full=False, short=2)
    other = patches.clone()
    other[1, :, 2:] = 9.0
    first, second = (decoder(encoded(encoder, x, mask), mask, (LEADS, COLUMNS)) for x in (patches, other))
    assert torch.equal(first[mask.hidden], second[mask.hidden])
    assert not mask.hidden.view(3, LEADS, COLUMNS)[1, :, 2:].any()


def test_the_mask_of_a_full_batch_may_be_left_out():
    encoder, decoder = encoder_and_decoder()
    patches = torch.randn(3, LEADS, COLUMNS, 10)
    first, second = (
        decoder(encoded(encoder, patches, mask), mask, (LEADS, COLUMNS)) for mask in (chosen(True), chosen(False))
    )
    assert torch.allclose(first, second, atol=1e-5)


def test_a_record_with_a_missing_lead_and_padding_predicts_numbers():
    encoder, decoder = encoder_and_decoder()
    valid = torch.ones(3, LEADS, COLUMNS, dtype=torch.bool)
    valid[0, 3] = False
    valid[1, :, 1:] = False
    noise = masking.draw_noise(3, LEADS, COLUMNS, 8, torch.Generator().manual_seed(5))
    mask = masking.sample_mask(valid, noise, Masking(ratio=0.5), full=False)
    patches = torch.randn(3, LEADS, COLUMNS, 10, requires_grad=True)
    out = decoder(encoded(encoder, patches, mask), mask, (LEADS, COLUMNS))
    out.square().mean().backward()
    assert out.isfinite().all()
    assert patches.grad.isfinite().all()


def test_lead_and_time_decide_a_token():
    encoder, _ = encoder_and_decoder()
    patches, log_std = torch.ones(1, LEADS, COLUMNS, 10), torch.zeros(1, 1)
    ids_keep = [torch.tensor([[lead * COLUMNS + column]]) for lead in (0, 7) for column in (0, 3)]
    values = [encoder(patches, log_std, torch.arange(LEADS), ids) for ids in ids_keep]
    assert all(not torch.allclose(a, b) for i, a in enumerate(values) for b in values[:i])


def test_each_lead_has_its_own_map():
    linear, x = LeadLinear(4, 3), torch.randn(2, 2, 5, 4)
    out = linear(x, torch.tensor([7, 1]))
    assert torch.allclose(out[:, 0], x[:, 0] @ linear.weight[7], atol=1e-6)
    assert torch.allclose(out[:, 1], x[:, 1] @ linear.weight[1], atol=1e-6)


@pytest.mark.parametrize("patch", [2, 10, 25, 50])
def test_the_stem_maps_windows_of_the_patch_then_windows_of_those(patch):
    torch.manual_seed(0)
    stem, patches = ConvStem(patch, 3, 8), torch.randn(4, 5, patch)
    first, second = stem.conv1.weight.flatten(1), stem.conv2.weight.flatten(1)  # (3, 7), (6, 3 * 5)
    windows = F.pad(patches, (3, 3)).unfold(-1, 7, 2)  # (4, 5, patch / 2, 7)
    x = F.gelu(windows @ first.T + stem.conv1.bias)
    windows = F.pad(x, (0, 0, 2, 2)).unfold(-2, 5, 2).flatten(-2)  # (4, 5, patch / 4, 3 * 5)
    x = F.gelu(windows @ second.T + stem.conv2.bias)
    expected = stem.out(x.transpose(-1, -2).flatten(-2))
    assert torch.allclose(stem(patches), expected, atol=1e-5)


def test_without_a_stem_the_embedding_is_linear():
    encoder = EcgEncoder(MODEL.model_copy(update={"stem": 0}), COLUMNS)
    assert encoder.stem is None
