"""Encode one set of real recordings with all encoders, and score its tasks with all labels, with few and with none."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cgdmer import settings
from cgdmer.commands.real_methods import Method, probe_files
from cgdmer.encoders import Setup, load
from cgdmer.encoders.crops import cropped
from cgdmer.external import few_labels, scoring
from cgdmer.external.external_set import ExternalSet, Labels
from cgdmer.external.results import SIMULATED, ZERO_SHOT, FewLabels, RealSet, RealTask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Features:
    """What all encoders make of one set."""

    encoders: scoring.Encoders
    aligned: Mapping[str, np.ndarray]
    """(N, E), in the space of reports, by pretrained encoder that has it."""


def score(
    name: str, real: ExternalSet, features: Features, config: settings.Settings, methods: Mapping[str, Method]
) -> RealSet:  # fmt: skip
    """Score the tasks and measurements of one set."""
    tasks = {}
    for task, labels in real.tasks.items():
        scored = score_task(task, labels, real, features, config, methods)
        log.info("%s %s: %s", name, task, _described(scored, next(iter(methods))))
        if scored:
            tasks[task] = scored
    return RealSet(
        *(real.origin.title, real.origin.version, real.origin.licence, real.origin.link),
        records=len(real.signals),
        patients=len(set(real.patients)),
        left_out={reason: count for reason, count in real.left_out.items() if count},
        in_pretraining=name in {seen for method in methods.values() for seen in method.pretrained_on},
        tasks=tasks,
        measurements=scoring.score_measurements(real, features.encoders, config.probe.bootstrap),
    )


def _described(scored: RealTask | None, method: str) -> str:
    return scored.encoders[method][scoring.MAIN].text() if scored else "too few records"


def score_task(
    name: str, labels: Labels, real: ExternalSet, features: Features, config: settings.Settings,
    methods: Mapping[str, Method],
) -> RealTask | None:  # fmt: skip
    """Score one task with all labels, with few and with none; None if too few records have or lack every class."""
    task, first, C = scoring.members(labels, real.patients, config.probe.bootstrap), next(iter(methods)), config.probe.C
    if task is None:
        return None
    few: dict[str, FewLabels | None] = {
        ZERO_SHOT: _zero_shot(task, features, methods),
        SIMULATED: _simulated(name, task, features, config, methods),
        **few_labels.learning_curve(task, features.encoders, C, first),
    }
    told = {kind: one for kind, one in few.items() if one is not None}
    return replace(scoring.score_task(task, features.encoders, C), few=told)


def _zero_shot(task: scoring.Members, features: Features, methods: Mapping[str, Method]) -> FewLabels | None:
    prompts = {name: few_labels.class_vectors(methods[name].encoder, task.names) for name in features.aligned}
    known = {name: vectors for name, vectors in prompts.items() if vectors is not None}
    return few_labels.by_prompts(task, features.aligned, known, next(iter(methods)))


def _simulated(
    name: str, task: scoring.Members, features: Features, config: settings.Settings, methods: Mapping[str, Method]
) -> FewLabels | None:  # fmt: skip
    digests = {method: one.encoder.digest for method, one in methods.items()}
    dims = {encoder: sets[0][scoring.MAIN].shape[1] for encoder, sets in features.encoders.items()}
    probes = few_labels.read_probes(probe_files(name, methods, config.matrix.controls), digests, dims)
    return few_labels.by_simulated_labels(task, features.encoders, probes, next(iter(methods)))


def encode(real: ExternalSet, config: settings.Settings, methods: Mapping[str, Method]) -> Features:
    """Return the features of the pretrained encoders and the controls, each with all its sets of weights."""
    form = next(iter(methods.values())).encoder.form
    crops = config.embed.crops, config.embed.crop_seconds
    encoders, aligned = {}, {}
    for name, method in methods.items():
        features = scoring.encode(cropped(method.encoder, *crops), real, config.embed.batch)
        if scoring.ALIGNED in features:
            aligned[name] = features.pop(scoring.ALIGNED)
        encoders[name] = [features]
    for name in [control for control in config.matrix.controls if control not in encoders]:
        sets = []
        for number in range(config.embed.sets_of_weights(name)):
            setup = Setup.of(form, config.model, config.embed, config.embed.seed + number)
            sets.append({scoring.MAIN: scoring.encode(load(name, setup), real, config.embed.batch)[scoring.MAIN]})
        encoders[name] = sets
    return Features(encoders, aligned)
