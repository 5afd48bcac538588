"""The encoder `cgdmer`: the model that stage pretrain trained."""

from cgdmer.encoders.base import Setup
from cgdmer.encoders.pretrained import Pretrained, open_folder


def load(setup: Setup) -> Pretrained:
    """Open the model that stage pretrain left in `setup.folder`; DataError when a file is missing or damaged."""
    return open_folder(setup.folder)
