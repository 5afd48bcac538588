"""Owns the pretrained encoder: `shared`, `specific`, `pooled` (both side by side) and `aligned` with reports."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cgdmer import environment, report_text
from cgdmer.encoders.base import Setup, checked
from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.models.cgdmer import CGDMER
from cgdmer.settings import Signal
from cgdmer.signals.leads import LEADS

AT_ONCE = 8
"""Records a CPU encodes at once: what passes from layer to layer stays in its cache."""


class Pretrained:
    """A CG-DMER model in eval mode and fp32, for any leads by name and any length up to `seconds`."""

    unit = "mV"
    leads = LEADS
    form: Signal
    """The canonical form of its signals: rate, length, filter."""
    digest: str
    """Hex sha256 of weights, config and tokenizer; '' for weights that lie in no folder."""

    def __init__(self, name: str, model: CGDMER, signal: Signal, digest: str = "") -> None:
        self.name, self.fs, self.seconds = name, signal.fs, signal.seconds
        self.form, self.digest = signal, digest
        device = environment.read().device
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        self.model, self.samples = model.eval().to(self.device), signal.samples
        width, splits = model.settings.width, model.split.ecg is not None
        self.dims = {"shared": width, "pooled": 2 * width if splits else width}
        self.dims |= {"specific": width} if splits else {}
        self.dims |= {"aligned": model.settings.projection} if model.split.project else {}

    @torch.no_grad()
    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Map float mV (B, L, T) to features; a record shorter than one patch is a ConfigError."""
        signal, numbers, valid = checked(signal, leads, valid, self.samples)
        patch = self.model.settings.patch
        if valid.size and valid.min() < patch:
            raise ConfigError(f"a record of {valid.min()} samples", allowed=f"at least one patch of {patch} samples")
        step = AT_ONCE if self.device.type == "cpu" else max(1, len(signal))
        starts = range(0, max(1, len(signal)), step)
        parts = [self._encode(signal[at : at + step], numbers, valid[at : at + step]) for at in starts]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.dims}

    def _encode(self, signal: np.ndarray, numbers: Sequence[int], valid: np.ndarray) -> dict[str, np.ndarray]:
        longest = int(valid.max(initial=self.model.settings.patch))
        given = torch.from_numpy(np.ascontiguousarray(signal[:, :, :longest])).to(self.device)
        flat = given.eq(0).all(2)  # a lead of zeros is a lead that was not recorded
        flat &= ~flat.all(1, keepdim=True)
        found = self.model.features(given, torch.from_numpy(valid).to(self.device), flat, numbers)
        parts = [found[name] for name in ("shared", "specific") if name in found]
        found["pooled"] = torch.cat(parts, 1)
        return {name: found[name].float().cpu().numpy() for name in self.dims}

    @torch.no_grad()
    def encode_reports(self, texts: Sequence[str], batch: int = 256) -> np.ndarray:
        """Map report texts to unit vectors float32 (n, E) in the space of `aligned`."""
        if self.model.tokenizer is None or self.model.split.project is None:
            raise ConfigError(
                f"encoder {self.name} was not aligned with reports", fix="set objective.contrastive above 0"
            )
        rows = [self.model.tokenizer(texts[i : i + batch]) for i in range(0, len(texts), batch)]
        found = [self.model.report_features(torch.from_numpy(ids).long().to(self.device)) for ids in rows]
        empty = torch.zeros(0, self.model.settings.projection)
        return torch.cat([empty.to(self.device), *found]).float().cpu().numpy()

    def zero_shot(
        self,
        signal: np.ndarray,
        texts: Sequence[str],
        leads: Sequence[str] | None = None,
        valid: np.ndarray | None = None,
    ) -> np.ndarray:
        """Compare float mV (B, L, T) with texts: cosines float32 (B, len(texts)), -1 to 1, comparable within a text.

        Texts are cleaned as training reports are. ConfigError where the encoder was not aligned with reports.
        """
        vectors = self.encode_reports([report_text.clean_joined(text) for text in texts])
        cosines: np.ndarray = self.encode(signal, leads, valid)["aligned"] @ vectors.T
        return cosines


def open_folder(folder: Path, name: str = "cgdmer") -> Pretrained:
    """Open the model in a folder, strictly."""
    model, signal, _ = weights.load(folder)
    return Pretrained(name, model, signal, weights.digest(folder))


def load(setup: Setup) -> Pretrained:
    return open_folder(setup.folder)
