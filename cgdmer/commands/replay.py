"""`cgdmer replay FOLDER`: repeat a pretraining step whose loss was not finite and list the records that cause it."""

from functools import partial
from pathlib import Path

from cgdmer.commands import train_encoder
from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.objectives import Objective
from cgdmer.settings import Settings
from cgdmer.stages.pretrain import OpenData, Sections, open_corpora
from cgdmer.training import join, replay
from cgdmer.training.pretraining_set import key


def describe(folder: Path, settings: Settings) -> str:
    """Return the loss terms of the failed and the repeated step and the names of the records, as text.

    ConfigError if the settings, the code or the pretraining set have changed since that run, DataError for an
    incomplete dump.
    """
    run, file = folder.absolute().parent, "params.yaml"
    open_data: OpenData = open_corpora
    if run.parent.name == train_encoder.NAME:
        settings, description = train_encoder.read()
        file, open_data = str(train_encoder.FILE), partial(train_encoder.open_data, description)
    sections = Sections.of(settings)
    data, manifest = open_data(sections)
    if run.name != key(manifest, *vars(sections).values()):
        raise ConfigError(
            f"{folder} is from a run with other settings, other code or another pretraining set",
            allowed=f"the {file}, the code and the pretraining set of that run",
            fix="git checkout the commit of that run, then: dvc repro pretraining_set",
        )
    network = weights.create(
        sections.model, sections.masking, sections.objective, sections.signal, data.reports, sections.train.seed
    )
    pad = network.tokenizer.pad if network.tokenizer else 0
    task = Objective(network, sections.objective, sections.augmentation)
    step = replay(folder, task, sections.train, join().device, pad)
    lines = [f"step {step.step}", f"  {'term':<24} {'then':>12} {'now':>12}"]
    original = step.original_terms
    lines += [f"  {name:<24} {original.get(name, '-'):>12.12} {value:>12.6g}" for name, value in step.terms.items()]
    if not step.rows:
        return "\n".join([*lines, "no single record gives a non-finite term: look at gradient_norm and train.lr"])
    listed = [f"  {name}" for name in data.names(step.rows)]
    return "\n".join([*lines, f"{len(listed)} records give a non-finite term on their own:", *listed])
