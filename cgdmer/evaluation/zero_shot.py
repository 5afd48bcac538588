"""Zero-shot classification: prompts with their names and hashes, and raw cosine scores on the test split.

docs/protocols.md C.1: score = cosine of the ECG's aligned vector and the class prompt's, no temperature and no softmax;
AUROC of each class; mean over classes. Nothing is selected on the labels of the task.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import files
from cgdmer.errors import DataError
from cgdmer.probing import bootstrap, linear_probe, metrics
from cgdmer.probing.cohort import Cohort, scorable
from cgdmer.probing.linear_probe import class_intervals, head
from cgdmer.results import rounded

FOLDER = Path(__file__).with_name("prompts")
STATEMENTS = FOLDER / "statements.json"
TEMPLATES = FOLDER / "templates.json"


@dataclass(frozen=True)
class Prompts:
    """Texts by class; several per class if templates make an ensemble."""

    texts: dict[str, list[str]]
    facts: dict[str, Any]
    """Name and sha256 of the prompt file and of the templates, for the result."""


def read_prompts(path: Path, name: str, ensemble: bool) -> Prompts:
    """Read prompts by class from `{"prompts": {class: text}}` or, as CKEPE is, a bare `{class: text}`.

    DataError if the file has another form.
    """
    content = files.read_json(path)
    prompts = content.get("prompts", content) if isinstance(content, dict) else None
    if not isinstance(prompts, dict) or not all(isinstance(text, str) and text for text in prompts.values()):
        raise DataError(f"{path} does not hold prompts", allowed='{"prompts": {"CLASS": "text"}}')
    templates = json.loads(TEMPLATES.read_text(encoding="utf-8"))["templates"] if ensemble else ["{}"]
    texts = {key: [template.replace("{}", text) for template in templates] for key, text in prompts.items()}
    used = {"ensemble": "mean of unit vectors", "templates_sha256": files.sha256(TEMPLATES)} if ensemble else {}
    return Prompts(texts, {"name": name, "sha256": files.sha256(path), "ensemble": "none", **used})


def texts_of(prompts: Prompts, classes: Sequence[str]) -> list[list[str]]:
    """Return the texts of each class; DataError names the classes without a prompt."""
    absent = [name for name in classes if name not in prompts.texts]
    if absent:
        raise DataError(
            f"prompt set '{prompts.facts['name']}' has no prompt for {', '.join(absent)}",
            allowed="a text for every class of the task",
            fix="set zero_shot.prompts to statements in params.yaml, or add the classes to the prompt file",
        )
    return [prompts.texts[name] for name in classes]


def class_vectors(encoded: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Average the unit text vectors (sum(sizes), E) of each class; returns unit vectors (C, E)."""
    starts = np.cumsum([0, *sizes[:-1]])
    return unit(np.add.reduceat(unit(encoded), starts, axis=0) / np.asarray(sizes)[:, None])


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length one, in float64; a zero vector stays zero."""
    wide = vectors.astype(np.float64)
    scaled: np.ndarray = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return scaled


def cosines(cohort: Cohort, aligned: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the scores (n, C) of the test split: `aligned` (N, E) of all embedded records, `vectors` (C, E)."""
    scores: np.ndarray = (unit(aligned[cohort.test.rows]) @ unit(vectors).T).astype(np.float32)
    return scores


def evaluate(cohort: Cohort, scores: np.ndarray, prompts: Prompts, replicates: int) -> dict[str, Any]:
    """Return the result of the scores (n, C) of the test split; the classes are in the order of the cohort."""
    scored = scorable(cohort.test.labels)
    labels = cohort.test.labels[:, scored]
    points = metrics.auroc(scores[:, scored], labels)
    replicated = bootstrap.auroc(scores[:, scored], labels, bootstrap.draws(len(labels), replicates))
    overall = bootstrap.interval(points.mean(), bootstrap.macro(replicated))
    names = [name for name, keep in zip(cohort.classes, scored, strict=True) if keep]
    return {
        **head(cohort, "zero-shot, cosine"),
        **overall.rounded().to_json(),
        "skipped_replicates": int(np.isnan(replicated).sum()),
        "per_class": {name: rounded(value) for name, value in zip(names, points, strict=True)},
        "per_class_interval": class_intervals(names, points, replicated),
        "prompts": {**prompts.facts, "texts": {name: prompts.texts[name] for name in cohort.classes}},
    }


def predictions(cohort: Cohort, scores: np.ndarray) -> pl.DataFrame:
    """Return one row per test record, in the form of a probe's predictions: no labels were used, so fraction is 0."""
    none = np.empty(0, int), None, np.empty((0, 0))
    return linear_probe.predictions(cohort, linear_probe.Run(0, *none, scores), 0.0, "aligned")
