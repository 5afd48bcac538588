"""Adapters: networks that others trained, loaded strictly from safetensors, with their own form of the signals.

An adapter is one file of this folder. It defines the network and the form of the signals it was trained on (`Form`);
this module does everything else: it brings the record's canonical leads into that form and runs the network.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cgdmer import environment
from cgdmer.encoders.base import Setup, check_signal
from cgdmer.encoders.batches import batch_size, encode_in_batches, exact_fp32
from cgdmer.encoders.form import Form, Inputs, all_leads, inputs
from cgdmer.encoders.published import WEIGHTS, Card
from cgdmer.encoders.state import encoder_state
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import sha256
from cgdmer.settings import Signal
from cgdmer.signals.leads import LEADS


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

    @torch.no_grad()
    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Encode float mV (B, L, T) at the project's rate as `pooled` features, float32 (B, width)."""
        signal, numbers, valid = check_signal(signal, leads, valid, self.samples)
        if not len(signal):
            return {"pooled": np.zeros((0, self.form.width), np.float32)}

        def encode(rows: slice) -> np.ndarray:
            full, present = all_leads(signal[rows], numbers)
            return self._features(inputs(self.form, full, self.fs, valid[rows], present))

        return {"pooled": np.concatenate(encode_in_batches(encode, len(signal), batch_size(self.device)))}

    def _features(self, batch: Inputs) -> np.ndarray:
        """Run the network on the rows of a batch, and average them by record."""
        with exact_fp32():
            features: Tensor = self.network(*(torch.from_numpy(array).to(self.device) for array in batch.arrays))
        rows = features.float().cpu().numpy()
        if rows.shape != (len(batch.record), self.form.width):
            raise ConfigError(
                f"{self.name} returned features of shape {rows.shape}",
                allowed=f"({len(batch.record)} records or windows, {self.form.width})",
            )
        return batch.averaged(rows)


def adapt(card: Card, setup: Setup) -> Adapted:
    """Load the weights that `embed.outside` names into the network of a card, strictly.

    ConfigError if no file is named or it is not a safetensors file; DataError if its sha256 differs from params.yaml,
    or if it is damaged or holds other tensors than the network has, after those that the card drops.
    """
    name = card.name
    if name not in setup.weights_files:
        raise ConfigError(
            f"params.yaml names no weights for encoder {name}",
            allowed=f"embed: {{outside: {{{name}: data/outside/{name}}}}}, a folder that holds {WEIGHTS}",
            fix=f"cgdmer convert FILE --encoder {name} -o data/outside/{name}, and add that line",
        )
    path, digest = Path(setup.weights_files[name].file), setup.weights_files[name].sha256
    path = path / WEIGHTS if path.is_dir() or not path.suffix else path
    state, digest = read(path, name, digest)
    network = card.network()
    try:
        network.load_state_dict(encoder_state(state, card.checkpoint, network), strict=True)
    except DataError as error:
        raise DataError(
            f"{path} does not hold the weights of {name}: {error.problem}",
            allowed=error.allowed,
            fix=f"name the file that holds them, or correct CARD in cgdmer/encoders/{name}.py",
        ) from error
    return Adapted(name, network, card.form, setup.signal, digest)


def read(path: Path, name: str, digest: str | None) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a safetensors file and its sha256, after comparing it with `digest` if that is given.

    ConfigError for a pickle, with the command to convert it.
    """
    if path.suffix != ".safetensors":
        raise ConfigError(
            f"{path} may hold a pickle, which can run any code when it is read",
            allowed="a .safetensors file",
            fix=f"cgdmer convert {path} --encoder {name} -o data/outside/{name}",
        )
    if not path.is_file():
        raise DataError(f"{path} is missing", fix=f"put the weights of {name} there")
    actual = sha256(path)
    if digest is not None and actual != digest:
        raise DataError(
            f"{path} is not the file that params.yaml names", allowed=f"sha256 {digest}",
            fix=f"set embed.outside.{name}.sha256 to {actual} if this is the right file",
        )  # fmt: skip
    try:
        state: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise DataError(f"{path} is no safetensors file: {error}", fix=f"put the weights of {name} there") from error
    return state, actual
