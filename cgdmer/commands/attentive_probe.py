"""`cgdmer attentive-probe`: attention pools over the tokens of frozen encoders, beside the linear probe.

Reads the shards and the index of the pipeline, encodes each corpus once per encoder, and writes
reports/attentive.json. The tokens lie in a scratch folder and are removed, because they are many times as large as
pooled features. After a kill, tasks that were done are reused. A random control is probed with its first set of
weights, and records are read as a whole, whatever `embed.crops` is.
"""

import hashlib
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import polars as pl

from cgdmer import paths, settings, stage_code, tables
from cgdmer.attentive import evaluation
from cgdmer.attentive.results import AttentiveReport, AttentiveResult
from cgdmer.attentive.tokens import WITH_TOKENS, check_tokens
from cgdmer.commands.encoder_choice import check_device
from cgdmer.encoders import Encoder, Setup, load
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.files import named, read_json, sha256, work_key, write_json
from cgdmer.models import weights
from cgdmer.probing.cohort import cohort, tasks_of
from cgdmer.shards import Shards, open_shards
from cgdmer.version import __version__

log = logging.getLogger(__name__)
LIBRARIES = ("numpy", "scipy", "torch")


def probe(
    encoders: Sequence[str] = (), tasks: Sequence[str] = (), params: Path = Path("params.yaml")
) -> AttentiveReport:  # fmt: skip
    """Probe encoders on tasks, write reports/attentive.json and return its content.

    Without names, all encoders of `matrix.probed` that give tokens, and all tasks of `matrix.benchmarks`. ConfigError
    for a name that is neither.
    """
    config = settings.load(params)
    tasks = chosen_tasks(tasks, config.matrix)
    encoders = chosen_encoders(encoders, config.matrix)
    check_device()
    results: dict[str, dict[str, AttentiveResult]] = {task: {} for task in tasks}
    for source in dict.fromkeys(tables.TASKS[task] for task in tasks):
        shards, index = open_shards(paths.shards(source), verify=True), tables.read(paths.index(source))
        of_source = [task for task in tasks if tables.TASKS[task] == source]
        for name in encoders:
            for task, result in probe_source(name, source, of_source, shards, index, config).items():
                results[task][name] = result
    model = paths.MODEL / weights.WEIGHTS
    report = AttentiveReport(
        results, sha256(model)[:16] if model.is_file() else "none", config.attentive.model_dump(),
        {"cgdmer": __version__, **{name: version(name) for name in LIBRARIES}},
    )  # fmt: skip
    write_json(paths.attentive(), report.to_json())
    shutil.rmtree(paths.scratch("attentive"), ignore_errors=True)
    return report


def chosen_tasks(names: Sequence[str], matrix: settings.Matrix) -> list[str]:
    """Return the tasks to probe, in the order of the benchmark; ConfigError for one that is not in the matrix."""
    allowed = [task for source in matrix.benchmarks for task in tasks_of(source)]
    for name in names:
        if name not in allowed:
            raise ConfigError(
                f"--tasks: '{name}' is no task of matrix.benchmarks{did_you_mean(name, allowed)}",
                allowed=", ".join(allowed),
                fix="name tasks with commas between them, or add the corpus to matrix.benchmarks in params.yaml",
            )
    return [task for task in tables.TASKS if task in (names or allowed)]


def chosen_encoders(names: Sequence[str], matrix: settings.Matrix) -> list[str]:
    """Return the encoders to probe; ConfigError for one that is not in the matrix or gives no tokens."""
    allowed = [*matrix.encoders, *matrix.controls]
    for name in names:
        if name in WITH_TOKENS and name not in allowed:
            raise ConfigError(
                f"--encoders: '{name}' is not in the matrix",
                allowed=", ".join(one for one in allowed if one in WITH_TOKENS),
                fix=f"add {name} to matrix.controls in params.yaml",
            )
    check_tokens(names)
    without = [name for name in matrix.probed if name not in WITH_TOKENS]
    if without and not names:
        log.info("left out, because they give no tokens: %s", ", ".join(without))
    chosen = list(dict.fromkeys(names)) or [name for name in matrix.probed if name in WITH_TOKENS]
    if not chosen:
        raise ConfigError(
            "no encoder of matrix.probed gives tokens", allowed=", ".join(WITH_TOKENS),
            fix="add one of them to matrix.probed in params.yaml",
        )  # fmt: skip
    return chosen


def probe_source(
    name: str, source: str, tasks: Sequence[str], shards: Shards, index: pl.DataFrame, config: settings.Settings
) -> dict[str, AttentiveResult]:
    """Probe one encoder on tasks of one corpus; tasks that an earlier call finished are read from their files."""
    setup = replace(Setup.of(config.signal, config.model, config.embed, config.embed.seed), crops=1)
    encoder = load(name, setup)
    work = paths.scratch("attentive", name, source)
    labels = hashlib.sha256(index.select("id", "split", pl.col("^.*/.*$")).write_csv().encode()).hexdigest()
    code = stage_code.digest({evaluation.__name__, f"cgdmer.encoders.{name}"})
    key = work_key(
        *(name, encoder.digest, shards.digest, labels, code),
        *(section.model_dump() for section in (config.signal, config.model, config.embed, config.attentive)),
    )
    done = {task: work / f"{task}-{key}.json" for task in tasks}
    if any(not file.is_file() for file in done.values()):
        _probe_missing(encoder, done, shards, index, config, work)
    results = {}
    for task, file in done.items():
        with named(file, f"rm {file}"):
            results[task] = AttentiveResult.from_json(read_json(file))
    return results


def _probe_missing(
    encoder: Encoder, done: dict[str, Path], shards: Shards, index: pl.DataFrame, config: settings.Settings, work: Path
) -> None:
    """Store the tokens of a corpus, probe the tasks that have no file yet, and remove the tokens."""
    path = work / "tokens.bin"
    log.info("%s: encoding the tokens of %d records", encoder.name, len(shards))
    ids, file = evaluation.store_tokens(encoder, shards, config.embed.batch, path)
    for task, result in done.items():
        if not result.is_file():
            write_json(result, evaluation.evaluate(cohort(task, index, ids), file, encoder, config.attentive).to_json())
    path.unlink()
