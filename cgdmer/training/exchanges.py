"""Exchanges of two electrodes: how often each is drawn in training, and how a report states it (ours).

The words are those of machine reports (GE 12SL, MIMIC-IV-ECG). What a report says of the heart stays, because an
encoder should see the heart behind the exchange. After an exchange on the limbs the leads no longer show the axis of
the heart, so the report does not name it.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from cgdmer import report_text
from cgdmer.signals.electrodes import exchanged_leads
from cgdmer.signals.leads import ELECTRODES

ARMS = (
    "suspect arm lead reversal, interpretation assumes no reversal",
    "right and left arm electrode reversal, interpretation assumes no reversal",
    "arm lead reversal",
)
LIMBS = ("limb lead reversal", "limb leads reversed")
CHEST = ("electrode reversal", "lead {} omitted due to possible sequence error")
AXIS_WORDS = {
    "axis", "deviation", "left", "leftward", "right", "rightward", "superior", "northwest", "extreme", "indeterminate",
    "abnormal", "normal", "marked", "moderate", "borderline", "possible", "consider", "unusual",
}  # fmt: skip
"""A statement of these words, `axis` among them, is about nothing but the axis."""


@dataclass(frozen=True)
class Exchange:
    """Two electrodes that have changed places."""

    electrodes: tuple[str, str]
    wordings: tuple[str, ...]
    share: float
    """Share of all exchanges."""
    on_limbs: bool = True

    @cached_property
    def leads(self) -> tuple[list[int], np.ndarray]:
        """Which lead each lead shows, and with which sign (12,)."""
        return exchanged_leads(self.electrodes)

    def wording(self, draw: float) -> str:
        """Return one of the wordings; `draw` is uniform in 0 to 1."""
        return self.wordings[int(draw * len(self.wordings))].format(self.electrodes[1].lower())


EXCHANGES = (
    Exchange(("RA", "LA"), ARMS, 0.6),
    Exchange(("RA", "LL"), LIMBS, 0.1),
    Exchange(("LA", "LL"), LIMBS, 0.1),
    *(Exchange(pair, CHEST, 0.04, on_limbs=False) for pair in pairwise(ELECTRODES[3:])),
)
"""Both arms most often, other limbs, and neighbours on the chest."""


def reported(report: str, exchange: Exchange, wording: str) -> str:
    """Return a cleaned report that begins with an exchange and, after one on the limbs, does not name the axis."""
    statements = report_text.statements(report) if report != report_text.EMPTY else []
    if exchange.on_limbs:
        statements = [statement for statement in statements if not is_about_axis(statement)]
    return report_text.SEPARATOR.join([wording, *(statement.rstrip(".") for statement in statements)]) + "."


def is_about_axis(statement: str) -> bool:
    """Return True for a statement that names an axis and no finding."""
    words = set(statement.strip(" .").replace("-", " ").split())
    return "axis" in words and words <= AXIS_WORDS
