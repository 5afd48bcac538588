"""From stored samples to patches: scaling on the device, cutting, normalised targets and fixed positions."""

import torch
from torch import Tensor

EPSILON = 1e-2
"""Variance floor of a normalised patch, relative to the variance of the record: it gives patches of mere noise little
weight."""


def standardise(signal: Tensor, valid: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
    """Divide each record by its standard deviation; return it (B, L, T) and the log of that deviation in mV (B, 1).

    `signal` is int16 microvolt or float mV (B, L, T), `valid` samples (B,), `missing` leads (B, L). Each lead loses its
    mean, and *one* standard deviation over all present leads scales the record. Gain and baseline disappear, while the
    ratios between leads, which carry axis and hypertrophy, stay. The deviation is returned because voltage is
    diagnostic too: the encoder reads it as one number. Padding and missing leads become exact zeros.
    """
    millivolt = to_millivolt(signal)  # (B, L, T)
    inside = samples_inside(valid, signal.shape[2])  # (B, T)
    recorded = (inside[:, None, :] & ~missing[:, :, None]).float()  # (B, L, T)
    count = recorded.sum(2, keepdim=True)  # (B, L, 1)
    lead_mean = (millivolt * recorded).sum(2, keepdim=True) / count.clamp(min=1)  # (B, L, 1)
    centred = (millivolt - lead_mean) * recorded  # (B, L, T)
    variance = centred.square().sum((1, 2)) / count.sum((1, 2)).clamp(min=1)  # (B,)
    std = (variance + 1e-8).sqrt()[:, None]  # (B, 1)
    return centred / std[:, :, None], std.log()


def to_millivolt(signal: Tensor) -> Tensor:
    """Return int16 microvolt or float mV (B, L, T) as float32 mV."""
    return signal.float() * 1e-3 if signal.dtype == torch.int16 else signal.float()


def samples_inside(valid: Tensor, samples: int) -> Tensor:
    """Return bool (B, `samples`), True on the first `valid` (B,) samples, False on padding."""
    return torch.arange(samples, device=valid.device) < valid[:, None]


def patchify(signal: Tensor, patch: int) -> Tensor:
    """Cut (B, L, T) into (B, L, N, P); a tail shorter than a patch is dropped."""
    columns = signal.shape[2] // patch
    return signal[:, :, : columns * patch].reshape(*signal.shape[:2], columns, patch)


def whole_patches(valid: Tensor, missing: Tensor, columns: int, patch: int) -> Tensor:
    """Return bool (B, L, N), True where a patch lies wholly inside the record on a lead that exists."""
    inside = torch.arange(1, columns + 1, device=valid.device) * patch <= valid[:, None]  # (B, N)
    return inside[:, None, :] & ~missing[:, :, None]


def normalise(patches: Tensor) -> Tensor:
    """Give every patch (..., P) mean 0 and variance 1: the reconstruction target (He et al. 2022, section 4.1)."""
    centred = patches - patches.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + EPSILON).sqrt()


def gather_tokens(tokens: Tensor, ids: Tensor) -> Tensor:
    """Pick the tokens with indices `ids` (B, V) from (B, S, D): (B, V, D)."""
    return tokens.gather(1, ids[:, :, None].expand(-1, -1, tokens.shape[2]))


def sincos_positions(length: int, width: int) -> Tensor:
    """Return fixed sine-cosine positions (length, width) (Vaswani et al. 2017, section 3.5)."""
    frequency = torch.exp(torch.arange(0, width, 2).double() * (-torch.log(torch.tensor(10000.0)).double() / width))
    angle = torch.arange(length).double()[:, None] * frequency  # (length, width / 2)
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :width].float()
