"""The losses, and `Objective`, which turns a batch into named terms and their weighted sum."""

from cgdmer.objectives.alignment import siglip, statement_loss
from cgdmer.objectives.dependence import cosine, cross_covariance, hsic
from cgdmer.objectives.objective import PREDICTED, Objective
from cgdmer.objectives.prediction import measurement_loss, reconstruction, word_loss
from cgdmer.objectives.ranks import Cached, RankLayout

__all__ = [
    "PREDICTED",
    "Cached",
    "Objective",
    "RankLayout",
    "cosine",
    "cross_covariance",
    "hsic",
    "measurement_loss",
    "reconstruction",
    "siglip",
    "statement_loss",
    "word_loss",
]
