"""CG-DMER: contrastive-generative pretraining of disentangled ECG and report encoders.

The public API is imported on first use, so that `import cgdmer` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cgdmer.version import __version__

if TYPE_CHECKING:
    from cgdmer.api import load_encoder, read_record

__all__ = ["__version__", "load_encoder", "read_record"]


def __getattr__(name: str) -> Any:
    if name in ("load_encoder", "read_record"):
        return getattr(import_module("cgdmer.api"), name)
    raise AttributeError(f"module 'cgdmer' has no attribute '{name}'")
