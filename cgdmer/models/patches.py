"""Owns the way from stored samples to patches: scaling on the device, cutting, fixed positions."""

import torch
from torch import Tensor

EPSILON = 1e-2
"""Variance floor of a normalised patch, in variances of the record: patches of little but noise count for little."""


def standardise(signal: Tensor, valid: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
    """Return the record in units of its own spread (B, L, T) and the log of that spread in mV (B, 1).

    `signal` is int16 microvolt or float mV (B, L, T), `valid` samples (B,), `missing` leads (B, L). Each lead loses its
    mean and the record is divided by *one* standard deviation over all present leads: gain and baseline fall away,
    while the ratios between leads, which carry axis and hypertrophy, stay. The spread itself is returned, because
    voltage is diagnostic too; the encoder reads it as one number. Padding and missing leads become exact zeros.
    """
    millivolt = signal.float() * 1e-3 if signal.dtype == torch.int16 else signal.float()
    inside = torch.arange(signal.shape[2], device=signal.device) < valid[:, None]
    real = (inside[:, None, :] & ~missing[:, :, None]).float()
    count = real.sum(2, keepdim=True)
    centred = (millivolt - (millivolt * real).sum(2, keepdim=True) / count.clamp(min=1)) * real
    variance = centred.square().sum((1, 2)) / count.sum((1, 2)).clamp(min=1)
    spread = (variance + 1e-8).sqrt()[:, None]
    return centred / spread[:, :, None], spread.log()


def patchify(signal: Tensor, patch: int) -> Tensor:
    """Cut (B, L, T) into (B, L, N, P); a tail shorter than a patch is left out."""
    columns = signal.shape[2] // patch
    return signal[:, :, : columns * patch].reshape(*signal.shape[:2], columns, patch)


def whole_patches(valid: Tensor, missing: Tensor, columns: int, patch: int) -> Tensor:
    """Return (B, L, N), true where a patch lies wholly inside the record on a lead that exists."""
    inside = torch.arange(1, columns + 1, device=valid.device) * patch <= valid[:, None]
    return inside[:, None, :] & ~missing[:, :, None]


def normalise(patches: Tensor) -> Tensor:
    """Give every patch (..., P) mean 0 and variance 1, the reconstruction target (He et al. 2022, section 4.1)."""
    centred = patches - patches.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + EPSILON).sqrt()


def take(tokens: Tensor, places: Tensor) -> Tensor:
    """Pick tokens (B, S, D) at places (B, V): (B, V, D)."""
    return tokens.gather(1, places[:, :, None].expand(-1, -1, tokens.shape[2]))


def sincos(length: int, width: int) -> Tensor:
    """Fixed sine-cosine positions (length, width) (Vaswani et al. 2017, section 3.5)."""
    frequency = torch.exp(torch.arange(0, width, 2).double() * (-torch.log(torch.tensor(10000.0)).double() / width))
    angle = torch.arange(length).double()[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :width].float()
