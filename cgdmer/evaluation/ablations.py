"""The methods of the ablation study: their profiles and seeds, the files of their results, and when these are stale."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cgdmer import paths, settings, stage_code
from cgdmer.ablation_results import FORMAT, HEADLINE, MEAN, Ablation, DifferenceCell, Made, SeedResult
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256, work_key
from cgdmer.probing import multiplicity
from cgdmer.settings import profiles
from cgdmer.tables import TASKS

METHOD = "cgdmer"
"""The encoder that is ablated."""
FULL = "full"
"""The method with nothing left out. It is pretrained like the ablations, with the same seeds and threads."""
MARK = "# Ablation"
"""First words of the file of a profile that is an ablation."""
STAGES = ("pretrain", "embed", "probe", "zero_shot")
"""Stages whose code and params decide the scores of a method."""
STATISTICS = ("cgdmer/probing/bootstrap.py", "cgdmer/results.py", "cgdmer/json_dataclass.py")
"""Code of these stages that no score depends on: intervals are computed from scores, here and anew."""
DATA = "data"
"""Among what changed: the corpora. Scores on other records are no part of a run's table."""
THREADS = 1
"""CPU threads of each run. Sums round differently with another number, so all runs have the same."""
PLANNED = (MEAN, "1.0")
"""The one comparison with the full method that was planned for each ablation: the mean over tasks with all labels."""


def descriptions() -> dict[str, str]:
    """Return each ablation profile with the description in its file, ordered by name."""
    descriptions_by_name = {}
    for name in profiles.names():
        lines = (profiles.PROFILES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        if lines and lines[0].startswith(MARK):
            descriptions_by_name[name] = lines[0].removeprefix(MARK).lstrip(":, ").rstrip(".")
    return descriptions_by_name


def overrides(name: str) -> dict[str, Any]:
    """Return the settings that a method changes: those of its profile, and none for the full method."""
    return {} if name == FULL else settings.read(profiles.PROFILES / f"{name}.yaml")


def seeds() -> list[int]:
    """Return the values of `train.seed` of every method.

    They follow the seed of the pipeline's own training, which may have run with other threads.
    """
    chosen = settings.load()
    return [chosen.train.seed + number for number in range(1, chosen.ablations.seeds + 1)]


def changes(name: str, seed: int) -> dict[str, Any]:
    """Return the settings of one run that differ from params.yaml."""
    return settings.merge(overrides(name), {"train": {"seed": seed}})


def tasks() -> list[str]:
    """Return the tasks of the benchmarks; results of other corpora may lie in the project from earlier runs."""
    benchmarks = settings.load().matrix.benchmarks
    return [task for task, source in TASKS.items() if source in benchmarks]


def aligned(name: str) -> bool:
    """Return True if a method aligns ECGs with reports, so that zero-shot applies to it."""
    merged = settings.merge(settings.read(profiles.PARAMS), overrides(name))
    return settings.parse(merged, name=name).objective.aligned


@dataclass(frozen=True)
class State:
    """What decides the scores of all runs: params, data and code."""

    params: dict[str, Any]
    """The content of params.yaml."""
    names: list[str]
    """The params of STAGES: `section` or `section.key`."""
    data: dict[str, str]
    code: dict[str, str]

    def key(self, name: str, seed: int) -> str:
        """Return 16 hex digits that change with whatever decides the scores of one run."""
        return work_key(self._read(name, seed), self.data, self.code, THREADS)

    def made(self, name: str) -> Made:
        """Return what the runs of a method are made of, whatever their seed."""
        code = {file: digest[:8] for file, digest in self.code.items()}
        return Made(work_key(self._read(name, 0), THREADS), work_key(self.data), code)

    def _read(self, name: str, seed: int) -> dict[str, Any]:
        """Return the values that STAGES read of the settings of a run, by name."""
        merged = settings.merge(self.params, changes(name, seed))
        values = {}
        for param in self.names:
            section, _, key = param.partition(".")
            content = merged.get(section)
            values[param] = content.get(key) if key and content else content
        return values

    def row_key(self, name: str, run_seeds: Sequence[int]) -> str:
        """Return the key of a method's row, which changes with that of any of its runs."""
        return work_key([self.key(name, seed) for seed in run_seeds])


def state() -> State:
    """Return the current state; DataError without data."""
    params, stages = settings.read(profiles.PARAMS), settings.read(Path("dvc.yaml"))["stages"]
    names = sorted({name for stage in STAGES for name in stages[stage]["params"]})
    return State(params, names, data(), code())


def data() -> dict[str, str]:
    """Return the digest of the shards and of the index of every corpus that the runs read."""
    chosen = settings.load()
    digests = {}
    for source in sorted({*chosen.pretraining_set.sources, *chosen.matrix.benchmarks}):
        for path in (paths.shards(source) / "manifest.json", paths.index(source)):
            if not path.is_file():
                raise DataError(f"{path} is missing, so there is nothing to pretrain and to probe on", fix="make demo")
            digests[str(path)] = sha256(path)
    return digests


def code() -> dict[str, str]:
    """Return the sha256 of each source file behind a run's scores."""
    modules = {module for stage in STAGES for module in stage_code.begins(stage, METHOD)}
    return {file: digest for file, digest in stage_code.digests(modules).items() if file not in STATISTICS}


def file(name: str) -> Path:
    """Return the file of a method's row."""
    return paths.REPORTS / "ablations" / f"{name}.json"


def seed_file(name: str, seed: int) -> Path:
    """Return the file of one run of a method."""
    return paths.REPORTS / "ablations" / name / f"{seed}.json"


def scores(name: str, seed: int) -> Path:
    """Return the folder of a run's scores of test records, laid out like the project's folder."""
    return paths.STATE / "ablations" / name / str(seed)


def is_current(name: str, seed: int, now: State) -> bool:
    """Return True if a run's result and its scores are here, and belong to the current params, data and code."""
    path = seed_file(name, seed)
    if not path.is_file() or not scores(name, seed).is_dir():
        return False
    content = read_json(path)
    return content.get("format") == FORMAT and bool(content["key"] == now.key(name, seed))


def finished(name: str, now: State) -> dict[int, SeedResult]:
    """Return the current results of a method by seed."""
    current = [seed for seed in seeds() if is_current(name, seed, now)]
    return {seed: SeedResult.from_json(read_json(seed_file(name, seed))) for seed in current}


def stored() -> dict[str, Ablation]:
    """Return the stored rows, the full method first; those of an earlier format are left out."""
    contents = {name: read_json(file(name)) for name in (FULL, *descriptions()) if file(name).is_file()}
    return {name: Ablation.from_json(one) for name, one in contents.items() if one.get("format") == FORMAT}


def outdated() -> list[Path]:
    """Return the files of an earlier format, which hold one pretraining: `make ablations` replaces them."""
    files = sorted((paths.REPORTS / "ablations").glob("*.json"))
    return [path for path in files if read_json(path).get("format") != FORMAT]


def read() -> dict[str, Ablation]:
    """Return the rows of the present data with adjusted p-values; `stale` says whether params or code changed since."""
    rows = stored()
    if not rows:
        return {}
    now = state()
    marked = {}
    for name, row in rows.items():
        stale = row.key != now.row_key(name, row.pretraining_seeds)
        marked[name] = replace(row, stale=stale, changed=changed(row.made, now.made(name)) if stale else None)
    return adjust({name: row for name, row in marked.items() if DATA not in (row.changed or [])})


def left_out(shown: Collection[str]) -> dict[str, str]:
    """Return the files whose rows `read` did not return, each with the reason; `make ablations` replaces them."""
    reasons = {str(path): "an earlier format" for path in outdated()}
    return reasons | {str(file(name)): "other data" for name in sorted(stored().keys() - set(shown))}


def changed(before: Made, now: Made) -> list[str]:
    """Return what differs between two states: `params`, DATA, and the source files."""
    sections = [name for name in ("params", DATA) if getattr(before, name) != getattr(now, name)]
    files = {*before.code, *now.code}
    return sections + sorted(file for file in files if before.code.get(file) != now.code.get(file))


def adjust(rows: dict[str, Ablation]) -> dict[str, Ablation]:
    """Return the rows with Holm's p-values for all comparisons of headline representations that were not planned."""
    family = [(name, *place) for name, row in rows.items() for place in _unplanned(row)]
    adjusted = dict(zip(family, multiplicity.holm([_cell(rows[one[0]], *one[1:]).p for one in family]), strict=True))
    return {name: _adjusted(row, {place[1:]: p for place, p in adjusted.items() if place[0] == name})
            for name, row in rows.items()}  # fmt: skip


def _unplanned(row: Ablation) -> list[tuple[str, str]]:
    """Return task and fraction of the comparisons to adjust; zero-shot has the fraction ''."""
    labelled = [
        (task, share) for task, shares in row.differences.items() for share in shares if HEADLINE in shares[share]
    ]
    return [place for place in labelled if place != PLANNED] + [(task, "") for task in row.zero_shot_differences]


def _cell(row: Ablation, task: str, fraction: str) -> DifferenceCell:
    return row.differences[task][fraction][HEADLINE] if fraction else row.zero_shot_differences[task]


def _adjusted(row: Ablation, p: dict[tuple[str, str], float]) -> Ablation:
    differences = {
        task: {
            share: {
                kind: replace(cell, p_adjusted=p.get((task, share)) if kind == HEADLINE else None)
                for kind, cell in kinds.items()
            }
            for share, kinds in shares.items()
        }
        for task, shares in row.differences.items()
    }
    zero = {task: replace(cell, p_adjusted=p[task, ""]) for task, cell in row.zero_shot_differences.items()}
    return replace(row, differences=differences, zero_shot_differences=zero)
