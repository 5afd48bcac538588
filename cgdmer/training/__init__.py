"""Owns the training engine: it knows named terms and their sum, neither modality nor loss.

Randomness is a function of (seed, step), never of a generator's past: what a resumed run needs is weights, optimiser
and a step number.
"""

from cgdmer.distributed import World, join, launch, threads, wanted
from cgdmer.training.loop import Fitted, fit
from cgdmer.training.records import Records
from cgdmer.training.replay import Replayed, replay

__all__ = ["Fitted", "Records", "Replayed", "World", "fit", "join", "launch", "replay", "threads", "wanted"]
