"""Owns `cgdmer score`: recordings in, zero-shot scores of prompts and the class probabilities of saved probes out."""

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
from cgdmer.probing import linear_probe_io as fitted
from cgdmer.tables import TASKS


@dataclass(frozen=True)
class Wanted:
    """What to score by."""

    prompts: Path = zero_shot.STATEMENTS
    classes: tuple[str, ...] | None = None
    """Of the prompts; all where None."""
    probes: tuple[str, ...] = ()
    """Tasks, or files of saved probes."""
    representation: str = "pooled"


def score(request: Request, model: str, wanted: Wanted) -> Outcome:
    """Write id, seconds, missing leads, a cosine a prompt (`zero_shot/CLASS`) and a probability a probe's class.

    ConfigError for an unknown class or task; DataError for a probe that was fitted for another encoder.
    """
    encoder = load_encoder(model)
    heads = {path: fitted.load(path) for path in map(probe_path, wanted.probes)}
    for head in heads.values():
        head.fits(encoder.digest, encoder.dims, wanted.representation)
    names, vectors, facts = _prompts(encoder, wanted)

    def columns(features: dict[str, np.ndarray]) -> Columns:
        found: dict[str, Any] = {}
        if names:
            cosines = (zero_shot.unit(features["aligned"]) @ vectors.T).astype(np.float32)
            found |= {f"zero_shot/{name}": cosines[:, place] for place, name in enumerate(names)}
        for head in heads.values():
            chances = head.probabilities(features, wanted.representation)
            found |= {f"probe/{head.task}/{name}": chances[:, place] for place, name in enumerate(head.classes)}
        return found

    probes = [
        {"task": head.task, "classes": head.classes, "representation": wanted.representation, "sha256": sha256(path)}
        for path, head in heads.items()
    ]
    return encode_all(request, encoder, columns, {"prompts": facts, "probes": probes})


def probe_path(name: str) -> Path:
    """Return the file of a saved probe, named by its path or its task."""
    if name.endswith(fitted.SUFFIX) or "/" in name:
        return Path(name)
    if name not in TASKS:
        raise ConfigError(
            f"--probe {name}: no such task{did_you_mean(name, list(TASKS))}",
            allowed=f"{', '.join(TASKS)}, or a file *{fitted.SUFFIX}",
        )
    return paths.fitted_probe("cgdmer", name)


def _prompts(encoder: Pretrained, wanted: Wanted) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    """Return class names, their unit vectors (C, E) and what to say of them; nothing where reports were not learnt."""
    if "aligned" not in encoder.dims:
        if not wanted.probes:
            raise ConfigError(
                "this encoder was trained without reports: it has no zero-shot scores",
                fix="--probe TASK, or --model FOLDER",
            )
        return [], np.zeros((0, 0)), {}
    if not wanted.prompts.is_file():
        raise DataError(f"{wanted.prompts} is missing", fix='--prompts FILE with {"prompts": {"CLASS": "text"}}')
    prompts = zero_shot.read_prompts(wanted.prompts, wanted.prompts.stem, ensemble=False)
    names = list(prompts.texts) if wanted.classes is None else _chosen(wanted.classes, list(prompts.texts), wanted)
    texts = zero_shot.texts_of(prompts, names)
    encoded = encoder.encode_reports([report_text.clean_joined(text) for several in texts for text in several])
    vectors = zero_shot.class_vectors(encoded, [len(several) for several in texts])
    stated = {
        name: {"text": several[0], "sha256": hashlib.sha256(several[0].encode()).hexdigest()}
        for name, several in zip(names, texts, strict=True)
    }
    return names, vectors, {**prompts.facts, "classes": stated}


def _chosen(classes: Sequence[str], known: list[str], wanted: Wanted) -> list[str]:
    for name in classes:
        if name not in known:
            raise ConfigError(
                f"{wanted.prompts} has no prompt '{name}'{did_you_mean(name, known)}",
                allowed=", ".join(known),
                fix='--prompts FILE with {"prompts": {"CLASS": "text"}}',
            )
    return list(dict.fromkeys(classes))
