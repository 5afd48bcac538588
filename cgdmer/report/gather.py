"""Read the results of all stages and build the content of `metrics.json` from them."""

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from cgdmer import embeddings, paths, settings
from cgdmer.ablation_results import Ablation
from cgdmer.attentive.results import AttentiveReport
from cgdmer.errors import DataError
from cgdmer.evaluation import ablations
from cgdmer.evaluation.intervals import MeasurementResult
from cgdmer.external.results import RealResult
from cgdmer.files import named, read_json, sha256
from cgdmer.json_dataclass import Json
from cgdmer.metrics_json import CorpusNumbers, Metrics
from cgdmer.report import finetuning, robustness
from cgdmer.report.encoders import Seen
from cgdmer.report.headline import choose, encoder_order
from cgdmer.report.realism import Realism
from cgdmer.report.rehearsal import Rehearsal
from cgdmer.results import (
    Cell,
    DisentanglementResult,
    ProbeResult,
    RetrievalResult,
    RobustnessResult,
    ZeroShotCell,
    ZeroShotResult,
)
from cgdmer.tables import TASKS
from cgdmer.version import __version__

LIBRARIES = ("numpy", "polars", "scipy", "torch", "great-expectations")
"""Libraries whose version can change a number; nothing else is listed."""


@dataclass(frozen=True)
class Corpus:
    """Where a corpus came from and what validation says about it."""

    way: str
    """simulate, local or download."""
    split: str
    """published, folds or hash."""
    records: int
    digest: str
    quarantined: int
    patients: int | None
    passed: bool
    warnings: list[str]
    partial: list[str]
    """Notes that say that the corpus holds only a part of the published records."""


@dataclass(frozen=True)
class Findings:
    """Everything on the benchmark page, as the stages wrote it."""

    probes: dict[str, dict[str, ProbeResult]]
    """By task, then encoder."""
    zero_shot: dict[str, ZeroShotResult]
    """By task."""
    retrieval: RetrievalResult | None
    disentanglement: DisentanglementResult | None
    measurements: MeasurementResult | None
    real: RealResult | None
    """Of `cgdmer external-validation`, which may be of another run."""
    attentive: AttentiveReport | None
    """Of `cgdmer attentive-probe`, which may be of another run."""
    finetuning: dict[str, ProbeResult]
    """By task; empty while fine-tuning is off."""
    ablations: dict[str, Ablation]
    """By profile."""
    ablations_left_out: dict[str, str]
    """Files of ablations of an earlier version or of other data, each with the reason."""
    robustness: dict[str, dict[str, RobustnessResult]]
    """By task, then encoder."""
    origins: dict[str, embeddings.Origin]
    """Who trained the published encoders, by encoder."""
    sources: dict[str, Corpus]
    curve: pl.DataFrame
    """Training losses by step."""
    summary: dict[str, Any]
    """Of pretraining: records, steps, parameters, held-out losses."""
    config: dict[str, Any]
    """Of the pretrained model."""
    versions: dict[str, str]
    rehearsal: Rehearsal | None
    realism: Realism | None
    """What the pipeline took at growing sizes."""

    @property
    def seen(self) -> Seen:
        """What the encoders learned from."""
        return Seen(self.origins, self.pretrained_on, self.summary.get("records"))

    @property
    def pretrained_on(self) -> list[str]:
        """Sources that the method was pretrained on, as its weights say."""
        sources: list[str] = self.config.get("facts", {}).get("pool", [])
        return sources


def gather(matrix: settings.Matrix) -> Findings:
    """Read the results of the corpora and encoders in `matrix`; DataError if there is no probe result at all.

    Results that an earlier run left for other corpora and encoders are not read.
    """
    tasks = [task for task, source in TASKS.items() if source in matrix.benchmarks]
    probes = _by_encoder(tasks, matrix.probed, paths.probe, ProbeResult)
    if not probes:
        raise DataError(f"no probe result in {paths.REPORTS / 'probe'}", fix="dvc repro probe")
    rows = ablations.read()
    return Findings(
        probes=probes,
        zero_shot=_read({task: paths.zero_shot(task) for task in tasks}, ZeroShotResult),
        retrieval=_optional(paths.retrieval(), RetrievalResult),
        disentanglement=_optional(paths.disentanglement(), DisentanglementResult),
        measurements=_optional(paths.measurements(), MeasurementResult),
        real=_of_command(paths.real(), RealResult, "external-validation"),
        attentive=_of_command(paths.attentive(), AttentiveReport, "attentive-probe"),
        finetuning=_read({task: paths.finetuning(task) for task in tasks}, ProbeResult),
        ablations=rows,
        ablations_left_out=ablations.left_out(rows),
        robustness=_by_encoder(tasks, matrix.robustness, paths.robustness, RobustnessResult),
        origins=_origins(matrix),
        sources={name: _corpus(name) for name in sorted(matrix.sources) if paths.validation(name).is_dir()},
        curve=pl.read_csv(paths.CURVE) if paths.CURVE.is_file() else pl.DataFrame(),
        summary=_content(paths.CURVE.with_name("summary.json")),
        config=_content(paths.MODEL / "config.json"),
        versions=_versions(),
        rehearsal=_optional(paths.rehearsal(), Rehearsal),
        realism=_optional(paths.realism(), Realism),
    )


Result = TypeVar("Result", bound=Json)


def _by_encoder(
    tasks: Sequence[str], encoders: Sequence[str], file: Callable[[str, str], Path], kind: type[Result]
) -> dict[str, dict[str, Result]]:
    """Read the results of tasks and encoders that exist, in the order of the tables."""
    ordered = sorted(encoders, key=encoder_order)
    results = {task: _read({encoder: file(encoder, task) for encoder in ordered}, kind) for task in tasks}
    return {task: by_encoder for task, by_encoder in results.items() if by_encoder}


def _read(files: Mapping[str, Path], kind: type[Result]) -> dict[str, Result]:
    return {name: kind.from_json(read_json(path)) for name, path in files.items() if path.is_file()}


def _origins(matrix: settings.Matrix) -> dict[str, embeddings.Origin]:
    """Read who trained each published encoder, from the features of any corpus."""
    stored = ((encoder, embeddings.origin(paths.embeddings(encoder, source)))
              for encoder in matrix.probed for source in matrix.benchmarks)  # fmt: skip
    return {encoder: origin for encoder, origin in stored if origin}


def _optional(path: Path, kind: type[Result]) -> Result | None:
    return kind.from_json(read_json(path)) if path.is_file() else None


def _of_command(path: Path, kind: type[Result], command: str) -> Result | None:
    """Read what a command of the package wrote; DataError if it is damaged."""
    with named(path, f"python -m cgdmer {command}; or rm {path}"):
        return _optional(path, kind)


def _content(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path) if path.is_file() else {}
    return content


def _corpus(name: str) -> Corpus:
    validation = read_json(paths.validation(name) / "result.json")
    shards = read_json(paths.shards(name) / "manifest.json")
    return Corpus(
        way=_content(paths.raw(name) / "manifest.json").get("way", "unknown"),
        split=_content(paths.index_facts(name)).get("split", {}).get("kind", ""),
        records=shards["records"],
        digest=shards["digest"],
        quarantined=sum(validation["quarantined"].values()),
        patients=(validation["facts"] or {}).get("patients"),
        passed=validation["success"],
        warnings=validation["warnings"],
        partial=[
            check["note"]
            for check in validation["expectations"]
            if check["name"].startswith("label_totals") and "published records" in check["note"]
        ],
    )


def _versions() -> dict[str, str]:
    """Return the versions of code, model and libraries; the version of the code is a digest of the package's files."""
    weights = paths.MODEL / "weights.safetensors"
    return {
        "cgdmer": __version__,
        "code": code_digest(Path(__file__).resolve().parents[1]),
        "model": sha256(weights)[:16] if weights.is_file() else "none",
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }


def code_digest(package: Path) -> str:
    """Return 16 hex digits that depend on the content of the package's source files alone."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0{sha256(path)}\n".encode())
    return digest.hexdigest()[:16]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def metrics(findings: Findings) -> Metrics:
    """Return the content of `reports/metrics.json`."""
    retrieval, disentanglement = findings.retrieval, findings.disentanglement
    return Metrics(
        auroc={task: _auroc(results) for task, results in findings.probes.items()},
        headline=choose(findings.probes),
        by_weights={task: rows for task, results in findings.probes.items() if (rows := _by_weights(results))},
        zero_shot={task: _zero_shot(result) for task, result in findings.zero_shot.items()},
        finetuning=finetuning.cells(findings.finetuning),
        ablations={name: ablation.numbers() for name, ablation in findings.ablations.items()},
        robustness=robustness.cells(findings.robustness),
        retrieval=replace(retrieval, examples=None) if retrieval else None,
        disentanglement=replace(disentanglement, sources=None) if disentanglement else None,
        pretrained_on=sorted(findings.pretrained_on),
        seen_by={
            encoder: sorted({*origin.trained_on} & {*TASKS.values()}) for encoder, origin in findings.origins.items()
        },
        data={
            name: CorpusNumbers(corpus.records, corpus.quarantined, corpus.digest)
            for name, corpus in findings.sources.items()
        },
        versions=findings.versions,
    )


def _auroc(results: Mapping[str, ProbeResult]) -> dict[str, dict[str, dict[str, Cell]]]:
    """Return the cells of one task by label fraction, encoder and representation."""
    by_fraction: dict[str, dict[str, dict[str, Cell]]] = {}
    for encoder, result in results.items():
        for fraction, kinds in result.results.items():
            cells = {kind: cell.cell(result.protocol) for kind, cell in kinds.items()}
            by_fraction.setdefault(fraction, {})[encoder] = cells
    return by_fraction


def _by_weights(results: Mapping[str, ProbeResult]) -> dict[str, dict[str, dict[str, dict[str, Cell]]]]:
    """Return the cells of the random controls on one task by fraction, encoder, set of weights and representation."""
    rows: dict[str, dict[str, dict[str, dict[str, Cell]]]] = {}
    named = ((fraction, encoder, kind, cell.cells_by_weights(result.protocol))
             for encoder, result in results.items()
             for fraction, kinds in result.results.items()
             for kind, cell in kinds.items())  # fmt: skip
    for fraction, encoder, kind, cells in named:
        for number, cell in enumerate(cells):
            by_encoder = rows.setdefault(fraction, {}).setdefault(encoder, {})
            by_encoder.setdefault(str(number), {})[kind] = cell
    return rows


def _zero_shot(result: ZeroShotResult) -> ZeroShotCell:
    prompts = result.prompts.name if result.prompts else None
    return ZeroShotCell(result.mean, result.low, result.high, result.n_test, result.protocol, prompts, "aligned")
