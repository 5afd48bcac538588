"""The stored numbers of an ablation: values, paired differences from the full method, and the key they belong to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import paths, settings, tables
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256, work_key
from cgdmer.probing.comparison import compare
from cgdmer.results import Ablation, Cell, DifferenceCell, ProbeResult, ZeroShotCell, ZeroShotResult
from cgdmer.settings import profiles
from cgdmer.tables import TASKS

METHOD, MAIN = "cgdmer", "pooled"
"""The encoder that is ablated, and the representation that is compared, which every ablation has."""
MARK = "# Ablation"
"""First words of the file of a profile that is an ablation."""
STAGES = ("pretrain", "embed", "probe", "zero_shot")
"""Stages whose code computes the numbers of an ablation."""


def descriptions() -> dict[str, str]:
    """Return each ablation profile with the description in its file, ordered by name."""
    descriptions_by_name = {}
    for name in profiles.names():
        lines = (profiles.PROFILES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        if lines and lines[0].startswith(MARK):
            descriptions_by_name[name] = lines[0].removeprefix(MARK).lstrip(":, ").rstrip(".")
    return descriptions_by_name


def overrides(profile: str) -> dict[str, Any]:
    """Return the settings that a profile changes."""
    return settings.read(profiles.PROFILES / f"{profile}.yaml")


def key(profile: str) -> str:
    """Return 16 hex digits that change with the profile, the full method's results and the code behind them.

    The results stand for data and params: the same params, data and code give the same results, byte for byte.
    """
    weights = paths.MODEL / "weights.safetensors"
    if not weights.is_file():
        raise DataError(f"{weights} is missing, so there is no full method to compare with", fix="make demo")
    files = [*_results(Path()), weights]
    return work_key(overrides(profile), {str(path): sha256(path) for path in files}, code())


def code(root: Path = Path()) -> dict[str, str]:
    """Return the sha256 of each source file that dvc.yaml declares for the stages behind an ablation's numbers."""
    stages = settings.read(root / "dvc.yaml")["stages"]
    declared = {dep.replace("${item.encoder}", METHOD) for name in STAGES for dep in stages[name]["deps"]}
    code = [root / dep for dep in declared if dep.startswith("cgdmer/")]
    files = [file for path in code for file in ([path] if path.is_file() else path.rglob("*.py"))]
    return {path.relative_to(root).as_posix(): sha256(path) for path in sorted(files)}


def _results(root: Path) -> list[Path]:
    """Return the method's probe and zero-shot results below a folder."""
    results = [paths.probe(METHOD, task) for task in TASKS] + [paths.zero_shot(task) for task in TASKS]
    return [path for path in results if (root / path).is_file()]


def row(profile: str, folder: Path, *, aligned: bool) -> dict[str, Any]:
    """Return the content of an ablation's file, from results below `folder` laid out like the full method's here.

    `aligned` is False for an ablation that was trained without reports: it has no zero-shot results.
    """
    tasks = [task for task in TASKS if (folder / paths.probe(METHOD, task)).is_file()]
    if not tasks:
        raise DataError(f"{profile}: the experiment has no probe result", fix=f"make ablations PROFILES={profile}")
    zero = [task for task in TASKS if aligned and (folder / paths.zero_shot(task)).is_file()]
    summary = read_json(folder / paths.CURVE.with_name("summary.json"))
    return Ablation(
        profile=profile,
        does=descriptions()[profile],
        key=key(profile),
        overrides=overrides(profile),
        auroc={task: _cells(ProbeResult.from_json(read_json(folder / paths.probe(METHOD, task)))) for task in tasks},
        differences={task: _differences(task, folder) for task in tasks},
        zero_shot={task: _zero_shot(read_json(folder / paths.zero_shot(task))) for task in zero},
        pretraining={"training": summary["last"], "held_out": (summary["epochs"] or [{}])[-1]},
    ).to_json()


def _cells(result: ProbeResult) -> dict[str, dict[str, Cell]]:
    """Return the cells of one task by label fraction and representation."""
    return {
        fraction: {kind: cell.cell(result.protocol) for kind, cell in kinds.items()}
        for fraction, kinds in result.results.items()
    }


def _zero_shot(content: Mapping[str, Any]) -> ZeroShotCell:
    result = ZeroShotResult.from_json(content)
    return ZeroShotCell(result.mean, result.low, result.high, result.n_test, result.protocol)


def _differences(task: str, folder: Path) -> dict[str, DifferenceCell]:
    """Return macro AUROC of the ablation minus that of the full method at each fraction, paired by record and seed."""
    ours, full = (tables.read(root / paths.predictions(METHOD, task)) for root in (folder, Path()))
    common = sorted({*ours["fraction"]} & {*full["fraction"]})
    return {str(fraction): _difference(_at(ours, fraction), _at(full, fraction)) for fraction in common}


def _difference(ours: pl.DataFrame, full: pl.DataFrame) -> DifferenceCell:
    difference = compare(ours, full).rounded()
    return DifferenceCell(difference.mean, difference.low, difference.high, ours["id"].n_unique())


def _at(predictions: pl.DataFrame, fraction: float) -> pl.DataFrame:
    return predictions.filter(pl.col("fraction") == fraction, pl.col("representation") == MAIN)


def file(profile: str) -> Path:
    """Return the file of an ablation."""
    return paths.REPORTS / "ablations" / f"{profile}.json"


def read() -> dict[str, Ablation]:
    """Return the stored ablations; `stale` says whether the method, its code or the profile changed since."""
    contents = {name: read_json(file(name)) for name in descriptions() if file(name).is_file()}
    stale = {name: content["key"] != key(name) for name, content in contents.items()}
    return {name: Ablation.from_json(content | {"stale": stale[name]}) for name, content in contents.items()}
