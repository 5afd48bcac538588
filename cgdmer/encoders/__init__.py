"""Encoders for downstream use: one file per encoder, found by its name."""

import ast
from importlib import import_module
from pathlib import Path

from cgdmer.encoders.base import Encoder, Setup
from cgdmer.encoders.crops import cropped
from cgdmer.errors import ConfigError, did_you_mean

__all__ = ["Encoder", "Setup", "check_name", "defined", "load", "names"]


def names() -> list[str]:
    """Return the names of the encoders: the modules of this package that define a function `load`.

    The modules are parsed and not imported, because most of them import PyTorch.
    """
    modules = (path for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
    return sorted(path.stem for path in modules if "load" in defined(path))


def defined(path: Path) -> set[str]:
    """Return the names of the functions and variables that a module defines."""
    statements = ast.parse(path.read_bytes()).body
    functions = {node.name for node in statements if isinstance(node, ast.FunctionDef)}
    targets = [target for node in statements if isinstance(node, ast.Assign) for target in node.targets]
    return functions | {target.id for target in targets if isinstance(target, ast.Name)}


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
