"""Owns `cgdmer replay FOLDER`: a step of pretraining that was not finite, done again, with the records to blame."""

from pathlib import Path

from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.objectives import Objective
from cgdmer.settings import Settings
from cgdmer.training import join, replay
from cgdmer.training.pretraining_set import choose, key, open_pretraining_set


def describe(folder: Path, settings: Settings) -> str:
    """Return the terms then and now and the records' ids, for a person.

    Raises ConfigError where params.yaml or the pool are no longer those of that run, DataError for half a dump.
    """
    shards, pool = open_pretraining_set(settings.signal)
    sections = (settings.model, settings.masking, settings.objective, settings.train, settings.signal)
    if folder.absolute().parent.name != key(pool, *sections):
        raise ConfigError(
            f"{folder} was left by a run with other settings or another pool",
            allowed="the params.yaml and data/pretraining_set.json of that run",
            fix="git checkout that params.yaml, then: dvc repro pretraining_set",
        )
    rows, sizes = choose(shards, settings.train)
    reports = shards.columns("report")["report"].gather(rows[: sizes[0]])
    network = weights.create(*sections[:3], settings.signal, reports, settings.train.seed)
    pad = network.tokenizer.pad if network.tokenizer else 0
    found = replay(folder, Objective(network, settings.objective), settings.train, join().device, pad)
    lines = [f"step {found.step}", f"  {'term':<24} {'then':>12} {'now':>12}"]
    lines += [f"  {name:<24} {found.said.get(name, '-'):>12.12} {value:>12.6g}" for name, value in found.terms.items()]
    if not found.rows:
        return "\n".join([*lines, "no record alone gives a non-finite term: look at gradient_norm and train.lr"])
    named = shards.columns("id")[found.rows]
    listed = [f"  {source} {name}" for name, source in named.select("id", "source").iter_rows()]
    return "\n".join([*lines, f"{len(listed)} records give a non-finite term by themselves:", *listed])
