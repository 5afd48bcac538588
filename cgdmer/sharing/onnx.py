"""The ECG encoder as an ONNX graph: any number of records, padding and missing leads as in `encode`."""

import copy
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import DataError
from cgdmer.files import atomic
from cgdmer.models.independent_leads import with_computed_limb
from cgdmer.models.patches import patchify, standardise, whole_patches
from cgdmer.signals.leads import LEADS

FILE = "encoder.onnx"
TOLERANCE = 1e-4
"""Largest difference between a feature of the graph and of the encoder."""
INPUTS = ("signal", "valid")


class Graph(nn.Module):
    """What the exporter traces: float mV (B, 12, T) and valid samples (B,) to the encoder's features.

    Unlike the encoder, it masks tokens always; where all are present this changes nothing beyond rounding.
    """

    def __init__(self, encoder: Pretrained) -> None:
        super().__init__()
        self.model, self.names = encoder.model, list(encoder.dims)

    def forward(self, signal: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        network, patch = self.model, self.model.settings.patch
        missing = signal.eq(0).all(2)  # (B, 12): a lead of zeros was not recorded
        missing = missing & ~missing.all(1, keepdim=True)
        standardised, log_std = standardise(signal, valid, missing)  # (B, 12, T), (B, 1)
        if network.independent:
            standardised, missing = with_computed_limb(standardised, missing)  # (B, 8, T), (B, 8)
        patches = patchify(standardised, patch)  # (B, L, N, P)
        mask = whole_patches(valid, missing, patches.shape[2], patch).flatten(1)  # (B, L*N)
        tokens = network.ecg_encoder(patches, log_std, network.token_leads, attention_mask=mask)  # (B, L*N, D)
        features = network.pool_features(tokens, mask)
        features["pooled"] = torch.cat([features[name] for name in ("shared", "specific") if name in features], 1)
        return tuple(features[name] for name in self.names)


def export(encoder: Pretrained, path: Path) -> float:
    """Write the graph and return its largest difference from the encoder, on records that it was not traced with.

    Both run on the CPU, whatever the device of the encoder. DataError if the difference is more than `TOLERANCE`;
    nothing is written then.
    """
    encoder = on_cpu(encoder)
    batch = torch.export.Dim("batch")
    traced = torch.zeros(2, len(LEADS), encoder.samples), torch.full((2,), encoder.samples, dtype=torch.int32)
    traced[0].normal_(generator=torch.Generator().manual_seed(0))
    with atomic(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            Graph(encoder).eval(), traced, temporary, input_names=list(INPUTS), output_names=list(encoder.dims),
            dynamic_shapes={name: {0: batch} for name in INPUTS}, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
        difference = parity(encoder, temporary)
        if not difference <= TOLERANCE:
            raise DataError(f"the graph differs from the encoder by {difference:.2g}", allowed=f"at most {TOLERANCE:g}")
    return difference


def on_cpu(encoder: Pretrained) -> Pretrained:
    """Return the encoder with a copy of its model on the CPU; the one that was given stays on its device."""
    twin = copy.copy(encoder)
    twin.model, twin.device = copy.deepcopy(encoder.model).cpu(), torch.device("cpu")
    return twin


def parity(encoder: Pretrained, path: Path) -> float:
    """Return the largest difference between the features of a graph and of the encoder.

    The records are drawn; some lack leads, some are padded, and batches have other sizes than the traced one.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng, worst = np.random.default_rng(1), 0.0
    for records in (1, 3, 5):
        signal = rng.normal(size=(records, len(LEADS), encoder.samples)).astype(np.float32)
        valid = np.full(records, encoder.samples, np.int32)
        valid[-1] = encoder.samples // 2
        signal[-1, :, valid[-1] :] = 0
        signal[0, 3:6] = 0
        computed = session.run(None, {"signal": signal, "valid": valid})
        expected = encoder.encode(signal, valid=valid)
        gaps = [np.abs(one - expected[name]).max() for name, one in zip(encoder.dims, computed, strict=True)]
        worst = max(worst, *map(float, gaps))
    return worst
