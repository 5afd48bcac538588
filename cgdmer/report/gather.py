"""Owns reading what all stages wrote, and `metrics.json` made of it; its shape is a contract with other programs."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import paths, settings
from cgdmer.errors import DataError
from cgdmer.evaluation import ablations
from cgdmer.files import read_json, sha256
from cgdmer.report import ablations as removed
from cgdmer.report import disentanglement, finetuning, robustness
from cgdmer.report.headline import encoder_order
from cgdmer.tables import TASKS
from cgdmer.version import __version__

LIBRARIES = ("numpy", "polars", "scikit-learn", "scipy", "torch", "great-expectations")
"""Libraries whose version can change a number."""


@dataclass(frozen=True)
class Findings:
    """Everything that the report tells, as the stages wrote it."""

    probes: dict[str, dict[str, Any]]
    """By task, then encoder: the result of the stage probe."""
    zero_shot: dict[str, Any]
    """By task."""
    retrieval: dict[str, Any]
    """Empty where nothing was ranked."""
    disentanglement: dict[str, Any]
    """What the shared and the specific part know; empty where it was not measured."""
    finetuning: dict[str, Any]
    """By task; empty while fine-tuning is off."""
    ablations: dict[str, Any]
    """By profile; empty where none was run."""
    robustness: dict[str, dict[str, Any]]
    """By task, then encoder: fewer leads and disturbances."""
    sources: dict[str, dict[str, Any]]
    """By source: way, split, records, quarantined, digest, and the validation result."""
    curve: pl.DataFrame
    summary: dict[str, Any]
    """Of pretraining: records, steps, parameters, held-out losses."""
    config: dict[str, Any]
    """Of the pretrained model."""
    versions: dict[str, str]

    @property
    def reached(self) -> dict[str, Any]:
        """Losses on held-out records after the last epoch."""
        return dict((self.summary.get("epochs") or [{}])[-1])


def gather(matrix: settings.Matrix) -> Findings:
    """Read the results of what the section `matrix` names; DataError when there is no probe result at all.

    A clone may hold results of other corpora and encoders, from an earlier run; they are no part of this one.
    """
    tasks = [task for task, source in TASKS.items() if source in matrix.benchmarks]
    probes = _by_encoder(_probes(), tasks, matrix.probed)
    if not probes:
        raise DataError(f"no probe result in {paths.REPORTS / 'probe'}", fix="dvc repro probe")
    return Findings(
        probes=probes,
        zero_shot={task: read_json(paths.zero_shot(task)) for task in tasks if paths.zero_shot(task).is_file()},
        retrieval=_optional(paths.retrieval()),
        disentanglement=disentanglement.read(),
        finetuning={task: result for task, result in finetuning.read().items() if task in tasks},
        ablations=ablations.read(),
        robustness=_by_encoder(robustness.read(), tasks, matrix.robustness),
        sources={name: _source(name) for name in sorted(matrix.sources) if paths.validation(name).is_dir()},
        curve=pl.read_csv(paths.CURVE) if paths.CURVE.is_file() else pl.DataFrame(),
        summary=_optional(paths.CURVE.with_name("summary.json")),
        config=_optional(paths.MODEL / "config.json"),
        versions=_versions(),
    )


Results = dict[str, dict[str, Any]]
"""By task, then encoder."""


def _by_encoder(found: Results, tasks: Sequence[str], encoders: Sequence[str]) -> Results:
    """Keep the chosen tasks and encoders."""
    kept = {task: {name: result for name, result in found[task].items() if name in encoders}
            for task in found if task in tasks}  # fmt: skip
    return {task: results for task, results in kept.items() if results}


def _optional(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path) if path.is_file() else {}
    return content


def _probes() -> dict[str, dict[str, Any]]:
    folder = paths.REPORTS / "probe"
    encoders = sorted((path.name for path in folder.glob("*") if path.is_dir()), key=encoder_order)
    found = {task: {e: read_json(paths.probe(e, task)) for e in encoders if paths.probe(e, task).is_file()}
             for task in TASKS}  # fmt: skip
    return {task: results for task, results in found.items() if results}


def _source(name: str) -> dict[str, Any]:
    result = read_json(paths.validation(name) / "result.json")
    shards = read_json(paths.shards(name) / "manifest.json")
    return {
        "way": _optional(paths.raw(name) / "manifest.json").get("way", "unknown"),
        "split": _optional(paths.index_facts(name)).get("split", {}),
        "records": shards["records"],
        "digest": shards["digest"],
        "quarantined": sum(result["quarantined"].values()),
        "validation": result,
    }


def _versions() -> dict[str, str]:
    """Return versions of code, model and libraries; the code's is a digest of the package's own files."""
    weights = paths.MODEL / "weights.safetensors"
    return {
        "cgdmer": __version__,
        "code": code_digest(Path(__file__).resolve().parents[1]),
        "model": sha256(weights)[:16] if weights.is_file() else "none",
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }


def code_digest(package: Path) -> str:
    """Return 16 hex digits that change when a source file of the package does, whatever the checkout."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0{sha256(path)}\n".encode())
    return digest.hexdigest()[:16]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def metrics(found: Findings) -> dict[str, Any]:
    """Return the content of `reports/metrics.json`."""
    return {
        "auroc": {task: _auroc(results) for task, results in found.probes.items()},
        "finetuning": finetuning.cells(found.finetuning),
        "ablations": removed.for_metrics(found.ablations),
        "conditions": robustness.for_metrics(found.robustness),
        "zero_shot": {task: _zero_shot(result) for task, result in found.zero_shot.items()},
        "retrieval": {key: value for key, value in found.retrieval.items() if key != "examples"},
        "parts": {key: value for key, value in found.disentanglement.items() if key != "sources"},
        "data": {
            name: {key: facts[key] for key in ("records", "quarantined", "digest")}
            for name, facts in found.sources.items()
        },
        "versions": found.versions,
    }


def _auroc(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{fraction: {encoder: {representation: cell}}}` of one task."""
    table: dict[str, Any] = {}
    for encoder, result in results.items():
        for fraction, kinds in result["results"].items():
            cells = {kind: _cell(cell, result["protocol"]) for kind, cell in kinds.items()}
            table.setdefault(fraction, {})[encoder] = cells
    return table


def _cell(cell: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    kept = {name: cell[name] for name in ("mean", "low", "high", "n_test")}
    return {**kept, "seeds": len(cell["seeds"]), "protocol": protocol}


def _zero_shot(result: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: result[name] for name in ("mean", "low", "high", "n_test", "protocol")}
    return {**kept, "prompts": result["prompts"]["name"], "representation": "aligned"}
