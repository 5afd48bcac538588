"""A global batch on several ranks and in micro-batches, and the terms that compare its records with each other."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class RankLayout:
    """How a global batch lies on the ranks. Every term is scaled so that its mean over ranks is its global value."""

    sizes: tuple[int, ...]
    """Records on each rank."""
    rank: int = 0
    """This process."""
    gather: Callable[[Tensor], list[Tensor]] = lambda local: [local]
    """Returns every rank's rows, with gradients."""

    @property
    def share(self) -> float:
        """Weight of this rank's mean over its records."""
        return len(self.sizes) * self.sizes[self.rank] / sum(self.sizes)


@dataclass(frozen=True)
class Cached:
    """The terms across records of a whole batch, for the micro-batches that it is divided into."""

    terms: dict[str, Tensor]
    """Their values over the whole batch."""
    gradients: dict[str, Tensor]
    """Gradient of their weighted sum with respect to each vector of this micro-batch and to each parameter of the loss,
    by name. Those of the vectors are divided by the weight of the micro-batch. Empty for a measurement."""
