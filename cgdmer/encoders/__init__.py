"""Owns encoders for downstream use: one file an encoder, found by its name."""

from importlib import import_module
from pathlib import Path

from cgdmer.encoders.base import Encoder, Setup
from cgdmer.errors import ConfigError, did_you_mean

__all__ = ["Encoder", "Setup", "load", "names"]


SHARED = ("__init__", "adapter", "base")
"""Files that are no encoder."""


def names() -> list[str]:
    """Return the encoders there are: the modules of this folder that have a `load`."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in SHARED)


def load(name: str, setup: Setup) -> Encoder:
    """Build an encoder; ConfigError for an unknown name, DataError when its weights are missing."""
    if name not in names():
        raise ConfigError(
            f"no encoder is called '{name}'{did_you_mean(name, names())}",
            allowed=", ".join(names()),
            fix="edit matrix.encoders or matrix.controls in params.yaml",
        )
    encoder: Encoder = import_module(f"cgdmer.encoders.{name}").load(setup)
    return encoder
