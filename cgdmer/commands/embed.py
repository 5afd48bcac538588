"""Owns `cgdmer embed`: recordings in, features out."""

from pathlib import Path

from cgdmer import load_encoder
from cgdmer.commands.stream import Outcome, Request, encode_all


def embed(request: Request, model: Path) -> Outcome:
    """Write id, seconds, missing leads and every representation of each recording."""
    return encode_all(request, load_encoder(model), lambda features: features, {})
