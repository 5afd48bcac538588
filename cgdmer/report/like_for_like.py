"""Published numbers beside re-measured ones, only where encoder, protocol, records, task and score are the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cgdmer.report import published
from cgdmer.report.headline import MAIN, TASK_NAMES, encoder_order, name_of, percent
from cgdmer.report.table import Content, Table, stacked
from cgdmer.results import ProbeCell, ProbeResult
from cgdmer.tables import TASKS

METHODS = {"merl_resnet18": "MERL (ResNet18)", "melp": "MELP"}
"""Encoders here whose published rows were made with a protocol of this package, by their name in published.csv."""
OWN = {"merl_resnet18": "merl", "melp": "melp"}
"""The protocol of each encoder's own publication."""


@dataclass(frozen=True)
class Pair:
    """A published number and the one measured here in the same way."""

    encoder: str
    task: str
    fraction: str
    measured: float
    score: str
    """Which of the measured scores it is."""
    published: float
    status: str
    """Whether the published number was read in its source."""


def pairs(probes: Mapping[str, Mapping[str, ProbeResult]], whole: Mapping[str, bool]) -> Iterator[Pair]:
    """Yield every pair that is like for like, from `{task: {encoder: result}}`.

    `whole` tells for each source whether it is the whole published corpus and no simulated or partial copy. The result
    must have the encoder's own protocol, the published split and the published training records.
    """
    numbers = published.rows().filter(kind="linear probe")
    for task, results in probes.items():
        for encoder in sorted(results.keys() & METHODS.keys(), key=encoder_order):
            if not same(encoder, results[encoder]) or not whole.get(TASKS[task], False):
                continue
            rows = numbers.filter(method=METHODS[encoder], task=task)
            for fraction, auroc, status in rows.select("fraction", "auroc", "status").iter_rows():
                cell = results[encoder].results.get(fraction, {}).get(MAIN)
                if cell:
                    yield Pair(encoder, task, fraction, *score_of(encoder, cell), auroc, status)


def same(encoder: str, result: ProbeResult) -> bool:
    """Return whether a result was made with the encoder's own protocol, split and training records."""
    return result.protocol == OWN[encoder] and result.split == "published" and result.subset == "published"


def score_of(encoder: str, cell: ProbeCell) -> tuple[float, str]:
    """Return the score that the released code prints, and its name.

    Both read the labels of PTB-XL Sub by position; MERL's code prints the maximum over the epochs' test scores.
    """
    by_position = cell.positional
    place = ", labels by position" if by_position else ""
    if OWN[encoder] == "merl" and cell.max_over_test_epochs is not None:
        most = by_position.max_over_test_epochs if by_position else cell.max_over_test_epochs
        return most, f"max over test epochs{place}"
    return (by_position.mean if by_position else cell.mean), f"best validation epoch{place}"


def pairs_table(pairs: list[Pair]) -> Table | None:
    """Return the table of pairs; None if there is none."""
    if not pairs:
        return None
    rows: list[list[Content]] = [
        [
            name_of(pair.encoder),
            TASK_NAMES[pair.task],
            percent(pair.fraction),
            stacked(f"{pair.measured:.3f}", pair.score),
            stacked(f"{pair.published:.3f}", pair.status),
            f"{pair.measured - pair.published:+.3f}",
        ]
        for pair in pairs
    ]
    caption = "Published and re-measured macro AUROC: same encoder, protocol, split, training records and score."
    return Table(caption, ("Encoder", "Task", "Labels", "Here", "Published", "Difference"), rows, text=(0, 1))
