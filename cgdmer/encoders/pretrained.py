"""A trained CG-DMER model as an encoder: `shared`, `specific`, `pooled` (both concatenated) and `aligned` features."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike

from cgdmer import environment, report_text
from cgdmer.encoders.base import check_signal
from cgdmer.encoders.batches import batch_size, encode_in_batches, exact_fp32
from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.models.cgdmer import CGDMER
from cgdmer.models.independent_leads import gives_a_token
from cgdmer.settings import Signal
from cgdmer.signals.leads import LEADS

IMPOSSIBLE = 10.0
"""Times `signal.max_amplitude_mv`, beyond which values are refused; disturbed records of the robustness stage stay
below."""


class Pretrained:
    """A CG-DMER model in eval mode and fp32. It takes any leads by name and any length up to `seconds`."""

    unit = "mV"
    leads = LEADS
    form: Signal
    """The canonical form of its signals: sampling rate, length and filter."""
    digest: str
    """Hex sha256 of weights, config and tokenizer; '' for weights that were not loaded from a folder."""

    def __init__(self, name: str, model: CGDMER, signal: Signal, digest: str = "") -> None:
        self.name, self.fs, self.seconds = name, signal.fs, signal.seconds
        self.form, self.digest = signal, digest
        device = environment.read().device
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        self.model, self.samples = model.eval().to(self.device), signal.samples
        width, has_specific = model.settings.pooled_width, model.disentangler.ecg_specific is not None
        self.dims = {"shared": width, "pooled": 2 * width if has_specific else width}
        self.dims |= {"specific": width} if has_specific else {}
        self.dims |= {"aligned": model.settings.projection} if model.disentangler.projection else {}

    @torch.no_grad()
    def encode(
        self, signal: ArrayLike, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Encode float mV (B, L, T) as features (B, D) by name.

        A lead of zeros counts as not recorded, unless all leads of a record are zero: it is read as a flat line, whose
        features are finite and say nothing. ConfigError for a record shorter than one patch, for samples that are NaN
        or infinite, and for values that cannot be mV.
        """
        signal, numbers, valid = check_signal(signal, leads, valid, self.samples)
        self._check_values(signal)
        if self.model.independent and not gives_a_token(numbers):
            raise ConfigError(
                f"lead {LEADS[numbers[0]]} alone" if numbers else "no lead",
                allowed="I, II, a chest lead, or any two limb leads",
                fix="give one more limb lead",
            )
        patch = self.model.settings.patch
        if valid.size and valid.min() < patch:
            raise ConfigError(f"a record of {valid.min()} samples", allowed=f"at least one patch of {patch} samples")
        with exact_fp32():
            chunks = encode_in_batches(
                lambda rows: self._encode(signal[rows], numbers, valid[rows]), len(signal), batch_size(self.device)
            )
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in self.dims}

    def _check_values(self, signal: np.ndarray) -> None:
        """Raise ConfigError if values are not finite, or so large that they cannot be mV."""
        largest = max(float(signal.max()), -float(signal.min())) if signal.size else 0.0
        if not math.isfinite(largest):  # of any NaN, both extremes are NaN
            raise _not_finite(~np.isfinite(signal))
        if largest > (limit := IMPOSSIBLE * self.form.max_amplitude_mv):
            raise ConfigError(
                f"a signal with values up to {largest:,.0f}: probably uV or raw values of the converter",
                allowed=f"mV, at most {limit:g}",
                fix="divide uV by 1000",
            )

    def _encode(self, signal: np.ndarray, numbers: Sequence[int], valid: np.ndarray) -> dict[str, np.ndarray]:
        longest = int(valid.max(initial=self.model.settings.patch))
        millivolt = torch.from_numpy(np.ascontiguousarray(signal[:, :, :longest])).to(self.device)  # (B, L, T)
        missing = millivolt.eq(0).all(2)  # (B, L): a lead of zeros was not recorded
        missing &= ~missing.all(1, keepdim=True)
        features = self.model.features(millivolt, torch.from_numpy(valid).to(self.device), missing, numbers)
        features["pooled"] = torch.cat([features[name] for name in ("shared", "specific") if name in features], 1)
        return {name: features[name].float().cpu().numpy() for name in self.dims}

    @torch.no_grad()
    def encode_reports(self, texts: Sequence[str], batch: int = 256) -> np.ndarray:
        """Encode n report texts as unit vectors, float32 (n, E), in the space of `aligned`.

        ConfigError for a single string, a batch below 1, or an encoder that was not aligned with reports.
        """
        _check_texts(texts)
        if batch < 1:
            raise ConfigError(f"batch = {batch}", allowed="at least 1", fix="leave out batch")
        if self.model.tokenizer is None or self.model.disentangler.projection is None:
            raise ConfigError(
                f"encoder {self.name} was not aligned with reports",
                fix="set objective.contrastive or objective.statements above 0",
            )
        token_ids = [self.model.tokenizer(texts[i : i + batch]) for i in range(0, len(texts), batch)]
        with exact_fp32():
            vectors = [self.model.report_features(torch.from_numpy(ids).long().to(self.device)) for ids in token_ids]
        empty = torch.zeros(0, self.model.settings.projection)  # for no texts at all
        return torch.cat([empty.to(self.device), *vectors]).float().cpu().numpy()

    def zero_shot(
        self,
        signal: ArrayLike,
        texts: Sequence[str],
        leads: Sequence[str] | None = None,
        valid: np.ndarray | None = None,
    ) -> np.ndarray:
        """Compare float mV (B, L, T) with texts: cosines in -1..1, float32 (B, len(texts)), comparable within a text.

        Texts are cleaned like training reports. ConfigError for a single string, for a signal that `encode` refuses, or
        when the encoder was not aligned with reports.
        """
        _check_texts(texts)
        vectors = self.encode_reports([report_text.clean_joined(text) for text in texts])
        cosines: np.ndarray = self.encode(signal, leads, valid)["aligned"] @ vectors.T
        return cosines


def _not_finite(bad: np.ndarray) -> ConfigError:
    """Return the error for the samples (B, L, T) that `bad` marks."""
    return ConfigError(
        f"{np.count_nonzero(bad):,} samples in {np.count_nonzero(bad.any((1, 2)))} of {len(bad)} records are NaN or "
        "infinite",
        allowed="finite mV; zeros for a lead that was not recorded, and for padding",
        fix="cgdmer.read_record(path, encoder), which interpolates short gaps and refuses longer ones",
    )


def _check_texts(texts: Sequence[str]) -> None:
    """Raise ConfigError unless these are several texts: the characters of a single one would each count as a text."""
    if isinstance(texts, str):
        raise ConfigError("texts is a single string", allowed="a list of strings", fix=f"pass [{texts[:40]!r}]")
    wrong = [type(text).__name__ for text in texts if not isinstance(text, str)]
    if wrong:
        raise ConfigError(f"texts holds {wrong[0]}", allowed="a list of strings")


def open_folder(folder: Path, name: str = "cgdmer") -> Pretrained:
    """Open the model in a folder; DataError when a file is missing or damaged."""
    model, signal, _ = weights.load(folder)
    return Pretrained(name, model, signal, weights.digest(folder))
