"""Which simulated records each training step sees: a pool that slides over the endless stream of records."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cgdmer.settings import Simulated
from cgdmer.training.records import Order


@dataclass(frozen=True)
class SlidingPlan:
    """Round r shows the records r * shift to r * shift + pool once, shuffled; shift = pool / passes.

    So each record is shown in `passes` rounds, and the first and last `pool` records in fewer.
    """

    simulated: Simulated
    batch: int
    seed: int
    epochs: int

    @cached_property
    def round(self) -> Order:
        """The order within a round; its epochs are the rounds."""
        return Order(self.simulated.pool, self.batch, self.seed)

    @property
    def shift(self) -> int:
        """Records by which the pool moves on from round to round."""
        return self.simulated.pool // self.simulated.passes

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return max(1, -(-self.simulated.records // self.batch))

    @property
    def records(self) -> int:
        """Distinct records of the whole training."""
        rounds = -(-self.steps * self.epochs // self.round.steps)
        return (rounds - 1) * self.shift + self.simulated.pool

    def __call__(self, step: int) -> np.ndarray:
        """Return the numbers of the records of a step's global batch; only the step number decides them."""
        return self.round(step) + step // self.round.steps * self.shift

    def largest(self, step: int) -> np.ndarray:
        """Return the numbers of a largest batch of the step's round."""
        return self.round.largest(step) + step // self.round.steps * self.shift
