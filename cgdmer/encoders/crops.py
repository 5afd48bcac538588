"""Features averaged over crops of each record (`embed.crops`), as evaluations of encoders trained on short crops do."""

from collections.abc import Sequence

import numpy as np

from cgdmer.encoders.base import Encoder
from cgdmer.errors import ConfigError

UNIT = "aligned"
"""The representation whose vectors have length one, also after averaging."""


class Cropped:
    """An encoder that reads evenly spaced crops of each record and averages their features."""

    def __init__(self, encoder: Encoder, crops: int, seconds: float) -> None:
        if not 0 < seconds <= encoder.seconds:
            raise ConfigError(
                f"embed.crop_seconds is {seconds:g}", allowed=f"above 0 and at most {encoder.seconds:g}, the "
                f"length that encoder {encoder.name} reads", fix="edit embed.crop_seconds in params.yaml",
            )  # fmt: skip
        self.encoder, self.crops, self.samples = encoder, crops, round(seconds * encoder.fs)
        self.name, self.fs, self.seconds, self.unit = encoder.name, encoder.fs, encoder.seconds, encoder.unit
        self.leads, self.dims = encoder.leads, encoder.dims
        self.digest = f"{encoder.digest}, {crops} crops of {self.samples} samples" if encoder.digest else ""

    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Encode float mV (B, L, T); the crops of a record lie within its valid samples.

        A record that is shorter than a crop is read as a whole.
        """
        whole = np.full(len(signal), signal.shape[2]) if valid is None else np.asarray(valid)
        lengths = np.minimum(whole, self.samples)
        sums: dict[str, np.ndarray] = {}
        for crop in range(self.crops):
            begins = np.round((whole - lengths) * crop / max(1, self.crops - 1)).astype(np.int64)
            features = self.encoder.encode(cut(signal, begins, self.samples), leads, lengths.astype(np.int32))
            sums = {name: values + sums.get(name, 0.0) for name, values in features.items()}
        return {name: _averaged(name, total, self.crops) for name, total in sums.items()}


def cropped(encoder: Encoder, crops: int, seconds: float) -> Encoder:
    """Return the encoder as it reads records with `crops` crops of `seconds` each; one crop is the whole record."""
    return Cropped(encoder, crops, seconds) if crops > 1 else encoder


def cut(signal: np.ndarray, begins: np.ndarray, samples: int) -> np.ndarray:
    """Return crops (B, L, samples) of signals (B, L, T) that begin at `begins` (B,), padded with zeros at the end."""
    lacking = max(0, int(begins.max(initial=0)) + samples - signal.shape[2])
    padded = np.pad(signal, ((0, 0), (0, 0), (0, lacking)))
    positions = begins[:, None] + np.arange(samples)
    return np.take_along_axis(padded, positions[:, None], axis=2)


def _averaged(name: str, total: np.ndarray, crops: int) -> np.ndarray:
    mean: np.ndarray = (total / crops).astype(np.float32)
    return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12) if name == UNIT else mean
