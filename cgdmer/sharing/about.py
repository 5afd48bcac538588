"""`about.json` of a packaged encoder: what it was trained on, where its probes come from, and what was measured."""

from dataclasses import dataclass, field
from pathlib import Path

from cgdmer.errors import DataError
from cgdmer.files import read_json, write_json
from cgdmer.json_dataclass import Json
from cgdmer.results import Cell, Interval, ZeroShotCell

FILE = "about.json"
PROBES = "probes"
"""Folder of the fitted probes, beside the weights."""
MAX_BYTES = 1 << 22


@dataclass(frozen=True)
class Corpus(Json):
    """A simulated corpus that the probes were fitted and measured on."""

    records: int
    digest: str
    """Of its shards."""


@dataclass(frozen=True)
class Half(Json):
    """The weights in half precision, compared with fp32."""

    bytes: int
    records: int
    """Records that were compared."""
    worst: float
    """Largest difference of a feature, in standard deviations of its representation."""
    correlation: float
    """Lowest correlation of a representation."""


@dataclass(frozen=True)
class FewRow(Json):
    """Macro AUROC by encoder with few labels or none, and paired differences of the packaged one by control."""

    labels: str
    """How many labels of real recordings were used, in words."""
    encoders: dict[str, Interval]
    differences: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class RealRow(Json):
    """One task of a set of real recordings."""

    records: int
    encoders: dict[str, Interval]
    differences: dict[str, Interval]
    few: list[FewRow] = field(default_factory=list)
    """By ascending number of labels."""


@dataclass(frozen=True)
class About(Json):
    """Everything that the card of a packaged encoder states as a number."""

    digest: str
    """Of the encoder: hex sha256 of config, weights and tokenizer."""
    encoder_saw: str
    """Origin of the recordings that pretraining read: simulated, real, simulated and real, or unknown."""
    probes_saw: str
    corpora: dict[str, Corpus]
    half: Half
    probes: dict[str, Cell]
    """Macro AUROC on the test split, by task: linear probes on pooled features, all labels."""
    zero_shot: dict[str, ZeroShotCell] = field(default_factory=dict)
    real: dict[str, RealRow] | None = None
    """By the name of set and task; None until they were measured."""
    disturbed: dict[str, dict[str, float]] | None = None
    """Change of the macro AUROC by condition and encoder, mean over the simulated tasks; None until measured."""


def write(folder: Path, about: About) -> None:
    """Write `about.json` into the folder of a packaged encoder."""
    write_json(folder / FILE, about.to_json())


def read(folder: Path) -> About | None:
    """Return what `about.json` of a folder states; None if there is none. DataError if it is damaged."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return About.from_json(read_json(path, MAX_BYTES))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path} is damaged: {error}", fix="package the encoder again") from error
