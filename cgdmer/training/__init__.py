"""The training engine. It knows named terms and their sum, but no modality and no loss.

Random numbers are a function of (seed, step), never of earlier draws. So a resumed run needs only the weights, the
optimiser and a step number.
"""

from cgdmer.distributed import World, join, launch, process_count, threads
from cgdmer.training.loop import Fitted, fit
from cgdmer.training.records import Records
from cgdmer.training.replay import Replayed, replay

__all__ = ["Fitted", "Records", "Replayed", "World", "fit", "join", "launch", "process_count", "replay", "threads"]
