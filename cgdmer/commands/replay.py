"""`cgdmer replay FOLDER`: repeat a pretraining step whose loss was not finite and list the records that cause it."""

from pathlib import Path

from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.objectives import Objective
from cgdmer.settings import Settings
from cgdmer.training import join, replay
from cgdmer.training.pretraining_set import choose, key, open_pretraining_set


def describe(folder: Path, settings: Settings) -> str:
    """Return the loss terms of the failed and the repeated step and the ids of the records, as text.

    ConfigError if params.yaml or the pretraining set have changed since that run, DataError for an incomplete dump.
    """
    shards, manifest = open_pretraining_set(settings.signal)
    sections = (settings.model, settings.masking, settings.objective, settings.train, settings.signal)
    if folder.absolute().parent.name != key(manifest, *sections):
        raise ConfigError(
            f"{folder} is from a run with other settings or another pretraining set",
            allowed="the params.yaml and data/pretraining_set.json of that run",
            fix="git checkout that params.yaml, then: dvc repro pretraining_set",
        )
    rows, sizes = choose(shards, settings.train)
    reports = shards.columns("report")["report"].gather(rows[: sizes[0]])
    network = weights.create(*sections[:3], settings.signal, reports, settings.train.seed)
    pad = network.tokenizer.pad if network.tokenizer else 0
    step = replay(folder, Objective(network, settings.objective), settings.train, join().device, pad)
    lines = [f"step {step.step}", f"  {'term':<24} {'then':>12} {'now':>12}"]
    original = step.original_terms
    lines += [f"  {name:<24} {original.get(name, '-'):>12.12} {value:>12.6g}" for name, value in step.terms.items()]
    if not step.rows:
        return "\n".join([*lines, "no single record gives a non-finite term: look at gradient_norm and train.lr"])
    records = shards.columns("id")[step.rows]
    listed = [f"  {source} {name}" for name, source in records.select("id", "source").iter_rows()]
    return "\n".join([*lines, f"{len(listed)} records give a non-finite term on their own:", *listed])
