"""Fitted probes as files: the linear layers of one task in safetensors, with the encoder they belong to."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from cgdmer.errors import ConfigError, DataError, did_you_mean
from cgdmer.files import atomic
from cgdmer.probing.solver import sigmoid

SUFFIX = ".probe.safetensors"
ABOUT = "probe"
"""Metadata key of the JSON description: a single key, because safetensors does not order several."""


@dataclass(frozen=True, eq=False)
class FittedLayer:
    """A linear layer on raw features: standardisation is folded into its coefficients."""

    coef: np.ndarray
    """(D, C) float64; float32 in a packaged probe."""
    intercept: np.ndarray
    """(C,)."""


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """The layers of one task by representation, fitted on all its training records."""

    task: str
    classes: list[str]
    encoder: str
    digest: str
    """Digest of the encoder's weights, config and tokenizer; '' for an encoder without weights."""
    layers: dict[str, FittedLayer]

    def probabilities(self, features: dict[str, np.ndarray], representation: str) -> np.ndarray:
        """Return the probability of each class, float32 (n, C), at the prevalence of the corpus it was fitted on."""
        layer = self.layers[representation]
        logits = features[representation].astype(np.float64) @ layer.coef + layer.intercept
        return sigmoid(logits).astype(np.float32)

    def check_fits(self, digest: str, dims: dict[str, int], representation: str) -> None:
        """Raise ConfigError if the probe lacks the representation, DataError if it was fitted for another encoder."""
        if representation not in self.layers:
            raise ConfigError(
                f"the probe of {self.task} has no layer on '{representation}'"
                f"{did_you_mean(representation, sorted(self.layers))}",
                allowed=", ".join(sorted(self.layers)),
                fix="--representation NAME",
            )
        if (
            not self.digest
            or self.digest != digest
            or dims.get(representation) != len(self.layers[representation].coef)
        ):
            fitted = f"{self.encoder} {self.digest[:12] or 'without weights'}"
            raise DataError(
                f"the probe of {self.task} is fitted for encoder {fitted}, this one is {digest[:12]}",
                allowed="a probe of the same weights, config and tokenizer",
                fix="dvc repro probe, or name the model it was fitted for: --model FOLDER",
            )


def save(path: Path, probe: FittedProbe) -> None:
    """Write a fitted probe; the same layers give the same bytes."""
    tensors: dict[str, np.ndarray] = {}
    for name, layer in sorted(probe.layers.items()):
        tensors |= {
            f"{name}.coef": layer.coef,
            f"{name}.intercept": layer.intercept,
        }
    about = {"task": probe.task, "classes": probe.classes, "encoder": probe.encoder, "digest": probe.digest}
    with atomic(path) as temporary:
        save_file(
            {name: np.ascontiguousarray(value) for name, value in tensors.items()},
            temporary,
            {ABOUT: json.dumps({**about, "representations": sorted(probe.layers)}, sort_keys=True)},
        )


def load(path: Path) -> FittedProbe:
    """Read a fitted probe; DataError for a file that is missing, damaged or not a fitted probe."""
    if not path.is_file():
        raise DataError(f"{path} is missing", fix="dvc repro probe")
    try:
        with safe_open(path, "numpy") as stored:
            about: dict[str, Any] = json.loads((stored.metadata() or {})[ABOUT])
            layers = {
                name: FittedLayer(stored.get_tensor(f"{name}.coef"), stored.get_tensor(f"{name}.intercept"))
                for name in about.pop("representations")
            }
        probe = FittedProbe(**about, layers=layers)
        for layer in layers.values():
            shape = (len(probe.classes),)
            if layer.coef.ndim != 2 or layer.coef.shape[1:] != shape or layer.intercept.shape != shape:
                raise ValueError(f"layers {layer.coef.shape}, {layer.intercept.shape} for {len(probe.classes)} classes")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(f"{path} is not a saved probe: {error}", fix=f"rm {path} && dvc repro --force probe") from error
    return probe
