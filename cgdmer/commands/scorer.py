"""What recordings are scored with: an encoder, prompts, fitted probes and probes of one's own labels."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer import paths, report_text
from cgdmer.api import load_encoder
from cgdmer.commands import encoder_choice, own_probes, provenance, references
from cgdmer.commands.outputs import Columns
from cgdmer.commands.own_probes import OwnProbes
from cgdmer.commands.references import References
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError, DataError, did_you_mean, printable
from cgdmer.evaluation import zero_shot
from cgdmer.files import read_json, sha256
from cgdmer.probing import label_probe_io, linear_probe_io
from cgdmer.tables import TASKS

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
    percentiles: bool = False
    """Whether a table holds the percentile of each probability among reference recordings."""

    @property
    def layer(self) -> str:
        return "pooled" if self.representation is None else self.representation

    @property
    def prompt_file(self) -> Path:
        return self.prompts or zero_shot.STATEMENTS


@dataclass(frozen=True)
class Choice:
    """Which encoder and which files of probes are used; nothing but probes of one's own labels is loaded yet."""

    model: str
    options: ScoreOptions
    probes: list[Path]
    own: OwnProbes
    cosines: bool
    """Whether prompts are used."""

    @property
    def files(self) -> list[Path]:
        """The files that are read besides the recordings and the encoder."""
        return [self.options.prompt_file, *self.probes, *references.files(self.probes), *self.own.files]


def choose(model: str | None, options: ScoreOptions) -> Choice:
    """Return what to score with; without `model`, `encoder_choice` says which encoder is used.

    An encoder with packaged probes gives their probabilities if no probe is named, and then no cosines unless prompts
    or classes are; nor are there cosines if only probes of `cgdmer fit` are named. ConfigError for an unknown task.
    """
    model = encoder_choice.choose(model)
    packaged = encoder_choice.packaged_probes(model)
    own = own_probes.load(
        [name for name in options.probes if own_probes.is_own(name)], options.recalibrate, options.representation
    )
    named = [probe_path(name, packaged) for name in options.probes if not own_probes.is_own(name)]
    cosines = bool(named) or (options.prompts, options.classes) != (None, None) or not (packaged or own.probes)
    return Choice(model, options, named if options.probes else packaged, own, cosines)


@dataclass(frozen=True, eq=False)
class Scorer:
    """An encoder, its probes by file, and the unit vectors of prompts."""

    encoder: Pretrained
    choice: Choice
    probes: dict[Path, linear_probe_io.FittedProbe]
    classes: list[str]
    """Names of the prompts."""
    vectors: np.ndarray
    """Unit vectors of the prompts (C, E)."""
    prompts: dict[str, Any]
    """Metadata of the prompts."""
    origin: provenance.Provenance
    references: References
    """The recordings with which the probabilities are compared."""

    @property
    def own(self) -> OwnProbes:
        return self.choice.own

    @property
    def tasks(self) -> list[str]:
        """The columns of the probabilities, without those of one's own labels."""
        return [f"probe/{probe.task}/{name}" for probe in self.probes.values() for name in probe.classes]

    def columns(self, features: dict[str, np.ndarray]) -> Columns:
        """Return a cosine per prompt (`zero_shot/CLASS`) and a probability per class, float32 (n,) each."""
        scores: dict[str, Any] = {}
        if self.classes:
            cosines = (zero_shot.unit(features["aligned"]) @ self.vectors.T).astype(np.float32)
            scores |= {f"zero_shot/{name}": cosines[:, column] for column, name in enumerate(self.classes)}
        for probe in self.probes.values():
            probabilities = probe.probabilities(features, self.choice.options.layer)
            names = [f"probe/{probe.task}/{name}" for name in probe.classes]
            scores |= {name: probabilities[:, column] for column, name in enumerate(names)}
        return scores | dict(self.own.columns(features))

    def metadata(self) -> dict[str, Any]:
        """Return what the metadata of an output say of prompts and probes."""
        layer = self.choice.options.layer
        probes = [
            {"task": probe.task, "classes": probe.classes, "representation": layer, "sha256": sha256(path)}
            for path, probe in self.probes.items()
        ]
        return {"prompts": self.prompts, "probes": probes + self.own.metadata(), "fitted_on": self.origin.to_json()}


def load(choice: Choice) -> Scorer:
    """Load the encoder, the probes and the prompts.

    ConfigError for an unknown class or representation; DataError for a probe that was fitted for another encoder.
    """
    encoder, options = load_encoder(choice.model), choice.options
    _check_representation(options.layer, encoder)
    probes = _probes(choice, encoder)
    classes, vectors, prompts = _prompts(encoder, options, probes) if choice.cosines else NO_PROMPTS
    origin = provenance.Provenance(
        provenance.of_model(choice.model),
        {probe.task: provenance.of_probe(path, probe.task) for path, probe in probes.items()},
    )
    compared = references.find(probes, options.layer, choice.own, origin.probes)
    return Scorer(encoder, choice, probes, classes, vectors, prompts, origin, compared)


def prepare(model: str | None, options: ScoreOptions, start: float) -> Scorer:
    """Return what pages score with, and warn if it saw simulated recordings only."""
    scorer = load(choose(model, options))
    scorer.own.check(scorer.encoder, scorer.encoder.seconds, start)
    if scorer.probes or scorer.classes:
        scorer.origin.warn()
    return scorer


def _check_representation(name: str, encoder: Pretrained) -> None:
    if name not in encoder.dims:
        names = sorted(encoder.dims)
        raise ConfigError(
            f"--representation {name}: the encoder has none of that name{did_you_mean(name, names)}",
            allowed=", ".join(names),
        )


def _probes(choice: Choice, encoder: Pretrained) -> dict[Path, linear_probe_io.FittedProbe]:
    """Load the probes by file; ConfigError for two probes of one name, whose columns would have the same names."""
    probes = {path: linear_probe_io.load(path) for path in choice.probes}
    for probe in probes.values():
        probe.check_fits(encoder.digest, encoder.dims, choice.options.layer)
    tasks = [probe.task for probe in probes.values()]
    if len(set(tasks)) < len(tasks):
        raise ConfigError(f"two probes are for the task {max(tasks, key=tasks.count)}", allowed="one probe per task")
    if taken := [probe.name for probe in choice.own.probes.values() if probe.name in tasks]:
        raise ConfigError(
            f"a probe of `cgdmer fit` has the name of another probe's task, {taken[0]}", allowed="one probe per name",
            fix=f"mv {taken[0]}{label_probe_io.SUFFIX} my{label_probe_io.SUFFIX}",
        )  # fmt: skip
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
