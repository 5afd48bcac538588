"""Encoders for downstream use: one file per encoder, found by its name."""

from importlib import import_module

from cgdmer.encoders.base import Encoder, Setup
from cgdmer.encoders.crops import cropped
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.settings.encoder_names import defined, names

__all__ = ["Encoder", "Setup", "check_name", "defined", "load", "names"]


def check_name(name: str) -> None:
    """Raise ConfigError for an encoder that does not exist."""
    encoders = names()
    if name not in encoders:
        raise ConfigError(
            f"no encoder is called '{name}'{did_you_mean(name, encoders)}",
            allowed=", ".join(encoders),
            fix="edit section matrix of params.yaml",
        )


def load(name: str, setup: Setup) -> Encoder:
    """Build an encoder; ConfigError for an unknown name, DataError when its weights are missing."""
    check_name(name)
    encoder: Encoder = import_module(f"cgdmer.encoders.{name}").load(setup)
    return cropped(encoder, setup.crops, setup.crop_seconds)
