"""Measures of the dependence between shared and specific features (B, D), which is minimised."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine(shared: Tensor, specific: Tensor) -> Tensor:
    """Return the mean squared cosine between each record's shared and specific features (B, D)."""
    return F.cosine_similarity(shared, specific, dim=1).square().mean()


def cross_covariance(shared: Tensor, specific: Tensor) -> Tensor:
    """Return the mean squared correlation between columns of shared and specific features (B, D), at any scale."""
    first, second = (_centred(features) for features in (shared, specific))
    first, second = (features / (features.square().mean(0) + 1e-6).sqrt() for features in (first, second))
    return (first.T @ second / len(first)).square().mean()


def hsic(shared: Tensor, specific: Tensor) -> Tensor:
    """Return the normalised Hilbert-Schmidt independence of two sets of features (B, D), in 0..1.

    The kernels are Gaussian, of median width (Gretton et al. 2005).
    """
    first, second = (_centred(_centred(_kernel(features)).T) for features in (shared, specific))  # (B, B) twice
    alignment: Tensor = (first * second).sum() / (first.norm() * second.norm() + 1e-8)
    return alignment


def _kernel(features: Tensor) -> Tensor:
    """Return the Gaussian kernel matrix (B, B) of features (B, D), without a tensor of differences (B, B, D).

    Squared distances are expanded to norms and a product. Features are centred first, so that a common offset, which
    distances do not see, does not cost precision.
    """
    features = _centred(features)
    norms = features.square().sum(1)  # (B,)
    squared = (norms[:, None] + norms - 2 * features @ features.T).clamp(min=0)  # (B, B)
    return torch.exp(-squared / (squared.detach().median() + 1e-6))


def _centred(features: Tensor) -> Tensor:
    return features - features.mean(0)
