"""What pretraining reads: records to train on, and the shards of corpora as such records."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cgdmer import settings
from cgdmer.distributed import World
from cgdmer.models.tokens import Tokenizer
from cgdmer.shards import Shards
from cgdmer.training.exchanging import exchanging
from cgdmer.training.loop import Plan, Source
from cgdmer.training.pretraining_set import choose
from cgdmer.training.records import Records

Opened = tuple[Source, Plan | None]


@dataclass(frozen=True)
class TrainingData:
    """Records to train on, before there is a tokenizer."""

    reports: Sequence[str]
    """Reports on which the tokenizer is trained."""
    sizes: tuple[int, int]
    """Number of training records and of held-out records."""
    open: Callable[[Tokenizer | None, Path, World], AbstractContextManager[Opened]]
    """Opens the records with a tokenizer; what is in progress may be kept in the folder."""
    names: Callable[[Sequence[int]], list[str]]
    """Names of records, by the numbers that a batch has in `row`."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the model's config says about the records."""


def of_shards(
    shards: Shards, train: settings.Train, objective: settings.Objective, augmentation: settings.Augmentation
) -> TrainingData:  # fmt: skip
    """Return the records of corpora that have a report."""
    rows, sizes = choose(shards, train)

    @contextmanager
    def opened(tokenizer: Tokenizer | None, folder: Path, world: World) -> Iterator[Opened]:
        records = Records(shards, rows, tokenizer, statements=objective.statements > 0, few_widths=train.compile)
        yield exchanging(records, sizes[0], augmentation, train, tokenizer), None

    def named(numbers: Sequence[int]) -> list[str]:
        records = shards.columns("id")[list(numbers)]
        return [f"{source} {name}" for name, source in records.select("id", "source").iter_rows()]

    reports = shards.columns("report")["report"].gather(rows[: sizes[0]]).to_list()
    return TrainingData(reports, sizes, opened, named)
