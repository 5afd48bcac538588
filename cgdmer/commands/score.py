"""`cgdmer score`: zero-shot scores of recordings with prompts, and class probabilities from fitted probes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer import paths, report_text
from cgdmer.api import load_encoder
from cgdmer.commands.embed import Outcome, Request, encode_all
from cgdmer.commands.outputs import Columns
from cgdmer.encoders.cgdmer import Pretrained
from cgdmer.errors import ConfigError, DataError, did_you_mean
from cgdmer.evaluation import zero_shot
from cgdmer.files import sha256
from cgdmer.probing import linear_probe_io
from cgdmer.tables import TASKS


@dataclass(frozen=True)
class ScoreOptions:
    """The prompts and probes to score with."""

    prompts: Path = zero_shot.STATEMENTS
    classes: tuple[str, ...] | None = None
    """Classes whose prompts are used; None for all."""
    probes: tuple[str, ...] = ()
    """Tasks, or files of fitted probes."""
    representation: str = "pooled"


def score(request: Request, model: str, options: ScoreOptions) -> Outcome:
    """Write id, seconds used, missing leads, a cosine per prompt (`zero_shot/CLASS`) and a probability per class.

    ConfigError for an unknown class or task; DataError for a probe that was fitted for another encoder.
    """
    encoder = load_encoder(model)
    probes = {path: linear_probe_io.load(path) for path in map(probe_path, options.probes)}
    for probe in probes.values():
        probe.check_fits(encoder.digest, encoder.dims, options.representation)
    classes, vectors, prompt_metadata = _prompts(encoder, options)

    def columns(features: dict[str, np.ndarray]) -> Columns:
        scores: dict[str, Any] = {}
        if classes:
            cosines = (zero_shot.unit(features["aligned"]) @ vectors.T).astype(np.float32)
            scores |= {f"zero_shot/{name}": cosines[:, column] for column, name in enumerate(classes)}
        for probe in probes.values():
            probabilities = probe.probabilities(features, options.representation)
            names = [f"probe/{probe.task}/{name}" for name in probe.classes]
            scores |= {name: probabilities[:, column] for column, name in enumerate(names)}
        return scores

    probe_metadata = [
        {"task": probe.task, "classes": probe.classes, "representation": options.representation, "sha256": sha256(path)}
        for path, probe in probes.items()
    ]
    return encode_all(request, encoder, columns, {"prompts": prompt_metadata, "probes": probe_metadata})


def probe_path(name: str) -> Path:
    """Return the file of a fitted probe, given its path or its task."""
    if name.endswith(linear_probe_io.SUFFIX) or "/" in name:
        return Path(name)
    if name not in TASKS:
        raise ConfigError(
            f"--probe {name}: no such task{did_you_mean(name, list(TASKS))}",
            allowed=f"{', '.join(TASKS)}, or a file *{linear_probe_io.SUFFIX}",
        )
    return paths.fitted_probe("cgdmer", name)


def _prompts(encoder: Pretrained, options: ScoreOptions) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    """Return class names, their unit vectors (C, E) and metadata; empty for an encoder trained without reports."""
    if "aligned" not in encoder.dims:
        if not options.probes:
            raise ConfigError(
                "this encoder was trained without reports: it has no zero-shot scores",
                fix="--probe TASK, or --model FOLDER",
            )
        return [], np.zeros((0, 0)), {}
    if not options.prompts.is_file():
        raise DataError(f"{options.prompts} is missing", fix='--prompts FILE with {"prompts": {"CLASS": "text"}}')
    prompts = zero_shot.read_prompts(options.prompts, options.prompts.stem, ensemble=False)
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


def _known_classes(classes: Sequence[str], available: list[str], options: ScoreOptions) -> list[str]:
    for name in classes:
        if name not in available:
            raise ConfigError(
                f"{options.prompts} has no prompt '{name}'{did_you_mean(name, available)}",
                allowed=", ".join(available),
                fix='--prompts FILE with {"prompts": {"CLASS": "text"}}',
            )
    return list(dict.fromkeys(classes))
