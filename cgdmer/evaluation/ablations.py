"""Owns an ablation's row: the state of the method it belongs to, what is kept of its results, how far it falls."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import paths, settings, tables
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256
from cgdmer.probing.comparison import compare
from cgdmer.settings import profiles
from cgdmer.tables import TASKS

METHOD, MAIN = "cgdmer", "pooled"
"""The encoder that is ablated, and the representation whose difference is kept: every ablation has it."""
MARK = "# Ablation"
"""How the file of a profile begins that is an ablation."""
STAGES = ("pretrain", "embed", "probe", "zero_shot")
"""The stages whose code makes an ablation's numbers."""


def known() -> dict[str, str]:
    """Return each ablation profile with what its file says it does, in the order of their names."""
    found = {}
    for name in profiles.names():
        lines = (profiles.PROFILES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        if lines and lines[0].startswith(MARK):
            found[name] = lines[0].removeprefix(MARK).lstrip(":, ").rstrip(".")
    return found


def overrides(profile: str) -> dict[str, Any]:
    """Return what a profile changes."""
    return settings.read(profiles.PROFILES / f"{profile}.yaml")


def key(profile: str) -> str:
    """Return 16 hex digits that change with the profile, with the method's own results, and with the code behind them.

    The method's results stand for data and params: the same params, data and code give the same results, to the byte.
    """
    weights = paths.MODEL / "weights.safetensors"
    if not weights.is_file():
        raise DataError(f"{weights} is missing: there is no full method to compare with", fix="make demo")
    files = [*_results(Path()), weights]
    content = [overrides(profile), {str(path): sha256(path) for path in files}, code()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def code(root: Path = Path()) -> dict[str, str]:
    """Return the sha256 of each source file that dvc.yaml declares for the stages behind an ablation's numbers."""
    stages = settings.read(root / "dvc.yaml")["stages"]
    declared = {dep.replace("${item.encoder}", METHOD) for name in STAGES for dep in stages[name]["deps"]}
    code = [root / dep for dep in declared if dep.startswith("cgdmer/")]
    files = [file for path in code for file in ([path] if path.is_file() else path.rglob("*.py"))]
    return {path.relative_to(root).as_posix(): sha256(path) for path in sorted(files)}


def _results(root: Path) -> list[Path]:
    """Return the method's probe and zero-shot results below a folder."""
    places = [paths.probe(METHOD, task) for task in TASKS] + [paths.zero_shot(task) for task in TASKS]
    return [path for path in places if (root / path).is_file()]


def row(profile: str, folder: Path, *, aligned: bool) -> dict[str, Any]:
    """Sum up an ablation whose results lie below `folder` as the full method's lie here.

    `aligned` says whether it read reports: where it did not, there is no zero-shot result of its own.
    """
    tasks = [task for task in TASKS if (folder / paths.probe(METHOD, task)).is_file()]
    if not tasks:
        raise DataError(f"{profile}: the experiment left no probe result", fix=f"make ablations PROFILES={profile}")
    zero = [task for task in TASKS if aligned and (folder / paths.zero_shot(task)).is_file()]
    summary = read_json(folder / paths.CURVE.with_name("summary.json"))
    return {
        "profile": profile,
        "does": known()[profile],
        "key": key(profile),
        "overrides": overrides(profile),
        "auroc": {task: _cells(read_json(folder / paths.probe(METHOD, task))) for task in tasks},
        "differences": {task: _differences(task, folder) for task in tasks},
        "zero_shot": {task: _kept(read_json(folder / paths.zero_shot(task)), ("protocol",)) for task in zero},
        "pretraining": {"training": summary["last"], "held_out": (summary["epochs"] or [{}])[-1]},
    }


def _cells(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{fraction: {representation: cell}}` of one task."""
    about = {"protocol": result["protocol"]}
    return {
        fraction: {kind: _kept(cell) | about | {"seeds": len(cell["seeds"])} for kind, cell in kinds.items()}
        for fraction, kinds in result["results"].items()
    }


def _kept(cell: Mapping[str, Any], more: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: cell[name] for name in ("mean", "low", "high", "n_test", *more)}


def _differences(task: str, folder: Path) -> dict[str, Any]:
    """Return macro AUROC of the ablation minus that of the full method at each fraction, paired by record and seed."""
    ours, full = (tables.read(root / paths.predictions(METHOD, task)) for root in (folder, Path()))
    shared = sorted({*ours["fraction"]} & {*full["fraction"]})
    return {str(fraction): _difference(_at(ours, fraction), _at(full, fraction)) for fraction in shared}


def _difference(ours: pl.DataFrame, full: pl.DataFrame) -> dict[str, Any]:
    found = compare(ours, full)
    values = {name: round(getattr(found, name), 6) for name in ("mean", "low", "high")}
    return values | {"n_test": ours["id"].n_unique()}


def _at(predictions: pl.DataFrame, fraction: float) -> pl.DataFrame:
    return predictions.filter(pl.col("fraction") == fraction, pl.col("representation") == MAIN)


def file(profile: str) -> Path:
    """Return where a row lies."""
    return paths.REPORTS / "ablations" / f"{profile}.json"


def read() -> dict[str, dict[str, Any]]:
    """Return the rows that are there, each with `stale`: whether the method, its code or the profile changed since."""
    found = {name: read_json(file(name)) for name in known() if file(name).is_file()}
    return {name: content | {"stale": content["key"] != key(name)} for name, content in found.items()}
