"""`cgdmer package`: make a trained model the encoder that is shipped with this package, or one in a folder of its own.

The folder holds the weights in half precision, config, tokenizer, a fitted probe per task with quantiles of its test
scores, `about.json` with what was measured, and a model card. The probes are fitted on the simulated corpora of this
project, and on no others.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cgdmer import paths, settings
from cgdmer.commands import provenance, references
from cgdmer.encoders import cgdmer_base
from cgdmer.encoders.pretrained import open_folder
from cgdmer.errors import ConfigError, DataError
from cgdmer.evaluation import packaged_probes
from cgdmer.external.results import SIMULATED, ZERO_SHOT, RealResult
from cgdmer.external.scoring import MAIN
from cgdmer.files import named, read_json, sha256, write_text
from cgdmer.models import tokens, weights
from cgdmer.probing import linear_probe_io, reference
from cgdmer.progress import terminal_bar
from cgdmer.results import Interval, RobustnessResult, rounded
from cgdmer.shards import Shards
from cgdmer.sharing import about, half, packaged_card
from cgdmer.sharing.about import About
from cgdmer.sharing.folder import CARD
from cgdmer.tables import TASKS

COMPARED = 256
"""Records on which half precision is compared with fp32."""
PACKAGED = {weights.WEIGHTS, weights.CONFIG, tokens.FILE, about.FILE, about.PROBES, CARD}
"""What a packaged encoder consists of."""
LABELS = {ZERO_SHOT: "none, zero-shot", SIMULATED: "none, probe of simulated labels"}


def package(model: Path, target: Path, params: Path = Path("params.yaml")) -> str:
    """Package a model into `target`, which appears complete or not at all, and return what was done.

    ConfigError if a benchmark corpus of this project is not simulated, or `target` holds something else; DataError if
    the model or a corpus is missing or damaged.
    """
    config = settings.load(params)
    _check_target(model, target)
    shards = " ".join(f"shards@{source}" for source in packaged_probes.SOURCES)
    if (origin := provenance.of_sources(packaged_probes.SOURCES)) != provenance.SIMULATED:
        raise ConfigError(
            f"the benchmark corpora of this project are {origin}: probes fitted on them carry what they hold",
            allowed=f"simulated {', '.join(packaged_probes.SOURCES)}",
            fix=f"python -m cgdmer profile probes && dvc repro {shards}",
        )
    corpora = {source: packaged_probes.open_corpus(source) for source in packaged_probes.SOURCES}
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        half.save(model, made)
        stated = _fill(made, model, corpora, config)
        if target.exists():
            target.rename(Path(scratch) / "replaced")
        made.rename(target)
    return _described(target, stated)


def _check_target(model: Path, target: Path) -> None:
    """Raise ConfigError unless `target` is new, or holds nothing but a packaged encoder, which is replaced."""
    if target.exists() and f"{os.path.realpath(model)}/".startswith(f"{os.path.realpath(target)}/"):
        raise ConfigError(f"{target} would be replaced, but this command reads {model}", allowed="another folder",
                          fix="name another with -o")  # fmt: skip
    names = os.listdir(target) if target.exists() else []
    if names and (about.FILE not in names or set(names) - PACKAGED or about.read(target) is None):
        raise ConfigError(f"{target} holds no packaged encoder, or other files", allowed="a new folder, or one that "
                          "this command wrote", fix="name another with -o")  # fmt: skip


def _fill(folder: Path, model: Path, corpora: dict[str, Shards], config: settings.Settings) -> About:
    """Compare precisions, fit the probes, and write them with `about.json` and the card into `folder`."""
    compared = half.check(model, folder, *_examples(next(iter(corpora.values()))))
    encoder = open_folder(folder, cgdmer_base.NAME)
    stated = About(
        encoder.digest,
        provenance.of_model(str(model)),
        provenance.SIMULATED,
        {source: about.Corpus(len(shards), shards.digest) for source, shards in corpora.items()},
        about.Half((folder / weights.WEIGHTS).stat().st_size, COMPARED, compared.worst, compared.correlation),
        probes={},
    )
    for source, shards in terminal_bar(corpora.items(), unit="corpus", desc="fitting probes"):
        for one in packaged_probes.fit(encoder, source, shards, config.probe, config.embed.batch):
            path = _probe(folder, one.probe.task)
            linear_probe_io.save(path, one.probe)
            _save_reference(path, one.probe.classes, one.scores)
            stated.probes[one.probe.task] = one.cell
            if one.zero_shot:
                stated.zero_shot[one.probe.task] = one.zero_shot
    _write(folder, stated)
    return stated


def _probe(folder: Path, task: str) -> Path:
    return folder / about.PROBES / f"{task}{linear_probe_io.SUFFIX}"


def _save_reference(probe: Path, classes: Sequence[str], scores: np.ndarray) -> None:
    """Keep the quantiles of the test scores (n, C) beside the probe that gave them."""
    made = reference.of_scores(references.TEST, sha256(probe), classes, list(scores.T))
    reference.save(reference.beside(probe), made)


def renew_references(folder: Path, params: Path = Path("params.yaml")) -> str:
    """Score the test records again with the probes of a packaged encoder, and keep the quantiles beside them.

    Nothing is trained or fitted. DataError if the folder holds no packaged encoder, or a corpus of this project is not
    the one that its probes were measured on.
    """
    stated, config = _stated(folder), settings.load(params)
    encoder = open_folder(folder, cgdmer_base.NAME)
    probes = {task: linear_probe_io.load(_probe(folder, task)) for task in stated.probes}
    for probe in probes.values():
        probe.check_fits(encoder.digest, encoder.dims, packaged_probes.REPRESENTATION)
    corpora = {source: packaged_probes.open_corpus(source) for source in stated.corpora}
    for source, shards in corpora.items():
        if shards.digest != stated.corpora[source].digest:
            raise DataError(
                f"{paths.shards(source)} holds other records than those on which the probes of {folder} were measured",
                allowed=f"shards {stated.corpora[source].digest[:12]}",
                fix=f"python -m cgdmer profile probes && dvc repro shards@{source}; or package the encoder again",
            )
    for source, shards in terminal_bar(corpora.items(), unit="corpus", desc="scoring test records"):
        scores = packaged_probes.reference_scores(encoder, source, shards, probes, config.embed.batch)
        for task, each in scores.items():
            _save_reference(_probe(folder, task), probes[task].classes, each)
    _write(folder, stated)
    return _described(folder, stated)


def _stated(folder: Path) -> About:
    """Return what a packaged encoder states; DataError if the folder holds none."""
    stated = about.read(folder)
    if stated is None:
        raise DataError(f"{folder} holds no packaged encoder", fix="python -m cgdmer package")
    return stated


def _examples(shards: Shards) -> tuple[np.ndarray, np.ndarray]:
    """Return the first records in float32 mV, and their valid samples."""
    rows = np.arange(min(COMPARED, len(shards)))
    return shards.gather(rows).astype(np.float32) / 1000, shards.columns("valid")["valid"].to_numpy()[rows]


def _write(folder: Path, stated: About) -> None:
    about.write(folder, stated)
    scored = all(reference.beside(_probe(folder, task)).is_file() for task in stated.probes)
    write_text(
        folder / CARD, packaged_card.text(folder, cgdmer_base.WORD, stated, packaged_card.LICENCE, percentiles=scored)
    )


def renew_card(folder: Path) -> str:
    """Take the results of `external-validation` into `about.json` and the card of a packaged encoder.

    Those of stage `robustness` too, if there are some and the folder holds the encoder that they are of.
    DataError if the folder holds no packaged encoder, or the results are of other weights.
    """
    stated = _stated(folder)
    command = f"python -m cgdmer external-validation --encoders {cgdmer_base.NAME}"
    if not paths.real().exists():
        raise DataError(f"{paths.real()} is missing", fix=command)
    with named(paths.real(), command):
        result = RealResult.from_json(read_json(paths.real()))
    if result.encoder != (actual := sha256(folder / weights.WEIGHTS)[:16]):
        raise DataError(f"{paths.real()} is of the weights {result.encoder}", allowed=actual, fix=command)
    with named(paths.real(), command):
        stated = replace(stated, real=dict(_real_rows(result)))
    if stated.digest == cgdmer_base.DIGEST and (changes := disturbed((cgdmer_base.NAME, "handcrafted"))):
        stated = replace(stated, disturbed=changes)
    _write(folder, stated)
    return _described(folder, stated)


def disturbed(encoders: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the change of the macro AUROC by condition and encoder, the mean over all tasks.

    Empty unless the first encoder has results for all tasks; others without are left out.
    """
    changes: dict[str, dict[str, float]] = {}
    for encoder in encoders:
        files = [paths.robustness(encoder, task) for task in TASKS]
        if not all(path.is_file() for path in files):
            continue
        results = [RobustnessResult.from_json(read_json(path)) for path in files]
        for shown in zip(*([*one.leads[1:], *one.disturbances] for one in results), strict=True):
            mean = rounded(float(np.mean([one.change.mean for one in shown])))
            changes.setdefault(shown[0].condition, {})[encoder] = mean
    return changes if all(encoders[0] in each for each in changes.values()) else {}


def _real_rows(result: RealResult) -> Iterator[tuple[str, about.RealRow]]:
    """Yield the name of each set and task with its results on pooled features, the packaged encoder first."""
    for one in result.sets.values():
        for task, scored in one.tasks.items():
            cells = {name: kinds[MAIN] for name, kinds in scored.encoders.items() if MAIN in kinds}
            few = [
                about.FewRow(
                    LABELS.get(kind, f"{kind} records"), _intervals(each.encoders), _intervals(each.differences)
                )
                for kind, each in scored.by_labels()
            ]
            row = about.RealRow(scored.records, _intervals(cells), _intervals(scored.differences), few)
            yield f"{one.title}, {task}", row


def _intervals(values: Mapping[str, Interval]) -> dict[str, Interval]:
    """Return only value and ends, without what else a result holds."""
    return {name: Interval(one.mean, one.low, one.high) for name, one in values.items()}


def _described(folder: Path, stated: About) -> str:
    """Return what the folder holds, and the line that pins a shipped encoder."""
    lines = [f"{folder}: {stated.half.bytes / 1e6:.1f} MB of weights, digest {stated.digest}"]
    lines += [f"{task}: probe {cell.text()}" for task, cell in stated.probes.items()]
    lines += [f"{task}: {row.encoders[cgdmer_base.NAME].text()}" for task, row in (stated.real or {}).items()]
    if folder.resolve() == cgdmer_base.FOLDER.resolve() and stated.digest != cgdmer_base.DIGEST:
        lines.append(f'to pin it: set DIGEST = "{stated.digest}" in cgdmer/encoders/cgdmer_base.py')
    return "\n".join(lines)
