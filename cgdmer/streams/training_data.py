"""What pretraining reads: the shards of corpora, or a stream of simulated records, with or without recordings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cgdmer import paths, settings
from cgdmer.distributed import World
from cgdmer.models.tokens import Tokenizer
from cgdmer.shards import Shards
from cgdmer.streams.plan import SlidingPlan
from cgdmer.streams.reference import draw_reference
from cgdmer.streams.stream import open_stream
from cgdmer.streams.unlabelled import Mixed, MixedPlan, read_recordings
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


def of_shards(shards: Shards, train: settings.Train, objective: settings.Objective) -> TrainingData:
    """Return the records of corpora that have a report."""
    rows, sizes = choose(shards, train)

    @contextmanager
    def opened(tokenizer: Tokenizer | None, folder: Path, world: World) -> Iterator[Opened]:
        yield Records(shards, rows, tokenizer, statements=objective.statements > 0), None

    def named(numbers: Sequence[int]) -> list[str]:
        records = shards.columns("id")[list(numbers)]
        return [f"{source} {name}" for name, source in records.select("id", "source").iter_rows()]

    reports = shards.columns("report")["report"].gather(rows[: sizes[0]]).to_list()
    return TrainingData(reports, sizes, opened, named)


def of_stream(
    description: Mapping[str, Any], train: settings.Train, objective: settings.Objective, signal: settings.Signal
) -> TrainingData:
    """Return the simulated records that a description of the pretraining set names, and its recordings if any."""
    simulated = settings.Simulated(**description["simulated"])
    sets: dict[str, Any] = description.get("recordings", {})
    count = max(1, round(description["share"] * train.batch)) if sets else 0
    plan = SlidingPlan(simulated, train.batch - count, train.seed, train.epochs)
    reference = draw_reference(simulated)
    first = plan.records + train.held_out

    @contextmanager
    def opened(tokenizer: Tokenizer | None, folder: Path, world: World) -> Iterator[Opened]:
        statements = objective.statements > 0
        with open_stream(plan, signal, tokenizer, reference, folder / "stream", world, statements=statements) as stream:
            if not sets:
                yield stream, plan
                return
            recordings = read_recordings([paths.recordings(digest) for digest in sets.values()])
            mixed = MixedPlan(plan, len(recordings), count, first, train.seed)
            yield Mixed(stream, recordings, first, tokenizer), mixed

    def named(numbers: Sequence[int]) -> list[str]:
        kind = f"simulated record {{}} of seed {simulated.seed}"
        return [kind.format(n) if n < first else f"recording {n - first} of {', '.join(sets)}" for n in numbers]

    facts = {"simulated": simulated.model_dump(), "recordings": sorted(sets), "measurements": reference.scale}
    return TrainingData(reference.reports, (plan.records, train.held_out), opened, named, facts)
