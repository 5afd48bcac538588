"""A stream of simulated records as the records to train on, with or without recordings beside it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cgdmer import paths, settings
from cgdmer.distributed import World
from cgdmer.models.tokens import Tokenizer
from cgdmer.streams import amplitudes
from cgdmer.streams.plan import SlidingPlan
from cgdmer.streams.reference import draw_reference
from cgdmer.streams.stream import open_stream
from cgdmer.streams.unlabelled import Mixed, MixedPlan, read_recordings
from cgdmer.training.exchanging import exchanging
from cgdmer.training.training_data import Opened, TrainingData


def of_stream(
    description: Mapping[str, Any], train: settings.Train, objective: settings.Objective, signal: settings.Signal,
    augmentation: settings.Augmentation,
) -> TrainingData:  # fmt: skip
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
            measure = partial(amplitudes.measure_all, fs=signal.fs)
            source = exchanging(stream, plan.records, augmentation, train, tokenizer, measure)
            if not sets:
                yield source, plan
                return
            recordings = read_recordings([paths.recordings(digest) for digest in sets.values()])
            mixed = MixedPlan(plan, len(recordings), count, first, train.seed)
            yield Mixed(source, recordings, first, tokenizer, signal.fs), mixed

    def named(numbers: Sequence[int]) -> list[str]:
        kind = f"simulated record {{}} of seed {simulated.seed}"
        return [kind.format(n) if n < first else f"recording {n - first} of {', '.join(sets)}" for n in numbers]

    facts = {"simulated": simulated.model_dump(), "recordings": sorted(sets), "measurements": reference.scale}
    return TrainingData(reference.reports, (plan.records, train.held_out), opened, named, facts)
