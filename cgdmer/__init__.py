"""CG-DMER: contrastive-generative pretraining of disentangled ECG and report encoders."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cgdmer.encoders.cgdmer import Pretrained

__version__ = "0.1.0"
__all__ = ["__version__", "load_encoder"]


def load_encoder(source: str | Path) -> "Pretrained":
    """Open a pretrained encoder from the folder with its weights.

    It says its `fs` (Hz), `seconds`, `leads`, `unit` and `dims`, and maps (B, L, T) float mV to features.
    """
    opened: Pretrained = import_module("cgdmer.encoders.cgdmer").open_folder(Path(source))
    return opened
