"""`cgdmer train-encoder`: train the encoder that the package ships, from params/encoder.yaml alone."""

from functools import partial
from typing import Any

from cgdmer import paths, settings
from cgdmer.commands import recordings_without_report, training_code
from cgdmer.errors import ConfigError
from cgdmer.files import exclusive_lock, read_json, write_json
from cgdmer.models import weights
from cgdmer.settings import profiles
from cgdmer.stages.pretrain import Destination, Sections, start
from cgdmer.streams.training_data import of_stream
from cgdmer.training.pretraining_set import key
from cgdmer.training.training_data import TrainingData

PROFILE = "encoder"
FILE = profiles.PROFILES / f"{PROFILE}.yaml"
NAME = "train-encoder"
DESTINATION = Destination(paths.BASE, paths.REPORTS / "encoder", NAME)
DONE = paths.STATE / NAME / "trained.json"
"""Settings and code of the finished training, and the digest of its encoder."""


def train() -> str:
    """Train, or go on after a kill, and return where the encoder is; train nothing if it is there already.

    Neither params.yaml nor any result of the pipeline is read or changed. ConfigError if the profile names corpora, or
    if its records would be those of a simulated corpus.
    """
    config, description = read()
    sections = Sections.of(config)
    made = key(description, *vars(sections).values())
    with exclusive_lock(paths.STATE / "locks" / NAME):
        if is_trained(made):
            return (
                f"the encoder in {DESTINATION.model} was trained with these settings and this code already; to train "
                f"it again, remove that folder"
            )
        start(sections, partial(open_data, description), DESTINATION)
        write_json(DONE, {"key": made, "digest": weights.digest(DESTINATION.model)})
    return f"the encoder is in {DESTINATION.model}, its learning curve in {DESTINATION.results}"


def is_trained(made: str) -> bool:
    """Return whether the encoder of a training is there, unchanged since."""
    if not (DONE.is_file() and (DESTINATION.model / weights.CONFIG).is_file()):
        return False
    done: dict[str, str] = read_json(DONE)
    return done == {"key": made, "digest": weights.digest(DESTINATION.model)}


def open_data(description: dict[str, Any], sections: Sections) -> tuple[TrainingData, dict[str, Any]]:
    """Open the records that a description of `describe` names."""
    return of_stream(
        description, sections.train, sections.objective, sections.signal, sections.augmentation
    ), description


def read() -> tuple[settings.Settings, dict[str, Any]]:
    """Return the settings, and the description of the pretraining set."""
    config = settings.parse(profiles.read(PROFILE), name=str(FILE))
    return config, describe(config)


def describe(config: settings.Settings) -> dict[str, Any]:
    """Return the description of the pretraining set."""
    simulated = config.pretraining_set.simulated
    if not simulated.records:
        raise ConfigError(
            f"{NAME} trains on simulated records, and pretraining_set.simulated.records is 0",
            allowed="a number above 0, and pretraining_set.sources: []",
            fix=f"edit {FILE}",
        )
    if taken := sorted(name for name, corpus in config.corpora.items() if corpus.seed == simulated.seed):
        raise ConfigError(
            f"pretraining_set.simulated.seed = {simulated.seed} is the seed of {', '.join(taken)}, whose test records "
            "would be trained on",
            allowed="a seed that no section of corpora has",
            fix=f"edit {FILE}",
        )
    description: dict[str, Any] = {"sources": {}, "simulated": simulated.model_dump()}
    description["code"] = training_code.digest()
    if recordings := recordings_without_report.prepare(config.pretraining_set.unlabelled, config.signal):
        description |= {"recordings": recordings, "share": config.pretraining_set.unlabelled.share}
    return description
