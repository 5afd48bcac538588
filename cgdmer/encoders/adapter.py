"""Adapters: networks that others trained, loaded strictly from safetensors, with their own rate, leads and scale.

An adapter is one file of this folder. It defines the network and the form of the signals it was trained on (`Form`);
this module does everything else. The network reads the record's canonical leads in the network's order (an absent lead
is zero), resampled to its rate, cut or padded with zeros to its length, then scaled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cgdmer import environment
from cgdmer.encoders.base import Setup, check_signal
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import sha256
from cgdmer.settings import Signal
from cgdmer.signals.filters import band_pass
from cgdmer.signals.leads import LEADS

CONVERT = (
    "python -c \"import torch; from safetensors.torch import save_file; state = torch.load('{file}', "
    "weights_only=True, map_location='cpu'); save_file({{k: v.clone().contiguous() for k, v in state.items()}}, "
    "'{target}')\""
)
"""Command that converts a checkpoint with a plain state dict to safetensors; `weights_only` runs none of its code."""


@dataclass(frozen=True)
class Form:
    """The form of the signals that a network was trained on."""

    fs: float
    """Hz."""
    seconds: float
    leads: tuple[str, ...]
    """Canonical names in the order of the network's input channels."""
    scale: Callable[[np.ndarray], np.ndarray]
    """Scales mV (B, L, T) as the network expects, each record by itself."""
    width: int
    """Width of the features that the network returns."""


class Adapted:
    """A frozen network that others trained, as an encoder with `pooled` features."""

    unit = "mV"
    leads = LEADS

    def __init__(self, name: str, network: nn.Module, form: Form, signal: Signal, digest: str) -> None:
        self.name, self.form, self.signal, self.digest = name, form, signal, digest
        self.fs, self.seconds, self.samples = signal.fs, signal.seconds, signal.samples
        self.dims = {"pooled": form.width}
        device = environment.read().device
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        self.network = network.eval().to(self.device)
        self.rows = [LEADS.index(lead) for lead in form.leads]

    @torch.no_grad()
    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Encode float mV (B, L, T) at the project's rate as `pooled` features, float32 (B, width)."""
        signal, numbers, valid = check_signal(signal, leads, valid, self.samples)
        if not len(signal):
            return {"pooled": np.zeros((0, self.form.width), np.float32)}
        full = np.zeros((len(signal), len(LEADS), self.samples), np.float32)
        full[:, numbers, : signal.shape[2]] = signal
        full *= (np.arange(self.samples) < valid[:, None])[:, None]
        scaled = self.form.scale(self.adapt_form(full))
        features: Tensor = self.network(torch.from_numpy(scaled).to(self.device))
        pooled = features.float().cpu().numpy()
        if pooled.shape != (len(signal), self.form.width):
            raise ConfigError(
                f"{self.name} returned features of shape {pooled.shape}", allowed=f"(records, {self.form.width})"
            )
        return {"pooled": pooled}

    def adapt_form(self, full: np.ndarray) -> np.ndarray:
        """Return records (B, 12, T) in mV with the leads, rate and length of the network, float32."""
        form = self.form
        resampled = full[:, self.rows]
        if form.fs != self.fs:
            plain = Signal(fs=form.fs, low=None, high=None)
            resampled = band_pass(resampled, self.fs, plain)
        samples = round(form.fs * form.seconds)
        lacking = max(0, samples - resampled.shape[2])
        padded = np.pad(resampled[:, :, :samples], ((0, 0), (0, 0), (0, lacking)))
        return np.ascontiguousarray(padded, dtype=np.float32)


def adapt(name: str, network: nn.Module, form: Form, setup: Setup) -> Adapted:
    """Load the weights that `embed.outside` names into a network, strictly.

    ConfigError if no file is named or it is not a safetensors file; DataError if its sha256 differs from params.yaml,
    or if it is damaged or holds other tensors than the network has.
    """
    if name not in setup.weights_files:
        raise ConfigError(
            f"params.yaml names no weights for encoder {name}",
            allowed=f"embed: {{outside: {{{name}: {{file: data/outside/{name}.safetensors, sha256: ...}}}}}}",
            fix=f"add that line with what this prints: sha256sum data/outside/{name}.safetensors",
        )
    path, digest = Path(setup.weights_files[name].file), setup.weights_files[name].sha256
    state = read(path, name, digest)
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise DataError(
            f"{path} does not hold the weights of {name}: {error}",
            allowed="every tensor of the network by its name, and no other",
            fix=f"rename the tensors when converting, or fix network() in cgdmer/encoders/{name}.py",
        ) from error
    return Adapted(name, network, form, setup.signal, digest)


def read(path: Path, name: str, digest: str) -> dict[str, Tensor]:
    """Read a safetensors file after comparing its sha256; ConfigError for a pickle, with the command to convert it."""
    if path.suffix != ".safetensors":
        raise ConfigError(
            f"{path} may hold a pickle, which can run any code when it is read",
            allowed="a .safetensors file",
            fix=CONVERT.format(file=path, target=path.with_suffix(".safetensors")),
        )
    if not path.is_file():
        raise DataError(f"{path} is missing", fix=f"put the weights of {name} there")
    if (actual := sha256(path)) != digest:
        raise DataError(
            f"{path} is not the file that params.yaml names", allowed=f"sha256 {digest}",
            fix=f"set embed.outside.{name}.sha256 to {actual} if this is the right file",
        )  # fmt: skip
    try:
        state: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise DataError(f"{path} is no safetensors file: {error}", fix=f"put the weights of {name} there") from error
    return state


def whole_range(signal: np.ndarray) -> np.ndarray:
    """Scale each record of (B, L, T) to 0..1 by its minimum and maximum over all leads; a flat record becomes zero."""
    low, high = signal.min(axis=(1, 2), keepdims=True), signal.max(axis=(1, 2), keepdims=True)
    scaled: np.ndarray = (signal - low) / np.maximum(high - low, 1e-8)
    return scaled


def each_lead(signal: np.ndarray) -> np.ndarray:
    """Scale each lead of (B, L, T) to mean 0 and standard deviation 1; a flat lead becomes zero."""
    centred = signal - signal.mean(axis=2, keepdims=True)
    scaled: np.ndarray = centred / np.maximum(centred.std(axis=2, keepdims=True), 1e-8)
    return scaled
