"""Types of `reports/attentive.json`: every number of the attentive-pooling probe."""

from dataclasses import dataclass, field

from cgdmer.json_dataclass import Json
from cgdmer.results import Interval, ProbeCell

ATTENTIVE, MEAN = "attentive", "mean"
"""Keys of the two poolings: with a learned query, and with the query held at zero, which is the mean over tokens."""


@dataclass(frozen=True)
class AttentiveCell(Json):
    """Both poolings at one label fraction, trained on the same subsets and batches."""

    attentive: ProbeCell
    mean: ProbeCell
    difference: Interval
    """Macro AUROC of the attentive probe minus that of the mean, paired by test record and seed."""
    weight_decay: dict[str, list[float]]
    """The weight decay chosen on validation, by pooling, then by seed."""


@dataclass(frozen=True)
class AttentiveResult(Json):
    """One encoder on one task."""

    encoder: str
    digest: str
    """Of the encoder's weights; '' for an encoder without stored weights."""
    width: int
    """Width of a token."""
    tokens: int
    """Tokens of the record that has most."""
    fractions: dict[str, AttentiveCell] = field(default_factory=dict)
    """By label fraction."""


@dataclass(frozen=True)
class AttentiveReport(Json):
    """All results, by task, then encoder."""

    tasks: dict[str, dict[str, AttentiveResult]]
    model: str
    """Digest of the pretrained weights, as `versions.model` of metrics.json has it; `none` if there are none."""
    settings: dict[str, float | list[float] | int]
    versions: dict[str, str]
