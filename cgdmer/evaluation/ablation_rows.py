"""The numbers of an ablation: one result per pretraining, and a row over all pretrainings of a method.

Scores of test records lie below `ablations.scores`. A row is computed from them: means with intervals that contain
pretrainings, records and subsets, and differences from the full method and from the controls.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths, settings, tables
from cgdmer.ablation_results import FORMAT, HEADLINE, MEAN, Ablation, DifferenceCell, Differences, SeedResult
from cgdmer.errors import DataError
from cgdmer.evaluation import ablations
from cgdmer.evaluation.ablations import FULL, METHOD, THREADS
from cgdmer.files import read_json
from cgdmer.probing import representations, seeds
from cgdmer.probing.representations import Validation
from cgdmer.probing.saved_scores import difference, trainings_of
from cgdmer.probing.seeds import Trainings
from cgdmer.results import Cell, ProbeResult, rounded

Place = tuple[str, str, str]
"""Task, label fraction and representation; zero-shot has the fraction '0.0' and the representation `aligned`."""
Scored = dict[Place, Trainings]
ZERO = "0.0"


def seed_result(name: str, seed: int, now: ablations.State, folder: Path) -> SeedResult:
    """Return the result of one run, from files below `folder` that are laid out like the project's."""
    results = {task: ProbeResult.from_json(read_json(folder / paths.probe(METHOD, task))) for task in ablations.tasks()
               if (folder / paths.probe(METHOD, task)).is_file()}  # fmt: skip
    if not results:
        raise DataError(
            f"{name}, seed {seed}: the experiment has no probe result", fix=f"make ablations PROFILES={name}"
        )
    zero = [task for task in results if ablations.aligned(name) and (folder / paths.zero_shot(task)).is_file()]
    summary = read_json(folder / paths.CURVE.with_name("summary.json"))
    return SeedResult(
        format=FORMAT,
        method=name,
        seed=seed,
        key=now.key(name, seed),
        threads=THREADS,
        made=now.made(name),
        auroc={task: _auroc(result) for task, result in results.items()},
        validation={task: _on_validation(result) for task, result in results.items()},
        zero_shot={task: read_json(folder / paths.zero_shot(task))["mean"] for task in zero},
        pretraining={"training": summary["last"], "held_out": (summary["epochs"] or [{}])[-1]},
    )


def _auroc(result: ProbeResult) -> dict[str, dict[str, float]]:
    return {share: {kind: cell.mean for kind, cell in kinds.items()} for share, kinds in result.results.items()}


def _on_validation(result: ProbeResult) -> dict[str, dict[str, float]]:
    by_share = representations.on_validation(result)
    return {share: {kind: rounded(value) for kind, value in kinds.items()} for share, kinds in by_share.items()}


def choose(validation: Validation) -> str:
    """Return the representation that stands for a method, given its scores on validation."""
    return representations.best(representations.scores(validation))


@dataclass(frozen=True)
class Method:
    """A method with its scores."""

    scored: Scored
    representation: str
    run_seeds: list[int]


def rows(names: Sequence[str], now: ablations.State) -> Iterator[Ablation]:
    """Yield the row of the full method and of each other method with a finished run; none before the full method."""
    results = {name: ablations.finished(name, now) for name in (FULL, *names)}
    if not results[FULL]:
        return
    full = method(FULL, results[FULL])
    for name, by_seed in results.items():
        if by_seed:
            own = full if name == FULL else method(name, by_seed)
            yield row(name, list(by_seed.values()), own, full, now.row_key(name, own.run_seeds))


def method(name: str, results: Mapping[int, SeedResult]) -> Method:
    """Return a method with the scores of its finished runs."""
    validation = _mean_of([result.validation for result in results.values()])
    return Method(scored(name, list(results)), choose(validation), list(results))


def row(name: str, results: Sequence[SeedResult], own: Method, full: Method, key: str) -> Ablation:
    """Return the row of a method from the results of its runs, its scores, and those of the full method."""
    labelled, zero = _split({place: _cell(trainings, place) for place, trainings in own.scored.items()})
    differences, zero_differences = _split({} if name == FULL else apart(own, full))
    return Ablation(
        format=FORMAT,
        profile=name,
        does="the method with nothing left out" if name == FULL else ablations.descriptions()[name],
        overrides=ablations.overrides(name),
        made=results[0].made,
        key=key,
        pretraining_seeds=own.run_seeds,
        full_seeds=full.run_seeds,
        threads=THREADS,
        representation=own.representation,
        auroc=labelled,
        zero_shot={task: shares[ZERO]["aligned"] for task, shares in zero.items()},
        differences=differences,
        zero_shot_differences={task: shares[ZERO]["aligned"] for task, shares in zero_differences.items()},
        controls=against_controls(full) if name == FULL else {},
        validation=_mean_of([result.validation for result in results]),
        pretraining=_mean_of([result.pretraining for result in results]),
        vouched=[result.seed for result in results if result.vouched_by is not None],
    )


def apart(first: Method, second: Method) -> dict[Place, DifferenceCell]:
    """Return the differences of two methods: of each representation that both have, and of the chosen ones."""
    cells = {place: difference(first.scored[place], second.scored[place])
             for place in first.scored if place in second.scored}  # fmt: skip
    for task, fraction, kind in first.scored:
        other = (task, fraction, second.representation)
        if kind == first.representation and other in second.scored:
            one = first.scored[task, fraction, kind]
            cells[task, fraction, HEADLINE] = difference(one, second.scored[other])
    return cells


def scored(name: str, run_seeds: Sequence[int]) -> Scored:
    """Return the trainings of a method at every place, with the means over tasks, from its saved scores."""
    folders = [ablations.scores(name, seed) for seed in run_seeds]
    tasks = ablations.tasks()
    trainings = dict(
        _trainings({task: [folder / paths.predictions(METHOD, task) for folder in folders] for task in tasks})
    )
    if ablations.aligned(name):
        zero = {task: [folder / paths.zero_shot_predictions(task) for folder in folders] for task in tasks}
        trainings |= dict(_trainings(zero))
    return trainings | _means(trainings)


def _trainings(files: Mapping[str, Sequence[Path]]) -> Iterator[tuple[Place, Trainings]]:
    """Yield the trainings of each place from the predictions of a task, one file per pretraining."""
    for task, task_files in files.items():
        if all(path.is_file() for path in task_files):
            frames = [tables.read(path) for path in task_files]
            for fraction, kind in frames[0].select("fraction", "representation").unique().sort(pl.all()).iter_rows():
                place = (pl.col("fraction") == fraction) & (pl.col("representation") == kind)
                yield (task, str(fraction), kind), seeds.trainings([frame.filter(place) for frame in frames])


def _means(by_task: Scored) -> Scored:
    """Return the mean over tasks at each fraction and representation that every task has."""
    tasks = {task for task, _, _ in by_task}
    shares = {(fraction, kind) for _, fraction, kind in by_task}
    return {
        (MEAN, fraction, kind): seeds.mean([by_task[task, fraction, kind] for task in sorted(tasks)])
        for fraction, kind in sorted(shares)
        if all((task, fraction, kind) in by_task for task in tasks)
    }


def against_controls(full: Method) -> dict[str, Differences]:
    """Return the differences of the full method from every control with predictions of all its tasks."""
    tasks = [task for task in ablations.tasks() if any(task == place[0] for place in full.scored)]
    controls = {}
    for name in settings.load().matrix.probed:
        files = {task: paths.predictions(name, task) for task in tasks}
        if name != METHOD and all(path.is_file() for path in files.values()):
            trainings = dict(_control(files))
            results = {task: ProbeResult.from_json(read_json(paths.probe(name, task))) for task in tasks}
            chosen = choose({task: _on_validation(result) for task, result in results.items()})
            controls[name] = _split(apart(full, Method(trainings | _means(trainings), chosen, [])))[0]
    return controls


def _control(files: Mapping[str, Path]) -> Iterator[tuple[Place, Trainings]]:
    """Yield the trainings of a control: one per set of weights, or one if it has no random weights."""
    for task, path in files.items():
        frame = tables.read(path)
        for (fraction, kind), part in frame.group_by("fraction", "representation", maintain_order=True):
            yield (task, str(fraction), str(kind)), trainings_of(part)


def _cell(trainings: Trainings, place: Place) -> Cell:
    mean = seeds.estimate(trainings).rounded()
    protocol = "zero-shot, cosine" if place[1] == ZERO else "canonical"
    by_weights = [rounded(value) for value in trainings.points]
    return Cell(mean.mean, mean.low, mean.high, trainings.records, trainings.subsets, protocol, by_weights=by_weights)


def _split(cells: Mapping[Place, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return cells by task, fraction and representation: those with labels, and those of zero-shot."""
    labelled: dict[str, Any] = {}
    zero: dict[str, Any] = {}
    for (task, fraction, kind), cell in cells.items():
        target = zero if fraction == ZERO else labelled
        target.setdefault(task, {}).setdefault(fraction, {})[kind] = cell
    return labelled, zero


def _mean_of(contents: Sequence[Any]) -> Any:
    """Return the mean of numbers, or of each entry of mappings that all have the same keys."""
    if isinstance(contents[0], Mapping):
        return {name: _mean_of([content[name] for content in contents]) for name in contents[0]}
    return rounded(np.mean(contents))
