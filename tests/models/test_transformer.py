"""Blocks: padding is invisible, checkpointing changes memory and nothing else."""

import pytest
import torch
from support import example_pool as example

from cgdmer.models.transformer import VARIANCE_FLOOR, Transformer, initialise, mean_pool, statistics_pool


def stack(dropout=0.0):
    torch.manual_seed(0)
    return example.awake(Transformer(16, 2, 2, dropout).apply(initialise))


def test_attention_equals_the_written_out_formula():
    block, x = stack().blocks[0], torch.randn(2, 5, 16)
    query, key, value = (part.view(2, 5, 2, 8).transpose(1, 2) for part in block.qkv(x).chunk(3, 2))
    weights = torch.softmax(query @ key.transpose(2, 3) / 8**0.5, -1)
    expected = block.out((weights @ value).transpose(1, 2).reshape(2, 5, 16))
    assert torch.allclose(block.attend(x, None), expected, atol=1e-5)


def test_padding_changes_no_real_token():
    encoder, x = stack(), torch.randn(2, 6, 16)
    attention_mask = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    short = encoder(x[:1, :4])
    assert torch.allclose(encoder(x, attention_mask)[:1, :4], short, atol=1e-5)
    assert torch.allclose(mean_pool(encoder(x, attention_mask), attention_mask)[0], short[0].mean(0), atol=1e-5)


def test_gradient_checkpointing_gives_the_same_gradients():
    gradients = []
    for checkpointing in (False, True):
        encoder = stack()
        encoder.checkpointing = checkpointing
        encoder(torch.ones(1, 3, 16) * torch.arange(16)).square().mean().backward()
        gradients.append([parameter.grad for parameter in encoder.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_dropout_acts_in_training_only():
    encoder, x = stack(0.5), torch.randn(1, 4, 16)
    assert not torch.equal(encoder(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))


def test_a_new_block_is_the_identity_whatever_order_its_layers_were_drawn_in():
    encoder, x = Transformer(16, 2, 2), torch.randn(1, 4, 16)
    for module in reversed(list(encoder.modules())):
        initialise(module)
    assert torch.allclose(encoder.blocks[0](x, None), x)


@pytest.mark.parametrize("masked", [True, False])
def test_statistics_are_those_of_the_real_tokens(masked):
    tokens = torch.randn(3, 6, 5)
    attention_mask = torch.tensor([[True] * 4 + [False] * 2, [True] * 6, [True] + [False] * 5]) if masked else None
    pooled = statistics_pool(tokens, attention_mask)
    assert pooled.shape == (3, 15)
    for record in range(3):
        real = tokens[record] if attention_mask is None else tokens[record][attention_mask[record]]
        deviation = (real.var(0, correction=0) + VARIANCE_FLOOR).sqrt()
        assert torch.allclose(pooled[record], torch.cat([real.mean(0), deviation, real.amax(0)]), atol=1e-6)


def test_statistics_of_equal_tokens_and_of_none_are_finite_and_so_are_their_gradients():
    tokens = torch.ones(2, 3, 4, requires_grad=True)
    pooled = statistics_pool(tokens, torch.tensor([[True] * 3, [False] * 3]))
    pooled.square().sum().backward()
    assert pooled.isfinite().all()
    assert tokens.grad.isfinite().all()
    assert not pooled[1, 8:].any()
