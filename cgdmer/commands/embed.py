"""Owns `cgdmer embed`: recordings in, features out."""

from cgdmer import load_encoder
from cgdmer.commands.stream import Outcome, Request, encode_all


def embed(request: Request, model: str) -> Outcome:
    """Write id, seconds, missing leads and each representation; `model` is what `load_encoder` takes."""
    return encode_all(request, load_encoder(model), lambda features: features, {})
