"""`cgdmer score`: zero-shot scores of recordings with prompts, and class probabilities from fitted probes."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer import paths, report_text
from cgdmer.api import load_encoder
from cgdmer.commands import destinations, encoder_choice, own_probes, provenance
from cgdmer.commands.embed import Outcome, Request, claim, encode_all, output_metadata
from cgdmer.commands.findings import Findings
from cgdmer.commands.outputs import Columns
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError, DataError, did_you_mean, printable
from cgdmer.evaluation import zero_shot
from cgdmer.files import read_json, sha256
from cgdmer.probing import linear_probe_io
from cgdmer.tables import TASKS

FORMATS = (".parquet", ".csv")
MAX_PROMPTS, MAX_CLASSES = 1 << 22, 10_000
"""Bytes of the largest file of prompts, and its most classes."""
NO_PROMPTS: tuple[list[str], np.ndarray, dict[str, Any]] = ([], np.zeros((0, 0)), {})
PROMPTS_FIX = '--prompts FILE with {"prompts": {"CLASS": "text"}}'


@dataclass(frozen=True)
class ScoreOptions:
    """The prompts and probes to score with."""

    prompts: Path | None = None
    """None for the prompts of the package."""
    classes: tuple[str, ...] | None = None
    """Classes whose prompts are used; None for all."""
    probes: tuple[str, ...] = ()
    """Tasks, files of fitted probes, or folders of `cgdmer fit`; () for the probes packaged with the encoder."""
    representation: str | None = None
    """Input of the probes of tasks, None for `pooled`; a probe of `cgdmer fit` knows its own."""
    recalibrate: tuple[str, ...] = ()
    """`LABEL=PREVALENCE`, or one number, for probes of `cgdmer fit`."""

    @property
    def layer(self) -> str:
        return "pooled" if self.representation is None else self.representation

    @property
    def prompt_file(self) -> Path:
        return self.prompts or zero_shot.STATEMENTS


def score(request: Request, model: str | None, options: ScoreOptions) -> Outcome:
    """Write id, seconds, missing leads, quality, a cosine per prompt (`zero_shot/CLASS`) and a probability per class.

    Without `model`, `encoder_choice` says which encoder is used. An encoder with packaged probes gives their
    probabilities if no probe is named, and then no cosines unless prompts or classes are; nor are there cosines if
    only probes of `cgdmer fit` are named.

    Return the outcome with the top findings of the first recordings. ConfigError for an unknown class, task or
    representation; DataError for a probe that was fitted for another encoder.
    """
    claim(request, FORMATS)
    model = encoder_choice.choose(model)
    packaged = encoder_choice.packaged_probes(model)
    own = own_probes.load(
        [name for name in options.probes if own_probes.is_own(name)], options.recalibrate, options.representation
    )
    named = [probe_path(name, packaged) for name in options.probes if not own_probes.is_own(name)]
    files = named if options.probes else packaged
    destinations.check_inputs(request.output, [options.prompt_file, *files, *own.files])
    encoder = load_encoder(model)
    described = output_metadata(request, encoder)
    own.check(encoder, described["seconds"], described["start"])
    _check_representation(options.layer, encoder)
    probes = _probes(files, options, encoder)
    cosines_wanted = bool(named) or (options.prompts, options.classes) != (None, None) or not (packaged or own.probes)
    classes, vectors, prompt_metadata = _prompts(encoder, options, probes) if cosines_wanted else NO_PROMPTS

    def columns(features: dict[str, np.ndarray]) -> Columns:
        scores: dict[str, Any] = {}
        if classes:
            cosines = (zero_shot.unit(features["aligned"]) @ vectors.T).astype(np.float32)
            scores |= {f"zero_shot/{name}": cosines[:, column] for column, name in enumerate(classes)}
        for probe in probes.values():
            probabilities = probe.probabilities(features, options.layer)
            names = [f"probe/{probe.task}/{name}" for name in probe.classes]
            scores |= {name: probabilities[:, column] for column, name in enumerate(names)}
        return scores | dict(own.columns(features))

    probe_metadata = [
        {"task": probe.task, "classes": probe.classes, "representation": options.layer, "sha256": sha256(path)}
        for path, probe in probes.items()
    ] + own.metadata()
    origin = provenance.Provenance(
        provenance.of_model(model),
        {probe.task: provenance.of_probe(path, probe.task) for path, probe in probes.items()},
    )
    if probes or classes:
        origin.warn()  # a probe of one's own labels is calibrated on one's own recordings
    meta = {"prompts": prompt_metadata, "probes": probe_metadata, "fitted_on": origin.to_json()}
    tasks = [f"probe/{probe.task}/{name}" for probe in probes.values() for name in probe.classes]
    findings = Findings(tasks, own.names)
    outcome = encode_all(request, encoder, columns, meta, findings.add, measurements=own.read_measurements)
    return replace(outcome, findings="\n".join(filter(None, [str(findings), own.text()])))


def _check_representation(name: str, encoder: Pretrained) -> None:
    if name not in encoder.dims:
        names = sorted(encoder.dims)
        raise ConfigError(
            f"--representation {name}: the encoder has none of that name{did_you_mean(name, names)}",
            allowed=", ".join(names),
        )


def _probes(
    files: Sequence[Path], options: ScoreOptions, encoder: Pretrained
) -> dict[Path, linear_probe_io.FittedProbe]:
    """Load the probes by file; ConfigError for two probes of one task, whose columns would have the same names."""
    probes = {path: linear_probe_io.load(path) for path in files}
    for probe in probes.values():
        probe.check_fits(encoder.digest, encoder.dims, options.layer)
    tasks = [probe.task for probe in probes.values()]
    if len(set(tasks)) < len(tasks):
        raise ConfigError(f"two probes are for the task {max(tasks, key=tasks.count)}", allowed="one probe per task")
    return probes


def probe_path(name: str, packaged: Sequence[Path] = ()) -> Path:
    """Return the file of a fitted probe, given its path or its task; of a task, a packaged one if there is one."""
    if name.endswith(linear_probe_io.SUFFIX):
        return Path(name)
    if inside := [path for path in packaged if path.name == f"{name}{linear_probe_io.SUFFIX}"]:
        return inside[0]
    if name not in TASKS:
        raise ConfigError(
            f"--probe {name}: no such task{did_you_mean(name, list(TASKS))}",
            allowed=f"{', '.join(TASKS)}, a file *{linear_probe_io.SUFFIX}, or a folder *.probe of `cgdmer fit`",
        )
    return paths.fitted_probe("cgdmer", name)


def _prompts(
    encoder: Pretrained, options: ScoreOptions, probes: Collection[Path]
) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    """Return class names, their unit vectors (C, E) and metadata; empty for an encoder trained without reports."""
    if "aligned" not in encoder.dims:
        if not probes:
            raise ConfigError(
                "this encoder was trained without reports: it has no zero-shot scores",
                fix="--probe TASK, or --model FOLDER",
            )
        return NO_PROMPTS
    check_prompts(options.prompt_file)
    prompts = zero_shot.read_prompts(options.prompt_file, options.prompt_file.stem, ensemble=False)
    names = (
        list(prompts.texts)
        if options.classes is None
        else _known_classes(options.classes, list(prompts.texts), options)
    )
    texts = zero_shot.texts_of(prompts, names)
    encoded = encoder.encode_reports([report_text.clean_joined(text) for several in texts for text in several])
    vectors = zero_shot.class_vectors(encoded, [len(several) for several in texts])
    hashed_texts = {
        name: {"text": several[0], "sha256": hashlib.sha256(several[0].encode()).hexdigest()}
        for name, several in zip(names, texts, strict=True)
    }
    return names, vectors, {**prompts.facts, "classes": hashed_texts}


def check_prompts(path: Path) -> None:
    """Raise DataError unless a file is regular, small, and JSON with a text of valid characters for each class."""
    shown = printable(str(path))
    try:
        content = read_json(path, MAX_PROMPTS)
        json.dumps(content, ensure_ascii=False).encode()
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{shown} does not hold prompts: {str(error)[:120]}", allowed="JSON in UTF-8", fix=PROMPTS_FIX
        ) from error
    texts = content.get("prompts", content) if isinstance(content, dict) else None
    if not isinstance(texts, dict) or not 0 < len(texts) <= MAX_CLASSES:
        raise DataError(f"{shown} holds no prompts", allowed=f"1 to {MAX_CLASSES:,} classes", fix=PROMPTS_FIX)
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip() or not name.strip() or not name.isprintable():
            raise DataError(
                f"{shown}: the prompt of '{name[:40]}' is no text, or its name is not a word",
                allowed="a text for each class",
                fix=PROMPTS_FIX,
            )


def _known_classes(classes: Sequence[str], available: list[str], options: ScoreOptions) -> list[str]:
    for name in classes:
        if name not in available:
            raise ConfigError(
                f"{printable(str(options.prompt_file))} has no prompt '{name}'{did_you_mean(name, available)}",
                allowed=", ".join(available)[:1000],
                fix=PROMPTS_FIX,
            )
    return list(dict.fromkeys(classes))
